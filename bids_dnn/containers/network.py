"""A loaded network and its card."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import torch

Resize = Literal["squash", "center-crop"]


@dataclass(frozen=True, slots=True)
class Card:
    """What must be known of a network to feed it and to cite it.

    Parameters
    ----------
    name
        As the user names it, such as ``alexnet``.
    layers
        Module paths that are analysed where none are asked for, in forward order.
    size_px : int
        Side of the square input.
    resize
        ``squash`` = to a square, whatever the shape; ``center-crop`` = shorter side, then crop.
    mean, sd : (3,)
        Of each RGB channel in [0, 1], subtracted and divided.
    reference
        One line for the methods text, with DOI where there is one.
    """

    name: str
    layers: tuple[str, ...]
    size_px: int = 224
    resize: Resize = "squash"
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    sd: tuple[float, float, float] = (0.229, 0.224, 0.225)
    reference: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """A module in evaluation mode, its card, and the identity of its weights.

    Parameters
    ----------
    module
        In evaluation mode; takes (n, 3, size, size) float32.
    card
        How to feed it.
    weights
        ``random`` (with the seed), or the file's name.
    weights_sha256
        Of the state dict's bytes, tensor by tensor in the order of names.
    """

    module: torch.nn.Module
    card: Card
    weights: str
    weights_sha256: str
