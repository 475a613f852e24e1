"""The papers that networks are cited by."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Paper:
    """A paper that describes a network.

    Parameters
    ----------
    text
        Authors, year, title and place, without a final full stop.
    doi
        Without the resolver.
    """

    text: str
    doi: str

    def line(self, more: str = "") -> str:
        """Return the paper as one line with its DOI; `more` stands at its end.

        Examples
        --------
        >>> Paper("Doe (2020), Nets", "10.1/2").line("as trained by Roe")
        'Doe (2020), Nets, doi:10.1/2, as trained by Roe.'
        """
        return f"{self.text}, doi:{self.doi}{f', {more}' if more else ''}."


ARXIV = "10.48550/arXiv."
PAPERS = {
    "alexnet": Paper(
        "Krizhevsky (2014), One weird trick for parallelizing convolutional neural networks, "
        "arXiv:1404.5997",
        f"{ARXIV}1404.5997",
    ),
    "vgg": Paper(
        "Simonyan & Zisserman (2015), Very deep convolutional networks for large-scale image "
        "recognition, ICLR",
        f"{ARXIV}1409.1556",
    ),
    "resnet": Paper(
        "He et al. (2016), Deep residual learning for image recognition, CVPR",
        "10.1109/CVPR.2016.90",
    ),
    "resnext": Paper(
        "Xie et al. (2017), Aggregated residual transformations for deep neural networks, CVPR",
        "10.1109/CVPR.2017.634",
    ),
    "wide_resnet": Paper(
        "Zagoruyko & Komodakis (2016), Wide residual networks, arXiv:1605.07146",
        f"{ARXIV}1605.07146",
    ),
    "googlenet": Paper(
        "Szegedy et al. (2015), Going deeper with convolutions, CVPR",
        "10.1109/CVPR.2015.7298594",
    ),
    "inception_v3": Paper(
        "Szegedy et al. (2016), Rethinking the inception architecture for computer vision, CVPR",
        "10.1109/CVPR.2016.308",
    ),
    "densenet": Paper(
        "Huang et al. (2017), Densely connected convolutional networks, CVPR",
        "10.1109/CVPR.2017.243",
    ),
    "mobilenet_v2": Paper(
        "Sandler et al. (2018), MobileNetV2: inverted residuals and linear bottlenecks, CVPR",
        "10.1109/CVPR.2018.00474",
    ),
    "mobilenet_v3": Paper(
        "Howard et al. (2019), Searching for MobileNetV3, ICCV",
        "10.1109/ICCV.2019.00140",
    ),
    "efficientnet": Paper(
        "Tan & Le (2019), EfficientNet: rethinking model scaling for convolutional neural "
        "networks, ICML",
        f"{ARXIV}1905.11946",
    ),
    "efficientnet_v2": Paper(
        "Tan & Le (2021), EfficientNetV2: smaller models and faster training, ICML",
        f"{ARXIV}2104.00298",
    ),
    "convnext": Paper(
        "Liu et al. (2022), A ConvNet for the 2020s, CVPR",
        "10.1109/CVPR52688.2022.01167",
    ),
    "vit": Paper(
        "Dosovitskiy et al. (2021), An image is worth 16x16 words: transformers for image "
        "recognition at scale, ICLR",
        f"{ARXIV}2010.11929",
    ),
    "swin": Paper(
        "Liu et al. (2021), Swin transformer: hierarchical vision transformer using shifted "
        "windows, ICCV",
        "10.1109/ICCV48922.2021.00986",
    ),
    "swin_v2": Paper(
        "Liu et al. (2022), Swin transformer V2: scaling up capacity and resolution, CVPR",
        "10.1109/CVPR52688.2022.01170",
    ),
    "maxvit": Paper(
        "Tu et al. (2022), MaxViT: multi-axis vision transformer, ECCV",
        f"{ARXIV}2204.01697",
    ),
    "mnasnet": Paper(
        "Tan et al. (2019), MnasNet: platform-aware neural architecture search for mobile, CVPR",
        "10.1109/CVPR.2019.00293",
    ),
    "regnet": Paper(
        "Radosavovic et al. (2020), Designing network design spaces, CVPR",
        "10.1109/CVPR42600.2020.01044",
    ),
    "shufflenet": Paper(
        "Ma et al. (2018), ShuffleNet V2: practical guidelines for efficient CNN architecture "
        "design, ECCV",
        "10.1007/978-3-030-01264-9_8",
    ),
    "squeezenet": Paper(
        "Iandola et al. (2016), SqueezeNet: AlexNet-level accuracy with 50x fewer parameters, "
        "arXiv:1602.07360",
        f"{ARXIV}1602.07360",
    ),
    "cornet": Paper(
        "Kubilius et al. (2018), CORnet: modeling the neural mechanisms of core object "
        "recognition, bioRxiv",
        "10.1101/408385",
    ),
    "cornet_s": Paper(
        "Kubilius et al. (2019), Brain-like object recognition with high-performing shallow "
        "recurrent ANNs, NeurIPS",
        f"{ARXIV}1909.06161",
    ),
    "ecoset": Paper(
        "Mehrer et al. (2021), An ecologically motivated image dataset for deep learning yields "
        "better models of human vision, PNAS 118:e2011417118",
        "10.1073/pnas.2011417118",
    ),
    "gabor": Paper(
        "Kay et al. (2008), Identifying natural images from human brain activity, Nature 452:352",
        "10.1038/nature06713",
    ),
    "energy": Paper(
        "Adelson & Bergen (1985), Spatiotemporal energy models for the perception of motion, "
        "J. Opt. Soc. Am. A 2:284",
        "10.1364/JOSAA.2.000284",
    ),
}
