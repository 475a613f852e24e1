"""Where training starts: a product of mask and vector from a few exact least-squares solutions.

Given the mask, the best vector is a ridge regression on features pooled by it; given the vector,
the best mask is one on maps mixed by it, with the Laplacian as a second penalty. Each half takes
one reading of the features for all units, and sums of squares (D x D) of each. Penalties are
chosen on the stimuli of validation from the same kind of sums, so that no reading is added.

Letters: `z` pooled features (n_units, n, D) with D = C or H * W, `t` the target, `a` the centered
sums of squares.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import torch

from bids_dnn.analyses.encode.readouts.forms import Params
from bids_dnn.analyses.encode.readouts.penalties import laplacian
from bids_dnn.analyses.encode.readouts.problem import Problem
from bids_dnn.analyses.encode.readouts.sources import Index

RIDGES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)  # multiples of the mean diagonal
SMOOTHS = (0.0, 1e-2, 1e-1, 1.0, 10.0)
MOST_CELLS = 1024  # H * W of which masks are solved for
N_POWER = 30
FLOOR = 0.01  # of the largest cell, under masks that must not be below zero
N_ROUNDS = 2


@dataclass(frozen=True, slots=True, eq=False)
class Sums:
    """Sums over the measured stimuli of each unit, float64.

    Parameters
    ----------
    n, t, tt : (n_units,)
        Of ones, of the target, and of its square.
    z, zt : (n_units, D)
    zz : (n_units, D, D)
    """

    n: torch.Tensor
    t: torch.Tensor
    tt: torch.Tensor
    z: torch.Tensor
    zt: torch.Tensor
    zz: torch.Tensor


def start(problem: Problem) -> Params:
    """Return the first weights of all units.

    Returns
    -------
    params
        ``mask`` (n_units, H, W), ``vector`` (n_units, C) and ``bias`` (n_units,); for full
        weights their product ``weights`` (n_units, C, H, W) and ``bias``.
    """
    _, h, w = problem.source.shape
    mask, vector = first_product(covariance(problem))
    if problem.options.start == "ridge":
        for _ in range(N_ROUNDS):
            if h * w > MOST_CELLS:
                break
            vector, _ = _solved(problem, _usable(problem, mask), None)
            mask, _ = _solved(problem, None, vector)
        mask = _usable(problem, mask)
        vector, bias = _solved(problem, mask, None)
    else:
        mask = _usable(problem, mask)
        slope, bias = _solved(problem, mask, vector)
        vector = vector * slope
    vector = vector / problem.gain
    if problem.form.mask is None:
        return {"weights": vector[:, :, None, None] * mask[:, None], "bias": bias}
    return {"mask": mask, "vector": vector, "bias": bias}


def covariance(problem: Problem) -> torch.Tensor:
    """Return the covariance of each unit's target with each feature: (n_units, C, H, W)."""
    shape = (problem.truth.shape[1], *problem.source.shape)
    total = torch.zeros(shape, device=problem.truth.device).flatten(1)
    for maps, truth, known in problem.parts(problem.train):
        total += (_target(problem, truth) * known).T @ maps.flatten(1)
    return total.view(shape) / len(problem.train)


def first_product(maps: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the mask and the vector whose product is nearest to each of some maps.

    The first pair of singular vectors, by power iteration; the sign is that of which the mask's
    sum is not below zero.

    Parameters
    ----------
    maps : (n_units, C, H, W)

    Returns
    -------
    mask : (n_units, H, W), of unit norm
    vector : (n_units, C), with the size of the product
    """
    flat = maps.flatten(2)  # (n_units, C, H * W)
    mask = torch.linalg.vector_norm(flat, dim=1)  # (n_units, H * W)
    for _ in range(N_POWER):
        vector = torch.einsum("ucp,up->uc", flat, mask)
        mask = torch.einsum("ucp,uc->up", flat, vector)
        norm = torch.linalg.vector_norm(mask, dim=1, keepdim=True)
        mask = mask / torch.where(norm > 0, norm, torch.ones_like(norm))
    mask = mask * torch.where(mask.sum(dim=1, keepdim=True) < 0, -1.0, 1.0)
    vector = torch.einsum("ucp,up->uc", flat, mask)
    return mask.view(len(maps), *maps.shape[2:]), vector


def _target(problem: Problem, truth: torch.Tensor) -> torch.Tensor:
    """Return what drives should be: rates over their mean are about the drive + 1."""
    return truth - 1 if problem.options.loss == "poisson" else truth


def _usable(problem: Problem, mask: torch.Tensor) -> torch.Tensor:
    """Return masks as the form has them, with a root mean square of 1 before it.

    A cell at zero of a mask of sizes has no gradient: it gets a floor.
    """
    form = problem.form
    flat = mask.flatten(1)
    if form.is_positive:
        flat = flat * torch.where(flat.sum(dim=1, keepdim=True) < 0, -1.0, 1.0)
        most = flat.amax(dim=1, keepdim=True)
        flat = torch.where(most > 0, torch.maximum(flat, FLOOR * most), torch.ones_like(flat))
    rms = flat.square().mean(dim=1, keepdim=True).sqrt()
    flat = torch.where(rms > 0, flat / torch.where(rms > 0, rms, 1.0), torch.ones_like(flat))
    return flat.view(mask.shape)


def _solved(
    problem: Problem, mask: torch.Tensor | None, vector: torch.Tensor | None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Solve for the vector given the mask, the mask given the vector, or one factor given both.

    Returns
    -------
    solution : (n_units, C), (n_units, H, W) or (n_units, 1)
    bias : (n_units,)
    """
    if mask is not None and problem.form.mask is not None:
        mask = problem.form.mask(mask)
    sums = [_sums(problem, part, mask, vector) for part in (problem.train, problem.held)]
    _, h, w = problem.source.shape
    is_space = mask is None
    cells = torch.eye(h * w, dtype=torch.float64, device=problem.truth.device)
    rough = laplacian(cells.view(h * w, h, w)).flatten(1) if is_space else None
    solution, bias = best_of_grid(
        *sums, rough=None if rough is None else rough @ rough.T, smooths=SMOOTHS
    )
    made = solution.to(torch.float32)
    return (made.view(-1, h, w) if is_space else made), bias.to(torch.float32)


def best_of_grid(
    train: Sums, held: Sums, *, rough: torch.Tensor | None, smooths: Sequence[float]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Solve ridge regressions under all penalties, and keep each unit's best on other stimuli.

    Parameters
    ----------
    train, held
        Sums over the stimuli to learn on, and over those to choose on.
    rough : (D, D)
        Second penalty; None = ridge alone.
    smooths
        Multiples of the mean diagonal that weigh it.

    Returns
    -------
    solution : (n_units, D) float64
    bias : (n_units,) float64
    """
    n = train.n.clamp(min=1)
    center, level = train.z / n[:, None], train.t / n
    a = train.zz - n[:, None, None] * center[:, :, None] * center[:, None, :]
    b = train.zt - train.t[:, None] * center
    scale = a.diagonal(dim1=1, dim2=2).mean(dim=1)
    scale = torch.where(scale > 0, scale, torch.ones_like(scale))[:, None, None]
    eye = torch.eye(a.shape[1], dtype=a.dtype, device=a.device)
    extra = [eye * 0] if rough is None else [smooth * rough for smooth in smooths]
    best = torch.full_like(level, torch.inf)
    solution = torch.zeros_like(center)
    for part in extra:
        for ridge in RIDGES:
            factor, failed = torch.linalg.cholesky_ex(a + scale * (ridge * eye + part))
            w = torch.cholesky_solve(b[:, :, None], factor)[:, :, 0]
            loss = squared_error(held, w, level - (w * center).sum(dim=1))
            loss = torch.where((failed == 0) & loss.isfinite(), loss, torch.inf)
            is_better = loss < best
            best = torch.where(is_better, loss, best)
            solution = torch.where(is_better[:, None], w, solution)
    return solution, level - (solution * center).sum(dim=1)


def squared_error(sums: Sums, w: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """Return the sum of squared errors (n_units,) of ``z w + bias``, from sums alone."""
    linear = (w * sums.zt).sum(dim=1)
    square = torch.einsum("ud,ude,ue->u", w, sums.zz, w)
    shift = (w * sums.z).sum(dim=1)
    fit = square + 2 * bias * shift + sums.n * bias**2
    return sums.tt - 2 * (linear + bias * sums.t) + fit


def _sums(
    problem: Problem, index: Index, mask: torch.Tensor | None, vector: torch.Tensor | None
) -> Sums:
    """Sum over stimuli, in one reading of their features."""
    return reduce(
        _added,
        (
            sums_of(_pooled(maps, mask, vector), _target(problem, truth), known > 0)
            for maps, truth, known in problem.parts(index)
        ),
    )


def _added(first: Sums, second: Sums) -> Sums:
    return Sums(
        *(
            getattr(first, name).add_(getattr(second, name))
            for name in ("n", "t", "tt", "z", "zt", "zz")
        )
    )


def _pooled(
    maps: torch.Tensor, mask: torch.Tensor | None, vector: torch.Tensor | None
) -> torch.Tensor:
    """Return maps pooled by masks, mixed by vectors, or both: (n_units, n, C, H * W or 1)."""
    flat = maps.flatten(2)
    if vector is None:
        where = torch.ones_like(flat[0, 0])[None] if mask is None else mask.flatten(1)
        return (flat @ where.T).permute(2, 0, 1)
    mixed = (flat.transpose(1, 2) @ vector.T).permute(2, 0, 1)  # (n_units, n, H * W)
    return mixed if mask is None else (mixed * mask.flatten(1)[:, None]).sum(dim=2, keepdim=True)


def sums_of(z: torch.Tensor, target: torch.Tensor, known: torch.Tensor) -> Sums:
    """Return the sums of one part.

    Parameters
    ----------
    z : (n_units, n, D)
    target : (n, n_units)
    known : (n, n_units) bool
        Whether the target was measured.
    """
    k = known.T.to(z.dtype)  # (n_units, n)
    t = target.T * k
    own = z * k[:, :, None]
    double = torch.float64
    return Sums(
        n=k.sum(dim=1, dtype=double),
        t=t.sum(dim=1, dtype=double),
        tt=t.square().sum(dim=1, dtype=double),
        z=own.sum(dim=1, dtype=double),
        zt=torch.bmm(own.transpose(1, 2), t[:, :, None])[:, :, 0].to(double),
        zz=torch.bmm(own.transpose(1, 2), own).to(double),
    )
