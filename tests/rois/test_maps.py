"""rois.maps: what vertices see, and the sign of the right hemisphere."""

import numpy as np
import pytest

from bids_dnn.errors import ShapeError
from bids_dnn.rois.maps import AREAS, Maps, contralateral


def test_areas_stand_in_the_order_of_the_template():
    assert AREAS[:4] == ("V1", "V2", "V3", "hV4")
    assert AREAS[10:] == ("V3b", "V3a")
    assert len(AREAS) == 12


@pytest.mark.parametrize("file_signs", [1, -1])
def test_a_hemisphere_sees_the_other_side_whatever_the_file_says(file_signs):
    angle = file_signs * np.array([10.0, 90.0, 170.0])
    np.testing.assert_array_equal(contralateral(angle, "L"), [10, 90, 170])
    np.testing.assert_array_equal(contralateral(angle, "R"), [-10, -90, -170])


def test_rounding_beyond_the_meridians_is_mended():
    angle = np.array([-2e-4, 180.0002])
    np.testing.assert_allclose(contralateral(angle, "L"), [2e-4, 180])


def test_lengths_must_be_those_of_one_mesh():
    with pytest.raises(ShapeError, match=r"\(3,\), \(3,\), \(2,\), \(3,\)"):
        Maps(np.zeros(3, int), np.zeros(3), np.zeros(2), np.zeros(3))


def test_the_first_vertices_are_a_coarser_mesh():
    maps = Maps(np.arange(5), *np.arange(15.0).reshape(3, 5))
    first = maps.first(2)
    assert len(first) == 2
    assert first.sigma_deg.tolist() == [10, 11]
