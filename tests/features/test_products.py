"""features.products: how columns are scaled, and calls of BLAS in threads."""

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from bids_dnn.errors import NotEnoughDataError
from bids_dnn.features.products import Moments, threads_of_blas


@pytest.mark.parametrize("offset", [0.0, 1e4])
def test_deviations_are_those_of_numpy(rng, offset):
    x = rng.normal(size=(50, 6)) * np.arange(6) + offset
    moments = Moments()
    for start in (0, 16, 32, 48):
        moments.add(x[start : start + 16])
    made = moments.inverse()
    assert made[0] == 0
    np.testing.assert_allclose(made[1:], 1 / x.std(axis=0)[1:], rtol=1e-9)


def test_a_column_that_varies_least_is_no_constant():
    x = np.full((30, 1), 1.0)
    x[17] = np.nextafter(1.0, 2.0)
    moments = Moments()
    moments.add(x)
    assert moments.inverse()[0] == pytest.approx(30 / np.sqrt(29) / 2**-52)


def test_one_row_has_no_deviation():
    moments = Moments()
    moments.add(np.ones((0, 3)))
    moments.add(np.ones((1, 3)))
    with pytest.raises(NotEnoughDataError, match="over 1 training row"):
        moments.inverse()


def test_calls_come_back_in_order_and_blas_is_left_as_it_was():
    with threadpool_limits(2, user_api="blas"):
        before = threadpool_info()
        with threads_of_blas() as pool:
            assert pool.n_threads == 2
            found = list(pool.in_order((k, lambda k=k: k**2) for k in range(50)))
        assert threadpool_info() == before
    assert found == [(k, k**2) for k in range(50)]
