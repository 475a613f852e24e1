"""A triangle mesh of one hemisphere."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bids_dnn.errors import ShapeError


@dataclass(frozen=True, slots=True, eq=False)
class Mesh:
    """Vertices and triangles.

    Parameters
    ----------
    vertices : (n_vertices, 3) float64
        In mm, in the scanner's coordinates (RAS) where the file tells them.
    faces : (n_faces, 3) int64
        Vertex numbers of each triangle.

    Raises
    ------
    ShapeError
        If a shape is another, or a triangle names a vertex that does not exist.
    """

    vertices: NDArray[np.float64]
    faces: NDArray[np.int64]

    def __post_init__(self) -> None:
        shapes = self.vertices.shape[1:], self.faces.shape[1:]
        if shapes != ((3,), (3,)):
            raise ShapeError(
                f"vertices have shape {self.vertices.shape}, faces {self.faces.shape}.",
                mend="Give (n, 3) coordinates and (m, 3) vertex numbers.",
            )
        n = len(self.vertices)
        if self.faces.size and not (self.faces.min() >= 0 and self.faces.max() < n):
            raise ShapeError(
                f"A triangle names a vertex outside the {n} of the mesh.",
                mend="Fetch or copy the surface file again.",
            )
