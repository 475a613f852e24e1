"""FreeSurfer's and fMRIPrep's files of one participant's cortex, and of the template."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from bids_dnn import files, imaging
from bids_dnn.containers.mesh import Mesh
from bids_dnn.containers.space import Hemisphere
from bids_dnn.simulate import ribbon
from bids_dnn.simulate.cortex import (
    CENTER_MM,
    HALF_THICKNESS_MM,
    INFLATION,
    PARCELS,
    SEMI_AXES_MM,
    SPHERE_MM,
    Half,
)
from bids_dnn.simulate.meshes import icosphere, normals
from bids_dnn.simulate.retinotopy import field_map

Array = NDArray[np.float64]
C_RAS_MM = (2.0, -3.0, 10.0)  # middle of FreeSurfer's volume, in scanner coordinates
STAMP = "created by bids_dnn_tools simulate"
CONFORMED = 256
SIDES: dict[Hemisphere, str] = {"L": "lh", "R": "rh"}
SPHERES = ("sphere", "sphere.reg")
TEMPLATE_LEVEL = 5  # 10,242 vertices, as fsaverage5
FSLR_LEVEL = 4  # 2,562 vertices
MAPS = {"angle": "angle", "eccen": "eccentricity", "varea": "area", "sigma": "sigma"}
_FREESURFER: Any = nib.freesurfer  # nibabel has no types for these


def write_template(root: Path) -> None:
    """Write Benson's maps on the template's sphere, as neuropythy keeps them.

    Angles are 0 to 180 degrees from the upper vertical meridian in both hemispheres. Beside
    them stand the spheres of fsLR, under templateflow's names, at the density of the simulated
    grayordinates.

    Raises
    ------
    OutputError
        If a file cannot be written.
    """
    mesh = icosphere(TEMPLATE_LEVEL)
    for hemisphere, side in SIDES.items():
        fields = field_map(mesh.vertices, hemisphere)
        for name, attribute in MAPS.items():
            values = np.asarray(getattr(fields, attribute), dtype=np.float32)
            _write_mgz(root / f"{side}.benson14_{name}.mgz", values[:, None, None], np.eye(4))
        sphere = Mesh(SPHERE_MM * mesh.vertices, mesh.faces)
        _write_geometry(root / f"{side}.sphere.reg", sphere)
        fewer = icosphere(FSLR_LEVEL)
        imaging.write_mesh(
            root / f"tpl-fsLR_den-3k_hemi-{hemisphere}_sphere.surf.gii",
            Mesh(SPHERE_MM * fewer.vertices, fewer.faces),
            hemisphere,
        )


def write_average(root: Path) -> None:
    """Write the surfaces of the simulated ``fsaverage5``: white, and inflated to draw on.

    Parameters
    ----------
    root
        The folder of the average, below the one of all participants.

    Raises
    ------
    OutputError
        If a file cannot be written.
    """
    mesh = icosphere(TEMPLATE_LEVEL)
    middle = np.asarray(SEMI_AXES_MM) * mesh.vertices
    outwards = HALF_THICKNESS_MM * normals(Mesh(middle, mesh.faces))
    inflated = Mesh(INFLATION * middle, mesh.faces)
    for hemisphere, side in SIDES.items():
        center = (-CENTER_MM if hemisphere == "L" else CENTER_MM, 0.0, 0.0)
        white = Mesh(middle - outwards + center - C_RAS_MM, mesh.faces)
        _write_geometry(root / "surf" / f"{side}.white", white)
        _write_geometry(root / "surf" / f"{side}.inflated", inflated)


def write_freesurfer(root: Path, halves: Sequence[Half], image: Array) -> None:
    """Write a participant's FreeSurfer folder.

    Parameters
    ----------
    root
        The participant's folder, below the one of all participants.
    halves
        The left and the right hemisphere.
    image : (n_units,)
        Intensities on the units of `ribbon.fine_grid`.

    Raises
    ------
    OutputError
        If a file cannot be written.
    """
    for half in halves:
        side = SIDES[half.hemisphere]
        for name, mesh in half.surfaces.items():
            if name == "midthickness":  # fMRIPrep makes this one
                continue
            # FreeSurfer counts from the middle of its volume; spheres have their own center.
            shift = (0.0, 0.0, 0.0) if name in (*SPHERES, "inflated") else C_RAS_MM
            moved = Mesh(mesh.vertices - shift, mesh.faces)
            _write_geometry(root / "surf" / f"{side}.{name}", moved)
        with files.writing(root / "surf" / f"{side}.curv") as aside:
            _FREESURFER.write_morph_data(str(aside), half.curvature.astype(np.float32))
        with files.writing(root / "label" / f"{side}.aparc.annot") as aside:
            _FREESURFER.write_annot(
                str(aside), half.parcel, _colors(), [name.encode() for name in PARCELS]
            )
        _write_label(root / "label" / f"{side}.cortex.label", half, root.name)
    volume = _conformed(image)
    for name in ("orig", "brain"):
        _write_mgz(root / "mri" / f"{name}.mgz", volume, conformed_affine())


def write_gifti(folder: Path, participant: str, halves: Sequence[Half]) -> None:
    """Write the surfaces that fMRIPrep leaves in a participant's ``anat`` folder.

    Raises
    ------
    OutputError
        If a file cannot be written.
    """
    for half in halves:
        stem = f"sub-{participant}_hemi-{half.hemisphere}"
        for name, mesh in half.surfaces.items():
            if name != "sphere.reg":
                imaging.write_mesh(folder / f"{stem}_{name}.surf.gii", mesh, half.hemisphere)
        registered = half.surfaces["sphere.reg"]
        for space in ("fsaverage", "fsLR"):  # one sphere serves as both here
            path = folder / f"{stem}_space-{space}_desc-reg_sphere.surf.gii"
            imaging.write_mesh(path, registered, half.hemisphere)
        path = folder / f"{stem}_curv.shape.gii"
        imaging.write_shape(path, -half.curvature, half.hemisphere, name="curv")
        imaging.write_labels(
            folder / f"{stem}_desc-cortex_mask.label.gii",
            is_cortex(half).astype(np.int64),
            {0: "medialwall", 1: "cortex"},
            half.hemisphere,
        )


def is_cortex(half: Half) -> NDArray[np.bool_]:
    """Mark the vertices (n_vertices,) off the medial wall."""
    return np.asarray(half.parcel != PARCELS.index("corpuscallosum"))


def conformed_affine() -> Array:
    """Return the affine of FreeSurfer's volume of 256 voxels of 1 mm along each axis."""
    x, y, z = C_RAS_MM
    half = CONFORMED / 2
    return np.array(
        [[-1, 0, 0, half + x], [0, 0, 1, y - half], [0, -1, 0, half + z], [0, 0, 0, 1]],
        dtype=np.float64,
    )


def _write_geometry(path: Path, mesh: Mesh) -> None:
    about = {
        "head": [2, 0, 20],
        "valid": "1  # volume info valid",
        "filename": "../mri/filled-pretess255.mgz",
        "volume": [CONFORMED] * 3,
        "voxelsize": [1.0, 1.0, 1.0],
        "xras": [-1.0, 0.0, 0.0],
        "yras": [0.0, 0.0, -1.0],
        "zras": [0.0, 1.0, 0.0],
        "cras": list(C_RAS_MM),
    }
    with files.writing(path) as aside:
        _FREESURFER.write_geometry(
            str(aside), mesh.vertices, mesh.faces, create_stamp=STAMP, volume_info=about
        )


def _write_mgz(path: Path, values: NDArray[Any], affine: Array) -> None:
    raw = _FREESURFER.MGHImage(values, affine).to_bytes()
    with files.writing(path) as aside:
        aside.write_bytes(gzip.compress(raw, 6, mtime=0))


def _write_label(path: Path, half: Half, subject: str) -> None:
    vertices = np.flatnonzero(is_cortex(half))
    places = half.surfaces["white"].vertices[vertices] - C_RAS_MM
    rows = [
        f"{v}  {x:.3f}  {y:.3f}  {z:.3f} 0.0000000000"
        for v, (x, y, z) in zip(vertices, places, strict=True)
    ]
    head = f"#!ascii label  , from subject {subject} vox2ras=TkReg"
    files.write_text(path, "\n".join([head, str(len(rows)), *rows]) + "\n")


def _colors() -> NDArray[np.int64]:
    """Return red, green, blue, transparency and number of each parcel, (n_parcels, 5)."""
    steps = np.arange(len(PARCELS))
    red, green, blue = 25 + 30 * steps, 225 - 30 * steps, 100 + 10 * steps
    number = red + (green << 8) + (blue << 16)
    return np.stack([red, green, blue, 0 * steps, number], axis=1)


def _conformed(image: Array) -> NDArray[np.uint8]:
    """Return the anatomical image on FreeSurfer's grid, each voxel from the nearest one."""
    grid = ribbon.fine_grid()
    coarse = image.reshape(grid.shape)
    affine, steps = conformed_affine(), np.arange(CONFORMED)
    volume = np.zeros((CONFORMED,) * 3, dtype=np.uint8)
    found, target = [], []
    for axis in range(3):  # of the scanner; each is one axis of FreeSurfer's grid
        along = int(np.abs(affine[axis, :3]).argmax())
        place = affine[axis, along] * steps + affine[axis, 3]
        voxel = np.rint((place - grid.affine[axis, 3]) / grid.affine[axis, axis]).astype(int)
        inside = (voxel >= 0) & (voxel < grid.shape[axis])
        found.append(voxel[inside])
        target.append(steps[inside])
    block = (coarse[np.ix_(*found)] / ribbon.WHITE * 110).round().astype(np.uint8)
    # Scanner x, y, z are FreeSurfer's first, third and second axis.
    volume[np.ix_(target[0], target[2], target[1])] = block.transpose(0, 2, 1)
    return volume
