"""Spatial transforms of fMRIPrep and ANTs (ITK's ``.h5`` and ``.txt``), applied to points."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from bids_dnn.errors import SpaceError, UnreadableError
from bids_dnn.imaging.guard import require_file, whole

Points = NDArray[np.float64]
FLIP = np.diag([-1.0, -1.0, 1.0, 1.0])  # between ITK's LPS and RAS
LINEAR = ("AffineTransform", "MatrixOffsetTransformBase", "Rigid3DTransform")
COMPOSITE = "CompositeTransform"
BANNER = "#Insight Transform File"
CLOSE_MM = 1e-3  # of a point that was carried back
FAR_MM = 0.1  # beyond which it was not
MOST_FAR = 0.01  # share of points
STEPS = 50


@dataclass(frozen=True, slots=True, eq=False)
class Affine:
    """A linear transform of points.

    Parameters
    ----------
    matrix : (4, 4) float64
        From RAS to RAS, mm.
    """

    matrix: NDArray[np.float64]

    def apply(self, points: Points) -> Points:
        """Return where `points` (n_points, 3) go."""
        return points @ self.matrix[:3, :3].T + self.matrix[:3, 3]


@dataclass(frozen=True, slots=True, eq=False)
class Displacement:
    """Displacements on a grid, linear between its points, none outside.

    Parameters
    ----------
    values : (3, x, y, z) float32
        RAS, mm.
    affine : (4, 4) float64
        From grid indices to RAS, mm.
    """

    values: NDArray[np.float32]
    affine: NDArray[np.float64]

    def apply(self, points: Points) -> Points:
        """Return where `points` (n_points, 3) go."""
        back = np.linalg.inv(self.affine)
        at = back[:3, :3] @ points.T + back[:3, 3:]  # (3, n_points), grid indices
        size = np.array(self.values.shape[1:])[:, None]
        inside = ((at >= -0.5) & (at < size - 0.5)).all(axis=0)
        moved = points.copy()
        for axis in range(3):
            moved[inside, axis] += ndimage.map_coordinates(
                self.values[axis], at[:, inside], order=1, mode="nearest", output=np.float64
            )
        return moved


@dataclass(frozen=True, slots=True, eq=False)
class Transform:
    """Where points of one space lie in another.

    A file called ``from-A_to-B_mode-image`` brings images from A to B, and therefore holds where
    points of B lie in A: `apply` takes points of B to A, `invert` points of A to B.

    Parameters
    ----------
    parts
        In the order in which they are applied to points.
    source
        The file, for messages.
    """

    parts: tuple[Affine | Displacement, ...]
    source: str

    def apply(self, points: Points) -> Points:
        """Return where `points` (n_points, 3), RAS, mm, go."""
        for part in self.parts:
            points = part.apply(points)
        return points

    def invert(self, points: Points) -> Points:
        """Return the points (n_points, 3) that `apply` takes to `points`.

        Found by steps that each undo, by the linear parts, what is left of the distance.

        Raises
        ------
        SpaceError
            If one point of a hundred has no such point within 0.1 mm.
        """
        linear: NDArray[np.float64] = np.eye(4)
        for part in self.parts:
            if isinstance(part, Affine):
                linear = part.matrix @ linear
        back = np.asarray(np.linalg.inv(linear), dtype=np.float64)
        found = Affine(back).apply(points)
        rows = np.arange(len(points))  # those that are still off
        for _ in range(STEPS):
            left = points[rows] - self.apply(found[rows])
            is_off = np.abs(left).max(axis=1) >= CLOSE_MM
            rows, left = rows[is_off], left[is_off]
            if not rows.size:
                return found
            found[rows] += left @ back[:3, :3].T
        off = np.linalg.norm(points - self.apply(found), axis=1)
        if (off > FAR_MM).mean() > MOST_FAR:
            raise SpaceError(
                f"{self.source} cannot be inverted at {int((off > FAR_MM).sum())} of "
                f"{len(points)} points (up to {off.max():.1f} mm are left).",
                mend="Give the transform of the other direction as well (fMRIPrep writes both).",
            )
        return found


def read_transform(path: Path) -> Transform:
    """Return a transform of ITK or ANTs, as fMRIPrep writes them.

    Parameters
    ----------
    path
        Composite ``.h5`` (affine and displacement field) or ``.txt`` (linear).

    Raises
    ------
    MissingInputError
        If the file is not there or was not fetched.
    UnreadableError
        If it ends early, or holds a kind of transform that is not known.
    """
    require_file(path)
    with whole(path):
        parts = _read_h5(path) if path.suffix == ".h5" else _read_text(path)
    if not parts:
        raise UnreadableError(f"{path} holds no transform.", mend="Fetch or copy it again.")
    return Transform(tuple(parts[::-1]), str(path))  # ITK applies the last one first


def _read_text(path: Path) -> list[Affine | Displacement]:
    lines = path.read_text(encoding="utf-8").splitlines()
    if not lines or not lines[0].startswith(BANNER):
        raise UnreadableError(
            f"{path} does not begin with {BANNER!r}.",
            mend="Give fMRIPrep's _mode-image_xfm.txt or .h5.",
        )
    pairs = [line.split(":", 1) for line in lines if ":" in line and not line.startswith("#")]
    kinds = [text.strip() for key, text in pairs if key == "Transform"]
    if len(kinds) > 1 and not kinds[0].startswith(COMPOSITE):
        raise UnreadableError(
            f"{path} holds a list of {len(kinds)} transforms, as of one for each volume of a "
            "run; one was expected.",
            mend="Give the transform between two spaces, such as from-fsnative_to-T1w.",
        )
    parts: list[Affine | Displacement] = []
    kind, numbers = "", np.zeros(0)
    for key, text in pairs:
        if key == "Transform":
            kind = text.strip()
            continue
        values = np.array(text.split(), dtype=np.float64)
        if key == "Parameters":
            numbers = values
        elif key == "FixedParameters" and not kind.startswith(COMPOSITE):
            parts += _linear(kind, numbers, values, path)
    return parts


def _read_h5(path: Path) -> list[Affine | Displacement]:
    import h5py

    parts: list[Affine | Displacement] = []
    with h5py.File(path, "r") as store:
        group = store["TransformGroup"]
        for key in sorted(group, key=int):
            one = group[key]
            kind = bytes(np.asarray(one["TransformType"]).reshape(-1)[0]).decode()
            if kind.startswith(COMPOSITE):
                continue
            values, fixed = (np.asarray(_entry(one, name)) for name in ("", "Fixed"))
            if kind.startswith("DisplacementFieldTransform"):
                parts.append(_displacement(values, fixed, path))
            else:
                parts += _linear(kind, values, fixed, path)
    return parts


def _entry(group: Any, name: str) -> Any:
    """Return parameters by ITK's name for them, which lacked an ``s`` before it was mended."""
    right = f"Transform{name}Parameters"
    return group[right if right in group else right.replace("ns", "n", 1)]


def _linear(
    kind: str, values: NDArray[Any], fixed: NDArray[Any], path: Path
) -> list[Affine | Displacement]:
    """Return ``y = M (x - c) + c + t``, in RAS."""
    if kind.startswith("IdentityTransform"):
        return []
    numbers = np.asarray(values, dtype=np.float64).reshape(-1)
    matrix = np.eye(4)
    if kind.startswith("Euler3DTransform") and numbers.size == 6:
        matrix[:3, :3] = _rotation(numbers[:3])
    elif kind.startswith("TranslationTransform") and numbers.size == 3:
        return [Affine(_shift(FLIP[:3, :3] @ numbers))]
    elif kind.startswith(LINEAR) and numbers.size == 12:
        matrix[:3, :3] = numbers[:9].reshape(3, 3)
    else:
        raise UnreadableError(
            f"{path} holds a {kind or 'transform'} of {numbers.size} parameters; known are "
            "affine, rigid (Euler3D) and displacement fields.",
            mend="Give a transform that fMRIPrep or antsRegistration wrote.",
        )
    center = np.asarray(fixed, dtype=np.float64).reshape(-1)[:3]
    whole_matrix = _shift(center + numbers[-3:]) @ matrix @ _shift(-center)
    return [Affine(FLIP @ whole_matrix @ FLIP)]


def _rotation(angles: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ITK's rotation by angles (3,) in radians around x, y, z: Z X Y."""
    (cx, cy, cz), (sx, sy, sz) = np.cos(angles), np.sin(angles)
    x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    turned: NDArray[np.float64] = z @ x @ y
    return turned


def _shift(by: NDArray[np.float64]) -> NDArray[np.float64]:
    matrix = np.eye(4)
    matrix[:3, 3] = by
    return matrix


def _displacement(values: NDArray[Any], fixed: NDArray[Any], path: Path) -> Displacement:
    """Return a field: size, origin, spacing and axes stand in `fixed`, all in LPS."""
    numbers = np.asarray(fixed, dtype=np.float64).reshape(-1)
    size = numbers[:3].astype(int)
    if numbers.size != 18 or values.size != 3 * size.prod():
        raise UnreadableError(
            f"{path} has a displacement field of {values.size} numbers for a grid of "
            f"{tuple(size.tolist())}; three for each grid point were expected.",
            mend="Fetch or copy it again.",
        )
    grid = np.eye(4)
    grid[:3, :3] = numbers[9:].reshape(3, 3) * numbers[6:9]
    grid[:3, 3] = numbers[3:6]
    field = values.reshape(*size[::-1], 3).transpose(3, 2, 1, 0).astype(np.float32)
    field[:2] *= -1
    return Displacement(field, FLIP @ grid)
