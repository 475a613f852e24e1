"""What is known by hand of torchvision's networks: layers, aliases, heads and papers.

Layers are named by rules over a network's name, so that none has to be built for its card.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from bids_dnn.features.models.cards_papers import PAPERS, Paper

VGG = {  # convolutions in each of the five blocks
    "vgg11": (1, 1, 2, 2, 2),
    "vgg13": (2, 2, 2, 2, 2),
    "vgg16": (2, 2, 3, 3, 3),
    "vgg19": (2, 2, 4, 4, 4),
}
MIXED = ("3a", "3b", "4a", "4b", "4c", "4d", "4e", "5a", "5b")  # inception modules, in order
# Branches of an inception module: their names in the original to torchvision's.
BRANCHES = {
    "1x1": "branch1",
    "3x3_bottleneck": "branch2.0",
    "3x3": "branch2.1",
    "5x5_bottleneck": "branch3.0",
    "5x5": "branch3.1",
    "pool": "branch4.0",
    "pool_reduce": "branch4.1",
}
STEM = {"conv2d0": "conv1", "conv2d1": "conv2", "conv2d2": "conv3"}
BLOCKS = {"b": 12, "l": 24, "h": 32}  # of vision transformers
MOST_BLOCKS = 12  # analyzed by default
LAST_FEATURES = {  # number of the last of `features`
    "b": 8,
    "v2_s": 7,
    "v2_m": 8,
    "v2_l": 8,
}


@dataclass(frozen=True, slots=True)
class Sheet:
    """What is known by hand of a network.

    Parameters
    ----------
    layers
        Analyzed by default, in forward order.
    head
        Layer that puts out the logits.
    paper
        That describes it.
    aliases
        Other names of layers, to ``PATH[:OPTION...]``.
    """

    layers: tuple[str, ...]
    head: str
    paper: Paper
    aliases: Mapping[str, str] = field(default_factory=dict)


def sheet_of(name: str) -> Sheet | None:
    """Return what is known of torchvision's network `name`; None where nothing is.

    Examples
    --------
    >>> sheet_of("alexnet").aliases["fc7"]
    'classifier.4'
    """
    for pattern, make in RULES.items():
        if re.fullmatch(pattern, name):
            return make(name)
    return None


def _alexnet(_: str) -> Sheet:
    convolutions = ("features.0", "features.3", "features.6", "features.8", "features.10")
    aliases = {f"conv{i}": path for i, path in enumerate(convolutions, start=1)}
    aliases |= {
        f"relu{i}": f"features.{int(path.rpartition('.')[2]) + 1}"
        for i, path in enumerate(convolutions, start=1)
    }
    aliases |= {"pool1": "features.2", "pool2": "features.5", "pool5": "features.12"}
    linear = {"fc6": "classifier.1", "fc7": "classifier.4", "fc8": "classifier.6"}
    aliases |= linear | {"relu6": "classifier.2", "relu7": "classifier.5"}
    layers = (*convolutions, *linear.values())
    return Sheet(layers, "classifier.6", PAPERS["alexnet"], aliases)


def _vgg(name: str) -> Sheet:
    base, _, normalized = name.partition("_")
    layers: list[str] = []
    aliases: dict[str, str] = {}
    place = 0
    for block, n_convolutions in enumerate(VGG[base], start=1):
        for i in range(1, n_convolutions + 1):
            aliases[f"conv{block}_{i}"] = f"features.{place}"
            layers.append(f"features.{place}")
            if normalized:
                place += 1
                aliases[f"bn{block}_{i}"] = f"features.{place}"
            aliases[f"relu{block}_{i}"] = f"features.{place + 1}"
            place += 2
        aliases[f"pool{block}"] = f"features.{place}"
        place += 1
    linear = {"fc6": "classifier.0", "fc7": "classifier.3", "fc8": "classifier.6"}
    aliases |= linear | {"relu6": "classifier.1", "relu7": "classifier.4"}
    return Sheet((*layers, *linear.values()), "classifier.6", PAPERS["vgg"], aliases)


def _resnet(name: str) -> Sheet:
    layers = ("relu", "layer1", "layer2", "layer3", "layer4", "avgpool", "fc")
    kinds = {"resnext": "resnext", "wide": "wide_resnet"}
    kind = next((kind for start, kind in kinds.items() if name.startswith(start)), "resnet")
    return Sheet(layers, "fc", PAPERS[kind])


def _googlenet(name: str) -> Sheet:
    aliases = dict(STEM)
    aliases |= {f"{lucid}_pre_relu": f"{path}.bn" for lucid, path in STEM.items()}
    for mixed in MIXED:
        path = f"inception{mixed}"
        aliases[f"mixed{mixed}"] = path
        for branch, part in BRANCHES.items():
            aliases[f"mixed{mixed}_{branch}"] = f"{path}.{part}"
            if branch != "pool":
                aliases[f"mixed{mixed}_{branch}_pre_relu"] = f"{path}.{part}.bn"
    aliases |= {"avgpool0": "avgpool", "softmax2_pre_activation": "fc"}
    layers = (*STEM, *(f"mixed{mixed}" for mixed in MIXED), "avgpool", "fc")
    if name == "googlenet":
        layers = tuple(aliases.get(layer, layer) for layer in layers)
    return Sheet(layers, "fc", PAPERS["googlenet"], aliases)


def _inception_v3(_: str) -> Sheet:
    stem = ("Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "Conv2d_3b_1x1", "Conv2d_4a_3x3")
    ends = ("5b", "5c", "5d", "6a", "6b", "6c", "6d", "6e", "7a", "7b", "7c")
    layers = (*stem, *(f"Mixed_{end}" for end in ends), "avgpool", "fc")
    return Sheet(layers, "fc", PAPERS["inception_v3"])


def _densenet(_: str) -> Sheet:
    blocks = tuple(f"features.denseblock{i}" for i in range(1, 5))
    # The last normalization is followed by a nonlinearity that is no module of its own.
    layers = ("features.relu0", *blocks, "features.norm5:relu", "classifier")
    return Sheet(layers, "classifier", PAPERS["densenet"])


def _mobilenet(name: str) -> Sheet:
    ends = {  # last block before each halving of the map
        "mobilenet_v2": ((0, 1, 3, 6, 13, 17, 18), "classifier.1"),
        "mobilenet_v3_large": ((0, 1, 3, 6, 12, 15, 16), "classifier.3"),
        "mobilenet_v3_small": ((0, 1, 3, 8, 11, 12), "classifier.3"),
    }
    places, head = ends[name]
    layers = (*(f"features.{place}" for place in places), head)
    return Sheet(layers, head, PAPERS[name.removesuffix("_large").removesuffix("_small")])


def _efficientnet(name: str) -> Sheet:
    version = name.removeprefix("efficientnet_")
    last = LAST_FEATURES[version if version in LAST_FEATURES else "b"]
    layers = (*(f"features.{place}" for place in range(last + 1)), "classifier.1")
    paper = PAPERS["efficientnet_v2" if version.startswith("v2") else "efficientnet"]
    return Sheet(layers, "classifier.1", paper)


def _convnext(_: str) -> Sheet:
    stages = tuple(f"features.{place}" for place in (0, 1, 3, 5, 7))
    return Sheet((*stages, "avgpool", "classifier.2"), "classifier.2", PAPERS["convnext"])


def _vit(name: str) -> Sheet:
    n_blocks = BLOCKS[name.split("_")[1]]
    step = n_blocks // MOST_BLOCKS
    blocks = tuple(f"encoder.layers.encoder_layer_{i}" for i in range(step - 1, n_blocks, step))
    aliases = {f"block{i}": f"encoder.layers.encoder_layer_{i}" for i in range(n_blocks)}
    layers = (*blocks, "encoder.ln:class", "heads.head")
    return Sheet(layers, "heads.head", PAPERS["vit"], aliases)


def _swin(name: str) -> Sheet:
    stages = tuple(f"features.{place}" for place in (0, 1, 3, 5, 7))
    paper = PAPERS["swin_v2" if "_v2_" in name else "swin"]
    return Sheet((*stages, "avgpool", "head"), "head", paper)


def _squeezenet(name: str) -> Sheet:
    pooled = (2, 6, 11) if name.endswith("1_0") else (2, 5, 8)
    layers = tuple(f"features.{place}" for place in range(1, 13) if place not in pooled)
    # The head makes logits of each place and averages them.
    return Sheet((*layers, "classifier.3"), "classifier.3", PAPERS["squeezenet"])


def _plain(layers: tuple[str, ...], head: str, paper: str) -> Callable[[str], Sheet]:
    return lambda _: Sheet((*layers, head), head, PAPERS[paper])


RULES: dict[str, Callable[[str], Sheet]] = {
    "alexnet": _alexnet,
    r"vgg\d+(_bn)?": _vgg,
    r"(wide_)?resnet.*|resnext.*": _resnet,
    "googlenet|inception_v1": _googlenet,
    "inception_v3": _inception_v3,
    r"densenet\d+": _densenet,
    r"mobilenet_v(2|3_small|3_large)": _mobilenet,
    r"efficientnet_(b\d|v2_[sml])": _efficientnet,
    "convnext_.*": _convnext,
    r"vit_[blh]_\d+": _vit,
    "swin_.*": _swin,
    r"squeezenet1_[01]": _squeezenet,
    "shufflenet_v2_.*": _plain(
        ("conv1", "stage2", "stage3", "stage4", "conv5"), "fc", "shufflenet"
    ),
    "mnasnet.*": _plain(
        tuple(f"layers.{place}" for place in (2, 7, 8, 9, 10, 11, 12, 13, 16)),
        "classifier.1",
        "mnasnet",
    ),
    "regnet_.*": _plain(
        ("stem", *(f"trunk_output.block{i}" for i in range(1, 5)), "avgpool"), "fc", "regnet"
    ),
    "maxvit_t": _plain(("stem", *(f"blocks.{i}" for i in range(4))), "classifier.5", "maxvit"),
}
