"""analyses.encode.readouts.sources: the same maps however they are kept, and refusals."""

import numpy as np
import pytest
import torch
import zarr

from bids_dnn.analyses.encode.readouts.sources import (
    SPAN,
    ArraySource,
    NetworkSource,
    finite_rows,
    stretches,
)
from bids_dnn.errors import ShapeError, UnreadableError


@pytest.fixture
def maps(rng):
    return rng.normal(size=(30, 3, 4, 5)).astype(np.float32)


@pytest.mark.parametrize("kind", ["array", "memmap", "zarr", "float64"])
@pytest.mark.parametrize("memory", [1 << 20, 1])
def test_rows_are_those_of_the_array(maps, tmp_path, kind, memory):
    values = maps
    if kind == "memmap":
        np.save(tmp_path / "maps.npy", maps)
        values = np.load(tmp_path / "maps.npy", mmap_mode="r")
    elif kind == "zarr":
        values = zarr.create_array(
            tmp_path / "z", shape=maps.shape, chunks=(7, 3, 4, 5), dtype="f4"
        )
        values[:] = maps
    elif kind == "float64":
        values = maps.astype(np.float64)
    source = ArraySource(values, memory=memory)
    assert (source.n, source.shape) == (30, (3, 4, 5))
    assert source.span == (1 if memory > 1 else SPAN)
    index = np.array([4, 5, 29, 0, 3, 3])
    made = source.rows(index)
    assert made.dtype == torch.float32
    np.testing.assert_array_equal(made, maps[index])


@pytest.mark.parametrize("memory", [1 << 20, 1])
def test_stimuli_may_lie_in_another_order(maps, rng, memory):
    order = rng.permutation(30)[:20]
    source = ArraySource(maps, order=order, memory=memory)
    assert (source.n, source.shape) == (20, (3, 4, 5))
    index = np.array([19, 3, 4, 5, 0])
    np.testing.assert_array_equal(source.rows(index), maps[order][index])


def test_a_network_makes_what_an_array_holds(rng):
    images = rng.integers(0, 256, size=(9, 8, 8, 3), dtype=np.uint8)
    net = torch.nn.Conv2d(3, 2, 3).eval()

    def extract(shown):
        return net(shown.permute(0, 3, 1, 2) / 255.0)

    source = NetworkSource(images, extract, batch=2)
    kept = extract(torch.tensor(images)).detach()
    assert (source.n, source.shape, source.span) == (9, (2, 6, 6), 1)
    index = np.array([8, 1, 2, 0, 5])
    np.testing.assert_allclose(source.rows(index), kept[index], atol=1e-5)
    assert not source.rows(index).requires_grad
    some = NetworkSource(images, extract, order=np.array([7, 2, 4]))
    assert some.n == 3
    np.testing.assert_allclose(some.rows(np.array([2, 0])), kept[[4, 7]], atol=1e-5)


@pytest.mark.parametrize("shape", [(30, 3), (30, 3, 4), (0, 3, 4, 5), (2, 3, 0, 5)])
def test_what_is_no_map_is_refused(shape):
    with pytest.raises(ShapeError, match=str(shape).replace("(", r"\(").replace(")", r"\)")):
        ArraySource(np.zeros(shape, dtype=np.float32))


def test_what_is_no_image_is_refused():
    with pytest.raises(ShapeError, match="float32"):
        NetworkSource(np.zeros((2, 4, 4, 3), dtype=np.float32), lambda shown: shown)
    with pytest.raises(ShapeError, match=r"\(1, 48\)"):
        NetworkSource(np.zeros((2, 4, 4, 3), dtype=np.uint8), lambda shown: shown.flatten(1))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_the_stimulus_of_a_value_that_is_not_finite_is_named(maps, bad):
    maps[17, 2, 1, 1] = bad
    source = ArraySource(maps)
    with pytest.raises(UnreadableError, match="first of the stimulus at index 17"):
        finite_rows(source, np.array([3, 17, 4]))
    np.testing.assert_array_equal(finite_rows(source, np.array([3, 4])), maps[[3, 4]])


def test_a_source_that_breaks_its_word_is_refused(maps):
    class Short(ArraySource):
        def rows(self, index):
            return super().rows(index[1:])

    with pytest.raises(ShapeError, match=r"\(1, 3, 4, 5\) for 2 stimuli"):
        finite_rows(Short(maps), np.array([0, 1]))


def test_stretches_hold_all_in_order():
    parts = stretches(np.arange(10), 4)
    assert [len(part) for part in parts] == [4, 4, 2]
    np.testing.assert_array_equal(np.concatenate(parts), np.arange(10))
