"""Runs of a localizer, or a contrast map -> the places that prefer a contrast."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bids_dnn.containers.space import Space
from bids_dnn.ingest.inventory import Subject
from bids_dnn.ingest.localizer import ModeledRun, model_runs
from bids_dnn.rois.functional import LocalizerRun
from bids_dnn.rois.localizer import is_map, places_by_map, places_by_runs
from bids_dnn.rois.rule import Term

Mask = NDArray[np.bool_]


def localizer_places(
    term: Term, told: Mapping[str, Any], *, measured: Space, within: Mask | None
) -> tuple[Mask, list[str]]:
    """Mark the places that a localizer's term means.

    Parameters
    ----------
    term
        Of the kind ``localizer``.
    told
        What the plan found: ``subject`` (with the runs of the localizer), ``settings`` and
        ``circular`` (what tables must say of shared runs) and ``unsure`` (that they cannot be
        told); nothing for a map.
    measured
        Space of the responses, with its measured units.
    within : (n_places,) bool
        Of the option ``within``.

    Raises
    ------
    BidsDnnError
        As `rois.localizer.places_by_map`, `places_by_runs` and `ingest.localizer.model_runs`.
    """
    if is_map(term):
        return places_by_map(term, space=measured, within=within)
    settings = told["settings"] | {"rest": tuple(told["settings"]["rest"])}
    modeled = list(model_runs(Subject.from_json(dict(told["subject"])), measured, **settings))
    mask, warnings = places_by_runs(
        term,
        [_named(one) for one in modeled],
        conditions=sorted({name for one in modeled for name in one.conditions}),
        space=measured,
        within=within,
    )
    return mask, [*told["circular"], *told["unsure"], *warnings]


def _named(run: ModeledRun) -> LocalizerRun:
    n_others = run.design.shape[1] - len(run.conditions)
    names = (*run.conditions, *(f"nuisance {i}" for i in range(n_others)))
    return LocalizerRun(run.run, run.series, run.design, names)
