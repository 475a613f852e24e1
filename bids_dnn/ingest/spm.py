"""SPM's first level -> `Responses`: ``SPM.mat`` says what each beta image stands for."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bids_dnn import imaging
from bids_dnn.containers.responses import Responses
from bids_dnn.containers.space import Space
from bids_dnn.errors import (
    ConfigError,
    MissingInputError,
    NotEnoughDataError,
    ShapeError,
    UnreadableError,
    nearest,
)
from bids_dnn.ingest.events import MISSING, number_repeats
from bids_dnn.ingest.records import Ingested, Subject
from bids_dnn.ingest.spm_design import Regressor, SpmDesign, beside, read_design
from bids_dnn.ingest.standardize import by_group
from bids_dnn.ingest.summary import scaling_facts, summarize

__all__ = ["Regressor", "SpmDesign", "read_design", "read_responses", "t_map"]

MODULATOR = re.compile(r".+x.+\^\d+$")  # SPM names a parametric modulation conditionxvalue^order


def read_responses(
    subject: Subject,
    *,
    conditions: Path | None,
    standardize: Literal["none", "run", "session"],
) -> Ingested:
    """Return the beta of each condition in each session of an SPM first level.

    Parameters
    ----------
    subject
        From the inventory, with its ``SPM.mat``.
    conditions
        A table with the columns ``name`` (of the regressor: ``face 1``, or in full
        ``Sn(1) face 1*bf(1)``), ``stimulus`` and ``condition``; None = the condition is the
        regressor's name, and no stimulus is known.
    standardize
        Z-score over the betas of each ``run`` (SPM's session) or of the whole ``session``.

    Returns
    -------
    ingested
        Units are the voxels of SPM's mask, less those that are NaN or constant. Where a
        condition has several basis functions, only the first is taken (see the facts).

    Raises
    ------
    ConfigError
        If `standardize` is something else.
    MissingInputError
        If ``SPM.mat``, a beta or the table is not there, or the table lacks a column.
    UnreadableError
        If a file is damaged, or a name stands twice in the table.
    NotEnoughDataError
        If no voxel is left.
    """
    if standardize not in ("none", "run", "session"):
        raise ConfigError(
            f"responses.standardize is {standardize!r}, which SPM's betas do not allow.",
            mend=nearest(standardize, ("none", "run", "session")),
        )
    if subject.spm is None:
        raise MissingInputError(
            f"sub-{subject.participant} has no SPM.mat.",
            mend="Name the folder: --derivatives 'spm=PATH/{participant}'",
        )
    design = read_design(subject.spm)
    used = [r for r in design.regressors if r.basis == 1 and not MODULATOR.match(r.name)]
    table, facts = _samples(design, used, conditions)
    space = _mask_space(design, subject.space)
    values = np.concatenate([imaging.read_units(design.beta_path(r.column), space) for r in used])
    is_nan = ~np.isfinite(values).all(axis=0)
    flat = ~is_nan & (np.where(is_nan, 0, values).std(axis=0) == 0) & (len(values) > 1)
    keep = ~is_nan & ~flat
    if not keep.any():
        raise NotEnoughDataError(
            f"No voxel of {design.folder} can be used: of {len(space)}, {int(is_nan.sum())} are "
            f"NaN and {int(flat.sum())} are constant.",
            mend="Look at the beta images, and at mask.nii beside them.",
        )
    values = values[:, keep]
    if standardize != "none":
        values, still = by_group(values, table[standardize].to_numpy(dtype=str))
        values = values[:, ~still]
        flat[np.flatnonzero(keep)[still]] = True
        keep[np.flatnonzero(keep)[still]] = False
    scale: Literal["beta", "zscore"] = "beta" if standardize == "none" else "zscore"
    responses = Responses(values, number_repeats(table), space.select(keep), scale)
    summary = summarize(responses, {"nan": is_nan, "constant": flat})
    made = {"source": "spm", "model": "spm", "standardize": standardize}
    scope, few = scaling_facts(responses.samples, standardize)
    told = {**made, **scope, **summary, **facts, "warnings": [*facts["warnings"], *few]}
    return Ingested(responses, told)


def t_map(folder: Path, contrast: NDArray[np.floating]) -> tuple[NDArray[np.float64], Space]:
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


def _mask_space(design: SpmDesign, name: str) -> Space:
    for mask in ("mask.nii", "mask.nii.gz", "mask.img"):
        if (design.folder / mask).exists():
            return imaging.space_of_mask(design.folder / mask, name=name)
    first = design.beta_path(design.regressors[0].column)
    return imaging.space_of_mask(first, name=name)  # SPM writes NaN outside of its mask


def _samples(
    design: SpmDesign, used: list[Regressor], conditions: Path | None
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Return a row for each beta that is used, and what of the table found no partner."""
    known = _read_conditions(conditions)
    rows, without, met = [], [], set()
    for trial, regressor in enumerate(used):
        full = design.names[regressor.column]
        name = full if full in known else regressor.name
        stimulus, condition = known.get(name, ("", ""))
        met.add(name)
        if known and name not in known:
            without.append(regressor.name)
        rows.append(
            {
                "stimulus": stimulus,
                "condition": condition or regressor.name,
                "run": f"{regressor.session:02d}",
                "session": "",
                "repeat": 0,
                "trial": trial,
                "regressor": full,
            }
        )
    later = sorted({r.name for r in design.regressors if r.basis > 1})
    modulators = sorted({r.name for r in design.regressors if MODULATOR.match(r.name)})
    messages = []
    if later:
        messages.append(f"Of {len(later)} conditions only the first basis function was taken.")
    if without:
        messages.append(
            f"{len(set(without))} regressors have no row in {conditions}, such as {without[0]!r}."
        )
    facts = {
        "n_volumes": sum(design.n_scans),
        "runs": [
            {"run": f"{s:02d}", "session": "", "n_samples": sum(r.session == s for r in used)}
            for s in sorted({r.session for r in used})
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
    clean = table[["stimulus", "condition"]].map(lambda v: "" if v in MISSING else v.strip())
    values = zip(clean["stimulus"], clean["condition"], strict=True)
    return dict(zip(names, values, strict=True))
