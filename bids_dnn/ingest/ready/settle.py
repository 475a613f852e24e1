"""The last steps of ready-made responses: blocks joined, units left out, z-scores, facts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bids_dnn.containers.responses import Independence, Responses, Scale
from bids_dnn.containers.roi import Roi
from bids_dnn.containers.space import Space
from bids_dnn.errors import ConfigError, NotEnoughDataError, ShapeError, nearest
from bids_dnn.ingest.records import Ingested
from bids_dnn.ingest.standardize import by_group
from bids_dnn.ingest.summary import scaling_facts, summarize

Floats = NDArray[np.float32]
STANDARDIZE = ("none", "run", "session", "auto")
MANY_SESSIONS = 3  # from here on, "auto" z-scores within sessions


@dataclass(frozen=True, slots=True, eq=False)
class Raw:
    """Responses as a data set holds them, before anything is left out or scaled.

    Parameters
    ----------
    samples
        One row a sample: ``stimulus``, ``condition``, ``run``, ``session``, see `sample_table`.
    space
        One place a column of the responses.
    scale, independence
        As in `Responses`; `scale` is that of the numbers before z-scores.
    rois
        Regions that the data name, on `space`.
    facts
        What else the log and the report should tell, JSON-ready.
    """

    samples: pd.DataFrame
    space: Space
    scale: Scale
    independence: Independence
    rois: tuple[Roi, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)


def choose_standardize(standardize: str, sessions: Sequence[str]) -> str:
    """Return ``none``, ``run`` or ``session``, with ``auto`` settled by the number of sessions.

    Raises
    ------
    ConfigError
        If it is none of these and not ``auto``.
    """
    if standardize not in STANDARDIZE:
        raise ConfigError(
            f"responses.standardize is {standardize!r}.", mend=nearest(standardize, STANDARDIZE)
        )
    if standardize != "auto":
        return standardize
    return "session" if len(set(sessions) - {""}) >= MANY_SESSIONS else "none"


def gather(
    blocks: Iterable[Floats], *, n_units: int, groups: NDArray[np.str_], is_scaled: bool
) -> tuple[Floats, dict[str, NDArray[np.bool_]]]:
    """Join blocks of samples, z-scored on the way, so that little more than the result is held.

    Parameters
    ----------
    blocks
        Each (n, n_units), in the order of the samples; whole groups each, if they are scaled.
    n_units : int
    groups : (n_samples,)
        Run or session of each sample.
    is_scaled
        Whether to z-score within groups.

    Returns
    -------
    values : (n_samples, n_kept) float32
        Of the units that are finite in all samples and vary (where scaled: in each group).
    lost
        For ``nan`` and ``constant``, the units (n_units,) left out for it.

    Raises
    ------
    ShapeError
        If the blocks have another number of samples or units.
    NotEnoughDataError
        If no unit is left, or a group to be scaled has one sample.
    """
    values = np.empty((len(groups), n_units), dtype=np.float32)
    is_nan, flat = np.zeros(n_units, dtype=bool), np.zeros(n_units, dtype=bool)
    low, high = np.full(n_units, np.inf), np.full(n_units, -np.inf)
    n_done = 0
    for block in blocks:
        if not len(block):
            continue
        rows = slice(n_done, n_done + len(block))
        n_done += len(block)
        if block.shape[1:] != (n_units,) or n_done > len(groups):
            raise _unequal(f"a block of shape {block.shape} up to sample {n_done}", values.shape)
        missing = ~np.isfinite(block).all(axis=0)
        is_nan |= missing
        part = values[rows]  # a view: what is missing is cleared without a copy of the block
        part[:] = block
        part[:, missing] = 0
        low, high = np.minimum(low, part.min(axis=0)), np.maximum(high, part.max(axis=0))
        if is_scaled:
            values[rows], still = by_group(values[rows], groups[rows])
            flat |= still
    if n_done != len(groups):
        raise _unequal(f"{n_done} samples", values.shape)
    flat = (flat | (low == high)) & ~is_nan & (len(groups) > 1)
    keep = ~(is_nan | flat)
    if not keep.any():
        raise NotEnoughDataError(
            f"No unit can be used: of {n_units}, {int(is_nan.sum())} are NaN in some sample and "
            f"{int(flat.sum())} do not vary.",
            mend="Look at the responses in their file.",
        )
    return _compact(values, keep), {"nan": is_nan, "constant": flat}


def settle(
    raw: Raw, blocks: Iterable[Floats], *, source: str, model: str, standardize: str
) -> Ingested:
    """Return what leaves the door: units that can be used, z-scores if asked for, and facts.

    Parameters
    ----------
    raw
        All but the numbers.
    blocks
        The numbers, each (n, n_units), in the order of ``raw.samples``; each of whole sessions.
    source, model
        Kind of data set, and how the responses were estimated, for the report.
    standardize
        ``none``, ``run``, ``session``, or ``auto`` = within sessions where there are three or
        more.

    Returns
    -------
    ingested
        Regions are cut to the units that are left; one that loses all of them is left out
        and named in the warnings.

    Raises
    ------
    ConfigError
        If `standardize` is something else.
    ShapeError
        If numbers and samples differ in length.
    NotEnoughDataError
        If no unit is left, or a group to be z-scored has one sample.
    """
    chosen = choose_standardize(standardize, list(raw.samples["session"]))
    groups = raw.samples["run" if chosen == "run" else "session"].to_numpy(dtype=str)
    values, lost = gather(
        blocks, n_units=len(raw.space), groups=groups, is_scaled=chosen != "none"
    )
    keep = ~np.any(list(lost.values()), axis=0)
    space = raw.space.select(keep)
    scale: Scale = raw.scale if chosen == "none" else "zscore"
    responses = Responses(values, raw.samples, space, scale, raw.independence)
    rois, gone = [], []
    for roi in raw.rois:
        marked = roi.units_in(space)
        if marked.any():
            rois.append(replace(roi, space=space.select(marked)))
        else:
            gone.append(f"Region {roi.name} has no unit that can be used and was left out.")
    scope, few = scaling_facts(raw.samples, chosen)
    made = {"source": source, "model": model, "standardize": chosen}
    told: dict[str, Any] = {**made, **scope, **summarize(responses, lost), **raw.facts}
    told["warnings"] = [*raw.facts.get("warnings", ()), *few, *gone]
    return Ingested(responses, told, tuple(rois))


def _compact(values: Floats, keep: NDArray[np.bool_]) -> Floats:
    """Return the kept columns in the memory of `values`, so that no second copy is made."""
    n = int(keep.sum())
    if n == len(keep):
        return values
    small = values.reshape(-1)[: len(values) * n].reshape(len(values), n)
    for row in range(len(values)):  # a row moves to where only rows already moved have stood
        small[row] = values[row, keep]
    return small


def _unequal(found: str, expected: tuple[int, ...]) -> ShapeError:
    return ShapeError(
        f"The responses have {found}; {expected[0]} samples of {expected[1]} units were expected.",
        mend="Check that responses and sample table belong together.",
    )
