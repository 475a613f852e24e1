"""GIFTI and FreeSurfer surface files <-> (array, `Surface`)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.parsers import expat

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from bids_dnn import files
from bids_dnn.containers.space import HEMISPHERES, Hemisphere, Surface
from bids_dnn.errors import MissingInputError, ShapeError, SpaceError, UnreadableError
from bids_dnn.imaging.guard import load, require_file, whole

STRUCTURES = {"L": "CortexLeft", "R": "CortexRight"}
_FREESURFER: Any = nib.freesurfer  # nibabel has no types for these
_GIFTI: Any = nib.gifti
_CODES: Any = nib.nifti1.intent_codes
_POINTS, _TRIANGLES, _SHAPE, _LABEL, _SERIES = (
    int(_CODES[f"NIFTI_INTENT_{name}"])
    for name in ("POINTSET", "TRIANGLE", "SHAPE", "LABEL", "TIME_SERIES")
)
MESH = ("NIFTI_INTENT_POINTSET", "NIFTI_INTENT_TRIANGLE")
NEW_CURVATURE = b"\xff\xff\xff"  # FreeSurfer's format, whose length is told, not checked
CHUNK = 1 << 16  # bytes of XML read at once
PALETTE_STEP = 0.61803398875  # golden ratio: neighboring labels get distant hues


def read_surface_header(path: Path) -> tuple[int, int]:
    """Return how many arrays of values a GIFTI file holds, and for how many vertices each.

    Only the start of the file is read, so that it may be large.

    Returns
    -------
    n_arrays, n_vertices
        Volumes (or maps), and the vertices of the mesh.

    Raises
    ------
    MissingInputError
        If the file is not there or was not fetched.
    UnreadableError
        If it ends early, is no GIFTI file or holds a mesh alone.
    """
    require_file(path)
    told: list[int] = []  # all arrays
    arrays: list[Mapping[str, str]] = []

    def start(tag: str, attributes: Mapping[str, str]) -> None:
        if tag == "GIFTI":
            told.append(int(attributes["NumberOfDataArrays"]))
        elif tag == "DataArray":
            arrays.append(attributes)

    parser = expat.ParserCreate()
    parser.StartElementHandler = start
    with whole(path), path.open("rb") as stream:
        is_end = False
        while not is_end and not any(a.get("Intent") not in MESH for a in arrays):
            block = stream.read(CHUNK)
            is_end = not block
            parser.Parse(block, is_end)
        values = [i for i, a in enumerate(arrays) if a.get("Intent") not in MESH]
        if values and told:
            first = arrays[values[0]]
            if int(first.get("Dimensionality", 1)) == 2:
                return int(first["Dim1"]), int(first["Dim0"])
            return told[0] - values[0], int(first["Dim0"])
    raise UnreadableError(
        f"{path} holds no values for vertices.", mend="Give a .func.gii or .shape.gii file."
    )


def read_cortex(path: Path) -> NDArray[np.bool_]:
    """Return which vertices of a hemisphere's mesh lie in the cortex, not in the medial wall.

    Parameters
    ----------
    path
        A GIFTI ``.label.gii`` (fMRIPrep's ``desc-cortex_mask``) or ``.shape.gii``, where the
        cortex is not 0, or a FreeSurfer ``?h.cortex.label``.

    Returns
    -------
    is_cortex : (n_vertices,)
        Of a FreeSurfer label, which does not tell the size of the mesh, (last vertex + 1,).

    Raises
    ------
    MissingInputError
        If the file is not there or was not fetched.
    UnreadableError
        If it ends early or is of another kind.
    """
    require_file(path)
    if path.name.endswith((".gii", ".gii.gz")):
        inside: NDArray[np.bool_] = np.rint(read_vertex_series(path)[0]) != 0
        return inside
    with whole(path):
        lines = path.read_text(encoding="ascii").splitlines()
        n = int(lines[1])
        vertices = np.array([int(line.split()[0]) for line in lines[2:]], dtype=np.int64)
        _require_all(len(vertices), n)
        is_cortex = np.zeros(int(vertices.max(initial=-1)) + 1, dtype=bool)
        is_cortex[vertices] = True
    return is_cortex


def read_vertex_series(
    path: Path, vertices: NDArray[np.int64] | None = None
) -> NDArray[np.float32]:
    """Return the data arrays of a GIFTI file, (n_arrays, n_vertices): volumes, or maps.

    Parameters
    ----------
    path
        ``.func.gii``, ``.shape.gii`` or ``.label.gii``.
    vertices : (n_chosen,)
        Only these are kept; None = all.

    Raises
    ------
    MissingInputError
        If the file is not there or was not fetched.
    UnreadableError
        If it ends early, is no GIFTI file, or holds a mesh or arrays of unequal length.
    """
    image = _gifti(path)
    arrays = [a for a in image.darrays if a.intent not in (_POINTS, _TRIANGLES)]
    shapes = {np.shape(a.data) for a in arrays}
    if len(shapes) == 1 and len(arrays) == 1 and np.ndim(arrays[0].data) == 2:
        table = np.asarray(arrays[0].data, dtype=np.float32).T
        return np.ascontiguousarray(table if vertices is None else table[:, vertices])
    if len(shapes) != 1 or len(next(iter(shapes))) != 1:
        raise UnreadableError(
            f"{path} holds {len(arrays)} arrays of values with the shapes {sorted(shapes)}; one "
            "value for each vertex was expected in each.",
            mend="Give a .func.gii, .shape.gii or .label.gii file.",
        )
    n = next(iter(shapes))[0] if vertices is None else len(vertices)
    values = np.empty((len(arrays), n), dtype=np.float32)
    for row, array in zip(values, arrays, strict=True):
        row[:] = array.data if vertices is None else array.data[vertices]
        array.data = None  # given back: series may be large
    return values


def read_labels(path: Path) -> tuple[NDArray[np.int64], dict[int, str]]:
    """Return the label of each vertex and what the labels are called.

    Parameters
    ----------
    path
        A GIFTI ``.label.gii`` or a FreeSurfer ``.annot``.

    Returns
    -------
    labels : (n_vertices,) int64
    names
        By label; those of the file, used or not.

    Raises
    ------
    MissingInputError
        If the file is not there or was not fetched.
    UnreadableError
        If it ends early or is of another kind.
    """
    require_file(path)
    if path.suffix == ".annot":
        with whole(path):
            found, _, called = _FREESURFER.read_annot(str(path))
        return found.astype(np.int64), {i: name.decode() for i, name in enumerate(called)}
    image = _gifti(path)
    values = read_vertex_series(path)
    table = image.labeltable.get_labels_as_dict()
    return np.rint(values[0]).astype(np.int64), {int(k): str(v) for k, v in table.items()}


def read_curvature(path: Path) -> NDArray[np.float64]:
    """Return one value for each vertex (n_vertices,), of GIFTI, FreeSurfer binary or ``.mgz``.

    Raises
    ------
    MissingInputError
        If the file is not there or was not fetched.
    UnreadableError
        If it ends early or is of another kind.
    """
    require_file(path)
    if path.name.endswith((".gii", ".gii.gz")):
        curvature: NDArray[np.float64] = read_vertex_series(path)[0].astype(np.float64)
        return curvature
    with whole(path):
        if path.suffix in (".mgz", ".mgh", ".nii", ".gz"):
            found: Any = load(path).dataobj
        else:
            found = _FREESURFER.read_morph_data(str(path))
            with path.open("rb") as stream:
                start = stream.read(7)
            n = int.from_bytes(start[3:], "big")
            if start.startswith(NEW_CURVATURE):
                _require_all(len(found), n)
    values: NDArray[np.float64] = np.asarray(found, dtype=np.float64).reshape(-1)
    return values


def space_of_surfaces(left: Path | None, right: Path | None, *, name: str) -> Surface:
    """Return all vertices of the meshes on which two GIFTI files have values.

    Parameters
    ----------
    left, right
        ``.func.gii`` or ``.shape.gii``; None where a hemisphere is not there.
    name
        BIDS label of the mesh, such as ``fsnative``.

    Raises
    ------
    MissingInputError
        If neither is given, or one is not there or was not fetched.
    UnreadableError
        If one ends early or is of another kind.
    """
    if left is None and right is None:
        raise MissingInputError("No hemisphere is given.", mend="Give the GIFTI files of both.")
    counts = [0 if path is None else read_surface_header(path)[1] for path in (left, right)]
    return Surface(name, (counts[0], counts[1]), np.arange(sum(counts), dtype=np.int64))


def read_surface_units(
    left: Path | None, right: Path | None, space: Surface
) -> NDArray[np.float32]:
    """Return what the units of `space` hold in each volume, (n_volumes, n_units).

    Raises
    ------
    SpaceError
        If a mesh has another number of vertices than in `space`.
    UnreadableError
        If a file ends early or is of another kind, or both differ in volumes.
    MissingInputError
        If a file is not there or was not fetched, or no hemisphere is given.
    """
    parts: list[NDArray[np.float32]] = []
    for hemisphere, path, n in zip(HEMISPHERES, (left, right), space.n_vertices, strict=True):
        if path is None:
            continue
        found = read_surface_header(path)[1]
        if found != n:
            raise SpaceError(
                f"{path} has {found} vertices, the {hemisphere} hemisphere of "
                f"{space.name} has {n}.",
                mend="Give files of one mesh, for one from a single run of fMRIPrep.",
            )
        parts.append(read_vertex_series(path, space.vertices(hemisphere)))
    if not parts:
        raise MissingInputError("No hemisphere is given.", mend="Give the GIFTI files of both.")
    if len({len(part) for part in parts}) != 1:
        raise UnreadableError(
            f"{left} has {len(parts[0])} volumes, {right} has {len(parts[1])}.",
            mend="Fetch or copy both again.",
        )
    order = np.argsort(
        np.concatenate([np.flatnonzero(space.in_hemisphere(h)) for h in HEMISPHERES])
    )
    joined = np.concatenate(parts, axis=1)
    return joined if np.array_equal(order, np.arange(len(order))) else joined[:, order]


def write_shape(
    path: Path, values: NDArray[np.floating[Any]], hemisphere: Hemisphere, *, name: str = ""
) -> Path:
    """Write values of one hemisphere's mesh, (n_vertices,) or (n_maps, n_vertices), as GIFTI.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    image = _GIFTI.GiftiImage(meta=_GIFTI.GiftiMetaData(_meta(hemisphere)))
    for row in np.atleast_2d(np.asarray(values, dtype=np.float32)):
        about = _GIFTI.GiftiMetaData({"Name": name} if name else {})
        image.add_gifti_data_array(
            _GIFTI.GiftiDataArray(row, intent=_SHAPE, datatype="NIFTI_TYPE_FLOAT32", meta=about)
        )
    return _save(path, image)


def write_vertex_series(
    path: Path, values: NDArray[np.floating[Any]], hemisphere: Hemisphere, *, t_r_s: float
) -> Path:
    """Write a time series of one hemisphere's mesh, (n_volumes, n_vertices), as ``.func.gii``.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    meta = _GIFTI.GiftiMetaData(_meta(hemisphere) | {"TimeStep": f"{1000 * t_r_s:g}"})
    image = _GIFTI.GiftiImage(meta=meta)
    for row in np.asarray(values, dtype=np.float32):
        image.add_gifti_data_array(
            _GIFTI.GiftiDataArray(row, intent=_SERIES, datatype="NIFTI_TYPE_FLOAT32")
        )
    return _save(path, image)


def write_labels(
    path: Path,
    labels: NDArray[np.integer[Any]],
    names: Mapping[int, str],
    hemisphere: Hemisphere,
) -> Path:
    """Write the label of each vertex of one hemisphere's mesh, (n_vertices,), as ``.label.gii``.

    Raises
    ------
    ShapeError
        If a label has no name.
    OutputError
        If the file cannot be written.
    """
    if unknown := sorted(set(np.unique(labels).tolist()) - set(names)):
        raise ShapeError(
            f"The labels {unknown[:5]} have no name.", mend="Name each label in `names`."
        )
    table = _GIFTI.GiftiLabelTable()
    for key, name in sorted(names.items()):
        red, green, blue = _color(key)
        label = _GIFTI.GiftiLabel(key, red, green, blue, 0.0 if key == 0 else 1.0)
        label.label = name
        table.labels.append(label)
    meta = _GIFTI.GiftiMetaData(_meta(hemisphere))
    image = _GIFTI.GiftiImage(meta=meta, labeltable=table)
    image.add_gifti_data_array(
        _GIFTI.GiftiDataArray(
            np.asarray(labels, dtype=np.int32), intent=_LABEL, datatype="NIFTI_TYPE_INT32"
        )
    )
    return _save(path, image)


def _require_all(found: int, n: int) -> None:
    if found != n:
        raise EOFError(f"{found} of {n} vertices")  # `whole` says it


def _color(key: int) -> tuple[float, float, float]:
    import colorsys

    return colorsys.hsv_to_rgb((key * PALETTE_STEP) % 1.0, 0.7, 0.9)


def _meta(hemisphere: Hemisphere) -> dict[str, str]:
    return {"AnatomicalStructurePrimary": STRUCTURES[hemisphere]}


def _gifti(path: Path) -> Any:
    image = load(path)
    if not isinstance(image, nib.GiftiImage):
        raise UnreadableError(
            f"{path} is a {type(image).__name__}, a GIFTI file was expected.",
            mend="Give a file that ends in .gii.",
        )
    return image


def _save(path: Path, image: Any) -> Path:
    with files.writing(path) as aside:
        aside.write_bytes(image.to_bytes())
    return path
