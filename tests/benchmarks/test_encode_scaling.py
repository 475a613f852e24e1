"""benchmarks.encode_scaling: a row for each number of images and voxels, answers compared."""

import numpy as np
import pytest

from benchmarks import encode_scaling
from benchmarks.encode_scaling import check, fitted, of_voxels
from benchmarks.ridge_split import N_TEST, make_split


@pytest.fixture(scope="module")
def split():
    return make_split(160 - N_TEST, 30, 400)


def test_voxels_are_predicted_alike_among_few_and_many(split):
    check(split)
    few = of_voxels(split, 50)
    assert few.truth.shape == (160, 50)
    np.testing.assert_array_equal(few.truth[:, -1], split.truth[:, -1])


def test_predictions_that_depend_on_the_number_of_voxels_are_refused(split, monkeypatch):
    def altered(one):
        return fitted(one) * one.truth.shape[1]

    monkeypatch.setattr(encode_scaling, "fitted", altered)
    with pytest.raises(ArithmeticError, match="voxels alone are predicted otherwise"):
        check(split)


def test_each_size_is_a_row(monkeypatch):
    monkeypatch.setattr(encode_scaling, "IMAGES", {"small": (150, 200)})
    monkeypatch.setattr(encode_scaling, "VOXELS_OF_MEMORY", {"small": 20})
    monkeypatch.setattr(encode_scaling, "IMAGES_OF_TIME", {"small": 150})
    monkeypatch.setattr(encode_scaling, "VOXELS", {"small": (200, 400, 600, 800)})
    rows = encode_scaling.run("small", "cpu")
    assert [row.name for row in rows] == [
        "encode_scaling[memory,150x20]",
        "encode_scaling[memory,200x20]",
        "encode_scaling[time,150x400]",
        "encode_scaling[time,150x600]",
        "encode_scaling[time,150x800]",
    ]
    assert all(row.ours >= 0 for row in rows)
    assert [row.unit for row in rows] == ["GB", "GB", "s", "s", "s"]
