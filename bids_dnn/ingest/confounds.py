"""Confounds by named strategy (through nilearn) or by tokens, with the columns checked first."""

from __future__ import annotations

import re
import shutil
import tempfile
import uuid
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bids_dnn.errors import MissingInputError, NotEnoughDataError, UnreadableError
from bids_dnn.files import read_json
from bids_dnn.imaging import require_file
from bids_dnn.ingest.confound_grammar import FIXED, columns, listed, needs_json, parse

TISSUE = ("csf", "white_matter")
MOTION = FIXED["24-HMP"]
NEEDED: dict[str, tuple[str, ...]] = {  # a pattern ends in a digit class
    "none": (),
    "simple": (*MOTION, *TISSUE),
    "scrubbing": (*MOTION, *FIXED["8-Phys"], "framewise_displacement", "std_dvars"),
    "compcor": (*MOTION, r"a_comp_cor_\d+"),
    "ica_aroma": (*TISSUE, r"aroma_motion_\d+"),
}
STEM = "sub-01_task-x"
NON_STEADY = "non_steady_state"
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
    notes
        What is less than the strategy promises, a sentence each.
    """

    values: NDArray[np.float64]
    names: tuple[str, ...]
    keep: NDArray[np.bool_]
    notes: tuple[str, ...] = ()

    @property
    def has_cosines(self) -> bool:
        """Whether slow drifts are among the confounds."""
        return any(name.startswith("cosine") for name in self.names)


def check_strategy(strategy: str) -> None:
    """Refuse what is neither a named strategy nor made of tokens.

    Parameters
    ----------
    strategy
        See `read_confounds`.

    Raises
    ------
    ConfigError
        If it does not exist; the nearest right name is offered.
    """
    if strategy not in NEEDED:
        parse(strategy, strategies=tuple(NEEDED))


def read_confounds(path: Path | None, bold: Path, *, strategy: str, n_volumes: int) -> Confounds:
    """Return the confounds of one run.

    Parameters
    ----------
    path
        The confounds table of fMRIPrep; None where there is none.
    bold
        The image they belong to.
    strategy
        A strategy of nilearn: ``none``, ``simple`` (24 motion, tissue means), ``scrubbing``
        (also leaves out volumes with motion), ``compcor`` (24 motion, anatomical components) or
        ``ica_aroma`` (noise components, or none of them where `bold` was denoised by fMRIPrep,
        and tissue means); all but ``none`` with fMRIPrep's cosines where the table has them.
        Or tokens joined by ``_``, such as ``24-HMP_8-Phys_SpikeReg_cosine``: see
        `confound_grammar.parse`. All but ``none`` leave out the volumes before the steady state.
    n_volumes : int
        Of the image.

    Returns
    -------
    confounds
        Each column less its mean over the volumes that are kept. What is not known of the first
        volume (derivatives) is taken from the second by nilearn's strategies, as nilearn does,
        and is 0 (no change) by tokens.

    Raises
    ------
    ConfigError
        If the strategy does not exist.
    MissingInputError
        If the table, its JSON (CompCor), or a column that the strategy needs is not there.
    UnreadableError
        If the table has another number of rows than the image has volumes, or a column that is
        needed has rows without a number.
    NotEnoughDataError
        If no volume is left.

    References
    ----------
    Wang et al. (2024), PLOS Comput. Biol. 20:e1011942, doi:10.1371/journal.pcbi.1011942.
    """
    check_strategy(strategy)
    if strategy == "none":
        none = np.zeros((n_volumes, 0))
        return Confounds(none, (), np.ones(n_volumes, dtype=bool))
    path, table = read_table(path, bold)
    if len(table) != n_volumes:
        raise UnreadableError(
            f"{path} has {len(table)} rows, but {bold.name} has {n_volumes} volumes.",
            mend="Fetch or copy both again.",
        )
    if strategy in NEEDED:
        found = _by_strategy(table, path, bold, strategy=strategy)
    else:
        found = _by_tokens(table, path, strategy=strategy)
    if not found.keep.any():
        raise NotEnoughDataError(
            f"All {n_volumes} volumes of {bold.name} are marked as motion by {strategy!r}.",
            mend='Leave the run out with --run-id, or use responses.confounds = "simple".',
        )
    if np.any(bad := ~np.isfinite(found.values[found.keep]).all(axis=0)):
        name = found.names[int(np.flatnonzero(bad)[0])]
        raise UnreadableError(
            f"{path} has rows of {name!r} without a number, after the first volume.",
            mend="Fetch or copy the table again, or choose responses.confounds without it.",
        )
    return found


def _by_strategy(table: pd.DataFrame, path: Path, bold: Path, *, strategy: str) -> Confounds:
    is_denoised = DENOISED in bold.name
    _check(table, path, strategy=strategy, denoised=is_denoised)
    if strategy == "compcor":
        require_file(path.with_suffix(".json"))
    chosen, volumes = _load(path, strategy=strategy, is_denoised=is_denoised)
    keep = np.ones(len(table), dtype=bool)
    if volumes is not None:
        keep = np.isin(np.arange(len(table)), volumes)
    names = tuple(map(str, chosen.columns))
    return Confounds(np.asarray(chosen, dtype=np.float64), names, keep)


def _by_tokens(table: pd.DataFrame, path: Path, *, strategy: str) -> Confounds:
    tokens = parse(strategy)
    there = [str(name) for name in table.columns]
    described: dict[str, Any] = {}
    if needs_json(tokens):
        described = _read_description(path.with_suffix(".json"))
    names, notes = columns(tokens, there, described, table=str(path))
    early = [name for name in there if name.startswith(NON_STEADY)]
    keep = ~table[early].eq(1).any(axis=1).to_numpy(dtype=bool)
    numbers = table[list(names)].apply(pd.to_numeric, errors="coerce")
    values = np.array(numbers, dtype=np.float64)
    values[0] = np.nan_to_num(values[0])  # a derivative of the first volume: no change
    center = values[keep].mean(axis=0) if keep.any() else 0.0
    return Confounds(values - center, names, keep, notes)


def _read_description(path: Path) -> dict[str, Any]:
    try:
        described = read_json(require_file(path))
    except ValueError as err:  # of JSON, or of its letters
        raise UnreadableError(
            f"{path} is no JSON ({err}).", mend="Fetch or copy it again."
        ) from err
    if not isinstance(described, dict):
        raise UnreadableError(
            f"{path} holds no description by column.", mend="Fetch or copy it again."
        )
    return described


def read_table(path: Path | None, bold: Path) -> tuple[Path, pd.DataFrame]:
    """Return the path of a run's confounds table, and the whole table.

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
        return path, pd.read_csv(require_file(path), sep="\t", na_values="n/a")
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as err:
        raise UnreadableError(
            f"{path} is no tab-separated table ({err}).", mend="Fetch or copy it again."
        ) from err


def framewise_displacement(path: Path | None, n_volumes: int) -> NDArray[np.float64] | None:
    """Return how far the head moved since the volume before, (n_volumes,) mm.

    NaN for the first volume; None where it is not known.
    """
    if path is None or not path.is_file():
        return None
    table = pd.read_csv(path, sep="\t", na_values="n/a")
    if "framewise_displacement" not in table or len(table) != n_volumes:
        return None
    moved = pd.to_numeric(table["framewise_displacement"], errors="coerce")
    return moved.to_numpy(dtype=np.float64)


def _check(table: pd.DataFrame, path: Path | None, *, strategy: str, denoised: bool) -> None:
    there = [str(name) for name in table.columns]
    needed = [n for n in NEEDED[strategy] if not (denoised and n.startswith("aroma"))]
    missing = [name for name in needed if not _has(name, there)]
    if missing:
        spelled = ", ".join(name.replace(r"\d+", "XX") for name in missing)
        possible = [s for s, names in NEEDED.items() if all(_has(n, there) for n in names)]
        raise MissingInputError(
            f"{path} lacks {len(missing)} columns that the strategy {strategy!r} needs: "
            f"{spelled}. There are: {listed(there)}.",
            mend="Set responses.confounds to a strategy that this table allows: "
            f"{', '.join(possible)}.",
        )


def _has(name: str, there: Sequence[str]) -> bool:
    return any(re.fullmatch(name, column) for column in there)


@contextmanager
def _alone(path: Path) -> Iterator[Path]:
    """Give a folder in which a table and its JSON stand alone, under names that nilearn finds.

    nilearn looks for the table by the image's name, and stops where two tables could be meant;
    and it looks for the JSON by putting ``json`` for each ``tsv`` of the whole path.
    """
    folder = Path(tempfile.gettempdir(), f"confounds-{uuid.uuid4().hex}")
    folder.mkdir()
    try:
        for found in (path, path.with_suffix(".json")):
            if found.is_file():
                shutil.copyfile(found, folder / f"{STEM}_desc-confounds_timeseries{found.suffix}")
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _load(
    path: Path, *, strategy: str, is_denoised: bool
) -> tuple[pd.DataFrame, NDArray[np.intp] | None]:
    """Call nilearn, whose results and complaints have no types."""
    from nilearn.interfaces import fmriprep

    load: Callable[..., Any] = fmriprep.load_confounds_strategy
    options: dict[str, Any] = {"denoise_strategy": strategy}
    if strategy == "ica_aroma" and not is_denoised:
        load = fmriprep.load_confounds
        parts = ("high_pass", "wm_csf", "ica_aroma")
        options = {"strategy": parts, "wm_csf": "basic", "ica_aroma": "basic"}
    image = f"{STEM}_{DENOISED if is_denoised else 'desc-preproc'}_bold.nii.gz"
    try:
        with warnings.catch_warnings(), _alone(path) as folder:
            # a volume with much motion is named in our facts, and needs no warning of nilearn
            warnings.simplefilter("ignore")
            chosen, volumes = load(str(folder / image), **options)
    except (ValueError, FileNotFoundError) as err:
        raise MissingInputError(
            f"{path} and its JSON do not hold what {strategy!r} selects by: {err}",
            mend='Check that the JSON lies beside the table, or set responses.confounds = "none".',
        ) from err
    return chosen, volumes
