"""containers.pictures: each picture is known by one name."""

from pathlib import Path

import numpy as np
import pytest

from bids_dnn.containers.pictures import GreyPictures, PictureArray, Pictures
from bids_dnn.errors import MissingInputError, ShapeError


def test_a_name_leads_to_its_array_and_number():
    first, second = (PictureArray(Path(n), "x", (f"{n}1", f"{n}2")) for n in "ab")
    pictures = Pictures((first, second))
    assert pictures.names == ("a1", "a2", "b1", "b2")
    assert pictures.where("b2") == (second, 1)


def test_an_unknown_name_is_refused():
    with pytest.raises(MissingInputError, match=r"'face3'\. Did you mean 'face1'"):
        Pictures((PictureArray(Path("a"), "x", ("face1",)),)).where("face3")


def test_a_name_twice_is_refused():
    array = PictureArray(Path("a"), "x", ("a1",))
    with pytest.raises(ShapeError, match="1 names of pictures stand twice"):
        Pictures((array, array))


@pytest.mark.parametrize("wrong", [{"axes": "yxx"}, {"axes": "yx"}, {"black": 1.0, "white": 1.0}])
def test_wrong_axes_and_no_contrast_are_refused(wrong):
    with pytest.raises(ShapeError, match="array of pictures has the axes"):
        PictureArray(Path("a"), "x", ("a1",), **wrong)


def test_grey_pictures_have_a_row_for_each_stimulus():
    with pytest.raises(ShapeError, match=r"\(3, 2, 2\).*2 stimuli"):
        GreyPictures(("a", "b"), np.zeros((3, 2, 2), dtype=np.uint8), "net")
