"""Triangle meshes that cover a sphere: the regular one of templates, and scattered ones."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import ConvexHull
from scipy.spatial.transform import Rotation

from bids_dnn.containers.mesh import Mesh

Array = NDArray[np.float64]
GOLDEN_ANGLE = np.pi * (3 - np.sqrt(5))
WARP = 0.08  # of the radius, for each of three waves
N_WAVES = 3


def icosphere(level: int) -> Mesh:
    """Return an icosahedron whose triangles were divided `level` times, on the unit sphere.

    The vertices of one level are the first of the next, as in FreeSurfer's fsaverage.

    Examples
    --------
    >>> len(icosphere(5).vertices)
    10242
    """
    g = (1 + np.sqrt(5)) / 2
    one = np.array([[s, t * g, 0.0] for s in (-1, 1) for t in (-1, 1)])
    corners = np.concatenate([np.roll(one, shift, axis=1) for shift in range(3)])
    mesh = hull(corners / np.linalg.norm(corners[0]))
    for _ in range(level):
        mesh = _divide(mesh)
    return mesh


def scattered(n_vertices: int, rng: np.random.Generator) -> Mesh:
    """Return a mesh of evenly scattered vertices on the unit sphere, turned at random."""
    height = 1 - 2 * (np.arange(n_vertices) + 0.5) / n_vertices
    turn = GOLDEN_ANGLE * np.arange(n_vertices)
    width = np.sqrt(1 - height**2)
    even = np.stack([width * np.cos(turn), width * np.sin(turn), height], axis=1)
    quaternion = rng.normal(size=4)
    return hull(even @ Rotation.from_quat(quaternion).as_matrix().T)


def hull(points: Array) -> Mesh:
    """Return the triangles between points on a sphere (n, 3), each turned outwards."""
    faces = np.sort(ConvexHull(points).simplices.astype(np.int64), axis=1)
    faces = faces[np.lexsort(faces.T[::-1])]
    a, b, c = points[faces].transpose(1, 0, 2)
    inwards = np.einsum("ij,ij->i", np.cross(b - a, c - a), a) < 0
    faces[inwards] = faces[inwards][:, ::-1]
    return Mesh(points, faces)


def normals(mesh: Mesh) -> Array:
    """Return the direction outwards at each vertex, (n_vertices, 3), length 1."""
    a, b, c = mesh.vertices[mesh.faces].transpose(1, 0, 2)
    across = np.cross(b - a, c - a)  # (n_faces, 3), length = twice the area
    summed = np.zeros_like(mesh.vertices)
    for corner in mesh.faces.T:
        np.add.at(summed, corner, across)
    return np.asarray(summed / np.linalg.norm(summed, axis=1, keepdims=True))


def waves(directions: Array, rng: np.random.Generator, *, n_out: int, cycles: float) -> Array:
    """Return smooth random functions of directions (n, 3), (n, n_out), each within -1 to 1.

    Parameters
    ----------
    directions : (n, 3)
        Of length 1.
    n_out : int
        Functions.
    cycles : float
        Waves from one pole to the other.
    """
    summed = np.zeros((len(directions), n_out))
    for _ in range(N_WAVES):
        way = rng.normal(size=(3, n_out))
        way *= np.pi * cycles / np.linalg.norm(way, axis=0)
        summed += np.sin(directions @ way + rng.uniform(0, 2 * np.pi, size=n_out))
    return summed / N_WAVES


def warped(directions: Array, rng: np.random.Generator) -> Array:
    """Return directions (n, 3) after a smooth distortion of the sphere by some degrees."""
    moved = directions + N_WAVES * WARP * waves(directions, rng, n_out=3, cycles=0.7)
    return np.asarray(moved / np.linalg.norm(moved, axis=1, keepdims=True))


def _divide(mesh: Mesh) -> Mesh:
    a, b, c = mesh.faces.T
    sides = [mesh.faces[:, pair] for pair in ([0, 1], [1, 2], [2, 0])]
    edges = np.sort(np.concatenate(sides), axis=1)
    unique, number = np.unique(edges, axis=0, return_inverse=True)
    middle = mesh.vertices[unique].mean(axis=1)
    middle /= np.linalg.norm(middle, axis=1, keepdims=True)
    ab, bc, ca = len(mesh.vertices) + number.reshape(3, -1)
    parts = ((a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca))
    faces = np.concatenate([np.stack(part, axis=1) for part in parts])
    return Mesh(np.concatenate([mesh.vertices, middle]), faces)
