"""What ``SPM.mat`` says of a first level; nothing in it is run."""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bids_dnn import imaging
from bids_dnn.errors import MissingInputError, UnreadableError

NAME = re.compile(r"Sn\((\d+)\)\s+(.*?)\*bf\((\d+)\)$")
IMAGE_ENDS = ("", ".gz")
# What scipy raises, beside its own error, for files that are no MAT, or cut short.
BROKEN = (ValueError, TypeError, IndexError, OSError, EOFError, zlib.error)


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
    """

    column: int
    session: int
    name: str
    basis: int


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
    """

    folder: Path
    names: tuple[str, ...]
    betas: tuple[str, ...]
    regressors: tuple[Regressor, ...]
    n_scans: tuple[int, ...]
    covariance: NDArray[np.float64]

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
        Written by SPM in the format v5, v6 or v7.

    Raises
    ------
    MissingInputError
        If there is none.
    UnreadableError
        If it is damaged, of format v7.3, or no estimated first level.
    """
    spm = _load(path)
    try:
        design = spm["xX"]
        names = tuple(str(name).strip() for name in _several(design["name"]))
        betas = tuple(PureWindowsPath(str(v["fname"])).name for v in _several(spm["Vbeta"]))
        scans = tuple(int(n) for n in _several(spm.get("nscan", [])))
    except (KeyError, TypeError, IndexError) as err:
        raise UnreadableError(
            f"{path} has no {err}, which an estimated first level of SPM has.",
            mend="Estimate the model in SPM, and give the folder that holds its betas.",
        ) from err
    if len(names) != len(betas):
        raise UnreadableError(
            f"{path} names {len(names)} regressors but {len(betas)} betas.",
            mend="Estimate the model in SPM again.",
        )
    found = [(i, NAME.match(name)) for i, name in enumerate(names)]
    regressors = tuple(
        Regressor(i, int(m[1]), m[2].strip(), int(m[3])) for i, m in found if m is not None
    )
    if not regressors:
        raise UnreadableError(
            f"{path} has no condition among its {len(names)} regressors, such as {names[0]!r}.",
            mend="Give a first level whose conditions SPM convolved, 'Sn(1) face*bf(1)'.",
        )
    return SpmDesign(path.parent, names, betas, regressors, scans, _covariance(design, len(names)))


def _load(path: Path) -> dict[str, Any]:
    """Call scipy, whose reader builds no object of the file's own choice."""
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    if not path.is_file() and not path.is_symlink():
        images = sorted(path.parent.rglob("*.nii*")) if path.parent.is_dir() else []
        beside = f", but {len(images)} images such as {images[0].name}" if images else ""
        raise MissingInputError(
            f"{path.parent} has no SPM.mat{beside}; without it, what the betas stand for is not "
            "known.",
            mend="Copy the SPM.mat of the first level beside its betas.",
        )
    imaging.require_file(path)
    try:
        found: Any = loadmat(str(path), variable_names=["SPM"], simplify_cells=True)
    except NotImplementedError as err:
        raise UnreadableError(
            f"{path} is a MATLAB file of format v7.3, v7 or older was expected.",
            mend="In MATLAB: load('SPM.mat'); save('SPM.mat', 'SPM', '-v7')",
        ) from err
    except (*BROKEN, MatReadError) as err:
        raise UnreadableError(
            f"{path} cannot be read as a MATLAB file ({err}).", mend="Fetch or copy it again."
        ) from err
    if not isinstance(found.get("SPM"), dict):
        raise UnreadableError(
            f"{path} holds no structure SPM.", mend="Give the SPM.mat of a first level."
        )
    spm: dict[str, Any] = found["SPM"]
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
    """Return the image `name` in `folder`, compressed or not.

    Raises
    ------
    MissingInputError
        If it is not there.
    """
    for end in IMAGE_ENDS:
        if (folder / f"{name}{end}").exists() or (folder / f"{name}{end}").is_symlink():
            return folder / f"{name}{end}"
    raise MissingInputError(
        f"{folder} has no {name}, which its SPM.mat names.",
        mend="Copy the images of the first level beside SPM.mat.",
    )
