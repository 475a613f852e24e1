"""CORnet-Z, -S, -RT and -R: networks with an area for each of V1, V2, V4 and IT."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from bids_dnn.containers.network import Card
from bids_dnn.errors import ConfigError, nearest
from bids_dnn.features.models import cornet_modules as modules
from bids_dnn.features.models.cards_papers import PAPERS, Paper
from bids_dnn.features.models.weights import find_weights, read_state

PREFIX = "cornet"
PLACE = "https://s3.amazonaws.com/cornet-models/"
LAYERS = ("V1", "V2", "V4", "IT", "decoder.linear")
LICENSE = "GPL-3.0 (that of the repository which publishes them)"


@dataclass(frozen=True, slots=True)
class Member:
    """A network of the family.

    Parameters
    ----------
    make
        Builds it with fresh weights.
    file
        Of its published weights.
    title
        As papers call it.
    paper
        That describes it.
    """

    make: Callable[[], torch.nn.Module]
    file: str
    title: str
    paper: Paper


MEMBERS = {
    "z": Member(modules.make_z, "cornet_z-5c427c9c.pth", "CORnet-Z", PAPERS["cornet"]),
    "s": Member(modules.make_s, "cornet_s-1d3f7974.pth", "CORnet-S", PAPERS["cornet_s"]),
    "rt": Member(modules.make_rt, "cornet_rt-933c001c.pth", "CORnet-RT", PAPERS["cornet"]),
    "r": Member(modules.make_r, "cornet_r-5930a990.pth", "CORnet-R", PAPERS["cornet"]),
}


def card(name: str) -> Card:
    """Return how a CORnet is fed; `name` is ``z``, ``s``, ``rt`` or ``r``.

    The layers analyzed by default are what the areas send on after the last step, and the logits.

    Raises
    ------
    ConfigError
        If there is no such CORnet.
    """
    member = _member(name)
    return Card(
        name=f"{PREFIX}:{name}",
        layers=LAYERS,
        reference=f"{member.title}, {member.paper.line('trained on ImageNet')}",
        doi=member.paper.doi,
        license=LICENSE,
        head="decoder.linear",
        labels=_labels(),
    )


def build(name: str) -> torch.nn.Module:
    """Return a CORnet with fresh weights from torch's current random state.

    Raises
    ------
    ConfigError
        If there is no such CORnet.
    """
    return _member(name).make()


def find(name: str, *, offline: bool) -> Path:
    """Return the file of a CORnet's published weights, downloaded where it is not there yet.

    Raises
    ------
    ConfigError
        If there is no such CORnet.
    MissingInputError
        If the file is not in torch's cache, and cannot or may not be downloaded.
    UnreadableError
        If the file has another hash than its name says.
    """
    return find_weights(f"{PREFIX}:{name}", PLACE + _member(name).file, offline=offline)


def trained(name: str, *, offline: bool) -> tuple[dict[str, torch.Tensor], str]:
    """Return a CORnet's published weights, and the name of their file.

    Raises
    ------
    ConfigError
        If there is no such CORnet.
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


def _labels() -> tuple[str, ...]:
    """Return ImageNet's classes in the order of the logits: that of the folders' names."""
    import torchvision

    entry = torchvision.models.get_model_weights("alexnet").DEFAULT
    return tuple(entry.meta["categories"])
