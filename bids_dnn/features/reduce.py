"""Fewer features: random projections while features pass by; principal components, later."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from bids_dnn.errors import ConfigError, NotEnoughDataError, nearest
from bids_dnn.features.passes import Passes

Features = NDArray[np.float32]
Kind = Literal["none", "pca", "srp"]

KEYS: dict[str, tuple[str, ...]] = {"none": (), "pca": ("n",), "srp": ("n", "eps", "seed")}
EXAMPLE = "Type reduce = 'pca(n=100)', 'srp(eps=0.1)' or 'srp(n=1000)'."
CALL = re.compile(r"\s*([\w-]+)\s*(?:\((.*)\))?\s*")
CHUNK_BYTES = 128 << 20


@dataclass(frozen=True, slots=True)
class Reduction:
    """How many features are kept, and of what kind.

    Parameters
    ----------
    kind
        ``pca`` = principal components, learnt by each analysis on the training stimuli of each
        fold, from the Gram matrix of all features; ``srp`` = sparse random projections, which
        learn nothing.
    n_components : int
        0 for ``srp`` = as many as `eps` asks for.
    eps : float, in (0, 1)
        Relative error of squared distances that is tolerated; 0 = not asked for.
    seed : int
        Of the projections.
    """

    kind: Kind = "none"
    n_components: int = 0
    eps: float = 0.0
    seed: int = 0

    def settled(self, n_stimuli: int) -> Reduction:
        """Return the same with the number of components that `eps` asks for.

        Two sets of stimuli that will be multiplied need the same number.

        Raises
        ------
        NotEnoughDataError
            If there is no stimulus.
        """
        if self.kind != "srp" or self.n_components:
            return self
        return replace(self, n_components=guarantee(n_stimuli, self.eps))


def parse_reduction(text: str) -> Reduction:
    """Read what the user typed.

    Parameters
    ----------
    text
        ``pca(n=100)``, ``srp(eps=0.1)``, ``srp(n=1000)``, each ``srp`` with ``seed=`` where
        another than 0 is wanted; ``none`` or nothing for all features.

    Raises
    ------
    ConfigError
        If there is no such reduction, or a value is out of range.

    Examples
    --------
    >>> parse_reduction("srp(eps=0.1)")
    Reduction(kind='srp', n_components=0, eps=0.1, seed=0)
    """
    if not text.strip():
        return Reduction()
    found = CALL.fullmatch(text)
    if not found:
        raise ConfigError(f"reduce = {text!r} is no reduction.", mend=EXAMPLE)
    name, given = found[1], _values(text, found[2] or "")
    if name not in KEYS:
        raise ConfigError(f"There is no reduction {name!r} ({text!r}).", mend=nearest(name, KEYS))
    if unknown := [key for key in given if key not in KEYS[name]]:
        mend = nearest(unknown[0], KEYS[name]) if KEYS[name] else f"Type reduce = '{name}'."
        raise ConfigError(f"{name} has no option {unknown[0]!r} ({text!r}).", mend=mend)
    n, eps, seed = given.get("n", 0.0), given.get("eps", 0.0), given.get("seed", 0.0)
    if ("n" in given) == ("eps" in given) and name != "none":
        raise ConfigError(
            f"{text!r} says {'both n and eps' if 'n' in given else 'no size'}; one is needed.",
            mend=EXAMPLE,
        )
    is_whole = n == int(n) and seed == int(seed) and seed >= 0
    if not is_whole or ("n" in given and n < 1) or ("eps" in given and not 0 < eps < 1):
        raise ConfigError(
            f"{text!r} is out of range: n is a whole number from 1, eps lies between 0 and 1, "
            "and seed is a whole number from 0.",
            mend=EXAMPLE,
        )
    kind: Kind = "pca" if name == "pca" else "srp" if name == "srp" else "none"
    return Reduction(kind, int(n), eps, int(seed))


def _values(text: str, inside: str) -> dict[str, float]:
    given: dict[str, float] = {}
    for part in filter(None, (part.strip() for part in inside.split(","))):
        key, _, said = (word.strip() for word in part.partition("="))
        try:
            value = float(said)
        except ValueError:
            value = math.nan
        if not math.isfinite(value) or key in given:
            raise ConfigError(f"{part!r} in {text!r} is no key=number of its own.", mend=EXAMPLE)
        given[key] = value
    return given


def guarantee(n_stimuli: int, eps: float) -> int:
    """Count the random projections that keep all squared distances to a relative error `eps`.

    Parameters
    ----------
    n_stimuli : int
    eps : float, in (0, 1)

    Returns
    -------
    n_components : int
        ``4 log(n) / (eps^2 / 2 - eps^3 / 3)``. The bound was proved for Gaussian projections, and
        holds with a probability that can be raised by drawing anew; sparse ones follow it where
        no few features dominate.

    Raises
    ------
    NotEnoughDataError
        If there is no stimulus.
    ConfigError
        If `eps` does not lie between 0 and 1.

    References
    ----------
    Dasgupta & Gupta (2003), Random Struct. Algorithms 22:60, doi:10.1002/rsa.10073.

    Examples
    --------
    >>> guarantee(1000, 0.1)
    5920
    """
    if n_stimuli < 1:
        raise NotEnoughDataError("There is no stimulus.", mend="Give one at least.")
    if not 0 < eps < 1:
        raise ConfigError(f"eps is {eps!r}, which is not between 0 and 1.", mend=EXAMPLE)
    return max(1, int(4 * math.log(n_stimuli) / (eps**2 / 2 - eps**3 / 3)))


def projection(p: int, n_components: int, *, rng: np.random.Generator) -> csr_array[Any]:
    """Draw a sparse random projection.

    Parameters
    ----------
    p : int
        Features.
    n_components : int
    rng

    Returns
    -------
    matrix : (n_components, p), sparse
        One in ``sqrt(p)`` entries is not zero, and that is ``+v`` or ``-v`` with equal chance,
        such that squared lengths are kept on average. About ``12 n_components sqrt(p)`` bytes.

    References
    ----------
    Li, Hastie & Church (2006), KDD, 287-296, doi:10.1145/1150402.1150436.
    """
    density = 1 / math.sqrt(p)
    size = n_components * p
    places: list[NDArray[np.int64]] = []
    last = -1
    while last < size:  # gaps between entries that are not zero are geometric
        gaps = rng.geometric(density, size=max(64, int(1.01 * (size - last) * density)))
        places.append(last + np.cumsum(gaps))
        last = int(places[-1][-1])
    place = np.concatenate(places)
    place = place[place < size]
    value = math.sqrt(1 / (density * n_components))
    signs = rng.integers(0, 2, size=len(place), dtype=np.int8)
    ends = np.searchsorted(place, p * np.arange(n_components + 1, dtype=np.int64))
    columns = (place % p).astype(np.int32)
    made: csr_array[Any] = csr_array(
        (np.where(signs, value, -value), columns, ends.astype(np.int32)), shape=(n_components, p)
    )
    return made


def projected(passes: Passes, reduction: Reduction) -> Passes:
    """Project features while they pass by, each layer by a matrix that its width and a seed fix.

    Parameters
    ----------
    passes
        Of all features.
    reduction
        ``none`` and ``pca`` alter nothing here: principal components are learnt by the analyses,
        on the training stimuli of each fold, from the Gram matrix of all features.

    Returns
    -------
    passes
        Of the projections. A layer of no more features than `eps` asks for keeps them all.

    Raises
    ------
    ConfigError
        If more components are asked for than a layer has features.
    NotEnoughDataError
        If there is no stimulus.
    """
    if reduction.kind != "srp":
        return passes
    check_widths(reduction, passes.widths)
    n_components = reduction.settled(passes.n).n_components
    left = widths_left(reduction, passes.widths, n_stimuli=passes.n)
    wide = {layer for layer, p in passes.widths.items() if p > left[layer]}
    return _Projected(passes, wide, n_components, reduction.seed)


def widths_left(
    reduction: Reduction, widths: Mapping[str, int], *, n_stimuli: int
) -> dict[str, int]:
    """Return the number of features of each layer that `projected` leaves.

    Parameters
    ----------
    reduction
        As it was asked for.
    widths
        Layer to number of features.
    n_stimuli : int

    Raises
    ------
    NotEnoughDataError
        If there is no stimulus.
    """
    if reduction.kind != "srp":
        return dict(widths)
    n_components = reduction.settled(n_stimuli).n_components
    return {layer: min(p, n_components) for layer, p in widths.items()}


def check_widths(reduction: Reduction, widths: Mapping[str, int]) -> None:
    """Refuse more projections than a layer has features.

    Parameters
    ----------
    reduction
        As it was asked for.
    widths
        Layer to number of features.

    Raises
    ------
    ConfigError
        If a layer has fewer features.
    """
    n_components = reduction.n_components if reduction.kind == "srp" else 0
    narrow = [layer for layer, p in widths.items() if p < n_components]
    if narrow:
        raise ConfigError(
            f"Layer {narrow[0]!r} has {widths[narrow[0]]} features, fewer than the "
            f"{n_components} projections that are asked for.",
            mend="Ask for fewer with reduce = 'srp(n=...)', or leave that layer out.",
        )


class _Projected:
    """Passes over projections; a layer's matrix is drawn when it is first needed."""

    def __init__(self, passes: Passes, wide: set[str], n_components: int, seed: int) -> None:
        self._passes = passes
        self._wide, self._n_components, self._seed = wide, n_components, seed
        self._drawn: dict[str, csr_array[Any]] = {}

    @property
    def n(self) -> int:
        """Return the number of stimuli."""
        return self._passes.n

    @property
    def widths(self) -> Mapping[str, int]:
        """Return the number of features of each layer that are left."""
        return {
            layer: self._n_components if layer in self._wide else p
            for layer, p in self._passes.widths.items()
        }

    @property
    def batch_size(self) -> int:
        """Return the number of stimuli shown at a time."""
        return self._passes.batch_size

    def __call__(self, start: int = 0) -> Iterator[Mapping[str, Features]]:
        """Give all rows from `start` on."""
        for batch in self._passes(start):
            yield {
                layer: self._project(layer, rows) if layer in self._wide else rows
                for layer, rows in batch.items()
            }

    def _project(self, layer: str, rows: Features) -> Features:
        """Multiply in float64, some rows at a time: (b, p) to (b, n_components)."""
        p = rows.shape[1]
        if layer not in self._drawn:
            rng = np.random.default_rng([self._seed, p])  # whatever the user calls the layer
            self._drawn[layer] = projection(p, self._n_components, rng=rng)
        matrix = self._drawn[layer]
        made = np.empty((len(rows), self._n_components), dtype=np.float32)
        step = max(1, CHUNK_BYTES // (8 * p))
        for first in range(0, len(rows), step):
            some = np.ascontiguousarray(rows[first : first + step].T, dtype=np.float64)  # (p, b)
            made[first : first + step] = (matrix @ some).T
        return made
