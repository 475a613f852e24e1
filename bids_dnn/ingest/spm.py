"""SPM's first level -> `Responses`: ``SPM.mat`` says what each beta image stands for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bids_dnn import imaging
from bids_dnn.containers.responses import Responses
from bids_dnn.containers.space import Grid
from bids_dnn.errors import (
    ConfigError,
    MissingInputError,
    NotEnoughDataError,
    ShapeError,
    UnreadableError,
    nearest,
)
from bids_dnn.ingest.events import MISSING, number_repeats, stimulus_below
from bids_dnn.ingest.records import Ingested, Subject
from bids_dnn.ingest.spm_design import Regressor, SpmDesign, beside, read_design
from bids_dnn.ingest.standardize import by_group
from bids_dnn.ingest.summary import scaling_facts, summarize

__all__ = ["Regressor", "SpmDesign", "read_design", "read_responses", "t_map"]

Image = Literal["beta", "con"]
SESSION = re.compile(r"(.*?)\s+-\s+(?:Session\s+\d+|All Sessions)", re.DOTALL)  # SPM's naming
MASKS = ("mask.nii", "mask.nii.gz", "mask.img")
ALL = "all"  # the run of a contrast that spans several sessions


@dataclass(frozen=True, slots=True)
class _Sample:
    """One row of the responses: the mean of `images`, of one condition in one SPM session."""

    run: str
    name: str
    full: str
    images: tuple[Path, ...]


def read_responses(
    subject: Subject,
    *,
    conditions: Path | None,
    standardize: Literal["auto", "none", "run", "session"],
    images: Image = "beta",
    fir_window_s: tuple[float, float] = (4.0, 8.0),
    normalize: Literal["none", "residual"] = "none",
) -> Ingested:
    """Return the beta of each condition in each session of an SPM first level.

    Parameters
    ----------
    subject
        From the inventory, with its ``SPM.mat``.
    conditions
        A table with the columns ``name`` (of the regressor or contrast: ``face 1``, or in full
        ``Sn(1) face 1*bf(1)``), ``stimulus`` and ``condition``; None = the condition is the
        regressor's name, and no stimulus is known.
    standardize
        Z-score over the betas of each ``run`` (SPM's session) or of the whole ``session``;
        ``auto`` = ``none``, as SPM knows runs only.
    images
        ``con`` takes the images of T contrasts in place of betas; one that weighs a single
        session belongs to that run.
    fir_window_s : s
        Of a finite impulse response: the mean over the bins whose centers lie in this window
        after the onset. Of any other basis set, the first function counts.
    normalize
        ``residual`` divides each voxel by its residual SD (the root of ``ResMS``).

    Returns
    -------
    ingested
        Units are the voxels of SPM's mask, less those that are NaN or constant.

    Raises
    ------
    ConfigError
        If a setting does not exist, or no bin lies in the window.
    MissingInputError
        If ``SPM.mat``, an image or the table is not there, the table lacks a column, or there is
        no T contrast with an image.
    UnreadableError
        If a file is damaged, a name stands twice in the table, or a stimulus lies outside of
        ``stimuli/``.
    NotEnoughDataError
        If no voxel is left.

    References
    ----------
    Walther et al. (2016), NeuroImage 137:188, doi:10.1016/j.neuroimage.2015.12.012 (univariate
    noise normalization).
    """
    _check(standardize, images, normalize)
    if subject.spm is None:
        raise MissingInputError(
            f"sub-{subject.participant} has no SPM.mat.",
            mend="Name the folder: --derivatives 'spm=PATH/{participant}'",
        )
    design = read_design(subject.spm)
    used = _contrasts(design) if images == "con" else _betas(design, fir_window_s)
    table, facts = _table(design, used, conditions)
    space = _mask_space(design, subject.space)
    values = np.stack([_mean_image(sample.images, space) for sample in used])
    is_nan = np.logical_not(np.isfinite(values).all(axis=0))
    lost: dict[str, NDArray[np.bool_]] = {"nan": is_nan}
    if normalize == "residual":
        residual = imaging.read_units(beside(design.folder, "ResMS.nii"), space)[0]
        lost["residual"] = ~(residual > 0)
        values /= np.sqrt(np.where(residual > 0, residual, 1.0))
    flat = _flat(values) & ~is_nan
    lost["constant"] = flat
    keep = ~np.any(list(lost.values()), axis=0)
    if not keep.any():
        raise NotEnoughDataError(
            f"No voxel of {design.folder} can be used: of {len(space)}, {int(is_nan.sum())} are "
            f"NaN and {int(flat.sum())} are constant.",
            mend="Look at the beta images, and at mask.nii beside them.",
        )
    values = values[:, keep]
    chosen = "none" if standardize == "auto" else standardize
    if chosen != "none":
        values, still = by_group(values, table[chosen].to_numpy(dtype=str))
        values = values[:, ~still]
        flat[np.flatnonzero(keep)[still]] = True
        keep[np.flatnonzero(keep)[still]] = False
    scale: Literal["beta", "zscore"] = "beta" if chosen == "none" else "zscore"
    responses = Responses(values, number_repeats(table), space.select(keep), scale, "run")
    summary = summarize(responses, lost)
    made = {"source": "spm", "model": "spm", "standardize": chosen, "images": images}
    made |= {"normalize": normalize, "basis": design.basis}
    scope, few = scaling_facts(responses.samples, chosen)
    told = {**made, **scope, **summary, **facts, "warnings": [*facts["warnings"], *few]}
    return Ingested(responses, told)


def _check(standardize: str, images: str, normalize: str) -> None:
    allowed = {
        "standardize": (standardize, ("auto", "none", "run", "session")),
        "spm_images": (images, get_args(Image)),
        "normalize": (normalize, ("none", "residual")),
    }
    for name, (value, choices) in allowed.items():
        if value not in choices:
            raise ConfigError(
                f"responses.{name} is {value!r}, which SPM's betas do not allow.",
                mend=nearest(value, choices),
            )


def _betas(design: SpmDesign, window_s: tuple[float, float]) -> list[_Sample]:
    """Return the images of each condition in each session, modulations left out."""
    bins = [
        i + 1 for i, center in enumerate(design.bins_s) if window_s[0] <= center <= window_s[1]
    ]
    if design.bins_s and not bins:
        raise ConfigError(
            f"No bin of the finite impulse response of {design.folder} lies in "
            f"responses.fir_window_s = {list(window_s)}; their centers are at "
            f"{', '.join(f'{center:g}' for center in design.bins_s)} s.",
            mend="Set responses.fir_window_s to a window that holds one.",
        )
    groups: list[list[Regressor]] = []
    for regressor in design.regressors:
        if regressor.is_modulator:
            continue
        if regressor.basis == 1:
            groups.append([])
        groups[-1].append(regressor)
    wanted = set(bins or [1])
    made = []
    for group in groups:
        columns = [r.column for r in group if r.basis in wanted]
        images = tuple(design.beta_path(column) for column in columns)
        first = group[0]
        made.append(
            _Sample(f"{first.session:02d}", first.name, design.names[first.column], images)
        )
    return made


def _contrasts(design: SpmDesign) -> list[_Sample]:
    """Return the images of T contrasts, of single sessions where there are such."""
    session_of = {r.column: r.session for r in design.regressors}
    made = []
    for contrast in design.contrasts:
        sessions = {
            session_of[int(k)] for k in np.flatnonzero(contrast.weights) if k in session_of
        }
        run = f"{sessions.pop():02d}" if len(sessions) == 1 else ALL
        match = SESSION.fullmatch(contrast.name)
        name = match[1] if match else contrast.name
        image = beside(design.folder, contrast.image)
        made.append(_Sample(run, name, contrast.name, (image,)))
    if not made:
        raise MissingInputError(
            f"{design.folder} has no T contrast with an image.",
            mend='Estimate contrasts in SPM, or use responses.spm_images = "beta".',
        )
    single = [one for one in made if one.run != ALL]
    return single or made


def _flat(values: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Mark the units (n_units,) that are the same in all samples; none of a single sample."""
    same: NDArray[np.bool_] = (values == values[:1]).all(axis=0)
    return same if len(values) > 1 else np.zeros_like(same)


def _mean_image(paths: Sequence[Path], space: Grid) -> NDArray[np.float32]:
    total = np.zeros(len(space), dtype=np.float64)
    for path in paths:
        total += imaging.read_units(path, space)[0]
    return (total / len(paths)).astype(np.float32)


def t_map(folder: Path, contrast: NDArray[np.floating]) -> tuple[NDArray[np.float64], Grid]:
    """Return the t value of a contrast, computed from ``SPM.mat``, the betas and ``ResMS``.

    ``t = c'b / sqrt(ResMS c'Cc)``, with C the covariance of the betas.

    Parameters
    ----------
    folder
        Of the first level.
    contrast : (n_regressors,)
        Weights of the betas.

    Returns
    -------
    t : (n_units,)
        NaN where a beta or the residual variance was not measured.
    space
        The voxels of SPM's mask.

    Raises
    ------
    ShapeError
        If the contrast has another length.
    MissingInputError, UnreadableError
        As `read_design`, and if an image is not there or damaged.

    References
    ----------
    Friston et al. (1995), Human Brain Mapping 2:189, doi:10.1002/hbm.460020402; equation 3.
    """
    design = read_design(folder / "SPM.mat")
    if contrast.shape != (len(design.names),):
        raise ShapeError(
            f"The contrast has shape {contrast.shape}, the design has {len(design.names)} "
            "regressors.",
            mend="Give one weight for each regressor, confounds and constants included.",
        )
    space = _mask_space(design, "SPM")
    effect = np.zeros(len(space))
    for column in np.flatnonzero(contrast):
        beta = imaging.read_units(design.beta_path(int(column)), space)[0]
        effect += float(contrast[column]) * beta.astype(np.float64)
    residual = imaging.read_units(beside(folder, "ResMS.nii"), space)[0].astype(np.float64)
    variance = residual * float(contrast @ design.covariance @ contrast)
    t = np.full(len(space), np.nan)
    np.divide(effect, np.sqrt(np.maximum(variance, 0)), out=t, where=variance > 0)
    return t, space


def _mask_space(design: SpmDesign, name: str) -> Grid:
    for mask in MASKS:
        if (design.folder / mask).exists():
            return imaging.space_of_mask(design.folder / mask, name=name)
    first = design.beta_path(design.regressors[0].column)
    return imaging.space_of_mask(first, name=name)  # SPM writes NaN outside of its mask


def design_samples(
    path: Path, *, conditions: Path | None, images: Image, fir_window_s: tuple[float, float]
) -> pd.DataFrame:
    """Return the samples of an SPM first level, by its design alone.

    Parameters
    ----------
    path
        ``SPM.mat``.
    conditions, images, fir_window_s
        As of `read_responses`.

    Raises
    ------
    ConfigError, MissingInputError, UnreadableError
        As `read_responses`, of the design and the table.
    """
    design = read_design(path)
    used = _contrasts(design) if images == "con" else _betas(design, fir_window_s)
    return number_repeats(_table(design, used, conditions)[0])


def _table(
    design: SpmDesign, used: Sequence[_Sample], conditions: Path | None
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Return a row for each sample, and what of the table found no partner."""
    known = _read_conditions(conditions)
    rows, without, met = [], [], set()
    for trial, sample in enumerate(used):
        name = sample.full if sample.full in known else sample.name
        stimulus, condition = known.get(name, ("", ""))
        met.add(name)
        if known and name not in known:
            without.append(sample.name)
        rows.append(
            {
                "stimulus": stimulus,
                "condition": condition or sample.name,
                "run": sample.run,
                "session": "",
                "repeat": 0,
                "trial": trial,
                "regressor": sample.full,
            }
        )
    later = sorted({r.name for r in design.regressors if r.basis > 1})
    modulators = sorted({r.name for r in design.regressors if r.is_modulator})
    messages = []
    if later and not design.bins_s:
        messages.append(
            f"Of {len(later)} conditions only the first basis function was taken"
            + (f" ({design.basis})." if design.basis else ".")
        )
    if without:
        messages.append(
            f"{len(set(without))} regressors have no row in {conditions}, such as {without[0]!r}."
        )
    runs = [sample.run for sample in used]
    facts = {
        "n_volumes": sum(design.n_scans),
        "runs": [
            {"run": run, "session": "", "n_samples": runs.count(run)} for run in sorted(set(runs))
        ],
        "regressors_without_row": sorted(set(without)),
        "rows_without_regressor": sorted(set(known) - met),
        "several_basis_functions": later,
        "parametric_modulators_left_out": modulators,
        "warnings": messages,
    }
    return pd.DataFrame(rows), facts


def _read_conditions(path: Path | None) -> dict[str, tuple[str, str]]:
    """Return stimulus and condition by regressor name."""
    if path is None:
        return {}
    if not path.is_file():
        raise MissingInputError(
            f"There is no table of conditions {path}.",
            mend="Write it with the columns name, stimulus and condition, separated by tabs.",
        )
    table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False, encoding="utf-8-sig")
    if missing := [c for c in ("name", "stimulus", "condition") if c not in table]:
        raise MissingInputError(
            f"{path} lacks the columns {', '.join(missing)}; there are: "
            f"{', '.join(map(str, table.columns))}.",
            mend="Write it with the columns name, stimulus and condition, separated by tabs.",
        )
    names = table["name"].str.strip()
    if twice := sorted(names[names.duplicated()]):
        raise UnreadableError(
            f"{path} has {len(twice)} names twice, such as {twice[0]!r}.",
            mend="Give each regressor one row.",
        )
    stimuli = [stimulus_below(value, where=str(path)) for value in table["stimulus"]]
    conditions = ["" if v in MISSING else v.strip() for v in table["condition"]]
    values = zip(stimuli, conditions, strict=True)
    return dict(zip(names, values, strict=True))
