"""containers.rdm: one value for each pair."""

import numpy as np
import pytest

from bids_dnn.containers.rdm import Rdm
from bids_dnn.errors import ShapeError


def test_the_matrix_is_symmetric_and_keeps_what_is_not_defined(rng):
    values = rng.normal(size=10)
    values[3] = np.nan
    made = Rdm(values, tuple("abcde"), "cosine").matrix()
    np.testing.assert_array_equal(made, made.T)
    np.testing.assert_array_equal(made[np.triu_indices(5, 1)], values)
    assert np.isnan(made[0, 4])
    assert not np.diagonal(made).any()


def test_what_does_not_fit_is_refused():
    with pytest.raises(ShapeError, match=r"\(4,\), but 3 stimuli make 3 pairs"):
        Rdm(np.zeros(4), tuple("abc"), "cosine")
    with pytest.raises(ShapeError, match="1 stimulus id"):
        Rdm(np.zeros(3), tuple("aba"), "cosine")
