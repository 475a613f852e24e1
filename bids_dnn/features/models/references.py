"""Papers that published weights are from, found by the name of the weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Paper:
    """Where a network was published.

    Parameters
    ----------
    text
        Authors, year, title or journal, and DOI or arXiv number.
    doi
        Without the resolver.
    license
        Of the published weights, where it is the same for all of the paper; else "".
    """

    text: str
    doi: str
    license: str = ""


CLIP = Paper(
    "Radford et al. (2021), Learning transferable visual models from natural language "
    "supervision, arXiv:2103.00020.",
    "10.48550/arXiv.2103.00020",
    "mit",
)
OPEN_CLIP = Paper(
    "Cherti et al. (2023), Reproducible scaling laws for contrastive language-image learning, "
    "CVPR, doi:10.1109/CVPR52729.2023.00276.",
    "10.1109/CVPR52729.2023.00276",
    "mit",
)
DATACOMP = Paper(
    "Gadre et al. (2023), DataComp: in search of the next generation of multimodal datasets, "
    "arXiv:2304.14108.",
    "10.48550/arXiv.2304.14108",
)
SIGLIP = Paper(
    "Zhai et al. (2023), Sigmoid loss for language image pre-training, ICCV, "
    "doi:10.1109/ICCV51070.2023.01100.",
    "10.1109/ICCV51070.2023.01100",
)
SIGLIP2 = Paper(
    "Tschannen et al. (2025), SigLIP 2: multilingual vision-language encoders with improved "
    "semantic understanding, localization, and dense features, arXiv:2502.14786.",
    "10.48550/arXiv.2502.14786",
)
MOBILECLIP = Paper(
    "Vasu et al. (2024), MobileCLIP: fast image-text models through multi-modal reinforced "
    "training, CVPR, arXiv:2311.17049.",
    "10.48550/arXiv.2311.17049",
)
CLIPA = Paper(
    "Li, Wang & Xie (2023), An inverse scaling law for CLIP training, arXiv:2305.07017.",
    "10.48550/arXiv.2305.07017",
)
VITAMIN = Paper(
    "Chen et al. (2024), ViTamin: designing scalable vision models in the vision-language era, "
    "arXiv:2404.02132.",
    "10.48550/arXiv.2404.02132",
)
PERCEPTION = Paper(
    "Bolya et al. (2025), Perception encoder: the best visual embeddings are not at the output "
    "of the network, arXiv:2504.13181.",
    "10.48550/arXiv.2504.13181",
)
DFN = Paper(
    "Fang et al. (2023), Data filtering networks, arXiv:2309.17425.", "10.48550/arXiv.2309.17425"
)
METACLIP = Paper(
    "Xu et al. (2023), Demystifying CLIP data, arXiv:2309.16671.", "10.48550/arXiv.2309.16671"
)
EVA = Paper(
    "Sun et al. (2023), EVA-CLIP: improved training techniques for CLIP at scale, "
    "arXiv:2303.15389.",
    "10.48550/arXiv.2303.15389",
)
COCA = Paper(
    "Yu et al. (2022), CoCa: contrastive captioners are image-text foundation models, "
    "arXiv:2205.01917.",
    "10.48550/arXiv.2205.01917",
)
DINOV2 = Paper(
    "Oquab et al. (2024), DINOv2: learning robust visual features without supervision, "
    "Transactions on Machine Learning Research, arXiv:2304.07193.",
    "10.48550/arXiv.2304.07193",
    "apache-2.0",
)
VIT = Paper(
    "Dosovitskiy et al. (2021), An image is worth 16x16 words: transformers for image "
    "recognition at scale, ICLR, arXiv:2010.11929.",
    "10.48550/arXiv.2010.11929",
    "apache-2.0",
)
GIT = Paper(
    "Wang et al. (2022), GIT: a generative image-to-text transformer for vision and language, "
    "arXiv:2205.14100.",
    "10.48550/arXiv.2205.14100",
    "mit",
)
NONE = Paper("", "")

# Of open_clip, by what the architecture or the tag of the weights holds; the first that fits.
CLIP_PAPERS: Mapping[str, Paper] = {
    "siglip2": SIGLIP2,
    "siglip": SIGLIP,
    "mobileclip2": NONE,
    "mobileclip": MOBILECLIP,
    "clipa": CLIPA,
    "vitamin": VITAMIN,
    "pe-core": PERCEPTION,
    "coca": COCA,
    "eva": EVA,
    "metaclip2": NONE,
    "metaclip": METACLIP,
    "dfn": DFN,
    "openai": CLIP,
    "datacomp": DATACOMP,
    "commonpool": DATACOMP,
    "laion": OPEN_CLIP,
}
# Of transformers, by the kind of network that a configuration names.
KIND_PAPERS: Mapping[str, Paper] = {
    "clip": CLIP,
    "clip_vision_model": CLIP,
    "clip_text_model": CLIP,
    "siglip": SIGLIP,
    "dinov2": DINOV2,
    "vit": VIT,
    "git": GIT,
}
