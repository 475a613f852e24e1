"""Icospheres whose coarser meshes are the first vertices of finer ones, and what lies on them."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

from bids_dnn import imaging
from bids_dnn.containers.mesh import Mesh

RADIUS = 100.0


def icosahedron() -> Mesh:
    """Return 12 vertices and 20 triangles, counterclockwise as seen from outside."""
    golden = (1 + 5**0.5) / 2
    pairs = [(a, b) for a in (-1.0, 1.0) for b in (-golden, golden)]
    points = [(0.0, a, b) for a, b in pairs] + [(a, b, 0.0) for a, b in pairs]
    points += [(b, 0.0, a) for a, b in pairs]
    vertices = np.array(points)
    return Mesh(RADIUS * vertices / np.linalg.norm(vertices[0]), hull(vertices))


def hull(points) -> np.ndarray:
    """Return the triangles (n_faces, 3) of points on a sphere, counterclockwise from outside."""
    from scipy.spatial import ConvexHull

    faces = ConvexHull(points).simplices.astype(np.int64)
    a, b, c = (points[faces[:, k]] for k in range(3))
    inward = np.einsum("ij,ij->i", np.cross(b - a, c - a), a + b + c) < 0
    faces[inward] = faces[inward][:, [0, 2, 1]]
    return faces


def icosphere(order: int) -> Mesh:
    """Return a sphere of ``10 * 4**order + 2`` vertices."""
    mesh = icosahedron()
    for _ in range(order):
        mesh = _refine(mesh)
    return mesh


def _refine(mesh: Mesh) -> Mesh:
    """Halve each edge; the vertices that were there come first."""
    edges = np.sort(mesh.faces[:, [[0, 1], [1, 2], [2, 0]]], axis=2)  # (n_faces, 3, 2)
    unique, inverse = np.unique(edges.reshape(-1, 2), axis=0, return_inverse=True)
    middles = mesh.vertices[unique].mean(axis=1)
    middles *= RADIUS / np.linalg.norm(middles, axis=1, keepdims=True)
    ab, bc, ca = (len(mesh.vertices) + inverse.reshape(-1, 3)).T
    a, b, c = mesh.faces.T
    corners = [(a, ab, ca), (b, bc, ab), (c, ca, bc), (ab, bc, ca)]
    faces = np.concatenate([np.column_stack(corner) for corner in corners])
    return Mesh(np.concatenate([mesh.vertices, middles]), faces)


def ellipsoids(sphere: Mesh, center=(0.0, 0.0, 0.0), thickness=3.0) -> tuple[Mesh, Mesh]:
    """Return white and pial surfaces, with as many vertices: 30 x 45 x 25 mm, and thicker."""
    unit = sphere.vertices / RADIUS
    inner, outer = (unit * (np.array([30.0, 45.0, 25.0]) + t) + center for t in (0, thickness))
    return Mesh(inner, sphere.faces), Mesh(outer, sphere.faces)


def true_maps(vertices, hemisphere: str) -> dict[str, np.ndarray]:
    """Return smooth maps of the sphere: areas V1 and V2 below y = -50 mm, unsigned angle.

    The occipital pole (0, -100, 0) sees the fovea. V1 lies within 25 degrees of the horizontal
    plane, V2 beyond; above the plane the lower field is seen, as in the brain.
    """
    unit = vertices / np.linalg.norm(vertices, axis=1, keepdims=True)
    from_pole = np.degrees(np.arccos(np.clip(-unit[:, 1], -1, 1)))
    height = np.degrees(np.arcsin(np.clip(unit[:, 2], -1, 1)))
    inside = from_pole < 60
    area = np.where(inside, np.where(np.abs(height) < 25, 1, 2), 0)
    steps = np.abs(height) / 25
    seen = np.where(steps <= 1, 90 + 90 * np.clip(height / 25, -1, 1), np.nan)
    folded = np.where(height > 0, 180 - 90 * (steps - 1), 90 * (steps - 1))
    angle = np.where(steps <= 1, seen, np.clip(folded, 0, 180))
    assert hemisphere in "LR"
    return {
        "varea": area,
        "eccen": np.where(inside, from_pole / 2, 0.0),
        "angle": np.where(inside, angle, 0.0),
        "sigma": np.where(inside, 0.5 + from_pole / 60, 0.0),
    }


def write_template(folder: Path, sphere: Mesh, *, version=".v4_0", with_sphere=True) -> Path:
    """Write a template's maps and sphere for both hemispheres, as neuropythy names them."""
    import nibabel as nib

    folder.mkdir(parents=True, exist_ok=True)
    for hemisphere, side in (("L", "lh"), ("R", "rh")):
        for name, values in true_maps(sphere.vertices, hemisphere).items():
            image = nib.MGHImage(values.astype(np.float32)[:, None, None], np.eye(4))
            nib.save(image, folder / f"{side}.benson14_{name}{version}.mgz")
        if with_sphere:
            imaging.write_mesh(folder / f"{side}.sphere.reg", sphere, hemisphere, is_sphere=True)
    return folder


def rotate(points, degrees: float, axis: int = 2) -> np.ndarray:
    """Turn points (n, 3) around an axis."""
    a, (i, j) = np.radians(degrees), [k for k in range(3) if k != axis]
    turned = np.array(points, dtype=float)
    turned[:, i] = np.cos(a) * points[:, i] - np.sin(a) * points[:, j]
    turned[:, j] = np.sin(a) * points[:, i] + np.cos(a) * points[:, j]
    return turned


def write_itk_h5(path: Path, *, affine=None, field=None, grid=None) -> Path:
    """Write a composite transform as ITK does; all in RAS here, in LPS in the file.

    Parameters
    ----------
    affine : (4, 4)
        Applied to points after the field, as in ANTs' forward composite.
    field : (x, y, z, 3), mm
    grid : (4, 4)
        From indices of the field to mm.
    """
    flip = np.diag([-1.0, -1.0, 1.0, 1.0])
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as store:
        group = store.create_group("TransformGroup")

        def put(kind, values, fixed):
            one = group.create_group(str(len(group)))
            one["TransformType"] = np.array([kind.encode()], dtype=h5py.string_dtype())
            if values is not None:
                one["TransformParameters"] = values
                one["TransformFixedParameters"] = fixed

        put("CompositeTransform_double_3_3", None, None)
        if affine is not None:
            there = flip @ affine @ flip
            numbers = np.concatenate([there[:3, :3].ravel(), there[:3, 3]])
            put("AffineTransform_double_3_3", numbers, np.zeros(3))
        if field is not None:
            there = flip @ grid
            zooms = np.linalg.norm(there[:3, :3], axis=0)
            fixed = [*field.shape[:3], *there[:3, 3], *zooms, *(there[:3, :3] / zooms).ravel()]
            lps = field * [-1, -1, 1]
            raw = lps.transpose(2, 1, 0, 3).astype(np.float32).ravel()
            put("DisplacementFieldTransform_float_3_3", raw, np.array(fixed))
    return path


def write_itk_text(path: Path, affine, center=(0.0, 0.0, 0.0)) -> Path:
    """Write a linear transform of points, RAS here, LPS in the file, around a center (LPS)."""
    flip = np.diag([-1.0, -1.0, 1.0, 1.0])
    there = flip @ affine @ flip
    c = np.array(center)
    shift = there[:3, 3] - c + there[:3, :3] @ c
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        "#Insight Transform File V1.0\n#Transform 0\n"
        "Transform: AffineTransform_float_3_3\n"
        f"Parameters: {' '.join(f'{v:.12g}' for v in [*there[:3, :3].ravel(), *shift])}\n"
        f"FixedParameters: {' '.join(f'{v:.12g}' for v in c)}\n"
    )
    return path


INNER, OUTER = 24.0, 27.0
CENTERS = {"L": (-35.0, -10.0, 5.0), "R": (35.0, -10.0, 5.0)}


def shells(sphere: Mesh, hemisphere: str) -> tuple[Mesh, Mesh]:
    """Return white and pial surface of a hemisphere that is a ball around its center."""
    unit, center = sphere.vertices / RADIUS, np.array(CENTERS[hemisphere])
    return tuple(Mesh(r * unit + center, sphere.faces) for r in (INNER, OUTER))


def write_participant(
    folder: Path, sphere: Mesh, *, c_ras=(0.0, 0.0, 0.0), as_gifti=False
) -> dict[str, dict[str, Path]]:
    """Write registered spheres, white and pial surfaces; return their paths by kind.

    FreeSurfer's own files go to ``folder/surf``, fMRIPrep's GIFTI to ``folder/anat``.
    """
    made: dict[str, dict[str, Path]] = {"sphere_reg": {}, "white": {}, "pial": {}}
    for h, side in (("L", "lh"), ("R", "rh")):
        white, pial = shells(sphere, h)
        kinds = {"sphere_reg": sphere, "white": white, "pial": pial}
        for kind, mesh in kinds.items():
            name = kind.replace("sphere_reg", "sphere.reg")
            path = folder / "surf" / f"{side}.{name}"
            if as_gifti:
                name = kind.replace("sphere_reg", "desc-reg_sphere")
                path = folder / "anat" / f"sub-01_hemi-{h}_{name}.surf.gii"
            is_sphere = kind == "sphere_reg"
            made[kind][h] = imaging.write_mesh(path, mesh, h, is_sphere=is_sphere, c_ras=c_ras)
    return made
