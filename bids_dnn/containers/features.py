"""What a network makes of stimuli."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bids_dnn.errors import MissingInputError, ShapeError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import torch
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class FeatureValues:
    """One layer's features of stimuli, for models that need more than their products.

    Parameters
    ----------
    stimuli : n_stimuli
        Stimulus ids, in the order of the rows of `values`; no id twice.
    network, layer
        Names, as in the config and in the tables.
    values : (n_stimuli, C, H, W) or (n_stimuli, p) float32
        Maps, or features that lie nowhere. A numpy array, or one that lies in a file.
    identity
        What the numbers depend on.
    size_px : int
        Side of the square picture that the network sees; 0 = not known.

    Raises
    ------
    ShapeError
        If `values` have another number of axes, or not one row for each stimulus, or hold no
        feature.
    """

    stimuli: tuple[str, ...]
    network: str
    layer: str
    values: NDArray[np.float32]
    identity: dict[str, str]
    size_px: int = 0

    def __post_init__(self) -> None:
        if self.values.ndim not in (2, 4) or len(self.values) != len(self.stimuli):
            raise ShapeError(
                f"values have shape {self.values.shape}, but there are {len(self.stimuli)} "
                "stimuli.",
                mend="Give (n_stimuli, channels, rows, columns), or (n_stimuli, n_features).",
            )
        if 0 in self.values.shape[1:]:
            raise _empty(self.network, self.layer, f"values have shape {self.values.shape}")

    @property
    def is_map(self) -> bool:
        """Whether it is known where features lie."""
        return self.values.ndim == 4

    def take(self, stimuli: Sequence[str]) -> NDArray[np.float32]:
        """Return the features of `stimuli` in that order, as columns, (n, p).

        Raises
        ------
        MissingInputError
            If a stimulus has no features.
        """
        flat = self.values.reshape(len(self.values), -1)
        return flat if tuple(stimuli) == self.stimuli else flat[self.rows_of(stimuli)]

    def rows_of(self, stimuli: Sequence[str]) -> NDArray[np.intp]:
        """Return the row of `values` for each of `stimuli` (n,).

        Raises
        ------
        MissingInputError
            If a stimulus has no features.
        """
        return _rows_of(stimuli, self.stimuli, self.network)


@dataclass(frozen=True, slots=True, eq=False)
class ShownMaps:
    """One layer's features as maps that are made anew each time, where they are too many to keep.

    Parameters
    ----------
    stimuli : n_stimuli
        Stimulus ids, in the order of the rows of `pictures`; no id twice.
    network, layer
        Names, as in the config and in the tables.
    pictures : (n_stimuli, size, size, 3) uint8
        As the network sees them, before they are normalized.
    look
        From some of the pictures, on the device, to maps (n, C, H, W) float32.

    Raises
    ------
    ShapeError
        If `pictures` are no square ones of 8 bits with a row for each stimulus.
    """

    stimuli: tuple[str, ...]
    network: str
    layer: str
    pictures: NDArray[np.uint8]
    look: Callable[[torch.Tensor], torch.Tensor]

    def __post_init__(self) -> None:
        shape, kind = self.pictures.shape, self.pictures.dtype
        if shape != (len(self.stimuli), self.size_px, self.size_px, 3) or kind != np.uint8:
            raise ShapeError(
                f"pictures have shape {shape} and type {kind}, and there are "
                f"{len(self.stimuli)} stimuli.",
                mend="Give (n_stimuli, size, size, 3) uint8.",
            )

    @property
    def size_px(self) -> int:
        """Return the side of the square picture that the network sees."""
        return self.pictures.shape[1] if self.pictures.ndim > 1 else 0

    def rows_of(self, stimuli: Sequence[str]) -> NDArray[np.intp]:
        """Return the row of `pictures` for each of `stimuli` (n,).

        Raises
        ------
        MissingInputError
            If a stimulus has no picture.
        """
        return _rows_of(stimuli, self.stimuli, self.network)


@dataclass(frozen=True, slots=True, eq=False)
class FeatureGram:
    """The inner products of one layer's features between stimuli, and what made them.

    Parameters
    ----------
    stimuli : n_stimuli
        Stimulus ids, in the order of the rows of `gram`; no id twice.
    network, layer
        Names, as in the config and in the tables.
    gram : (n_stimuli, n_stimuli) float64
        ``X X'``, not centred.
    n_features : int
        Columns of X.
    identity
        What the numbers depend on: weights hash, preprocessing, layer, precision, versions.
    n_components : int
        Principal components that an analysis keeps, learnt on the training stimuli of each fold;
        0 = all features are used.
    sums : (n_stimuli,) float64
        Sum of each stimulus' features, which correlation distances need; None = not known.

    Raises
    ------
    ShapeError
        If `gram` is not square with one row for each stimulus, `sums` has another length, an id
        stands twice, or there is no feature.
    """

    stimuli: tuple[str, ...]
    network: str
    layer: str
    gram: NDArray[np.float64]
    n_features: int
    identity: dict[str, str]
    n_components: int = 0
    sums: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        n = len(self.stimuli)
        if self.gram.shape != (n, n):
            raise ShapeError(
                f"gram has shape {self.gram.shape}, but there are {n} stimuli.",
                mend="Give one row and one column for each stimulus.",
            )
        if self.sums is not None and self.sums.shape != (n,):
            raise ShapeError(
                f"sums have shape {self.sums.shape}, but there are {n} stimuli.",
                mend="Give one sum for each stimulus.",
            )
        if len(set(self.stimuli)) != n:
            raise ShapeError(
                f"{n - len(set(self.stimuli))} stimulus id(s) stand twice among the features.",
                mend="Give each stimulus once.",
            )
        if self.n_features < 1:
            raise _empty(self.network, self.layer, f"n_features is {self.n_features}")

    def take(self, stimuli: Sequence[str]) -> NDArray[np.float64]:
        """Return the Gram matrix of `stimuli` (n,) in that order, (n, n); as it is where all are.

        Raises
        ------
        MissingInputError
            If a stimulus has no features.
        """
        if tuple(stimuli) == self.stimuli:
            return self.gram
        rows = _rows_of(stimuli, self.stimuli, self.network)
        return self.gram[np.ix_(rows, rows)]


def _empty(network: str, layer: str, found: str) -> ShapeError:
    return ShapeError(
        f"Layer {layer!r} of {network} has no feature: {found}.",
        mend="Leave the layer out, or look at what made its features.",
    )


def _rows_of(asked: Sequence[str], known: Sequence[str], network: str) -> NDArray[np.intp]:
    place = {name: i for i, name in enumerate(known)}
    if missing := [name for name in asked if name not in place]:
        raise MissingInputError(
            f"{len(missing)} stimuli have no features of {network}, such as {missing[0]!r}.",
            mend="Extract features for the stimuli folder that holds them.",
        )
    return np.array([place[name] for name in asked], dtype=np.intp)
