"""stimuli.stack_files: pictures that MATLAB keeps one by one, and what stands beside them."""

import h5py
import numpy as np
import pytest
from scipy.io import loadmat, savemat

from bids_dnn.errors import UnreadableError
from bids_dnn.stimuli.stack import find_stack
from bids_dnn.stimuli.unpack import unpack
from tests.factories.mat73 import write_mat73
from tests.factories.stimuli import brick, pixels, unpacked, write_h5


def one_by_one(pictures, dtype=object):
    cells = np.empty(len(pictures), dtype=dtype)
    cells[:] = pictures
    return cells


@pytest.mark.parametrize("write", [savemat, write_mat73], ids=["format 5", "format 7.3"])
@pytest.mark.parametrize("n_axes", [2, 3])
def test_pictures_in_cells_may_have_sizes_of_their_own(tmp_path, rng, write, n_axes):
    shapes = [(9, 7, 3), (5, 6, 3), (8, 8, 3)]
    values = [rng.integers(0, 256, shape[:n_axes], dtype=np.uint8) for shape in shapes]
    cells = np.empty(3, dtype=object)
    for i, picture in enumerate(values):
        cells[i] = picture
    names = np.array(["x.png", "y.png", "z.png"], dtype=object)
    write(tmp_path / "a.mat", {"pictures": cells, "names": names, "n": 3.0})
    pictures = find_stack(tmp_path / "a.mat")
    assert pictures.names == ("x", "y", "z")
    for path, expected in zip(unpack(pictures, "xyz", tmp_path).values(), values, strict=True):
        np.testing.assert_array_equal(pixels(path), expected)


@pytest.mark.parametrize("is_73", [False, True], ids=["format 5", "format 7.3"])
def test_pictures_in_a_field_of_structures(tmp_path, rng, is_73):
    values = brick(rng, 4)
    told = [
        {"category": "face", "image_name": f"face{i}", "image": one}
        for i, one in enumerate(values)
    ]
    if is_73:
        write_mat73(tmp_path / "a.mat", {"objects": told})
    else:
        kinds = [("category", object), ("image_name", object), ("image", object)]
        array = np.empty((1, 4), dtype=kinds)
        for i, one in enumerate(told):
            array[0, i] = tuple(one.values())
        savemat(tmp_path / "a.mat", {"objects": array})
    pictures = find_stack(tmp_path / "a.mat")
    assert pictures.arrays[0].variable == ("objects/image" if is_73 else "objects.image")
    assert pictures.names == ("face0", "face1", "face2", "face3")
    np.testing.assert_array_equal(unpacked(pictures, tmp_path), values)


def test_cells_with_other_things_are_no_pictures(tmp_path, rng):
    square = rng.normal(size=(2, 92, 92))
    mixed = np.empty(3, dtype=object)
    mixed[0], mixed[1], mixed[2] = brick(rng)[0], "text", np.zeros((0, 0))
    for write in (savemat, write_mat73):
        told = {"rdms": one_by_one(list(square)), "mixed": mixed, "empty": []}
        write(tmp_path / "a.mat", told)
        with pytest.raises(UnreadableError, match="holds no stack of pictures"):
            find_stack(tmp_path / "a.mat")


def test_categories_are_no_names(tmp_path, rng):
    path = write_h5(tmp_path / "a.h5", images=brick(rng, 4), category=["face", "face", "hut", "x"])
    assert find_stack(path).names[0] == "000000"


@pytest.mark.real
def test_the_92_images(real_data, tmp_path):
    path = real_data / "images92" / "Kriegeskorte_Neuron2008_supplementalData.mat"
    pictures = find_stack(path)
    (array,) = pictures.arrays
    assert (array.variable, array.axes, len(array.names)) == ("stimuli_92objs.image", "nyxc", 92)
    stored = loadmat(path, variable_names=["stimuli_92objs"])["stimuli_92objs"][0]
    made = unpack(pictures, ["000000", "000091"], tmp_path)
    for name, row in (("000000", 0), ("000091", 91)):
        np.testing.assert_array_equal(pixels(made[name]), stored["image"][row])


def test_nsd_at_its_full_size_is_not_read(tmp_path):
    shape = (73_000, 425, 425, 3)  # 39 GB, of which nothing is stored
    with h5py.File(tmp_path / "nsd.hdf5", "w") as file:
        file.create_dataset("imgBrick", shape, np.uint8, chunks=(1, 425, 425, 3), fillvalue=7)
    pictures = find_stack(tmp_path / "nsd.hdf5")
    assert (len(pictures.names), pictures.names[-1]) == (73_000, "072999")
    made = unpack(pictures, ["000000", "072999"], tmp_path / "out")
    assert [pixels(path).shape for path in made.values()] == [(425, 425, 3)] * 2
    assert {int(pixels(path).mean()) for path in made.values()} == {7}
