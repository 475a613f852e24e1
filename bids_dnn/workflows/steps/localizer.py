"""Runs of a localizer, or a contrast map -> the places that prefer a contrast."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bids_dnn.containers.space import Hemisphere, Space
from bids_dnn.errors import ConfigError
from bids_dnn.ingest.inventory import Subject
from bids_dnn.ingest.localizer import ModeledRun, model_runs
from bids_dnn.rois.contrast_files import read_contrast, require_z
from bids_dnn.rois.functional import LocalizerRun, contrast_map, parse_contrast, select
from bids_dnn.rois.rule import Term

Mask = NDArray[np.bool_]
SIDES: dict[str, Hemisphere] = {"L": "L", "R": "R"}
LIMITS = ("top", "z", "fdr")


def localizer_places(
    term: Term, told: Mapping[str, Any], *, measured: Space, within: Mask | None
) -> tuple[Mask, list[str]]:
    """Mark the places that a localizer's term means.

    Parameters
    ----------
    term
        Of the kind ``localizer``; with at least one of ``top``, ``z`` and ``fdr``.
    told
        What the plan found: ``path`` of a map, or ``subject`` (its runs) and ``settings``.
    measured
        Space of the responses, with its measured units.
    within : (n_places,) bool
        Of the option ``within``.

    Returns
    -------
    places : (n_places,) bool
    warnings

    Raises
    ------
    ConfigError
        If no limit is named, or a threshold is asked for of a map that is no z map.
    """
    options = term.options
    if not set(LIMITS) & set(options):
        raise ConfigError(
            f"The rule {term} says nothing of how many units are taken.",
            mend=f"Add top=200, z=3.1 or fdr=0.05: {term}, top=200",
        )
    if "path" in told:
        path = Path(told["path"])
        found, warnings = read_contrast(path, space=measured)
        if {"z", "fdr"} & set(options):
            require_z(found, path)
        z = found.values
    else:
        z, warnings = _z_of_runs(term, told, measured)
    mask, doubts = select(
        z,
        space=measured,
        within=within,
        top=int(options["top"]) if "top" in options else None,
        z_threshold=float(options["z"]) if "z" in options else None,
        fdr=float(options["fdr"]) if "fdr" in options else None,
        side=SIDES.get(options.get("hemi", "")),
    )
    return mask, [*told.get("circular", ()), *warnings, *doubts]


def _z_of_runs(
    term: Term, told: Mapping[str, Any], measured: Space
) -> tuple[NDArray[np.float64], list[str]]:
    settings = told["settings"] | {"rest": tuple(told["settings"]["rest"])}
    runs = [_named(one) for one in model_runs(_subject(told), measured, **settings)]
    conditions = sorted({name for run in runs for name in run.regressors if name[:1] != "_"})
    return contrast_map(runs, parse_contrast(term.argument, conditions))


def _subject(told: Mapping[str, Any]) -> Subject:
    return Subject.from_json(dict(told["subject"]))


def _named(run: ModeledRun) -> LocalizerRun:
    n_others = run.design.shape[1] - len(run.conditions)
    names = (*run.conditions, *(f"_nuisance{i}" for i in range(n_others)))
    return LocalizerRun(run.run, run.series, run.design, names)
