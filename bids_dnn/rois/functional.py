"""Functional localizers: from a contrast, in runs of their own, to the units that prefer it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from bids_dnn.containers.space import Hemisphere, Space
from bids_dnn.errors import ConfigError, LeakageError, NotEnoughDataError, ShapeError, nearest
from bids_dnn.rois.build import Mask, hemisphere
from bids_dnn.rois.places import plural
from bids_dnn.stats.inference import fdr as adjusted

Array = NDArray[np.floating[Any]]
RunId = tuple[str, str, str]  # task, session, run
SHOWN = 5
CHUNK_UNITS = 16_384  # fitted at once: each is fitted on its own, and this bounds memory


@dataclass(frozen=True, slots=True)
class Contrast:
    """What is compared: the mean of some conditions with the mean of others, or with rest.

    Parameters
    ----------
    plus, minus
        Conditions on both sides; `minus` is empty where they are compared with rest.
    """

    plus: tuple[str, ...]
    minus: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "+".join(self.plus) + (">" + "+".join(self.minus) if self.minus else "")


def parse_contrast(text: str, conditions: Collection[str]) -> Contrast:
    """Read a contrast such as ``faces>objects+scenes``, or ``faces`` for faces against rest.

    Parameters
    ----------
    text
        Conditions joined by +, with one > between the sides.
    conditions
        Those of the runs.

    Raises
    ------
    ConfigError
        If a condition does not exist, stands twice, or a side is empty.

    Examples
    --------
    >>> parse_contrast("faces>objects+scenes", ["faces", "objects", "scenes"]).minus
    ('objects', 'scenes')
    """
    sides = [tuple(word.strip() for word in side.split("+")) for side in text.split(">")]
    if len(sides) > 2 or not all(word for side in sides for word in side):
        raise ConfigError(
            f"The contrast {text!r} is not of the form A>B, A>B+C or A.",
            mend=f"Name conditions on both sides. {nearest(text, conditions)}",
        )
    for name in (word for side in sides for word in side):
        if name not in conditions:
            raise ConfigError(
                f"The contrast {text!r} names the condition {name!r}, which the localizer runs "
                "do not have.",
                mend=nearest(name, conditions),
            )
    if len(set(sum(sides, ()))) != sum(map(len, sides)):
        raise ConfigError(
            f"A condition stands twice in the contrast {text!r}.", mend="Name each once."
        )
    return Contrast(*sides)


@dataclass(frozen=True, slots=True, eq=False)
class LocalizerRun:
    """One run of a localizer.

    Parameters
    ----------
    run
        Id, for messages.
    series : (n_volumes, n_units)
        In units that are alike in all runs, such as percent signal change.
    design : (n_volumes, n_regressors)
        Conditions, confounds, drift and constant.
    regressors : n_regressors
        Names of the columns of `design`; a condition is called as in the events.

    Raises
    ------
    ShapeError
        If lengths differ.
    """

    run: str
    series: Array
    design: Array
    regressors: tuple[str, ...]

    def __post_init__(self) -> None:
        expected = len(self.series), len(self.regressors)
        if self.series.ndim != 2 or self.design.shape != expected:
            raise ShapeError(
                f"series of run {self.run} has shape {self.series.shape}, the design has shape "
                f"{self.design.shape} with {len(self.regressors)} names.",
                mend="Give one row for each volume and one name for each column.",
            )


def contrast_map(
    runs: Sequence[LocalizerRun], contrast: Contrast, *, noise_model: str = "ar1"
) -> tuple[NDArray[np.float64], list[str]]:
    """Return how much each unit prefers a contrast, as z, with fixed effects over runs.

    Parameters
    ----------
    runs
        Of the localizer; those without one of the conditions, or without a volume that counts
        of one, are left out.
    contrast
        From `parse_contrast`.
    noise_model
        ``ar1`` or ``ols``, as in nilearn.

    Returns
    -------
    z : (n_units,) float64
        NaN where a unit does not vary in a run, or is not measured.
    warnings
        A sentence for the runs that were left out.

    Raises
    ------
    NotEnoughDataError
        If no run has all conditions, or a run has no more volumes than regressors.
    ShapeError
        If runs differ in their units.
    """
    used = [run for run in runs if _has_all(run, contrast)]
    _check_runs(runs, used, contrast)
    alive = np.ones(used[0].series.shape[1], dtype=bool)
    for run in used:
        alive &= np.isfinite(run.series).all(axis=0) & (np.ptp(run.series, axis=0) > 0)
    z = np.full(alive.size, np.nan)
    places = np.flatnonzero(alive)
    for start in range(0, places.size, CHUNK_UNITS):
        part = places[start : start + CHUNK_UNITS]
        z[part] = _fixed_effects(used, part, contrast, noise_model)
    lost = [run.run for run in runs if run not in used]
    return z, [
        f"The localizer run {name} was left out: it lacks a condition of {contrast}."
        for name in lost
    ]


def select(
    z: Array,
    *,
    space: Space,
    within: Mask | None = None,
    top: int | None = None,
    z_threshold: float | None = None,
    fdr: float | None = None,
    side: Hemisphere | None = None,
) -> tuple[Mask, list[str]]:
    """Mark the units that prefer a contrast most.

    Parameters
    ----------
    z : (n_units,)
        From `contrast_map`, or another measure where only `top` is asked for; NaN is never
        chosen.
    space
        Of the units.
    within : (n_places,) bool
        Where they must lie, such as a parcel.
    top : int
        How many are chosen; of equal ones those with the lower place.
    z_threshold
        Which z they must exceed.
    fdr : in (0, 1)
        Which false discovery rate they must have, one-sided, over the units that `within` and
        `side` leave.
    side
        Hemisphere in which they must lie; None = both.

    Returns
    -------
    mask : (n_places,) bool
    warnings
        A sentence where fewer than `top` pass a threshold, or some that were chosen do not
        prefer the contrast at all.

    Raises
    ------
    ConfigError
        If none of `top`, `z_threshold` and `fdr` is given.
    ShapeError
        If `z` or `within` has another length.
    NotEnoughDataError
        If fewer units are there than `top`, or none passes.
    SpaceError
        If a side is asked for where there is none.
    """
    if top is None and z_threshold is None and fdr is None:
        raise ConfigError(
            "A localizer says neither how many units it takes nor from which threshold.",
            mend="Add top=200, z=3.1 or fdr=0.05 to the rule.",
        )
    allowed = np.ones(space.n_places, dtype=bool) if within is None else within
    if z.shape != (len(space),) or allowed.shape != (space.n_places,):
        raise ShapeError(
            f"z has shape {z.shape} and within {allowed.shape}, for {len(space)} units at "
            f"{space.n_places} places.",
            mend="Give one z for each unit, and within for each place.",
        )
    if side is not None:
        allowed = hemisphere(allowed, space, side)
    inside = np.flatnonzero(allowed[space.index] & np.isfinite(z))  # of the units
    passed = inside[_passes(z[inside], z_threshold, fdr)]
    _refuse_few(z[inside], passed.size, top=top, space=space, limits=(z_threshold, fdr))
    if top is not None:
        order = np.lexsort((space.index[passed], -z[passed]))
        passed = passed[order[:top]]
    mask = np.zeros(space.n_places, dtype=bool)
    mask[space.index[passed]] = True
    return mask, _doubts(z[passed], top, space)


def check_circular(
    localizer: Collection[RunId], analyzed: Collection[RunId], *, is_allowed: bool = False
) -> list[str]:
    """Stop where a localizer rests on runs that are analyzed.

    A region that was chosen for its response in the very data that are then analyzed makes any
    effect look larger than it is.

    Parameters
    ----------
    localizer, analyzed
        Task, session ("" where there is none) and run of each.
    is_allowed
        Whether such a region is built all the same.

    Returns
    -------
    warnings
        The sentence that every table must then hold; none where nothing is shared.

    Raises
    ------
    LeakageError
        If runs are shared, and that was not allowed; names at most five.

    References
    ----------
    Kriegeskorte et al. (2009), Nat. Neurosci. 12:535, doi:10.1038/nn.2303.
    """
    shared = sorted(set(localizer) & set(analyzed))
    if not shared:
        return []
    shown = ", ".join(_spelled(run) for run in shared[:SHOWN])
    shown += f" and {len(shared) - SHOWN} more" if len(shared) > SHOWN else ""
    if not is_allowed:
        raise LeakageError(
            f"A localizer rests on {len(shared)} of the runs that are analyzed: {shown}.",
            mend="Take it from another task or other runs (task=, session=, run=), or pass "
            "--allow-circular, and every table says so.",
        )
    return [
        f"Circular: the region was chosen by its response in {len(shared)} of the runs that are "
        f"analyzed ({shown}), so that its scores are too high."
    ]


def _fixed_effects(
    runs: Sequence[LocalizerRun],
    units: NDArray[np.intp],
    contrast: Contrast,
    noise_model: str,
) -> NDArray[np.float64]:
    from nilearn.glm.contrasts import compute_contrast
    from nilearn.glm.first_level import run_glm

    total: Any = None
    for run in runs:
        series = np.asarray(run.series[:, units], dtype=np.float64)
        labels, results = run_glm(series, run.design, noise_model=noise_model)
        one = compute_contrast(labels, results, _weights(contrast, run.regressors), stat_type="t")
        total = one if total is None else total + one
    z: NDArray[np.float64] = total.z_score()
    return z


def _has_all(run: LocalizerRun, contrast: Contrast) -> bool:
    """Tell whether a run has volumes of each condition; an empty regressor would mean rest."""
    seen = {n for n, one in zip(run.regressors, run.design.T, strict=True) if one.any()}
    return {*contrast.plus, *contrast.minus} <= seen


def _weights(contrast: Contrast, regressors: Iterable[str]) -> NDArray[np.float64]:
    names = list(regressors)
    weights = np.zeros(len(names))
    for side, sign in ((contrast.plus, 1.0), (contrast.minus, -1.0)):
        for name in side:
            weights[names.index(name)] = sign / len(side)
    return weights


def _check_runs(
    runs: Sequence[LocalizerRun], used: Sequence[LocalizerRun], contrast: Contrast
) -> None:
    if not used:
        raise NotEnoughDataError(
            f"None of the {len(runs)} localizer runs has all conditions of {contrast}.",
            mend="Name conditions that occur in one run together.",
        )
    if len({run.series.shape[1] for run in used}) > 1:
        raise ShapeError(
            f"The localizer runs have {sorted({r.series.shape[1] for r in used})} units.",
            mend="Read all with one space.",
        )
    for run in used:
        n_volumes, n_regressors = run.design.shape
        if n_volumes <= n_regressors:
            raise NotEnoughDataError(
                f"The localizer run {run.run} has {n_volumes} volumes for {n_regressors} "
                "regressors.",
                mend="Ask for leaner responses.confounds.",
            )


def _passes(z: Array, z_threshold: float | None, rate: float | None) -> NDArray[np.bool_]:
    passes = np.ones(z.size, dtype=bool)
    if z_threshold is not None:
        passes &= z > z_threshold
    if rate is not None:
        passes &= adjusted(np.asarray(stats.norm.sf(z))) <= rate
    return passes


def _doubts(chosen: Array, top: int | None, space: Space) -> list[str]:
    doubts = []
    if top is not None and chosen.size < top:
        doubts.append(
            f"A localizer found {chosen.size} {plural(space)} above its threshold, top={top} was "
            "asked for."
        )
    if weak := int((chosen <= 0).sum()):
        doubts.append(
            f"{weak} of the {chosen.size} {plural(space)} that a localizer chose do not prefer "
            "its contrast (values <= 0)."
        )
    return doubts


def _refuse_few(
    z: Array,
    n_passed: int,
    *,
    top: int | None,
    space: Space,
    limits: tuple[float | None, float | None],
) -> None:
    said = [f"{k}={v:g}" for k, v in zip(("z", "fdr"), limits, strict=True) if v is not None]
    above = f", {n_passed} of them pass {' and '.join(said)}" if said else ""
    if n_passed and (top is None or n_passed >= top or said):
        return
    highest = f" The highest value is {z.max():.2f}." if z.size else ""
    raise NotEnoughDataError(
        f"A localizer found {z.size} measured {plural(space)} where it may choose{above}"
        f"{'' if top is None or said else f', and top={top} was asked for'}.{highest}",
        mend="Lower the threshold or top=, or widen within=.",
    )


def _spelled(run: RunId) -> str:
    keys = ("task", "ses", "run")
    return "_".join(f"{key}-{value}" for key, value in zip(keys, run, strict=True) if value)
