"""Controls that learn nothing: pixels, and the Gabor wavelet pyramid with its energy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from bids_dnn.containers.network import Card
from bids_dnn.errors import ConfigError, nearest
from bids_dnn.features.models import lowlevel_modules as modules
from bids_dnn.features.models.cards_papers import PAPERS

PREFIX = "lowlevel"
FIXED = "as made by formula"  # in place of where weights are from
LICENSE = "none needed"


@dataclass(frozen=True, slots=True)
class Member:
    """A network of the family.

    Parameters
    ----------
    make
        Builds it.
    layers
        Analyzed by default, in forward order.
    middle : float, in [0, 1)
        The value of a channel that becomes 0; 1 stays 1.
    reference
        For the methods text.
    doi
        Of the first work in it.
    """

    make: Callable[[], torch.nn.Module]
    layers: tuple[str, ...]
    middle: float
    reference: str
    doi: str = ""


MEMBERS = {
    "pixels": Member(
        modules.Pixels,
        ("rgb", "luminance"),
        0.0,
        "Color and luminance of blocks of 4 x 4 pixels, luminance weighted as in Recommendation "
        "ITU-R BT.709-6 without undoing gamma.",
    ),
    "gabor": Member(
        modules.Pyramid,
        ("linear", "energy", "logenergy"),
        0.5,
        f"Gabor wavelet pyramid, {PAPERS['gabor'].line()[:-1]}; energy of quadrature pairs, "
        f"{PAPERS['energy'].line()}",
        PAPERS["gabor"].doi,
    ),
}


def card(name: str) -> Card:
    """Return how a control is fed; `name` is ``pixels`` or ``gabor``.

    Raises
    ------
    ConfigError
        If there is no such control.

    Examples
    --------
    >>> card("gabor").layers
    ('linear', 'energy', 'logenergy')
    """
    member = _member(name)
    kinds = member.layers if name == "gabor" else ()
    return Card(
        name=f"{PREFIX}:{name}",
        layers=member.layers,
        size_px=modules.SIZE_PX,
        mean=(member.middle,) * 3,
        sd=(1 - member.middle,) * 3,
        reference=member.reference,
        doi=member.doi,
        license=LICENSE,
        aliases={f"{kind}{f}": f"bands.{f}.{kind}" for f in modules.FREQUENCIES for kind in kinds},
    )


def build(name: str) -> torch.nn.Module:
    """Return a control, which is always the same.

    Raises
    ------
    ConfigError
        If there is no such control.
    """
    return _member(name).make()


def trained(name: str, *, offline: bool) -> tuple[torch.nn.Module, str]:  # noqa: ARG001
    """Return a control, and in place of where its weights are from that it has none.

    Raises
    ------
    ConfigError
        If there is no such control.
    """
    return build(name), FIXED


def _member(name: str) -> Member:
    if name not in MEMBERS:
        raise ConfigError(
            f"There is no network {PREFIX}:{name}.",
            mend=nearest(f"{PREFIX}:{name}", [f"{PREFIX}:{one}" for one in MEMBERS]),
        )
    return MEMBERS[name]
