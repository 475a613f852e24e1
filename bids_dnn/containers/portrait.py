"""What a page shows of a network: its card, its filters, and what it makes of the stimuli."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any

from bids_dnn.errors import ShapeError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Facts that are tuples, which JSON makes lists of.
_ROWS = ("mean", "sd", "transforms")


@dataclass(frozen=True, slots=True)
class LayerFacts:
    """What a layer puts out.

    Parameters
    ----------
    name
        As the user wrote it, such as ``features.8:mean``.
    kind
        Class of the module, such as ``Conv2d``.
    shape
        Of one stimulus, as the module puts it out.
    n_features : int
        After the layer's options.
    nonlinearity
        ``before`` or ``after`` it; "" where that is not known.
    """

    name: str
    kind: str = ""
    shape: tuple[int, ...] = ()
    n_features: int = 0
    nonlinearity: str = ""


@dataclass(frozen=True, slots=True)
class NetworkFacts:
    """How a network was fed, and where it comes from; JSON-ready.

    Parameters
    ----------
    name
        As the settings call it.
    network
        As it was asked for, such as ``torchvision:vgg19``.
    modality
        ``image`` or ``text``; "" for features that were given ready-made.
    weights, weights_sha256
        File, or ``random`` with the seed, and the hash of the tensors.
    size_px, resize, interpolation, mean, sd
        Of the input, as on the card; 0 and "" where nothing was resized. `resize` is "" where a
        transform makes the square of the network's size in its place.
    license, reference, doi
        Of the weights and the paper; "" where not known.
    layers
        In the order of the analysis.
    transforms
        In the order in which they were applied, with all their settings.
    captions
        Where the texts come from, such as the name of a captioner; "" where not known.
    reduction
        What was kept of the features, such as ``pca(n=100)``; "" where all of them.
    precision, device, batch_size
        Of the arithmetic.
    """

    name: str
    network: str = ""
    modality: str = "image"
    weights: str = ""
    weights_sha256: str = ""
    size_px: int = 0
    resize: str = ""
    interpolation: str = ""
    mean: tuple[float, ...] = ()
    sd: tuple[float, ...] = ()
    license: str = ""
    reference: str = ""
    doi: str = ""
    layers: tuple[LayerFacts, ...] = ()
    transforms: tuple[str, ...] = ()
    captions: str = ""
    reduction: str = ""
    precision: str = ""
    device: str = ""
    batch_size: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return all facts as plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> NetworkFacts:
        """Return what `to_json` made; keys that are not known are left out."""
        known: dict[str, Any] = {
            one.name: told[one.name] for one in fields(cls) if one.name in told
        }
        known |= {key: tuple(known[key]) for key in _ROWS if key in known}
        layers = [
            LayerFacts(**{**one, "shape": tuple(one.get("shape", ()))})
            for one in known.get("layers", ())
        ]
        return cls(**{**known, "layers": tuple(layers)})


@dataclass(frozen=True, slots=True, eq=False)
class Maps:
    """Some channels of a layer, as it answers one picture.

    Parameters
    ----------
    values : (n_channels, height, width) float32
        In units of the layer, averaged over blocks where the layer is large.
    channels : n_channels
        Which they are, from 0.
    n_all : int
        How many the layer has.

    Raises
    ------
    ShapeError
        If `values` is not 3-D with one map for each channel.
    """

    values: NDArray[np.float32]
    channels: tuple[int, ...]
    n_all: int

    def __post_init__(self) -> None:
        if self.values.ndim != 3 or len(self.values) != len(self.channels):
            raise ShapeError(
                f"The maps have shape {self.values.shape}, but {len(self.channels)} channels are "
                "named.",
                mend="Give one map (height, width) for each channel.",
            )


@dataclass(frozen=True, slots=True, eq=False)
class Portrait:
    """What a network looks like from inside, on these stimuli.

    Parameters
    ----------
    facts
        Its card, and how it was fed.
    n_stimuli : int
        How many it was shown.
    filters : (n_filters, height, width, 3) float32
        Of the first convolution; None where there is none of three channels.
    n_filters : int
        How many there are, of which `filters` may be the first.
    labels
        Of each stimulus, the most probable class and its probability; empty without a head.
    example
        Id of the stimulus whose activations are shown; "" where there are none.
    activations
        By layer, where a layer puts out maps.
    dimensionality
        By layer, the participation ratio of the centered features: how many axes of equal
        variance would spread as much; NaN where features do not vary.
    order
        Stimuli in the order of the rows of `rdms`.
    categories
        Of each of `order`; "" where not known.
    rdms : (n_order, n_order) float32 each, in [0, 1]
        By layer, ranks of the dissimilarities of pairs; empty for less than three stimuli.
    examples : (height, width, 3) uint8 each
        What the example looks like, first as resized alone, then after each transform.
    caption
        What the network read of the example, where it reads.
    identities
        By layer, what its features depend on: hashes of weights and stimuli, versions.

    Raises
    ------
    ShapeError
        If `filters`, an RDM, a picture or `categories` has another shape than said above.
    """

    facts: NetworkFacts
    n_stimuli: int
    filters: NDArray[np.float32] | None = None
    n_filters: int = 0
    labels: Mapping[str, tuple[str, float]] = field(default_factory=dict)
    example: str = ""
    activations: Mapping[str, Maps] = field(default_factory=dict)
    dimensionality: Mapping[str, float] = field(default_factory=dict)
    order: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    rdms: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    examples: Mapping[str, NDArray[np.uint8]] = field(default_factory=dict)
    caption: str = ""
    identities: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        n = len(self.order)
        wanted: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
            f"The RDM of {layer}": (rdm.shape, (n, n)) for layer, rdm in self.rdms.items()
        }
        wanted["The list of categories"] = ((len(self.categories),), (n,))
        for name, picture in self.examples.items():
            wanted[f"The picture {name!r}"] = (picture.shape, (*picture.shape[:2], 3))
        if self.filters is not None:
            shape = self.filters.shape
            wanted["The array of filters"] = (shape, (*(*shape, 0, 0, 0)[:3], 3))
        for what, (found, expected) in wanted.items():
            if found != expected:
                raise ShapeError(
                    f"{what} has shape {found}; {expected} was expected.",
                    mend="Make portraits with features.portrait.portray.",
                )
