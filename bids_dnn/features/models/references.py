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
    "siglip2": NONE,
    "siglip": SIGLIP,
    "coca": COCA,
    "eva": EVA,
    "metaclip": METACLIP,
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
