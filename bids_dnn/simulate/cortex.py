"""The two hemispheres of one participant: their meshes, folds and receptive fields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bids_dnn.containers.mesh import Mesh
from bids_dnn.containers.space import HEMISPHERES, Hemisphere
from bids_dnn.simulate import meshes
from bids_dnn.simulate import retinotopy as known

Array = NDArray[np.float64]
N_VERTICES = (4700, 4900)  # a participant's hemispheres have about as many
CENTER_MM = 38.0  # of a hemisphere, from the midline
SEMI_AXES_MM = (32.0, 70.0, 45.0)
FOLDING = 0.06  # of the radius
HALF_THICKNESS_MM = 1.5
INFLATION = 1.2
SPHERE_MM = 100.0
FRONT_MM = 2.0  # where the slab of functional images ends: it covers the back of the brain
PARCELS = (
    "unknown",
    "pericalcarine",
    "cuneus",
    "lingual",
    "fusiform",
    "superiorfrontal",
    "corpuscallosum",
)
DISKS = {
    "upperRight": (known.POSITION_DEG, known.POSITION_DEG),
    "upperLeft": (-known.POSITION_DEG, known.POSITION_DEG),
    "lowerLeft": (-known.POSITION_DEG, -known.POSITION_DEG),
    "lowerRight": (known.POSITION_DEG, -known.POSITION_DEG),
}
REGIONS = ("fovea", *DISKS, "faces")


@dataclass(frozen=True, slots=True, eq=False)
class Half:
    """One hemisphere.

    Parameters
    ----------
    hemisphere
        ``L`` or ``R``.
    surfaces
        By FreeSurfer's name: white, midthickness, pial, inflated (scanner coordinates, mm),
        sphere and sphere.reg (radius 100 mm around the origin).
    curvature : (n_vertices,)
        Positive in sulci, as FreeSurfer has it.
    fields
        The true receptive fields.
    regions
        Name to vertices (n_vertices,): V1 up to 2 degrees from fixation, V1 within a degree of
        each peripheral position, and the cluster that prefers faces.
    parcel : (n_vertices,)
        Number in `PARCELS`.
    """

    hemisphere: Hemisphere
    surfaces: Mapping[str, Mesh]
    curvature: Array
    fields: known.FieldMap
    regions: Mapping[str, NDArray[np.bool_]]
    parcel: NDArray[np.int64]

    @property
    def directions(self) -> Array:
        """Place of each vertex on the registered sphere, (n_vertices, 3), length 1."""
        return self.surfaces["sphere.reg"].vertices / SPHERE_MM

    @property
    def is_covered(self) -> NDArray[np.bool_]:
        """Mark the vertices (n_vertices,) that the functional images cover."""
        return np.asarray(self.surfaces["midthickness"].vertices[:, 1] < FRONT_MM)


def grow(rng: np.random.Generator) -> tuple[Half, Half]:
    """Return the left and the right hemisphere of a new participant."""
    left, right = (_grow(hemisphere, rng) for hemisphere in HEMISPHERES)
    return left, right


def regions_of(
    fields: known.FieldMap, directions: Array, hemisphere: Hemisphere
) -> dict[str, NDArray[np.bool_]]:
    """Return the vertices (n_vertices,) of each region in `REGIONS`, on any mesh."""
    is_v1 = fields.area == 1
    found = {"fovea": is_v1 & (fields.eccentricity <= known.FOVEA_DEG)}
    for name, (x, y) in DISKS.items():
        near = np.hypot(fields.x - x, fields.y - y) <= known.DISK_DEG
        found[name] = is_v1 & near
    found["faces"] = known.in_patch(directions, hemisphere, known.FACES)
    return found


def parcels_of(
    fields: known.FieldMap, directions: Array, hemisphere: Hemisphere
) -> NDArray[np.int64]:
    """Return the parcel (n_vertices,) of each vertex, as a number in `PARCELS`."""
    number = {name: i for i, name in enumerate(PARCELS)}
    longitude, latitude, _ = known.FACES
    fusiform = (longitude, latitude, known.FUSIFORM_RADIUS_DEG)
    parcel = np.full(len(directions), number["superiorfrontal"], dtype=np.int64)
    parcel[known.in_patch(directions, hemisphere, fusiform)] = number["fusiform"]
    parcel[(fields.area > 1) & (directions[:, 2] > 0)] = number["cuneus"]
    parcel[(fields.area > 1) & (directions[:, 2] <= 0)] = number["lingual"]
    parcel[fields.area == 1] = number["pericalcarine"]
    wall = known.in_patch(directions, hemisphere, known.MEDIAL_WALL)
    parcel[wall] = number["corpuscallosum"]
    return parcel


def _grow(hemisphere: Hemisphere, rng: np.random.Generator) -> Half:
    registered = meshes.scattered(int(rng.integers(*N_VERTICES)), rng)
    directions, faces = registered.vertices, registered.faces
    own = meshes.warped(directions, rng)
    fold = meshes.waves(own, rng, n_out=1, cycles=5)[:, 0]
    side = -1 if hemisphere == "L" else 1
    ellipsoid = own * SEMI_AXES_MM
    center = (side * CENTER_MM, 0.0, 0.0)
    middle = Mesh(ellipsoid * (1 + FOLDING * fold)[:, None] + center, faces)
    outwards = HALF_THICKNESS_MM * meshes.normals(middle)
    fields = known.field_map(directions, hemisphere)
    return Half(
        hemisphere,
        {
            "white": Mesh(middle.vertices - outwards, faces),
            "midthickness": middle,
            "pial": Mesh(middle.vertices + outwards, faces),
            "inflated": Mesh(INFLATION * ellipsoid, faces),
            "sphere": Mesh(SPHERE_MM * own, faces),
            "sphere.reg": Mesh(SPHERE_MM * directions, faces),
        },
        -fold,
        fields,
        regions_of(fields, directions, hemisphere),
        parcels_of(fields, directions, hemisphere),
    )
