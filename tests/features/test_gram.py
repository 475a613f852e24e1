"""features.gram: known answers and laws."""

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from bids_dnn.features import gram
from bids_dnn.features.gram import gram_of


@pytest.mark.parametrize("tile_bytes", [8 * 9, 8 * 9 * 7, 64 << 20])
def test_tiles_give_the_direct_product(rng, monkeypatch, tile_bytes):
    monkeypatch.setattr(gram, "TILE_BYTES", tile_bytes)
    x = rng.normal(size=(9, 101)).astype(np.float32)
    made = gram_of(x)
    np.testing.assert_allclose(made, x.astype(float) @ x.T.astype(float), rtol=1e-12)
    np.testing.assert_array_equal(made, made.T)


def test_sums_do_not_lose_what_float32_would(rng):
    x = np.concatenate([np.full((2, 1), 4096.0), rng.normal(size=(2, 3000))], axis=1)
    x = x.astype(np.float32)
    direct = (x.astype(np.longdouble)) @ (x.astype(np.longdouble)).T
    np.testing.assert_allclose(gram_of(x), direct.astype(float), rtol=1e-13)


def test_the_order_of_columns_does_not_matter(rng):
    x = rng.normal(size=(5, 40)).astype(np.float32)
    np.testing.assert_allclose(gram_of(x), gram_of(x[:, rng.permutation(40)]), rtol=1e-12)


def test_the_number_of_threads_does_not_matter(rng):
    x = rng.normal(size=(97, 20_011)).astype(np.float32)
    made = []
    for n_threads in (1, 2):
        with threadpool_limits(n_threads, user_api="blas"):
            made.append(gram_of(x).tobytes())
    assert made[0] == made[1]
