"""A localizer's term of a rule -> its runs, and the places that it marks."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np

from bids_dnn.containers.space import Space
from bids_dnn.errors import ConfigError, MissingInputError, SpaceError, nearest
from bids_dnn.rois.build import SIDES, Mask
from bids_dnn.rois.contrast_files import ContrastMap, read_contrast, require_z
from bids_dnn.rois.functional import (
    LocalizerRun,
    RunId,
    contrast_map,
    parse_contrast,
    select,
)
from bids_dnn.rois.grammar import is_path, split_space
from bids_dnn.rois.rule import Term

PARTS = ("task", "session", "run")


def is_map(term: Term) -> bool:
    """Tell whether a localizer is a finished contrast map, not a contrast of conditions."""
    return is_path(term.argument)


def localizer_runs(term: Term, available: Collection[RunId]) -> list[RunId]:
    """Return the runs that a localizer rests on, in order.

    Parameters
    ----------
    term
        Its options `task`, `session` and `run` choose; several labels are joined by +, and
        leading zeros do not count.
    available
        Task, session ("" where there is none) and run of all runs that have responses.

    Raises
    ------
    MissingInputError
        If no run is left; names the labels that there are.

    Examples
    --------
    >>> rule = Term("localizer", "faces>objects", {"task": "loc", "run": "1"})
    >>> localizer_runs(rule, [("loc", "", "01"), ("loc", "", "02"), ("main", "", "01")])
    [('loc', '', '01')]
    """
    left = sorted(available)
    for place, part in enumerate(PARTS):
        if part not in term.options:
            continue
        said = term.options[part]
        wanted = {_plain(label) for label in (said, *said.split("+"))}
        there = sorted({run[place] for run in left})
        left = [run for run in left if _plain(run[place]) in wanted]
        if not left:
            raise MissingInputError(
                f"The localizer {term} asks for {part}={said}, which no run with responses has.",
                mend=nearest(said, there),
            )
    if not left:
        raise MissingInputError(
            f"The localizer {term} has no run with responses.",
            mend="Give the data set that holds them: --derivatives NAME=FOLDER",
        )
    return left


def places_by_runs(
    term: Term,
    runs: Sequence[LocalizerRun],
    *,
    conditions: Collection[str],
    space: Space,
    within: Mask | None = None,
) -> tuple[Mask, list[str]]:
    """Mark the places that a localizer finds in its own runs.

    Parameters
    ----------
    term
        Such as ``localizer:faces>objects, task=loc, top=200``.
    runs
        Those of `localizer_runs`, with their designs.
    conditions
        Which regressors are conditions.
    space
        Of the units of the series.
    within : (n_places,) bool
        What the rule of ``within=`` marks.

    Raises
    ------
    ConfigError
        If the contrast names no condition, or no choice (`top`, `z`, `fdr`) is made.
    NotEnoughDataError, ShapeError, SpaceError
        As `functional.contrast_map` and `functional.select`.
    """
    contrast = parse_contrast(term.argument, conditions)
    z, warnings = contrast_map(runs, contrast)
    mask, said = _chosen(term, ContrastMap(z, is_z=True), space=space, within=within)
    return mask, warnings + said


def places_by_map(
    term: Term, *, space: Space, within: Mask | None = None
) -> tuple[Mask, list[str]]:
    """Mark the places that a finished contrast map prefers.

    Parameters
    ----------
    term
        Such as ``localizer:spmT_0001.nii@MNI152NLin2009cAsym, top=200``; without a space label
        the map is taken to lie where the responses do.
    space
        Of the responses.
    within : (n_places,) bool
        What the rule of ``within=`` marks.

    Raises
    ------
    SpaceError
        If the map lies in another space, or is of another kind or mesh.
    ConfigError
        If a threshold is asked for of a map that is no z map, or no choice is made.
    NotEnoughDataError, MissingInputError, UnreadableError, ShapeError
        As `functional.select` and `contrast_files.read_contrast`.
    """
    path, label = split_space(term.argument)
    if label not in ("", space.name):
        raise SpaceError(
            f"The localizer's map {path} lies in {label}, the responses in {space.name}.",
            mend=f"Analyze with --space {label}, or give a map in {space.name}.",
        )
    found, warnings = read_contrast(Path(path), space=space)
    if {"z", "fdr"} & set(term.options):
        require_z(found, Path(path))
    mask, said = _chosen(term, found, space=space, within=within)
    return mask, warnings + said


def _chosen(
    term: Term, found: ContrastMap, *, space: Space, within: Mask | None
) -> tuple[Mask, list[str]]:
    options = term.options
    if not {"top", "z", "fdr"} & set(options):
        raise ConfigError(
            f"The localizer {term} says neither how many units it takes nor from which threshold.",
            mend=f"Add one of top=, z= and fdr=: {term}, top=200",
        )
    return select(
        np.asarray(found.values),
        space=space,
        within=within,
        top=int(options["top"]) if "top" in options else None,
        z_threshold=float(options["z"]) if "z" in options else None,
        fdr=float(options["fdr"]) if "fdr" in options else None,
        side=SIDES.get(options.get("hemi", "")),
    )


def _plain(label: str) -> str:
    return label.lstrip("0") or label
