"""stimuli.unpack: arrays of pictures become the same PNG files each time."""

import os
from dataclasses import replace

import h5py
import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from bids_dnn.containers.pictures import PictureArray, Pictures
from bids_dnn.errors import MissingInputError, ShapeError, UnreadableError
from bids_dnn.files import fingerprint
from bids_dnn.ingest.ready import vim1
from bids_dnn.stimuli.unpack import unpack
from tests.factories.ready_vim1 import full_resolution, vim1_folder


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image)


@pytest.fixture
def colored(tmp_path, rng):
    """Lay out pictures as NSD does."""
    brick = rng.integers(0, 256, (5, 8, 6, 3), dtype=np.uint8)
    path = tmp_path / "nsd_stimuli.hdf5"
    with h5py.File(path, "w") as file:
        file["imgBrick"] = brick
    names = tuple(f"nsd-{i:05d}" for i in range(1, 6))
    return brick, Pictures((PictureArray(path, "imgBrick", names, "nyxc"),))


def test_colors_come_out_as_they_are(colored, tmp_path):
    brick, pictures = colored
    paths = unpack(pictures, ["nsd-00004", "nsd-00002"], tmp_path / "out")
    assert list(paths) == ["nsd-00004", "nsd-00002"]
    assert paths["nsd-00004"] == tmp_path / "out" / "nsd-00004.png"
    np.testing.assert_array_equal(pixels(paths["nsd-00004"]), brick[3])
    np.testing.assert_array_equal(pixels(paths["nsd-00002"]), brick[1])
    assert len(list((tmp_path / "out").glob("*.png"))) == 2


def test_the_same_picture_has_the_same_bytes_and_is_made_once(colored, tmp_path):
    _, pictures = colored
    first = unpack(pictures, pictures.names, tmp_path / "a")
    other = unpack(pictures, pictures.names, tmp_path / "b")
    assert [fingerprint(p) for p in first.values()] == [fingerprint(p) for p in other.values()]
    times = [p.stat().st_mtime_ns for p in first.values()]
    first["nsd-00001"].unlink()
    told = []
    unpack(pictures, pictures.names, tmp_path / "a", progress=lambda *n: told.append(n))
    assert told == [(5, 5)]
    assert [p.stat().st_mtime_ns for p in first.values()][1:] == times[1:]


def test_pictures_of_another_array_are_not_kept(colored, tmp_path, rng):
    brick, pictures = colored
    (array,) = pictures.arrays
    unpack(pictures, array.names, tmp_path / "out")
    with h5py.File(array.path, "w") as file:
        file["imgBrick"] = brick[::-1]
    os.utime(array.path, ns=(0, 0))  # another time, whatever the clock's step
    first = unpack(pictures, array.names[:1], tmp_path / "out")  # the others are gone too
    assert [p.name for p in (tmp_path / "out").glob("*.png")] == ["nsd-00001.png"]
    np.testing.assert_array_equal(pixels(first["nsd-00001"]), brick[-1])


@pytest.mark.parametrize("other", [{"black": 255.0, "white": 0.0}, {"axes": "nxyc"}])
def test_pictures_shown_otherwise_are_made_anew(colored, tmp_path, other):
    brick, pictures = colored
    (array,) = pictures.arrays
    before = unpack(pictures, ["nsd-00001"], tmp_path)["nsd-00001"].read_bytes()
    changed = Pictures((replace(array, **other),))
    after = unpack(changed, ["nsd-00001"], tmp_path)["nsd-00001"]
    expected = 255 - brick[0] if "black" in other else brick[0].transpose(1, 0, 2)
    np.testing.assert_array_equal(pixels(after), expected)
    assert unpack(pictures, ["nsd-00001"], tmp_path)["nsd-00001"].read_bytes() == before


def test_what_was_made_stays_where_the_array_is_gone(colored, tmp_path):
    _, pictures = colored
    made = unpack(pictures, ["nsd-00001"], tmp_path)["nsd-00001"].read_bytes()
    pictures.arrays[0].path.unlink()
    assert unpack(pictures, ["nsd-00001"], tmp_path)["nsd-00001"].read_bytes() == made
    with pytest.raises(MissingInputError, match=r"nsd_stimuli\.hdf5 does not exist"):
        unpack(pictures, ["nsd-00002"], tmp_path)


def test_a_matlab_file_cut_short_is_named(tmp_path, rng):
    savemat(tmp_path / "a.mat", {"p": rng.normal(size=(9, 20, 20))})
    array = PictureArray(tmp_path / "a.mat", "p", tuple("abcdefghi"), "nyx", 0.0, 1.0)
    array.path.write_bytes(array.path.read_bytes()[:2000])
    with pytest.raises(UnreadableError, match=r"a\.mat"):
        unpack(Pictures((array,)), ["a"], tmp_path)


@pytest.mark.parametrize("is_full", [False, True], ids=["format 5", "format 7.3"])
def test_gray_pictures_of_vim1_stand_upright(tmp_path, rng, is_full):
    gray = vim1_folder(tmp_path, rng)["pictures"]["values"]
    if is_full:
        gray = full_resolution(tmp_path, rng)
    paths = unpack(vim1.pictures(tmp_path), ["val0006", "trn0013"], tmp_path / "out")
    for name, row in (("trn0013", 12), ("val0006", 25)):
        expected = np.rint(255 * (gray[row].astype(float) + 0.5))
        np.testing.assert_array_equal(pixels(paths[name]), expected)


def test_values_beyond_black_and_white_are_cut(tmp_path):
    savemat(tmp_path / "a.mat", {"p": np.array([[[-1.0, 0.0], [0.5, 9.0]]])})
    array = PictureArray(tmp_path / "a.mat", "p", ("one",), "nyx", 0.0, 1.0)
    paths = unpack(Pictures((array,)), ["one"], tmp_path)
    assert pixels(paths["one"]).tolist() == [[0, 0], [128, 255]]


def test_an_id_without_a_picture_is_named(colored, tmp_path):
    with pytest.raises(MissingInputError, match=r"in no array, such as 'nsd-00009'.*Did you mean"):
        unpack(colored[1], ["nsd-00001", "nsd-00009"], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_another_shape_is_named(colored, tmp_path):
    (array,) = colored[1].arrays
    wrong = Pictures((PictureArray(array.path, "imgBrick", ("a", "b"), "nyxc"),))
    with pytest.raises(ShapeError, match=r"shape \(5, 8, 6, 3\); the axes 'nyxc' with 2"):
        unpack(wrong, ["a"], tmp_path)


def test_a_missing_array_is_named(colored, tmp_path):
    (array,) = colored[1].arrays
    wrong = Pictures((PictureArray(array.path, "brick", ("a",), "nyxc"),))
    with pytest.raises(UnreadableError, match="holds no array 'brick'"):
        unpack(wrong, ["a"], tmp_path)


def test_a_file_cut_short_is_named(colored, tmp_path):
    path = colored[1].arrays[0].path
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(UnreadableError, match=r"nsd_stimuli\.hdf5"):
        unpack(colored[1], ["nsd-00001"], tmp_path)


@pytest.mark.parametrize("name", ["../up", "/root", ""])
def test_names_that_lead_elsewhere_are_refused(tmp_path, name):
    array = PictureArray(tmp_path / "a.mat", "p", (name,))
    with pytest.raises(UnreadableError, match="no path below"):
        unpack(Pictures((array,)), [name], tmp_path / "out")
