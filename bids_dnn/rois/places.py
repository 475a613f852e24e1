"""What a file says of each place of a space: masks, maps and atlases of any kind of file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from bids_dnn import imaging
from bids_dnn.containers.space import (
    HEMISPHERES,
    Grayordinates,
    Grid,
    Hemisphere,
    Space,
    Surface,
)
from bids_dnn.errors import MissingInputError, SpaceError, UnreadableError

Values = NDArray[np.float64]
HEMI = "{hemi}"
SPELLED: dict[Hemisphere, tuple[str, str]] = {"L": ("L", "lh"), "R": ("R", "rh")}
STRUCTURES: dict[str, Hemisphere] = {"CortexLeft": "L", "CortexRight": "R"}
CIFTI = (".dscalar.nii", ".dlabel.nii", ".dtseries.nii")
VOLUMES = (".nii", ".nii.gz", ".img", ".hdr", ".mgz", ".mgh")
SURFACES = (".gii", ".label", ".annot")
NOTHING = ("unknown", "medial_wall", "medial wall", "???", "corpuscallosum")


def read_places(path: Path, *, space: Space) -> tuple[Values, list[str]]:
    """Return what a file holds at each place of a space.

    Parameters
    ----------
    path
        For voxels a 3-D image, brought to the grid by nearest neighbor where it lies on
        another one. For vertices ``.label.gii``, ``.shape.gii``, ``.func.gii``, or FreeSurfer's
        ``.label``, ``.annot`` and curvature format: one hemisphere, or both with ``{hemi}``
        in the path. For grayordinates a ``.dscalar.nii`` or ``.dlabel.nii``, or what vertices
        take.
    space
        Of the responses.

    Returns
    -------
    values : (n_places,) float64
        NaN where the file says nothing. A ``.label`` gives 1 at its vertices, an ``.annot`` 1 +
        the number of the label, 0 where that is called unknown.
    warnings
        A sentence each: it was resampled, or its name and its content name two hemispheres.

    Raises
    ------
    SpaceError
        If the file is for another kind of space or another mesh, or its hemisphere is not told.
    MissingInputError
        If the file, or that of one hemisphere, is not there.
    UnreadableError, ShapeError
        If it is damaged, or holds several maps.
    """
    if isinstance(space, Grid):
        if not path.name.endswith(VOLUMES) or path.name.endswith(CIFTI):
            raise _other_kind(path, VOLUMES, space)
        return _of_voxels(path, space)
    if isinstance(space, Grayordinates) and path.name.endswith(CIFTI):
        rows = imaging.read_cifti_units(path, space.whole())
        return _only(rows.astype(np.float64), path), []
    if isinstance(space, Surface | Grayordinates):
        if path.name.endswith((".nii", ".nii.gz", ".img", ".hdr")):
            raise _other_kind(path, CIFTI if isinstance(space, Grayordinates) else SURFACES, space)
        sides, warnings = hemisphere_files(path, space)
        found = {
            h: read_vertices(file, n_vertices=mesh_size(space, h)) for h, file in sides.items()
        }
        return spread(found, space, files=sides), warnings
    raise SpaceError(
        f"{path} is an image, but the units are the {space.describe()}.",
        mend="Name the channels by their area: area:NAME.",
    )


def hemisphere_files(path: Path, space: Space) -> tuple[dict[Hemisphere, Path], list[str]]:
    """Return the file of each hemisphere, and warnings.

    Parameters
    ----------
    path
        With ``{hemi}``, which stands for L and R or for lh and rh; or one hemisphere's file,
        which says its side by ``hemi-``, by ``lh.`` or ``rh.``, or in GIFTI by its structure.
    space
        A hemisphere that it lacks is not looked for.

    Raises
    ------
    MissingInputError
        If one hemisphere has no file.
    SpaceError
        If the file does not tell its hemisphere.
    """
    if HEMI not in str(path):
        side, warnings = _side(path)
        return {side: path}, warnings
    found: dict[Hemisphere, Path] = {}
    for side in HEMISPHERES:
        if not mesh_size(space, side):
            continue
        named = [Path(str(path).replace(HEMI, word)) for word in SPELLED[side]]
        there = [one for one in named if one.exists() or one.is_symlink()]
        if not there:
            raise MissingInputError(
                f"{path} has no file of the hemisphere {side}: neither {named[0].name} nor "
                f"{named[1].name} is there.",
                mend="Copy it there, or name the file of one hemisphere in place of {hemi}.",
            )
        found[side] = there[0]
    return found, []


def read_vertices(path: Path, *, n_vertices: int) -> Values:
    """Return what the file of one hemisphere holds, (n_vertices,), as in `read_places`.

    Parameters
    ----------
    path
        Of one hemisphere.
    n_vertices : int
        Of its mesh, which a FreeSurfer ``.label`` does not tell. A ``.label`` that names a
        vertex beyond gives as many values as it needs; `spread` refuses them.

    Raises
    ------
    MissingInputError, UnreadableError
        If the file is not there, damaged, or holds several maps.
    """
    imaging.require_file(path)
    if path.suffix == ".label":
        return _of_list(path, n_vertices)
    if path.suffix == ".annot":
        labels, names = imaging.read_labels(path)
        empty = [key for key, name in names.items() if name.casefold() in NOTHING]
        return np.where(np.isin(labels, [-1, *empty]), 0.0, labels + 1.0)
    if path.suffix == ".gii":
        return _only(imaging.read_vertex_series(path).astype(np.float64), path)
    values: Values = imaging.read_curvature(path)
    return values


def spread(
    values: Mapping[Hemisphere, Values], space: Space, *, files: Mapping[Hemisphere, Path]
) -> Values:
    """Lay values of one or two meshes, (n_vertices,) each, on the places of a space.

    Parameters
    ----------
    values
        Of each hemisphere, one value a vertex.
    space
        Of the responses.
    files
        That held the values, for the message.

    Returns
    -------
    values : (n_places,)
        NaN for voxels, and for the hemisphere that is not given.

    Raises
    ------
    SpaceError
        If a mesh has another number of vertices.
    """
    out = np.full(space.n_places, np.nan)
    whole = space.whole()
    for side, found in values.items():
        n = mesh_size(space, side)
        if found.size != n:
            raise SpaceError(
                f"{files[side]} has {found.size} vertices, the hemisphere {side} of "
                f"{space.describe()} has {n}.",
                mend="Give a file of the same mesh, such as fsnative's own, or bring it there "
                "with mri_surf2surf or wb_command -metric-resample.",
            )
        if isinstance(whole, Surface):
            out[whole.in_hemisphere(side)] = found
        elif isinstance(whole, Grayordinates):
            units, vertices, _ = whole.cortex(side)
            out[units] = found[vertices]
    return out


def mesh_size(space: Space, side: Hemisphere) -> int:
    """Return the number of vertices of one hemisphere's mesh, 0 where there is none."""
    if isinstance(space, Surface):
        return space.n_vertices[HEMISPHERES.index(side)]
    return space.cortex(side)[2] if isinstance(space, Grayordinates) else 0


def plural(space: Space) -> str:
    """Return what several units of a space are called, such as ``vertices``."""
    return "vertices" if space.unit == "vertex" else f"{space.unit}s"


def _other_kind(path: Path, kinds: tuple[str, ...], space: Space) -> SpaceError:
    return SpaceError(
        f"{path} is no file of {plural(space)}, but the responses lie on {space.describe()}.",
        mend=f"Give a file that ends in {', '.join(kinds)}; or analyze in the space of the file: "
        "--space.",
    )


def _of_voxels(path: Path, space: Grid) -> tuple[Values, list[str]]:
    values, affine = imaging.read_volume(path)
    found = Grid(space.name, _three(values.shape), affine, np.zeros(0, dtype=np.int64))
    if found.has_places_of(space):
        return values.reshape(-1), []
    there = np.linalg.inv(affine) @ space.affine  # voxel of the responses -> voxel of the file
    near = ndimage.affine_transform(
        values,
        there[:3, :3],
        there[:3, 3],
        output_shape=space.shape,
        order=0,
        mode="constant",
        cval=np.nan,
    )
    n_before, n_after = (int(((v != 0) & np.isfinite(v)).sum()) for v in (values, near))
    return near.reshape(-1), [
        f"{path.name} was brought from its grid {values.shape} to that of the responses "
        f"{space.shape} by nearest neighbor: {n_before} voxels became {n_after}."
    ]


def _only(rows: Values, path: Path) -> Values:
    if len(rows) != 1:
        raise UnreadableError(
            f"{path} holds {len(rows)} maps, one was expected.",
            mend="Write the one that is meant to a file of its own.",
        )
    one: Values = rows[0]
    return one


def _of_list(path: Path, n_vertices: int) -> Values:
    """Read a FreeSurfer ``.label``: a comment, a count, then vertex, x, y, z and value a line."""
    with imaging.whole(path):
        lines = path.read_text(encoding="utf-8").splitlines()
        n = int(lines[1])
        vertices = np.array([int(line.split()[0]) for line in lines[2 : 2 + n]], dtype=np.int64)
        if len(vertices) != n or (n and vertices.min() < 0):
            raise ValueError(f"Expected {n} vertices, {len(vertices)} are there")
    out = np.zeros(max(n_vertices, int(vertices.max(initial=-1)) + 1))
    out[vertices] = 1.0
    return out


def _side(path: Path) -> tuple[Hemisphere, list[str]]:
    said: Hemisphere | None = None
    if found := re.search(r"(?:^|_)hemi-([LR])(?=[_.])|(?:^|[_.])(lh|rh)\.", path.name):
        said = "L" if (found[1] or found[2]) in SPELLED["L"] else "R"
    held = _structure(path) if path.suffix == ".gii" else None
    if said is None and held is None:
        raise SpaceError(
            f"{path} does not tell its hemisphere.",
            mend="Put hemi-L or hemi-R in its name, or lh. or rh. before it.",
        )
    if said is not None and held not in (None, said):
        return said, [
            f"{path.name} is of the hemisphere {said} by its name, which is believed, but holds "
            f"the hemisphere {held}."
        ]
    return said or held or "L", []


def _structure(path: Path) -> Hemisphere | None:
    image = imaging.load(path)
    metas = [getattr(image, "meta", {}), *(a.meta for a in getattr(image, "darrays", []))]
    named = [str(meta.get("AnatomicalStructurePrimary", "")) for meta in metas]
    return next((STRUCTURES[name] for name in named if name in STRUCTURES), None)


def _three(shape: tuple[int, ...]) -> tuple[int, int, int]:
    x, y, z = shape
    return x, y, z
