"""Triangle meshes: GIFTI ``.surf.gii`` and FreeSurfer's binary surfaces <-> `Mesh`."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from bids_dnn import files
from bids_dnn.containers.mesh import Mesh
from bids_dnn.containers.space import Hemisphere
from bids_dnn.errors import UnreadableError
from bids_dnn.imaging.guard import require_file, whole
from bids_dnn.imaging.surface import STRUCTURES

_FREESURFER: Any = nib.freesurfer  # nibabel has no types for these
_GIFTI: Any = nib.gifti
_CODES: Any = nib.nifti1.intent_codes
_POINTS, _TRIANGLES = (int(_CODES[f"NIFTI_INTENT_{name}"]) for name in ("POINTSET", "TRIANGLE"))
SCANNER = 1  # NIFTI_XFORM_SCANNER_ANAT
TK_AXES = np.array([[-1.0, 0, 0], [0, 0, 1], [0, -1, 0]])  # columns: axes of tkRAS's volume
STAMP = "created by bids_dnn"
MAGIC = b"\xff\xff\xfe"  # of a triangle file
FOOTER_NAMES = ("xras", "yras", "zras", "cras")


def read_mesh(path: Path, *, is_sphere: bool = False) -> Mesh:
    """Return a surface in the scanner's coordinates, or a sphere in its own.

    fMRIPrep's ``.surf.gii`` are in the scanner's coordinates already. FreeSurfer's own files
    count from the middle of the volume (tkRAS); the footer says where that lies (c_ras).

    Parameters
    ----------
    path
        GIFTI (ends in ``.gii`` or ``.gii.gz``) or FreeSurfer binary (``lh.white``,
        ``rh.sphere.reg``).
    is_sphere
        Whether the coordinates are taken as they stand: a sphere lies in no scanner.

    Returns
    -------
    mesh
        Vertices in mm.

    Raises
    ------
    MissingInputError
        If the file is not there or was not fetched.
    UnreadableError
        If it ends early, is no surface, or does not say where the volume's middle lies.
    ShapeError
        If a triangle names a vertex that does not exist.
    """
    require_file(path)
    if is_gifti(path):
        return _read_gifti(path, is_sphere=is_sphere)
    return _read_freesurfer(path, is_sphere=is_sphere)


def is_gifti(path: Path) -> bool:
    """Tell a GIFTI file from FreeSurfer's own by its name."""
    return path.name.endswith((".gii", ".gii.gz"))


def write_mesh(
    path: Path,
    mesh: Mesh,
    hemisphere: Hemisphere,
    *,
    is_sphere: bool = False,
    c_ras: tuple[float, float, float] = (0.0, 0.0, 0.0),
) -> Path:
    """Write a surface, as GIFTI where `path` ends in ``.gii``, else as FreeSurfer binary.

    Parameters
    ----------
    path
        Where to.
    mesh
        In the scanner's coordinates, or a sphere.
    hemisphere
        Stands in the GIFTI file.
    is_sphere
        Whether FreeSurfer's file is written without the place of a volume.
    c_ras : mm
        Middle of the volume in FreeSurfer's footer, which `read_mesh` adds again.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    if path.suffix == ".gii":
        raw = _gifti_bytes(mesh, hemisphere)
    else:
        raw = _freesurfer_bytes(mesh, None if is_sphere else c_ras)
    with files.writing(path) as aside:
        aside.write_bytes(raw)
    return path


def _read_gifti(path: Path, *, is_sphere: bool) -> Mesh:
    with whole(path):
        image: Any = nib.load(path)
    if not isinstance(image, nib.GiftiImage):
        raise UnreadableError(
            f"{path} is a {type(image).__name__}, a GIFTI file was expected.",
            mend="Give a .surf.gii file.",
        )
    found = {a.intent: a for a in image.darrays if a.intent in (_POINTS, _TRIANGLES)}
    if len(found) != 2:
        raise UnreadableError(
            f"{path} holds {len(image.darrays)} arrays, but not both points and triangles.",
            mend="Give a .surf.gii file.",
        )
    points = found[_POINTS]
    vertices = np.asarray(points.data, dtype=np.float64)
    faces = np.asarray(found[_TRIANGLES].data, dtype=np.int64)
    if not is_sphere:
        with whole(path):
            vertices = _gifti_to_scanner(vertices, points)
    return Mesh(_finite(vertices, path), faces)


def _gifti_to_scanner(vertices: NDArray[np.float64], points: Any) -> NDArray[np.float64]:
    """Bring the points of a GIFTI file to the scanner's coordinates where it says how."""
    system = points.coordsys
    if system is not None and system.dataspace == SCANNER:
        return vertices
    if system is not None and system.xformspace == SCANNER:
        matrix = np.asarray(system.xform, dtype=np.float64)
        return vertices @ matrix[:3, :3].T + matrix[:3, 3]
    # mris_convert leaves tkRAS and notes c_ras; fMRIPrep adds it and sets the note to 0.
    center = [float(dict(points.meta).get(f"VolGeomC_{axis}", 0.0)) for axis in "RAS"]
    return vertices + center


def _read_freesurfer(path: Path, *, is_sphere: bool) -> Mesh:
    with whole(path), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="No volume information|Unknown extension")
        vertices, faces, footer = _FREESURFER.read_geometry(str(path), read_metadata=True)
    vertices = _finite(np.asarray(vertices, dtype=np.float64), path)
    if not is_sphere:
        is_valid = str(footer.get("valid", "0")).startswith("1")
        if not (is_valid and all(name in footer for name in FOOTER_NAMES)):
            raise UnreadableError(
                f"{path} does not say where its volume lies (no valid volume geometry in the "
                "footer), so its coordinates cannot be brought to the scanner's.",
                mend="Give fMRIPrep's _white.surf.gii and _pial.surf.gii, or write the file "
                "anew with recon-all or mris_convert.",
            )
        axes = np.column_stack([footer[name] for name in FOOTER_NAMES[:3]])
        vertices = vertices @ (axes @ np.linalg.inv(TK_AXES)).T + footer["cras"]
    return Mesh(vertices, np.asarray(faces, dtype=np.int64))


def _finite(vertices: NDArray[np.float64], path: Path) -> NDArray[np.float64]:
    if not np.isfinite(vertices).all():
        n = int((~np.isfinite(vertices)).any(axis=1).sum())
        raise UnreadableError(
            f"{path} has {n} of {len(vertices)} vertices whose coordinates are not finite.",
            mend="Fetch or copy it again.",
        )
    return vertices


def _gifti_bytes(mesh: Mesh, hemisphere: Hemisphere) -> bytes:
    meta = _GIFTI.GiftiMetaData({"AnatomicalStructurePrimary": STRUCTURES[hemisphere]})
    arrays = [
        _GIFTI.GiftiDataArray(
            mesh.vertices.astype(np.float32),
            intent=_POINTS,
            datatype="NIFTI_TYPE_FLOAT32",
            coordsys=_GIFTI.GiftiCoordSystem(dataspace=SCANNER, xformspace=SCANNER),
            meta=meta,
        ),
        _GIFTI.GiftiDataArray(
            mesh.faces.astype(np.int32), intent=_TRIANGLES, datatype="NIFTI_TYPE_INT32"
        ),
    ]
    raw: bytes = _GIFTI.GiftiImage(darrays=arrays).to_bytes()
    return raw


def _freesurfer_bytes(mesh: Mesh, c_ras: tuple[float, float, float] | None) -> bytes:
    points = mesh.vertices if c_ras is None else mesh.vertices - np.asarray(c_ras)
    counts = np.array([len(points), len(mesh.faces)], dtype=">i4")
    parts = [MAGIC, f"{STAMP}\n\n".encode(), counts.tobytes()]
    parts += [points.astype(">f4").tobytes(), mesh.faces.astype(">i4").tobytes()]
    if c_ras is not None:
        rows = dict(zip(FOOTER_NAMES, (*TK_AXES.T, c_ras), strict=True))
        lines = ["valid = 1  # volume info valid", "filename = orig.mgz"]
        lines += ["volume = 256 256 256", "voxelsize = 1 1 1"]
        lines += [f"{name:6s} = {x:.10g} {y:.10g} {z:.10g}" for name, (x, y, z) in rows.items()]
        parts.append(np.array([2, 0, 20], dtype=">i4").tobytes())
        parts.append(("\n".join(lines) + "\n").encode())
    return b"".join(parts)
