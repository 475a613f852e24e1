"""Networks trained on ecoset: 1.5 million pictures of 565 things that people name often.

The weights are those that THINGSvision publishes, for networks as torchvision builds them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import torch

from bids_dnn.containers.network import Card
from bids_dnn.errors import ConfigError, nearest
from bids_dnn.features.models import torchvision as base
from bids_dnn.features.models.cards_papers import PAPERS
from bids_dnn.features.models.weights import find_weights, read_state

PREFIX = "ecoset"
N_CLASSES = 565
LICENSE = "not stated with the weights; ecoset itself is CC-BY-NC-SA-2.0"


@dataclass(frozen=True, slots=True)
class Member:
    """A network that was trained on ecoset.

    Parameters
    ----------
    base
        torchvision's name of it.
    url
        Of its weights.
    """

    base: str
    url: str


MEMBERS = {
    "alexnet": Member("alexnet", "https://osf.io/t6h3c/download"),
    "vgg16": Member("vgg16", "https://osf.io/z5uf3/download"),
    "resnet50": Member("resnet50", "https://osf.io/gd9kn/download"),
    "inception": Member("inception_v3", "https://osf.io/zn24d/download"),
}


def card(name: str) -> Card:
    """Return how a network trained on ecoset is fed.

    Layers and aliases are those of torchvision's network. The normalization is ImageNet's, as
    THINGSvision uses it. The order of the classes is not published with the weights, so that
    there are no labels.

    Raises
    ------
    ConfigError
        If there is no such network.
    """
    member = _member(name)
    paper = PAPERS["ecoset"]
    like, plain = base.card(member.base), base.card("alexnet")
    architecture = like.reference.partition(", as trained by")[0]
    return replace(
        like,
        name=f"{PREFIX}:{name}",
        mean=plain.mean,
        sd=plain.sd,
        reference=f"{architecture}, trained on ecoset ({paper.line().rstrip('.')}).",
        doi=paper.doi,
        license=LICENSE,
        head="",
        labels=(),
    )


def build(name: str) -> torch.nn.Module:
    """Return a network with 565 classes and fresh weights from torch's current random state.

    Raises
    ------
    ConfigError
        If there is no such network.
    """
    return base.build(_member(name).base, num_classes=N_CLASSES)


def find(name: str, *, offline: bool) -> Path:
    """Return the file of the published weights, downloaded where it is not there yet.

    Raises
    ------
    ConfigError
        If there is no such network.
    MissingInputError
        If the file is not in torch's cache, and cannot or may not be downloaded.
    """
    member = _member(name)
    return find_weights(
        f"{PREFIX}:{name}", member.url, file_name=f"{name}_ecoset.pth", offline=offline
    )


def trained(name: str, *, offline: bool) -> tuple[dict[str, torch.Tensor], str]:
    """Return the published weights, and the name of their file.

    Raises
    ------
    ConfigError
        If there is no such network.
    MissingInputError
        If the file is not in torch's cache, and cannot or may not be downloaded.
    UnreadableError
        If the file is cut short or holds something else.
    """
    path = find(name, offline=offline)
    return read_state(path), path.name


def _member(name: str) -> Member:
    if name not in MEMBERS:
        raise ConfigError(
            f"There is no network {PREFIX}:{name}.",
            mend=nearest(f"{PREFIX}:{name}", [f"{PREFIX}:{one}" for one in MEMBERS]),
        )
    return MEMBERS[name]
