"""ingest.bands: the matrix filters as nilearn does."""

import numpy as np
import pytest
from nilearn import signal

from bids_dnn.errors import ConfigError
from bids_dnn.ingest.bands import low_pass_operator


@pytest.mark.parametrize("left_out", [(), (0, 1), (50, 51, 120)])
def test_the_matrix_filters_as_nilearn_does(rng, left_out):
    keep = np.ones(150, dtype=bool)
    keep[list(left_out)] = False
    y = rng.normal(size=(150, 4)).cumsum(axis=0) + 50
    expected = signal.clean(
        y,
        detrend=False,
        standardize=None,
        sample_mask=np.flatnonzero(keep),
        low_pass=0.1,
        t_r=2.0,
    )
    found = low_pass_operator(keep, t_r_s=2.0, low_pass_hz=0.1, run="01")
    np.testing.assert_allclose(found @ y[keep], expected, atol=1e-9)


@pytest.mark.parametrize("left_out", [(20, 129), (0, 1, 148, 149), (74, 75)])
def test_mirror_images_of_each_other_are_left_out_too(left_out):
    keep = np.ones(150, dtype=bool)
    keep[list(left_out)] = False
    found = low_pass_operator(keep, t_r_s=2.0, low_pass_hz=0.1, run="01")
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-9)  # a constant stays


@pytest.mark.parametrize("cutoff", [0.25, 1.0, 0.0, -0.1])
def test_a_cutoff_that_volumes_cannot_show_is_refused(cutoff):
    with pytest.raises(ConfigError, match=r"run 02 has a volume each 2 s.*between 0 and 0\.25"):
        low_pass_operator(np.ones(50, dtype=bool), t_r_s=2.0, low_pass_hz=cutoff, run="02")
