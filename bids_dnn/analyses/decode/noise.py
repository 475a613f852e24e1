"""Noise of a given strength on features that are known by their inner products alone."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bids_dnn.errors import ConfigError, NotEnoughDataError
from bids_dnn.stats.kernels import VARIES, centered, principal_scores

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Noise = Literal["isotropic", "proportional"]


@dataclass(frozen=True, slots=True, eq=False)
class Axes:
    """Where stimuli lie along the axes that hold them all, without noise.

    Parameters
    ----------
    places : (n, n_axes)
    n_features : int
        Dimensions of the features; noise fills those beyond the axes too.
    """

    places: Array
    n_features: int


@dataclass(frozen=True, slots=True, eq=False)
class Draw:
    """Noise of unit variance on each dimension, one draw for all stimuli.

    Parameters
    ----------
    values : (n, n_axes)
        Along axes.
    rest : (n, n)
        Inner products of what lies beyond the axes.
    """

    values: Array
    rest: Array


@dataclass(frozen=True, slots=True, eq=False)
class Clean:
    """The features of a fold before noise, centered on its training stimuli.

    Parameters
    ----------
    gram : (n, n)
        Inner products.
    places : (n, n_axes)
        Along the axes that noise is drawn on.
    spread : (n_axes,)
        SD of the noise on each axis, at a signal-to-noise ratio of one.
    rest : float
        Its SD on each dimension beyond the axes.
    n_dimensions : int
        Of the features: axes, and what lies beyond.
    signal : float
        Mean squared distance of the training stimuli from their mean.
    """

    gram: Array
    places: Array
    spread: Array
    rest: float
    n_dimensions: int
    signal: float

    def noisy(self, snr: float, draw: Draw) -> Array:
        """Return the inner products with noise.

        Parameters
        ----------
        snr : above 0
            `signal` over the expected squared length of the noise; inf = no noise.
        draw

        Returns
        -------
        gram : (n, n)
        """
        if math.isinf(snr):
            return self.gram
        noise = draw.values[:, : self.places.shape[1]] * (self.spread / math.sqrt(snr))
        cross = self.places @ noise.T
        made: Array = self.gram + cross + cross.T + noise @ noise.T
        return made + (self.rest**2 / snr) * draw.rest if self.rest else made


def axes_of(gram: Array, n_features: int) -> Axes:
    """Return axes that hold all stimuli, whatever mean is taken out of them.

    Parameters
    ----------
    gram : (n, n)
        Centered on anything.
    n_features : int
        Of the features that it is of.
    """
    places = principal_scores(gram, np.ones(len(gram), dtype=np.bool_))
    return Axes(places[:, -n_features:], n_features)


def clean_of(
    gram: Array, train: Mask, axes: Axes, *, n_components: int | None, noise: Noise
) -> Clean:
    """Prepare a fold: center, reduce, and scale the noise by what its training stimuli teach.

    Parameters
    ----------
    gram : (n, n)
    train : (n,) bool
    axes
        Of `gram`.
    n_components : at least 1
        Principal components of the training stimuli that are kept; None = all features are.
    noise
        ``isotropic``: as strong on each dimension of the features, or on each component where
        they are reduced. ``proportional``: on each principal component of the training stimuli,
        its variance a fixed share of the component's, so that each has the same ratio.

    Returns
    -------
    clean

    Raises
    ------
    NotEnoughDataError
        If the training stimuli do not differ, or `n_components` is below one.
    """
    whole = centered(gram, train)
    own = np.diagonal(whole)[train].mean()
    if own <= VARIES * np.diagonal(gram)[train].mean():
        raise NotEnoughDataError(
            f"The features of {int(train.sum())} training stimuli do not differ.",
            mend="Leave this layer out, or look at what made its features.",
        )
    is_reduced = n_components is not None
    if is_reduced or noise == "proportional":
        places = principal_scores(gram, train, n_components)
        kept = places @ places.T if is_reduced else whole
        variance = (places[train] ** 2).mean(axis=0)
        n_dimensions = places.shape[1] if is_reduced else axes.n_features
        signal = float(variance.sum())
        if noise == "isotropic":
            variance = np.full(len(variance), signal / len(variance))
        return Clean(kept, places, np.sqrt(variance), 0.0, n_dimensions, signal)
    places = axes.places - axes.places[train].mean(axis=0)
    signal = float((places[train] ** 2).sum(axis=1).mean())
    each = math.sqrt(signal / axes.n_features)
    n_axes = places.shape[1]
    rest = each if axes.n_features > n_axes else 0.0
    return Clean(whole, places, np.full(n_axes, each), rest, axes.n_features, signal)


def draw_noise(axes: Axes, rng: np.random.Generator) -> Draw:
    """Draw noise of unit variance for all stimuli, in all dimensions of the features.

    What lies beyond the axes is not drawn feature by feature, but its inner products at once,
    from their Wishart distribution (Bartlett's decomposition), so that the cost does not grow
    with the number of features.

    Parameters
    ----------
    axes
    rng

    References
    ----------
    Smith & Hocking (1972), J. R. Stat. Soc. C 21:341, doi:10.2307/2346290.
    """
    n, n_axes = axes.places.shape
    values = rng.standard_normal((n, n))  # components may be as many as there are stimuli
    n_rest = axes.n_features - n_axes
    if n_rest < n:
        root = rng.standard_normal((n, max(n_rest, 0)))
    else:
        root = np.tril(rng.standard_normal((n, n)), -1)
        np.fill_diagonal(root, np.sqrt(rng.chisquare(n_rest - np.arange(n))))
    return Draw(values, root @ root.T)


def check_snr(levels: tuple[float, ...]) -> None:
    """Refuse levels of noise that are none.

    Parameters
    ----------
    levels
        Signal-to-noise ratios.

    Raises
    ------
    ConfigError
        If there is none, one is not above zero, or one stands twice.
    """
    if not levels or len(set(levels)) < len(levels) or not all(one > 0 for one in levels):
        raise ConfigError(
            f"snr is {list(levels)}; it must hold ratios above zero, each once.",
            mend='Type snr = ["inf", 4, 2, 1, 0.5] under [twin]; inf = no noise.',
        )
