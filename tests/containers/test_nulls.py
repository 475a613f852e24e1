"""containers.nulls: refusals."""

import numpy as np
import pytest

from bids_dnn.containers.nulls import NullMap, Nulls
from bids_dnn.errors import ShapeError


def test_lengths_that_differ_are_refused():
    names, marks = np.array(["V1", "V2"]), np.zeros(2, bool)
    assert Nulls(names, names, np.zeros((2, 5), "f4"), marks).null.shape == (2, 5)
    for null, enumerated in ((np.zeros((3, 5)), marks), (np.zeros(2), marks),
                             (np.zeros((2, 5)), marks[:1])):  # fmt: skip
        with pytest.raises(ShapeError, match="2 regions"):
            Nulls(names, names, null.astype("f4"), enumerated)


def test_maps_by_chance_are_rows():
    assert NullMap(np.zeros((3, 5), np.uint8)).share == 1.0
    with pytest.raises(ShapeError, match=r"shape \(5,\)"):
        NullMap(np.zeros(5))
