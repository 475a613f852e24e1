"""What ``SPM.mat`` says of a first level; nothing in it is run."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bids_dnn.errors import MissingInputError, UnreadableError
from bids_dnn.ingest.matfile import names_in, read_mat

NAME = re.compile(r"Sn\((\d+)\)\s+(.*?)\*bf\((\d+)\)", re.DOTALL)
MODULATOR = re.compile(r".+x.+\^\d+", re.DOTALL)  # how SPM names a parametric modulation
FIELDS = ("xX", "Vbeta", "nscan", "Sess", "xBF", "xCon", "xsDes", "factor", "xVi")  # not images
IMAGE_ENDS = (".nii", ".nii.gz", ".img")


@dataclass(frozen=True, slots=True)
class Regressor:
    """A column of the design that stands for a condition.

    Parameters
    ----------
    column : int
        In the design matrix, from 0.
    session : int
        SPM's session, which is a run; from 1.
    name
        Of the condition, blanks included.
    basis : int
        Number of the basis function, from 1.
    is_modulator
        Whether it is a parametric modulation of a condition, not the condition itself.
    """

    column: int
    session: int
    name: str
    basis: int
    is_modulator: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Contrast:
    """A t contrast and its image.

    Parameters
    ----------
    name
        As given in SPM, such as ``face - Session 1``.
    image
        File name, without the folder of the machine that made it.
    weights : (n_regressors,) float64
    """

    name: str
    image: str
    weights: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class SpmDesign:
    """What ``SPM.mat`` says of a first level.

    Parameters
    ----------
    folder
        Where it lies; the images are looked for beside it.
    names : n_regressors
        Of all columns, confounds and constants included.
    betas : n_regressors
        File names of the beta images, without the folder of the machine that made them.
    regressors
        Those columns that stand for conditions, in order.
    n_scans
        Volumes of each session.
    covariance : (n_regressors, n_regressors) float64
        Of the betas, in units of the residual variance.
    bins_s
        Centers of the FIR bins after the onset, in s; empty for other basis sets.
    basis
        Name of the basis set, such as ``hrf (with time derivative)``.
    contrasts
        T contrasts that have an image.
    """

    folder: Path
    names: tuple[str, ...]
    betas: tuple[str, ...]
    regressors: tuple[Regressor, ...]
    n_scans: tuple[int, ...]
    covariance: NDArray[np.float64]
    bins_s: tuple[float, ...] = ()
    basis: str = ""
    contrasts: tuple[Contrast, ...] = ()

    def beta_path(self, column: int) -> Path:
        """Return the image of a column, beside ``SPM.mat``.

        Raises
        ------
        MissingInputError
            If it is not there.
        """
        return beside(self.folder, self.betas[column])


def read_design(path: Path) -> SpmDesign:
    """Return what an ``SPM.mat`` says of the design and its betas.

    Parameters
    ----------
    path
        Written by SPM5 to SPM25, in any format of MATLAB (v5 to v7.3).

    Raises
    ------
    MissingInputError
        If there is none.
    UnreadableError
        If it is damaged, of a second level, not estimated, or holds no condition.
    """
    spm = _load(path)
    try:
        design = spm["xX"]
        names = tuple(str(name).strip() for name in _several(design["name"]))
    except (KeyError, TypeError, IndexError) as err:
        raise UnreadableError(
            f"{path} has no {err}, which a first level of SPM has.",
            mend="Give the SPM.mat of a first level that was estimated.",
        ) from err
    found = [(i, NAME.fullmatch(name)) for i, name in enumerate(names)]
    if all(match is None for _, match in found):
        raise _no_condition(path, spm, names)
    volumes = [v for v in _several(spm.get("Vbeta", [])) if isinstance(v, dict) and "fname" in v]
    betas = tuple(PureWindowsPath(str(v["fname"])).name for v in volumes)
    if not betas:
        raise UnreadableError(
            f"{path} names no beta image (Vbeta): the model was specified, but not estimated.",
            mend="Estimate it in SPM, and give the folder that holds its betas.",
        )
    if len(names) != len(betas):
        raise UnreadableError(
            f"{path} names {len(names)} regressors but {len(betas)} betas.",
            mend="Estimate the model in SPM again.",
        )
    modulators = _modulators(spm)
    regressors = tuple(
        Regressor(i, int(m[1]), m[2].strip(), int(m[3]), _is_modulator(m, modulators))
        for i, m in found
        if m is not None
    )
    return SpmDesign(
        folder=path.parent,
        names=names,
        betas=betas,
        regressors=regressors,
        n_scans=tuple(int(n) for n in _several(spm.get("nscan", []))),
        covariance=_covariance(design, len(names)),
        bins_s=_bins(spm),
        basis=_text(spm, "xBF", "name"),
        contrasts=tuple(_contrasts(spm, len(names))),
    )


def _no_condition(path: Path, spm: dict[str, Any], names: Sequence[str]) -> UnreadableError:
    listed = ", ".join(repr(name) for name in names[:3])
    has_sessions = bool(_several(spm.get("Sess", [])))
    if not has_sessions and {"xsDes", "factor", "xVi"} & set(spm):
        return UnreadableError(
            f"{path} is a second level of SPM (a model over participants, with the regressors "
            f"{listed}); a first level was expected.",
            mend="Give each participant's first level: --derivatives 'spm=PATH/{participant}'",
        )
    return UnreadableError(
        f"{path} has no condition among its {len(names)} regressors, such as {listed}.",
        mend="Give a first level whose conditions SPM convolved, 'Sn(1) face*bf(1)'.",
    )


def _modulators(spm: dict[str, Any]) -> dict[int, tuple[set[str], set[str]]]:
    """Return for each session the names of conditions, and of their parametric modulations."""
    made: dict[int, tuple[set[str], set[str]]] = {}
    for number, session in enumerate(_several(spm.get("Sess", [])), start=1):
        inputs = _several(session.get("U", [])) if isinstance(session, dict) else []
        named = [
            [str(name).strip() for name in _several(one["name"])]
            for one in inputs
            if isinstance(one, dict) and "name" in one
        ]
        main = {names[0] for names in named if names}
        made[number] = main, {name for names in named for name in names[1:]} - main
    return made


def _is_modulator(match: re.Match[str], known: dict[int, tuple[set[str], set[str]]]) -> bool:
    """Tell by what ``Sess.U`` lists, or else by SPM's way of naming, conditionxvalue^order."""
    name = match[2].strip()
    main, modulated = known.get(int(match[1]), (set(), set()))
    if name in main or name in modulated:
        return name in modulated
    return MODULATOR.fullmatch(name) is not None


def _text(spm: dict[str, Any], *keys: str) -> str:
    value: Any = spm
    for key in keys:
        value = value.get(key, "") if isinstance(value, dict) else ""
    return value if isinstance(value, str) else ""


def _bins(spm: dict[str, Any]) -> tuple[float, ...]:
    """Return the centers of FIR bins after the onset, in s; empty for other basis sets."""
    told = spm.get("xBF")
    if not isinstance(told, dict) or "Finite Impulse" not in _text(spm, "xBF", "name"):
        return ()
    order, length = int(told.get("order", 0)), float(told.get("length", 0.0))
    return tuple((i + 0.5) * length / order for i in range(order)) if order else ()


def _contrasts(spm: dict[str, Any], n: int) -> Iterator[Contrast]:
    for one in _several(spm.get("xCon", [])):
        if not isinstance(one, dict) or one.get("STAT") != "T":
            continue
        weights = np.asarray(one.get("c", []), dtype=np.float64).ravel()
        image = one.get("Vcon")
        name = PureWindowsPath(str(image["fname"])).name if isinstance(image, dict) else ""
        if weights.size == n and name:
            yield Contrast(str(one.get("name", "")).strip(), name, weights)


def _load(path: Path) -> dict[str, Any]:
    """Read the structure ``SPM``, or say what lies there in its place."""
    if not path.is_file() and not path.is_symlink():
        images = sorted(path.parent.rglob("*.nii*")) if path.parent.is_dir() else []
        beside = f", but {len(images)} images such as {images[0].name}" if images else ""
        raise MissingInputError(
            f"{path.parent} has no SPM.mat{beside}; without it, what the betas stand for is not "
            "known.",
            mend="Copy the SPM.mat of the first level beside its betas.",
        )
    is_there = "SPM" in names_in(path)
    spm = read_mat(path, ["SPM"], fields=FIELDS)["SPM"] if is_there else None
    if not isinstance(spm, dict):
        raise UnreadableError(
            f"{path} holds no structure SPM.", mend="Give the SPM.mat of a first level."
        )
    return spm


def _several(value: Any) -> list[Any]:
    """Return a cell or struct array as a list, also where MATLAB held just one."""
    if isinstance(value, (list, tuple)):
        return list(value)
    return list(value.ravel()) if isinstance(value, np.ndarray) else [value]


def _covariance(design: dict[str, Any], n: int) -> NDArray[np.float64]:
    """Return SPM's Bcov, or else the inverse of the whitened, filtered design's products."""
    if "Bcov" in design and np.size(design["Bcov"]) == n * n:
        return np.asarray(design["Bcov"], dtype=np.float64).reshape(n, n)
    filtered = design.get("xKXs")
    x = filtered.get("X") if isinstance(filtered, dict) else design.get("X")
    if x is None or np.size(x) == 0:
        return np.full((n, n), np.nan)
    x = np.asarray(x, dtype=np.float64).reshape(-1, n)
    return np.asarray(np.linalg.pinv(x.T @ x), dtype=np.float64)


def beside(folder: Path, name: str) -> Path:
    """Return the image `name` in `folder`, compressed or not, as ``.nii`` or ``.img``.

    Raises
    ------
    MissingInputError
        If it is not there, or an ``.img`` has no ``.hdr``.
    UnreadableError
        If the model is one of surfaces (``.gii``).
    """
    stem, _, end = name.partition(".")
    if end == "gii":
        raise UnreadableError(
            f"{name}, which the SPM.mat of {folder} names, holds values of vertices; volumes were "
            "expected.",
            mend="Give them as statmap responses: --responses statmap=PATH",
        )
    candidates = [folder / name, *(folder / f"{stem}{other}" for other in IMAGE_ENDS)]
    path = next((p for p in candidates if p.exists() or p.is_symlink()), None)
    if path is None:
        raise MissingInputError(
            f"{folder} has no {name}, which its SPM.mat names.",
            mend="Copy the images of the first level beside SPM.mat.",
        )
    header = path.with_suffix(".hdr")
    if path.suffix == ".img" and not (header.exists() or header.is_symlink()):
        raise MissingInputError(
            f"{path} has no header {header.name} beside it.",
            mend="Copy both files of each image.",
        )
    return path
