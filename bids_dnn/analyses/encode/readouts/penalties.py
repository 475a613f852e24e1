"""Penalties on weights over channels and space, and their closed forms for a product of two.

Letters: `w` weights (n, C, H, W) of n readouts; `m` a mask (n, H, W) and `v` a vector (n, C), of
which ``w = m v``. Each penalty of factors is that of their product, so that it cannot be dodged
by making one factor small and the other large.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.nn.functional import pad


def norm(values: torch.Tensor, dim: int) -> torch.Tensor:
    """Return the Euclidean norm along an axis; its gradient at zero is zero."""
    found: torch.Tensor = torch.linalg.vector_norm(values, dim=dim)
    return found


def laplacian(maps: torch.Tensor) -> torch.Tensor:
    """Return four times the difference of each cell from the mean of its neighbors.

    The kernel is ``[[0, -1, 0], [-1, 4, -1], [0, -1, 0]]``, on each map by itself. At the border
    the map is continued by its own edge, so that a constant map has none anywhere.

    Parameters
    ----------
    maps : (..., H, W)

    Returns
    -------
    curvature : (..., H, W)

    References
    ----------
    Cadena et al. (2019), PLOS Comput. Biol. 15:e1006897, doi:10.1371/journal.pcbi.1006897.

    Examples
    --------
    >>> laplacian(torch.tensor([[0.0, 1.0, 0.0]]))
    tensor([[-1.,  2., -1.]])
    """
    down = maps.diff(dim=-2)  # between a cell and the one below
    right = maps.diff(dim=-1)
    return (
        pad(down, (0, 0, 1, 0)) - pad(down, (0, 0, 0, 1)) + pad(right, (1, 0)) - pad(right, (0, 1))
    )


def smooth(w: torch.Tensor) -> torch.Tensor:
    """Return the sum over channels of the squared Laplacian of each channel's map: (n,)."""
    return laplacian(w).square().flatten(1).sum(dim=1)


def ridge(w: torch.Tensor) -> torch.Tensor:
    """Return the sum of squares: (n,)."""
    return w.square().flatten(1).sum(dim=1)


def sparse(w: torch.Tensor) -> torch.Tensor:
    """Return the sum of sizes: (n,)."""
    return w.abs().flatten(1).sum(dim=1)


def channels(w: torch.Tensor) -> torch.Tensor:
    """Return the sum over channels of the norm of each channel's map: (n,).

    References
    ----------
    Yuan & Lin (2006), J. R. Stat. Soc. B 68:49, doi:10.1111/j.1467-9868.2005.00532.x.
    """
    return norm(w.flatten(2), 2).sum(dim=1)


def places(w: torch.Tensor) -> torch.Tensor:
    """Return the sum over positions of the norm over channels: (n,)."""
    return norm(w, 1).flatten(1).sum(dim=1)


def smooth_factors(m: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    """Return `smooth` of the product."""
    return smooth(m[:, None]) * ridge(v)


def ridge_factors(m: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    """Return `ridge` of the product."""
    return ridge(m) * ridge(v)


def sparse_factors(m: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    """Return `sparse` of the product: the what-where readout's penalty.

    References
    ----------
    Klindt et al. (2017), NeurIPS 30, arXiv:1711.02653.
    """
    return sparse(m) * sparse(v)


def channels_factors(m: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    """Return `channels` of the product: sparse over features alone."""
    return norm(m.flatten(1), 1) * sparse(v)


def places_factors(m: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    """Return `places` of the product: sparse over the mask alone."""
    return sparse(m) * norm(v, 1)


ON_WEIGHTS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "smooth": smooth,
    "ridge": ridge,
    "sparse": sparse,
    "channels": channels,
    "places": places,
}
ON_FACTORS: dict[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "smooth": smooth_factors,
    "ridge": ridge_factors,
    "sparse": sparse_factors,
    "channels": channels_factors,
    "places": places_factors,
}


def per_size(name: str, shape: tuple[int, int, int]) -> float:
    """Return what a penalty is divided by so that it is at most the norm of the weights.

    The root of the number of terms for sums of norms (Cauchy and Schwarz), 1 for sums of
    squares: then one setting means much the same for maps of any size.

    Parameters
    ----------
    name
        Key of `ON_WEIGHTS`.
    shape
        (C, H, W).
    """
    c, h, w = shape
    terms = {"sparse": c * h * w, "channels": c, "places": h * w}
    return float(terms.get(name, 1) ** 0.5)
