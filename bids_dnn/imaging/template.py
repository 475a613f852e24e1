"""The anatomy of a standard space, as it comes with nilearn: no network is asked."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

PREFIX = "MNI152"  # of the labels of its spaces, which differ by a few millimetres
TEMPLATE = "the MNI152 template (2009a, symmetric, without the skull)"


def read_template(space: str) -> tuple[NDArray[np.float32], NDArray[np.float64]] | None:
    """Return the template of a standard space, for what is drawn behind maps.

    Parameters
    ----------
    space
        BIDS label.

    Returns
    -------
    template
        Volume (x, y, z) in steps of 1 mm, from 0 to 1, and its affine (4, 4); None where the
        space is another than those of MNI152. It is the symmetric one of 2009 whichever of these
        the space is: near enough to look at, not to measure in.

    References
    ----------
    Fonov et al. (2011), NeuroImage 54:313, doi:10.1016/j.neuroimage.2010.07.033.
    """
    if not space.startswith(PREFIX):
        return None
    from nilearn.datasets import load_mni152_template  # this comes with the package

    image = load_mni152_template(resolution=1)
    values = np.asarray(image.dataobj, dtype=np.float32)
    return values, np.asarray(image.affine, dtype=np.float64)
