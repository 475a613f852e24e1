"""Threshold-free cluster enhancement of maps over participants."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from bids_dnn.containers.space import Grid, Space, Surface
from bids_dnn.errors import MissingInputError, SpaceError
from bids_dnn.group.flips import flips_of
from bids_dnn.group.watch import Progress
from bids_dnn.stats.designs import Design
from bids_dnn.stats.enhance import SURFACE, VOLUME, enhanced
from bids_dnn.stats.neighbours import Meshes, adjacency

Float = NDArray[np.float64]
NEAR = 1e-6  # of an enhanced t: nearer ones are ties, sums in another order


@dataclass(frozen=True, slots=True, eq=False)
class Enhancement:
    """How the units of a space are enhanced.

    Parameters
    ----------
    touching : (n_units, n_units)
        As `stats.neighbours.adjacency` says.
    extent
        Power of the extent: 0.5 for voxels, 1 for vertices.
    """

    touching: csr_array
    extent: float

    def select(self, keep: NDArray[np.intp]) -> Enhancement:
        """Return how some of the units, by number, are enhanced."""
        return Enhancement(csr_array(self.touching[keep][:, keep]), self.extent)


def enhancement_of(space: Space | None, meshes: Meshes | None = None) -> Enhancement | None:
    """Return how the units of a space are enhanced, None where that is not known.

    Parameters
    ----------
    space
        Voxels touch by their faces, vertices by an edge of their mesh. Grayordinates are both,
        on two scales of enhanced values, so that one largest value cannot correct them.
    meshes
        Of each hemisphere that has vertices.
    """
    if not isinstance(space, Grid | Surface):
        return None
    try:
        touching = adjacency(space, meshes=meshes)
    except (MissingInputError, SpaceError):
        return None
    return Enhancement(touching, VOLUME if isinstance(space, Grid) else SURFACE)


def tfce_p(
    values: Float,
    how: Enhancement,
    *,
    design: Design,
    n_flips: int,
    seed: int,
    progress: Progress | None = None,
) -> Float:
    """Test a mean or a difference at each unit, by enhanced t and its largest values.

    Each flip of signs (or exchange of groups) gives a map of t, which is enhanced by the height
    and extent of what surrounds each unit. p is the share of flips whose largest enhanced t is
    at least as large, the data as they are among them. With covariates the mean is that at
    their mean, and they are taken away before signs are flipped.

    Parameters
    ----------
    values : (n_units, n_participants)
        Scores less what is expected by chance; NaN = not measured.
    how
        Of the units.
    design
        Of the participants.
    n_flips : int
        Random ones, or all where there are no more.
    seed
        Of the flips.
    progress
        Told how many flips are done, and of how many.

    Returns
    -------
    p : (n_units,), in (0, 1]
        Corrected over the map. NaN where a participant has no value, or some flip leaves no
        variance: t would be infinite there.

    Raises
    ------
    ShapeError
        If `values` has not a row for each unit and a column for each participant.
    NotEnoughDataError
        If there are no more participants than covariates + 1, or a group has fewer than two.

    References
    ----------
    Smith & Nichols (2009), NeuroImage 44:83, doi:10.1016/j.neuroimage.2008.03.061.
    Freedman & Lane (1983), J. Bus. Econ. Stat. 1:292, doi:10.1080/07350015.1983.10509354.
    """
    n_units = how.touching.shape[0]
    flips = flips_of(values, design, n_units=n_units, n_flips=n_flips, seed=seed)
    p = np.full(n_units, np.nan)
    if not flips.known.size:
        return p
    own, is_two_sided = how.select(flips.known), flips.design.is_two_sided
    seen = _enhanced(flips.seen(), own, is_two_sided=is_two_sided)[0]
    highest = np.empty(len(flips))
    for start, t in flips.parts(progress):
        made = _enhanced(t, own, is_two_sided=is_two_sided)
        highest[start : start + len(made)] = made.max(axis=1)
    count = len(flips) - np.searchsorted(np.sort(highest), seen * (1 - NEAR))
    p[flips.known] = flips.p_of(count)
    return p


def _enhanced(t: Float, how: Enhancement, *, is_two_sided: bool) -> Float:
    """Return the enhanced t (n_draws, n_units); of both signs the larger."""
    made = enhanced(t, how.touching, extent=how.extent)
    if not is_two_sided:
        return made
    return np.maximum(made, enhanced(-t, how.touching, extent=how.extent))
