"""containers.space: places on a grid."""

from dataclasses import replace

import numpy as np
import pytest

from bids_dnn.containers.space import Grid, on_places_of_most
from bids_dnn.errors import ShapeError


@pytest.fixture
def space():
    return Grid("T1w", (2, 3, 4), np.eye(4), np.array([0, 5, 23]))


def test_select_by_mark_and_by_number(space):
    assert len(space) == 3
    np.testing.assert_array_equal(space.select(np.array([True, False, True])).index, [0, 23])
    np.testing.assert_array_equal(space.select(np.array([2, 0])).index, [23, 0])


def test_same_grid(space):
    assert space.has_places_of(space.select(np.array([0])))
    assert not space.has_places_of(replace(space, name="MNI"))
    moved = np.eye(4)
    moved[0, 3] = 0.1
    assert not space.has_places_of(replace(space, affine=moved))


def test_those_on_the_places_of_most_are_kept(space):
    odd = replace(space, affine=2 * np.eye(4))
    assert on_places_of_most({"01": odd, "02": space, "03": space}) == ["02", "03"]
    assert on_places_of_most({"01": odd, "02": space}) == ["01"]
    assert on_places_of_most({}) == []


@pytest.mark.parametrize("index", [[0, 24], [-1, 0], [3, 3]])
def test_places_outside_or_twice_are_refused(index):
    with pytest.raises(ShapeError, match=r"2 places.*24"):
        Grid("T1w", (2, 3, 4), np.eye(4), np.array(index))


def test_an_affine_of_another_shape_is_refused():
    with pytest.raises(ShapeError, match=r"\(3, 3\)"):
        Grid("T1w", (2, 3, 4), np.eye(3), np.array([0]))
