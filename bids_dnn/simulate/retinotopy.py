"""Which place of the visual field each place of the cortex sees, in closed form.

The three areas lie as they do in people: the fovea at the back, the periphery towards the
midline and the front, the upper visual field below the horizontal meridian of V1, V2 and V3
wrapped around V1 as mirror images. They cover far more of the hemisphere than in people, and
grow slower with the distance from the fovea, so that bands and disks of one or two degrees
hold enough vertices of a small mesh.

Places are given as directions on the registered sphere. Longitude runs from the back towards
the midline, latitude upwards.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bids_dnn.containers.space import Hemisphere

Array = NDArray[np.float64]
MAX_ECCENTRICITY_DEG = 12.0
HALF_DEG = 5.0  # eccentricity at which cortex shrinks to half
FOVEA_LONGITUDE_DEG = -40.0
PERIPHERY_LONGITUDE_DEG = 100.0
EDGES_DEG = (36.0, 48.0, 60.0)  # latitude at which V1, V2 and V3 end, on both sides
SMALLEST_FIELD_DEG = 0.5
FIELD_GROWTH = 0.1  # of receptive fields, per degree of eccentricity
FACES = (-75.0, -20.0, 13.0)  # longitude, latitude and radius of the cluster, in degrees
FUSIFORM_RADIUS_DEG = 22.0
MEDIAL_WALL = (140.0, 0.0, 30.0)
AREAS = {1: "V1", 2: "V2", 3: "V3"}
POSITION_DEG = 4.95  # of the peripheral stimuli, along both axes
DISK_DEG = 1.0
FOVEA_DEG = 2.0


@dataclass(frozen=True, slots=True, eq=False)
class FieldMap:
    """The receptive fields of vertices of one hemisphere, each (n_vertices,).

    Parameters
    ----------
    area
        1 to 3 for V1 to V3, 0 elsewhere; all else is 0 there.
    angle : deg, 0 to 180
        From the upper vertical meridian, in the visual field of the other side.
    eccentricity : deg
    sigma : deg
        Standard deviation of the receptive field.
    x, y : deg
        Center of the receptive field, right and up positive.
    """

    area: NDArray[np.int64]
    angle: Array
    eccentricity: Array
    sigma: Array
    x: Array
    y: Array


def field_map(directions: Array, hemisphere: Hemisphere) -> FieldMap:
    """Return the receptive fields at places of the registered sphere.

    Parameters
    ----------
    directions : (n, 3)
        Of any length, right, front and up positive.
    hemisphere
        The left one sees the right visual field.
    """
    longitude, latitude = _coordinates(directions, hemisphere)
    apart = np.abs(latitude)
    area = np.digitize(apart, EDGES_DEG) + 1
    along = (longitude - FOVEA_LONGITUDE_DEG) / (PERIPHERY_LONGITUDE_DEG - FOVEA_LONGITUDE_DEG)
    area = np.where((along < 0) | (along > 1) | (area > len(AREAS)), 0, area)

    v1, v2, v3 = EDGES_DEG
    # From the horizontal meridian to the vertical one, back, and there again.
    turned = 90 * np.interp(apart, (0.0, v1, v2, v3), (0.0, 1.0, 0.0, 1.0))
    angle = 90 + np.sign(latitude) * turned
    growth = np.log(1 + MAX_ECCENTRICITY_DEG / HALF_DEG)
    eccentricity = HALF_DEG * np.expm1(growth * np.clip(along, 0, 1))
    sigma = SMALLEST_FIELD_DEG + FIELD_GROWTH * eccentricity

    inside = area > 0
    angle, eccentricity, sigma = (np.where(inside, v, 0.0) for v in (angle, eccentricity, sigma))
    side = 1 if hemisphere == "L" else -1
    x = side * eccentricity * np.sin(np.deg2rad(angle))
    y = eccentricity * np.cos(np.deg2rad(angle))
    return FieldMap(area.astype(np.int64), angle, eccentricity, sigma, x, y)


def in_patch(
    directions: Array, hemisphere: Hemisphere, patch: tuple[float, float, float]
) -> NDArray[np.bool_]:
    """Mark the directions (n, 3) within a round patch, given as longitude, latitude, radius."""
    longitude, latitude, radius = np.deg2rad(patch)
    side = 1 if hemisphere == "L" else -1
    center = np.array(
        [
            side * np.sin(longitude) * np.cos(latitude),
            -np.cos(longitude) * np.cos(latitude),
            np.sin(latitude),
        ]
    )
    unit = directions / np.linalg.norm(directions, axis=1, keepdims=True)
    return np.asarray(unit @ center >= np.cos(radius))


def _coordinates(directions: Array, hemisphere: Hemisphere) -> tuple[Array, Array]:
    unit = directions / np.linalg.norm(directions, axis=1, keepdims=True)
    side = 1 if hemisphere == "L" else -1
    longitude = np.rad2deg(np.arctan2(side * unit[:, 0], -unit[:, 1]))
    return longitude, np.rad2deg(np.arcsin(np.clip(unit[:, 2], -1, 1)))
