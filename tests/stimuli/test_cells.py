"""stimuli.cells: lists of pictures look like arrays."""

import h5py
import numpy as np
import pytest

from bids_dnn.stimuli.cells import Cells, hdf5_cells, old_cells, texts_of
from tests.factories.mat73 import write_mat73


def listed(*items):
    cells = np.empty(len(items), dtype=object)
    for number, item in enumerate(items):
        cells[number] = item
    return cells


def test_the_first_axis_counts(rng):
    first, second = rng.normal(size=(4, 5, 3)), rng.normal(size=(6, 2, 3))
    cells = Cells((first, second))
    assert cells.shape == (2, 4, 5, 3)
    np.testing.assert_array_equal(cells[1, :, :, :], second)


@pytest.mark.parametrize(
    ("shapes", "dtype", "expected"),
    [
        ([(4, 5), (6, 7)], np.uint8, True),
        ([(4, 5), (6, 7)], np.float64, False),  # any matrix
        ([(4, 5, 3), (6, 7, 3)], np.float64, True),
        ([(4, 5, 3), (6, 7, 1)], np.uint8, True),
        ([(4, 5, 3), (6, 7)], np.uint8, False),
        ([(4, 5, 2), (6, 7, 2)], np.uint8, False),
        ([(1, 5), (6, 7)], np.uint8, False),
        ([(4, 5)], np.uint8, False),  # one alone is no list
    ],
)
def test_what_may_be_pictures(shapes, dtype, expected):
    items = tuple(np.zeros(shape, dtype) for shape in shapes)
    assert Cells(items).are_pictures(is_reversed=False) is expected
    turned = tuple(item.transpose() for item in items)
    assert Cells(turned).are_pictures(is_reversed=True) is expected


def test_cells_and_fields_of_scipy():
    cells = listed(np.array(["a "]), np.array(["b"]))
    assert texts_of(old_cells(cells)) == ("a", "b")
    structures = np.zeros(2, dtype=[("name", object), ("size", float)])
    structures["name"] = cells
    assert texts_of(old_cells(structures, "name")) == ("a", "b")
    assert old_cells(structures, "size") is None
    assert old_cells(structures, "none") is None
    assert old_cells(np.zeros((3, 4))) is None
    assert texts_of(old_cells(listed(np.zeros(2), np.array(["b"])))) == ()
    assert texts_of(None) == ()


def test_references_of_hdf5(tmp_path, rng):
    path = write_mat73(tmp_path / "a.mat", {"x": listed(rng.normal(size=(4, 5)), np.ones(3))})
    with h5py.File(path) as file:
        cells = hdf5_cells(file["x"])
        assert cells.shape == (2, 5, 4)
        file_only = hdf5_cells(cells.items[0])
    assert file_only is None
    assert hdf5_cells(None) is None
