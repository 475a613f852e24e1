"""Threshold-free cluster enhancement, exactly: no steps of height, on anything that touches."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from bids_dnn.errors import ShapeError

Float = NDArray[np.float64]
VOLUME, SURFACE = 0.5, 1.0  # powers of the extent
HEIGHT = 2.0  # power of the height


def enhanced(
    maps: Float, touching: csr_array, *, extent: float = VOLUME, height: float = HEIGHT
) -> Float:
    """Enhance each unit by the height and extent of what surrounds it.

    The enhanced value of a unit of height t is the integral over h from 0 to t of e(h)^E h^H,
    where e(h) counts the units of its cluster among those as high as h. Clusters only change
    where a unit joins them, so that the integral is a sum over the units from the highest down;
    the steps of other programs come near to it, from above or below.

    Parameters
    ----------
    maps : (n_maps, n_units)
        Such as t. What is not above zero, or NaN, is in no cluster.
    touching : (n_units, n_units)
        Symmetric; as `neighbours.adjacency` says.
    extent, height
        The powers E and H: 0.5 and 2 for voxels, 1 and 2 for vertices.

    Returns
    -------
    enhanced : (n_maps, n_units)
        0 where a map is not above zero, or NaN.

    Raises
    ------
    ShapeError
        If `touching` is of other units.

    References
    ----------
    Smith & Nichols (2009), NeuroImage 44:83, doi:10.1016/j.neuroimage.2008.03.061 (equation 1).

    Examples
    --------
    >>> row = csr_array(np.array([[0, 1, 0], [1, 0, 0], [0, 0, 0]]))
    >>> enhanced(np.array([[3.0, 3.0, 3.0]]), row, extent=1).tolist()
    [[18.0, 18.0, 9.0]]
    """
    n_units = maps.shape[1] if maps.ndim == 2 else -1
    if touching.shape != (n_units, n_units):
        raise ShapeError(
            f"maps have shape {maps.shape}, touching has shape {touching.shape}.",
            mend="Give maps a row each, and touching a row and a column for each unit.",
        )
    from bids_dnn.stats.merging import enhance_each  # numba

    made: Float = enhance_each(
        np.ascontiguousarray(maps, dtype=np.float64),
        touching.indptr.astype(np.int64),
        touching.indices.astype(np.int64),
        float(extent),
        float(height),
    )
    return made
