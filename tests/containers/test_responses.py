"""containers.responses: values and their table fit, selection alters nothing."""

import numpy as np
import pandas as pd
import pytest

from bids_dnn.containers.responses import REQUIRED, Responses
from bids_dnn.containers.roi import Roi
from bids_dnn.containers.space import Grid
from bids_dnn.errors import NotEnoughDataError, ShapeError


def table(n):
    return pd.DataFrame({name: [f"{name}{k}" for k in range(n)] for name in REQUIRED})


@pytest.fixture
def space():
    return Grid("T1w", (4, 1, 1), np.eye(4), np.arange(4))


@pytest.fixture
def responses(space):
    values = np.arange(12, dtype=np.float32).reshape(3, 4)
    return Responses(values, table(3), space, "beta")


def test_select_samples(responses):
    keep = np.array([True, False, True])
    chosen = responses.select(keep)
    np.testing.assert_array_equal(chosen.values, responses.values[[0, 2]])
    assert list(chosen.samples["stimulus"]) == ["stimulus0", "stimulus2"]
    assert list(chosen.samples.index) == [0, 1]
    again = responses.select(np.array([2, 0]))
    assert list(again.samples["stimulus"]) == ["stimulus2", "stimulus0"]


def test_select_units(responses):
    chosen = responses.units(np.array([False, True, True, False]))
    np.testing.assert_array_equal(chosen.values, responses.values[:, 1:3])
    np.testing.assert_array_equal(chosen.space.index, [1, 2])


def test_a_region_finds_its_units(responses, space):
    roi = Roi("V1", space.select(np.array([1, 3])), "mask", 2)
    np.testing.assert_array_equal(roi.units_in(responses.space), [False, True, False, True])


def test_an_empty_region_is_refused(space):
    with pytest.raises(NotEnoughDataError, match=r"'V1' \(mask.nii\) has no voxel"):
        Roi("V1", space.select(np.zeros(4, dtype=bool)), "mask.nii", 0)


def test_what_does_not_fit_is_refused(space):
    values = np.zeros((3, 4), dtype=np.float32)
    with pytest.raises(ShapeError, match=r"\(3, 4\).*2 samples and 4 units"):
        Responses(values, table(2), space, "beta")
    with pytest.raises(ShapeError, match=r"\['run'\]"):
        Responses(values, table(3).drop(columns="run"), space, "beta")
