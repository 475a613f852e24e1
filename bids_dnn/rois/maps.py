"""Retinotopic maps of a mesh: area, angle, eccentricity and receptive field size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bids_dnn.containers.space import Hemisphere
from bids_dnn.errors import ShapeError

Array = NDArray[np.float64]
AREAS = ("V1", "V2", "V3", "hV4", "VO1", "VO2", "LO1", "LO2", "TO1", "TO2", "V3b", "V3a")


@dataclass(frozen=True, slots=True, eq=False)
class Maps:
    """What each vertex of one hemisphere sees.

    Parameters
    ----------
    area : (n_vertices,) int64
        1 to 12 as in `AREAS`, 0 outside.
    angle_deg : (n_vertices,)
        0 = upper vertical meridian, positive = right visual field, in [-180, 180]; NaN outside
        the areas, as are the others.
    eccentricity_deg, sigma_deg : (n_vertices,)
        Distance from the center of gaze, and size of the receptive field (NaN: not known).

    Raises
    ------
    ShapeError
        If the lengths differ.
    """

    area: NDArray[np.int64]
    angle_deg: Array
    eccentricity_deg: Array
    sigma_deg: Array

    def __post_init__(self) -> None:
        found = (self.area, self.angle_deg, self.eccentricity_deg, self.sigma_deg)
        shapes = [values.shape for values in found]
        if len(set(shapes)) != 1 or self.area.ndim != 1:
            raise ShapeError(
                f"area, angle, eccentricity and sigma have the shapes {shapes}.",
                mend="Give one value for each vertex of one mesh.",
            )

    def __len__(self) -> int:
        return len(self.area)

    def first(self, n_vertices: int) -> Maps:
        """Return the maps of the first vertices: those of a coarser icosahedral mesh."""
        return Maps(
            self.area[:n_vertices],
            self.angle_deg[:n_vertices],
            self.eccentricity_deg[:n_vertices],
            self.sigma_deg[:n_vertices],
        )


@dataclass(frozen=True, slots=True, eq=False)
class Retinotopy:
    """Maps of both hemispheres of one mesh.

    Parameters
    ----------
    hemispheres
        `Maps` by hemisphere.
    mesh
        Which mesh, such as ``fsnative`` or ``fsaverage``.
    source
        Where they came from, in words, for the report.
    """

    hemispheres: Mapping[Hemisphere, Maps]
    mesh: str
    source: str


def contralateral(angle_deg: Array, hemisphere: Hemisphere) -> Array:
    """Give angles the sign of the visual field that a hemisphere sees: the other one.

    Files have the right hemisphere signed, or not; here this is settled, once.

    Parameters
    ----------
    angle_deg : (n_vertices,)
        From the upper vertical meridian, with or without a sign.
    hemisphere
        ``L`` sees the right field.

    Returns
    -------
    angle_deg : (n_vertices,), in [0, 180] for the left hemisphere, [-180, 0] for the right

    Examples
    --------
    >>> contralateral(np.array([45.0, -135.0]), "R")
    array([ -45., -135.])
    """
    size: Array = np.minimum(np.abs(angle_deg), 180.0)
    return size if hemisphere == "L" else -size
