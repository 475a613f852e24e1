"""Gram matrices of features that may not fit into memory, nor onto the disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bids_dnn.errors import ConfigError, NotEnoughDataError, OutputError, ShapeError
from bids_dnn.features.grid import Array, Sums, make_grid
from bids_dnn.features.passes import Passes as Passes
from bids_dnn.features.products import Mask, multiply
from bids_dnn.features.routes import InMemory, Mode, add_up
from bids_dnn.files import size_text

Features = NDArray[np.float32]
FULLEST_DISK = 0.9
EASY_MEMORY = 0.25
TILES_IN_FLIGHT = 4
TILE_BYTES = 12 * (8 << 20)


@dataclass(frozen=True, slots=True)
class GramPlan:
    """How Gram matrices are made.

    Parameters
    ----------
    mode
        ``disk`` = one pass, features in scratch files; ``recompute`` = a block of rows stays in
        memory and the others pass by, once for each block.
    scratch_bytes : int
        On the disk, while the matrices are made.
    memory_bytes : int
        Besides the network and its batches: the matrices, and what is multiplied.
    n_passes : int
        Times that stimuli are shown; those of ``recompute`` become shorter and shorter.
    block : int
        Stimuli that stay in memory; 0 for ``disk``.
    why
        One sentence.
    """

    mode: Mode
    scratch_bytes: int
    memory_bytes: int
    n_passes: int
    block: int
    why: str

    def sentence(self) -> str:
        """Return the plan as it is told to the user.

        Examples
        --------
        >>> GramPlan("disk", 4 * 10**9, 10**9, 1, 0, "The disk has room.").sentence()
        'disk mode, 1 pass, 4.0 GB of scratch, 1.0 GB of memory. The disk has room.'
        """
        passes = "1 pass" if self.n_passes == 1 else f"{self.n_passes} passes"
        return (
            f"{self.mode} mode, {passes}, {size_text(self.scratch_bytes)} of scratch, "
            f"{size_text(self.memory_bytes)} of memory. {self.why}"
        )


@dataclass(frozen=True, slots=True, eq=False)
class LayerGram:
    """Inner products of one layer's features, and what goes with them.

    Parameters
    ----------
    gram : (n, n) float64
        ``X X'``, symmetric to the bit, not centered.
    sums : (n,) float64
        Sum of each row of X.
    n_features : int
        Columns of X that are used.
    n_constant : int
        Columns left out, as they do not vary over the training rows.
    """

    gram: Array
    sums: Array
    n_features: int
    n_constant: int


def plan_grams(
    n: int,
    widths: Mapping[str, int],
    *,
    free_disk: int,
    memory: int,
    mode: Literal["auto", "disk", "recompute"] = "auto",
    n_scalings: int = 0,
    n_new: int = 0,
) -> GramPlan:
    """Choose how to make Gram matrices, from what there is of disk and memory.

    Parameters
    ----------
    n : int
        Stimuli.
    widths
        Layer to number of features.
    free_disk : int, bytes
        Where the scratch files would lie.
    memory : int, bytes
        That may be used besides the network and its batches.
    mode
        ``auto`` = memory where all features take a quarter of it at most, else the disk where
        they fill 90 % of what is free at most, else several passes.
    n_scalings : int
        Training sets over which columns are scaled; 0 = features as they are.
    n_new : int
        Stimuli of a cross-Gram matrix with these `n`; 0 = the `n` among themselves.

    Returns
    -------
    plan

    Raises
    ------
    NotEnoughDataError
        If there is no stimulus or no layer.
    OutputError
        If ``disk`` is asked for and there is too little room.
    ConfigError
        If memory is too small for two groups of rows, and the disk is no way out.
    """
    if n < 1 or not widths:
        raise NotEnoughDataError(
            f"There are {n} stimuli and {len(widths)} layers to make Gram matrices of.",
            mend="Name one layer, and give one stimulus, at least.",
        )
    parts = (n, n_new) if n_new else (n,)
    grids = {layer: make_grid(parts, p) for layer, p in widths.items()}
    row = 4 * sum(widths.values())
    size = row * sum(parts)
    matrices = max(1, n_scalings) * sum(8 * int(np.prod(g.shape)) for g in grids.values())
    tiles = TILES_IN_FLIGHT * TILE_BYTES
    told = f"The features take {size_text(size)}, {size_text(free_disk)} of disk are free"
    if mode == "disk" and size > free_disk:
        raise OutputError(
            f"{told}.", mend="Name a folder with more room with --work-dir, or fewer layers."
        )
    if mode == "auto" and size <= EASY_MEMORY * memory:
        why = f"The features take {size_text(size)}: they fit into {size_text(memory)} with ease."
        return GramPlan("recompute", 0, matrices + tiles + size, 1, n, why)
    if mode == "disk" or (mode == "auto" and size <= FULLEST_DISK * free_disk):
        why = f"{told}, and they are more than a quarter of memory ({size_text(memory)})."
        if mode == "disk":
            why = f"{told}, and this was asked for."
        return GramPlan("disk", size, matrices + tiles, 1, 0, why)
    most = max(grid.group for grid in grids.values())
    passing = sum(4 * grid.group * grid.p for grid in grids.values())
    scales = 5 * 8 * n_scalings * sum(widths.values())
    least = matrices + tiles + passing + scales
    block = int((memory - least) // (most * row)) * most
    if block < most:
        raise ConfigError(
            f"{told}, and memory of {size_text(memory)} is less than the "
            f"{size_text(least + most * row)} that several passes need.",
            mend="Name a folder with more room with --work-dir, more memory with --mem, or fewer "
            "layers.",
        )
    block = min(block, n)
    n_passes = -(-n // block)
    if n_new:
        n_passes = 2 * n_passes
    if n_scalings and (n_new or block < n):
        n_passes += 1
    why = f"{told}, which is too little." if mode == "auto" else f"{told}, and this was asked for."
    return GramPlan("recompute", 0, least + block * row, n_passes, block, why)


def grams_of(
    passes: Passes, *, plan: GramPlan, scratch: Path, train: Mask | None = None
) -> dict[str, LayerGram]:
    """Multiply the features of each layer with themselves, exactly, whatever their number.

    Products of float32 features are summed in float64. The same features give the same bytes,
    whatever the mode, the number of threads and the size of the batches.

    Parameters
    ----------
    passes
        Features in batches.
    plan
        From `plan_grams`.
    scratch
        Folder of the scratch files, which vanish whatever happens.
    train : (n,) bool
        Rows over which each column is scaled to a standard deviation of one; a column that does
        not vary there is left out. These rows must be the same for all that is compared. None =
        features as they are.

    Returns
    -------
    grams
        For each layer.

    Raises
    ------
    OutputError
        If `scratch` has too little room or cannot be written.
    ShapeError
        If `train` or a batch has another number of rows than there are stimuli.
    NotEnoughDataError
        If `train` has fewer than two rows.
    """
    trains = () if train is None else (train,)
    _check(passes, trains)
    made = add_up(passes, None, mode=plan.mode, block=plan.block, scratch=scratch, trains=trains)
    return {layer: _whole(sums[0], passes, layer) for layer, sums in made.items()}


def fold_scaled_grams(
    passes: Passes, *, plan: GramPlan, scratch: Path, trains: Sequence[Mask]
) -> dict[str, list[LayerGram]]:
    """Multiply features scaled anew for each fold, by the training rows of the fold alone.

    Parameters
    ----------
    passes, plan, scratch
        As in `grams_of`; the plan for ``n_scalings=len(trains)``.
    trains : each (n,) bool
        Training rows of each fold.

    Returns
    -------
    grams
        For each layer, one a fold.

    Raises
    ------
    OutputError
        If `scratch` has too little room or cannot be written.
    ShapeError
        If a mask or a batch has another number of rows than there are stimuli.
    NotEnoughDataError
        If there is no fold, or one has fewer than two training rows.
    """
    if not trains:
        raise NotEnoughDataError(
            "There is no fold to scale features for.", mend="Give the training rows of each fold."
        )
    _check(passes, trains)
    made = add_up(passes, None, mode=plan.mode, block=plan.block, scratch=scratch, trains=trains)
    return {layer: [_whole(one, passes, layer) for one in sums] for layer, sums in made.items()}


def cross_grams(
    new: Passes, old: Passes, *, plan: GramPlan, scratch: Path, train: Mask | None = None
) -> dict[str, Array]:
    """Multiply features of new stimuli with those of old ones, exactly.

    Parameters
    ----------
    new, old
        Of the same layers.
    plan
        From ``plan_grams(old.n, old.widths, n_new=new.n, ...)``.
    scratch
        As in `grams_of`.
    train : (n_old,) bool
        As in `grams_of`, over the old stimuli.

    Returns
    -------
    grams : for each layer (n_new, n_old) float64

    Raises
    ------
    OutputError
        If `scratch` has too little room or cannot be written.
    ShapeError
        If the layers differ, or `train` or a batch has another number of rows than stimuli.
    NotEnoughDataError
        If `train` has fewer than two rows.
    """
    if dict(new.widths) != dict(old.widths):
        raise ShapeError(
            f"The new stimuli have features {dict(new.widths)}, the old ones {dict(old.widths)}.",
            mend="Show both to the same network, and ask for the same layers.",
        )
    trains = () if train is None else (train,)
    _check(old, trains)
    made = add_up(old, new, mode=plan.mode, block=plan.block, scratch=scratch, trains=trains)
    return {
        layer: np.ascontiguousarray(sums[0].products[: old.n, : new.n].T)
        for layer, sums in made.items()
    }


def gram_of(features: Features) -> Array:
    """Multiply features that are at hand with themselves.

    Parameters
    ----------
    features : (n_stimuli, p)
        An array or a memory map, of which one tile is read at a time.

    Returns
    -------
    gram : (n_stimuli, n_stimuli) float64
        ``X X'``, symmetric to the bit, summed in float64; the bytes of `grams_of`.

    Examples
    --------
    >>> gram_of(np.array([[1.0, 2.0], [0.0, 3.0]], dtype=np.float32))
    array([[5., 6.],
           [6., 9.]])
    """
    grid = make_grid((len(features),), features.shape[1])
    return grid.whole(multiply(grid, (InMemory(features),), ())[0])


def _check(passes: Passes, trains: Sequence[Mask]) -> None:
    for train in trains:
        if train.shape != (passes.n,):
            raise ShapeError(
                f"The training rows have shape {train.shape}, but there are {passes.n} stimuli.",
                mend="Give true or false for each stimulus.",
            )
        if train.sum() < 2:
            raise NotEnoughDataError(
                f"Columns cannot be scaled by their deviation over {train.sum()} training row(s).",
                mend="Name two training stimuli at least.",
            )


def _whole(sums: Sums, passes: Passes, layer: str) -> LayerGram:
    gram = make_grid((passes.n,), passes.widths[layer]).whole(sums)
    used = passes.widths[layer] - sums.n_constant
    return LayerGram(gram, sums.rows[: passes.n].copy(), used, sums.n_constant)
