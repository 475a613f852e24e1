"""Confounds by named strategy, through nilearn, with the columns checked first."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bids_dnn.errors import (
    ConfigError,
    MissingInputError,
    NotEnoughDataError,
    UnreadableError,
    nearest,
)
from bids_dnn.imaging import require_file

Strategy = Literal["none", "simple", "scrubbing", "compcor", "ica_aroma"]

SUFFIXES = ("", "_derivative1", "_power2", "_derivative1_power2")
MOTION = tuple(
    f"{kind}_{axis}{s}" for s in SUFFIXES for kind in ("trans", "rot") for axis in "xyz"
)
TISSUE = ("csf", "white_matter")
TISSUE_FULL = tuple(f"{name}{s}" for s in SUFFIXES for name in TISSUE)
NEEDED: dict[str, tuple[str, ...]] = {  # a pattern ends in a digit class
    "none": (),
    "simple": (*MOTION, *TISSUE),
    "scrubbing": (*MOTION, *TISSUE_FULL, "framewise_displacement", "std_dvars"),
    "compcor": (*MOTION, r"a_comp_cor_\d+"),
    "ica_aroma": (*TISSUE, r"aroma_motion_\d+"),
}
DENOISED = "desc-smoothAROMAnonaggr"  # fMRIPrep's image from which AROMA's noise is gone


@dataclass(frozen=True, slots=True, eq=False)
class Confounds:
    """What is regressed out of one run.

    Parameters
    ----------
    values : (n_volumes, n_confounds) float64
        One column a confound, for all volumes.
    names : n_confounds
        As in the table.
    keep : (n_volumes,) bool
        False for volumes that leave the analysis: scrubbed, or before the steady state.
    """

    values: NDArray[np.float64]
    names: tuple[str, ...]
    keep: NDArray[np.bool_]

    @property
    def has_cosines(self) -> bool:
        """Whether slow drifts are among the confounds."""
        return any(name.startswith("cosine") for name in self.names)


def read_confounds(
    path: Path | None, bold: Path, *, strategy: Strategy, n_volumes: int
) -> Confounds:
    """Return the confounds of one run by a named strategy of nilearn.

    Parameters
    ----------
    path
        The confounds table of fMRIPrep; None where there is none.
    bold
        The image they belong to, from whose name nilearn finds the table again.
    strategy
        ``none``, ``simple`` (24 motion, tissue means), ``scrubbing`` (also leaves out volumes
        with motion), ``compcor`` (24 motion, anatomical components) or ``ica_aroma`` (noise
        components, or none of them where `bold` was denoised by fMRIPrep, and tissue means);
        all but ``none`` with fMRIPrep's cosines where the table has them.
    n_volumes : int
        Of the image.

    Raises
    ------
    ConfigError
        If the strategy does not exist.
    MissingInputError
        If the table, its JSON (CompCor), or a column that the strategy needs is not there.
    UnreadableError
        If the table has another number of rows than the image has volumes.
    NotEnoughDataError
        If no volume is left.

    References
    ----------
    Wang et al. (2024), PLOS Comput. Biol. 20:e1011942, doi:10.1371/journal.pcbi.1011942.
    """
    if strategy not in NEEDED:
        raise ConfigError(
            f"responses.confounds is {strategy!r}, which is no strategy.",
            mend=nearest(strategy, NEEDED),
        )
    if strategy == "none":
        none = np.zeros((n_volumes, 0))
        return Confounds(none, (), np.ones(n_volumes, dtype=bool))
    table = read_table(path, bold)
    _check(table, path, strategy=strategy, denoised=DENOISED in bold.name)
    if len(table) != n_volumes:
        raise UnreadableError(
            f"{path} has {len(table)} rows, but {bold.name} has {n_volumes} volumes.",
            mend="Fetch or copy both again.",
        )
    folder = bold.parent if path is None else path.parent
    chosen, volumes = _load(folder / bold.name, strategy=strategy)
    keep = np.ones(n_volumes, dtype=bool)
    if volumes is not None:
        keep = np.isin(np.arange(n_volumes), volumes)
    if not keep.any():
        raise NotEnoughDataError(
            f"All {n_volumes} volumes of {bold.name} are marked as motion by {strategy!r}.",
            mend='Leave the run out with --run-id, or use responses.confounds = "simple".',
        )
    names = tuple(map(str, chosen.columns))
    return Confounds(np.asarray(chosen, dtype=np.float64), names, keep)


def read_table(path: Path | None, bold: Path) -> pd.DataFrame:
    """Return the whole confounds table of a run.

    Raises
    ------
    MissingInputError
        If there is none.
    UnreadableError
        If it is no table.
    """
    if path is None:
        raise MissingInputError(
            f"{bold.name} has no confounds table (*_desc-confounds_timeseries.tsv) beside it.",
            mend='Use responses.confounds = "none", or run fMRIPrep with --level full.',
        )
    try:
        return pd.read_csv(require_file(path), sep="\t", na_values="n/a")
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as err:
        raise UnreadableError(
            f"{path} is no tab-separated table ({err}).", mend="Fetch or copy it again."
        ) from err


def mean_framewise_displacement(path: Path | None) -> float | None:
    """Return the mean framewise displacement of a run in mm, None where it is not known."""
    if path is None or not path.is_file():
        return None
    table = pd.read_csv(path, sep="\t", na_values="n/a")
    if "framewise_displacement" not in table:
        return None
    moved = pd.to_numeric(table["framewise_displacement"], errors="coerce").dropna()
    return float(moved.mean()) if len(moved) else None


def _check(table: pd.DataFrame, path: Path | None, *, strategy: str, denoised: bool) -> None:
    there = [str(name) for name in table.columns]
    needed = [n for n in NEEDED[strategy] if not (denoised and n.startswith("aroma"))]
    missing = [name for name in needed if not _has(name, there)]
    if missing:
        spelled = ", ".join(name.replace(r"\d+", "XX") for name in missing)
        possible = [s for s, names in NEEDED.items() if all(_has(n, there) for n in names)]
        raise MissingInputError(
            f"{path} lacks {len(missing)} columns that the strategy {strategy!r} needs: "
            f"{spelled}. There are: {_listed(there)}.",
            mend="Set responses.confounds to a strategy that this table allows: "
            f"{', '.join(possible)}.",
        )


def _has(name: str, there: Sequence[str]) -> bool:
    return any(re.fullmatch(name, column) for column in there)


def _listed(names: Sequence[str]) -> str:
    """Name columns, those that differ in their number just once."""
    kinds = list(dict.fromkeys(re.sub(r"\d+$", "XX", n) for n in names))
    more = f" and {len(kinds) - 40} more" if len(kinds) > 40 else ""
    return (", ".join(kinds[:40]) or "none") + more


def _load(bold: Path, *, strategy: str) -> tuple[pd.DataFrame, NDArray[np.intp] | None]:
    """Call nilearn, whose results and complaints have no types."""
    from nilearn.interfaces import fmriprep

    load: Callable[..., Any] = fmriprep.load_confounds_strategy
    options: dict[str, Any] = {"denoise_strategy": strategy}
    if strategy == "ica_aroma" and DENOISED not in bold.name:
        load = fmriprep.load_confounds
        parts = ("high_pass", "wm_csf", "ica_aroma")
        options = {"strategy": parts, "wm_csf": "basic", "ica_aroma": "basic"}
    try:
        with warnings.catch_warnings():
            # a volume with much motion is named in our facts, and needs no warning of nilearn
            warnings.simplefilter("ignore")
            chosen, volumes = load(str(bold), **options)
    except (ValueError, FileNotFoundError) as err:
        raise MissingInputError(
            f"The confounds of {bold.name} cannot be selected by {strategy!r}: {err}",
            mend="Check that the table and its JSON lie beside the image, or set "
            'responses.confounds = "none".',
        ) from err
    return chosen, volumes
