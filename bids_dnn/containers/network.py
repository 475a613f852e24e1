"""A loaded network and its card."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import torch

Resize = Literal["squash", "center-crop", "pad"]
Interpolation = Literal["bilinear", "bicubic"]
Modality = Literal["image", "text"]
READY = "features:"  # in place of a family: then the path of features that were made elsewhere


@dataclass(frozen=True, slots=True)
class Card:
    """What must be known of a network to feed it and to cite it.

    Parameters
    ----------
    name
        As the user names it, such as ``alexnet``.
    layers
        Layers that are analyzed where none are asked for, in forward order, as the user may
        write them (see `features.layers`).
    size_px : int
        Side of the square input.
    resize
        ``squash`` = to a square, whatever the shape; ``center-crop`` = shorter side, then crop;
        ``pad`` = longer side, then a mid-grey margin.
    mean, sd : (3,)
        Of each RGB channel in [0, 1], subtracted and divided.
    reference
        One line for the methods text.
    interpolation
        Of the resizing.
    doi
        Of the paper, without the resolver; "" where it has none.
    license
        Of the published weights; "" where it is not known.
    aliases
        Other names of layers, such as ``conv1``, to module paths.
    head
        Layer that puts out one logit for each of `labels`; "" where there is none.
    labels
        Names of the classes, in the order of the logits.
    methods
        Method of the module that takes each kind of input; a network without an entry for
        ``text`` has no text tower.
    """

    name: str
    layers: tuple[str, ...]
    size_px: int = 224
    resize: Resize = "squash"
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    sd: tuple[float, float, float] = (0.229, 0.224, 0.225)
    reference: str = ""
    interpolation: Interpolation = "bilinear"
    doi: str = ""
    license: str = ""
    aliases: Mapping[str, str] = field(default_factory=dict)
    head: str = ""
    labels: tuple[str, ...] = ()
    methods: Mapping[Modality, str] = field(default_factory=lambda: {"image": "forward"})


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
    tokenize
        Texts to the keyword arguments of the text method, each with a row for each text; None
        where there is no text tower.
    """

    module: torch.nn.Module
    card: Card
    weights: str
    weights_sha256: str
    tokenize: Callable[[Sequence[str]], Mapping[str, torch.Tensor]] | None = None

    def show(self, pictures: torch.Tensor) -> object:
        """Return what the network makes of normalized pictures (n, 3, size, size)."""
        return self._call("image")(pictures)

    def read(self, tokens: Mapping[str, torch.Tensor]) -> object:
        """Return what the network makes of texts, from what `tokenize` gives."""
        return self._call("text")(**tokens)

    def _call(self, modality: Modality) -> Callable[..., object]:
        """Return what takes the input; for ``forward`` the module, so that its hooks run."""
        name = self.card.methods[modality]
        made: Callable[..., object] = getattr(self.module, name)
        return self.module if name == "forward" else made
