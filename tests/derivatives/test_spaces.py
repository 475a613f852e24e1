"""derivatives.spaces: each kind of space there and back."""

import numpy as np
import pytest

from bids_dnn.containers.layout import Layout
from bids_dnn.containers.space import Channels, Grid, Surface
from bids_dnn.derivatives.spaces import space_arrays, space_from

LAYOUT = Layout(("a", "b"), ("V1", "V4"), np.array([1, 2]), np.zeros((2, 2)))


@pytest.mark.parametrize(
    "space",
    [
        Grid("T1w", (3, 2, 2), np.diag([2.0, 2, 2, 1]), np.array([1, 5])),
        Surface("fsnative", (7, 9), np.array([0, 8])),
        Channels("array", ("x", "y"), np.array([0, 1])),
        Channels("array", ("x", "y"), np.array([0, 1]), LAYOUT),
    ],
)
def test_a_space_comes_back(space):
    for prefix in ("", "3_"):
        arrays = space_arrays(space, prefix)
        assert str(arrays[f"{prefix}space_kind"]) == type(space).__name__
        back = space_from(arrays | {"other": np.zeros(3)}, prefix)
        assert back.has_places_of(space)
        assert (back.name, back.unit) == (space.name, space.unit)
        np.testing.assert_array_equal(back.index, space.index)
        assert (getattr(back, "layout", None) is None) == (getattr(space, "layout", None) is None)
