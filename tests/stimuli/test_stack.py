"""stimuli.stack: which array, which axes, which names, which range; refusals by name."""

from pathlib import Path

import h5py
import numpy as np
import pytest
from scipy.io import savemat

from bids_dnn.errors import MissingInputError, ShapeError, UnreadableError
from bids_dnn.stimuli.stack import describe_stack, find_stack, is_stack, split_stack, stack_in
from tests.factories.mat73 import write_mat73
from tests.factories.stimuli import (
    brick,
    moved,
    stimuli_folder,
    unpacked,
    write_h5,
    write_tsv,
)

LAYOUTS = ["nyxc", "ncyx", "yxcn"]


# --- known layouts


def test_nsd_is_found_as_it_is(tmp_path, rng):
    path = write_h5(tmp_path / "nsd_stimuli.hdf5", imgBrick=brick(rng))
    (array,) = find_stack(path).arrays
    assert (array.path, array.variable, array.axes) == (path, "imgBrick", "nyxc")
    assert (array.black, array.white) == (0, 255)
    assert array.names == ("000000", "000001", "000002", "000003", "000004")


@pytest.mark.parametrize("is_73", [False, True], ids=["format 5", "format 7.3"])
def test_vim1_is_found_as_it_is(tmp_path, rng, is_73):
    gray = rng.uniform(-0.5, 0.5, (20, 16, 16)).astype(np.float32)
    write = write_mat73 if is_73 else savemat
    write(tmp_path / "Stimuli.mat", {"stimTrn": gray, "n": 3.0})
    pictures = find_stack(tmp_path / "Stimuli.mat")
    (array,) = pictures.arrays
    assert array.axes == ("xyn" if is_73 else "nyx")
    assert (array.black, array.white) == (-0.5, 0.5)
    expected = np.rint(255 * (gray.astype(float) + 0.5))
    np.testing.assert_array_equal(unpacked(pictures, tmp_path), expected)


@pytest.mark.parametrize("axes", LAYOUTS)
@pytest.mark.parametrize("kind", ["h5", "mat5", "mat73"])
def test_colors_stand_upright_in_each_order_of_axes(tmp_path, rng, axes, kind):
    values = brick(rng)
    stored = np.ascontiguousarray(moved(values, axes))
    path = tmp_path / ("a.h5" if kind == "h5" else "a.mat")
    if kind == "h5":
        write_h5(path, images=stored)
    else:
        (savemat if kind == "mat5" else write_mat73)(path, {"images": stored})
    np.testing.assert_array_equal(unpacked(find_stack(path), tmp_path), values)


@pytest.mark.parametrize("axes", ["nyx", "yxn"])
@pytest.mark.parametrize("kind", ["h5", "mat5", "mat73"])
def test_square_grey_pictures_tell_their_axes(tmp_path, rng, axes, kind):
    values = brick(rng, 7, height=9, width=9)[..., 0]
    stored = np.ascontiguousarray(moved(values, axes, "nyx"))
    path = tmp_path / ("a.h5" if kind == "h5" else "a.mat")
    if kind == "h5":
        write_h5(path, images=stored)
    else:
        (savemat if kind == "mat5" else write_mat73)(path, {"images": stored})
    np.testing.assert_array_equal(unpacked(find_stack(path), tmp_path), values)


@pytest.mark.parametrize("n_colors", [1, 4])
def test_grey_with_an_axis_and_transparency(tmp_path, rng, n_colors):
    values = rng.integers(0, 256, (5, 8, 6, n_colors), dtype=np.uint8)
    made = unpacked(find_stack(write_h5(tmp_path / "a.h5", images=values)), tmp_path)
    np.testing.assert_array_equal(made, values[..., 0] if n_colors == 1 else values)


# --- names


@pytest.mark.parametrize(
    ("variable", "told", "expected"),
    [
        ("whatever", ["b", "a", "d", "c"], ("b", "a", "d", "c")),
        ("names", ["f/b.png", "f/a.png", "stimuli/d.jpg", ".\\c"], ("f/b", "f/a", "d", "c")),
        ("names", ["a.png", "a.jpg", "b.png", "c.png"], ("a.png", "a.jpg", "b.png", "c.png")),
        ("stim_id", np.array([9, 3, 12, 4]), ("9", "3", "12", "4")),
        ("order", np.array([9, 3, 12, 4]), ("000000", "000001", "000002", "000003")),
        ("stim_id", np.array([0.5, 3, 1, 4]), ("000000", "000001", "000002", "000003")),
        ("names", np.array([["a"], ["b"], ["c"], ["d"]], dtype="S1"), ("a", "b", "c", "d")),
    ],
)
def test_names_beside_the_pictures(tmp_path, rng, variable, told, expected):
    path = write_h5(tmp_path / "a.h5", set__images=brick(rng, 4), **{f"set__{variable}": told})
    assert find_stack(path).names == expected


def test_the_best_of_several_names_is_taken(tmp_path, rng):
    four = [list("abcd"), list("efgh"), list("ijkl")]
    path = write_h5(
        tmp_path / "a.h5", images=brick(rng, 4), color=four[0], label=four[1], stimulus_id=four[2]
    )
    assert find_stack(path).names == tuple("ijkl")


@pytest.mark.parametrize("write", [savemat, write_mat73], ids=["format 5", "format 7.3"])
@pytest.mark.parametrize("form", ["cells", "rows"])
def test_names_of_matlab(tmp_path, rng, write, form):
    names = ["face", "hut", "käse", "x"]
    told = np.array(names, dtype=object if form == "cells" else "U4")
    write(tmp_path / "a.mat", {"images": moved(brick(rng, 4), "yxcn"), "names": told})
    assert find_stack(tmp_path / "a.mat").names == tuple(names)


def test_as_many_names_as_pictures_tell_the_axes(tmp_path, rng):
    stack = rng.integers(0, 256, (12, 10, 20), dtype=np.uint8)
    path = tmp_path / "a.mat"
    savemat(path, {"images": stack})
    with pytest.raises(ShapeError, match=r"\(12, 10, 20\); whether the first .*a\.mat:images@nyx"):
        find_stack(path)
    savemat(path, {"images": stack, "names": np.array([f"p{i}" for i in range(20)], dtype=object)})
    (array,) = find_stack(path).arrays
    assert (array.axes, array.names[-1]) == ("yxn", "p19")


def test_a_name_twice_and_an_empty_name_are_refused(tmp_path, rng):
    path = write_h5(tmp_path / "a.h5", images=brick(rng, 3), names=["a", "b", "a"])
    with pytest.raises(ShapeError, match="1 names of pictures stand twice"):
        find_stack(path)
    path = write_h5(tmp_path / "b.h5", images=brick(rng, 3), names=["a", "", "c"])
    with pytest.raises(UnreadableError, match="gives the picture 1 an empty name"):
        find_stack(path)


# --- black and white


@pytest.mark.parametrize(
    ("values", "limits"),
    [
        (np.array([0, 3], np.uint8), (0, 255)),
        (np.array([False, True]), (0, 1)),
        (np.array([0, 255], np.int64), (0, 255)),
        (np.array([0, 4095], np.uint16), (0, 65535)),
        (np.array([-7, 12], np.int16), (-7, 12)),
        (np.array([0.2, 0.8]), (0, 1)),
        (np.array([0, 1 + 1e-7], np.float32), (0, 1)),
        (np.array([-0.4, 0.5]), (-0.5, 0.5)),
        (np.array([-0.9, 0.5]), (-1, 1)),
        (np.array([0, 254.0]), (0, 255)),
        (np.array([-2.1, 2.6]), (-2.1, 2.6)),
        (np.array([np.nan, 0.5]), (0, 1)),
    ],
)
def test_black_and_white_by_type_and_values(tmp_path, values, limits):
    stack = np.resize(values, (5, 4, 6))
    (array,) = find_stack(write_h5(tmp_path / "a.h5", images=stack)).arrays
    assert (array.black, array.white) == limits
    (array,) = find_stack(tmp_path / "a.h5", limits=(-3, 9)).arrays
    assert (array.black, array.white) == (-3, 9)


def test_doubles_of_matlab_that_are_whole_are_still_doubles(tmp_path):
    savemat(tmp_path / "a.mat", {"images": np.resize([0.0, 1.0], (7, 6, 6))})
    (array,) = find_stack(tmp_path / "a.mat").arrays
    assert (array.black, array.white) == (0, 1)


def test_extremes_are_read_in_blocks(tmp_path, rng, monkeypatch):
    stack = rng.normal(size=(40, 8, 6))
    monkeypatch.setattr("bids_dnn.stimuli.stack_files.BLOCK_BYTES", 1000)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("a", data=stack)
        file.create_dataset("b", data=stack, chunks=(7, 8, 2))
    for variable in "ab":
        (array,) = find_stack(Path(f"{tmp_path}/a.h5:{variable}")).arrays
        assert (array.black, array.white) == (stack.min(), stack.max())


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_no_numbers_are_refused(tmp_path, value):
    path = write_h5(tmp_path / "a.h5", images=np.full((5, 6, 7), value))
    with pytest.raises(UnreadableError, match=f"from {value} to {value}; numbers were expected"):
        find_stack(path)


# --- places


def test_a_variable_and_its_axes_can_be_named(tmp_path, rng):
    values = brick(rng)
    path = write_h5(tmp_path / "a.h5", train__x=values, test__x=values[:2])
    with pytest.raises(
        UnreadableError,
        match=r"2 arrays that may be pictures: test/x \(2, 8, 6, 3\), train/x \(5, 8, 6, 3\)\. "
        r"Name one, such as a\.h5:test/x",
    ):
        find_stack(path)
    assert find_stack(Path(f"{path}:train/x")).arrays[0].variable == "train/x"
    write_h5(tmp_path / "b.h5", y=moved(values, "yxnc"))
    pictures = find_stack(Path(f"{tmp_path}/b.h5:y@yxnc"))
    np.testing.assert_array_equal(unpacked(pictures, tmp_path), values)


def test_axes_of_matlab_are_counted_as_matlab_does(tmp_path, rng):
    values = brick(rng)[..., 0]
    for write in (savemat, write_mat73):
        write(tmp_path / "a.mat", {"images": np.ascontiguousarray(moved(values, "xny", "nyx"))})
        pictures = find_stack(Path(f"{tmp_path}/a.mat:images@xny"))
        np.testing.assert_array_equal(unpacked(pictures, tmp_path / write.__name__), values)


@pytest.mark.parametrize("name", ["a.h5", "b.HDF5", "c.mat"])
def test_what_is_a_stack(tmp_path, name):
    assert is_stack(tmp_path / name)
    assert is_stack(Path(f"{tmp_path}/{name}:a/b"))
    assert split_stack(Path(f"x/{name}:a/b@nyx")) == (Path(f"x/{name}"), "a/b", "nyx")
    assert not is_stack(tmp_path)
    assert not is_stack(tmp_path / "a.png")


def test_a_file_with_a_colon_in_its_name(tmp_path, rng):
    path = write_h5(tmp_path / "a.h5:b", images=brick(rng))
    assert split_stack(path) == (path, None, None)


def test_a_folder_with_a_stack_alone_is_one(tmp_path, rng):
    folder = tmp_path / "stimuli"
    folder.mkdir()
    path = write_h5(folder / "nsd.hdf5", imgBrick=brick(rng))
    write_tsv(folder / "stimuli.tsv", "stimulus_id", "000001")
    assert stack_in(folder) == path
    assert is_stack(folder)
    assert find_stack(folder) == find_stack(path)
    assert describe_stack(find_stack(folder)) == (
        f"{path} is taken as 5 pictures, 000000 to 000004: the array imgBrick, axes nyxc, 0 = "
        "black, 255 = white."
    )
    stimuli_folder(folder, ["a.png"])
    assert stack_in(folder) is None
    with pytest.raises(MissingInputError, match="does not hold one stack"):
        find_stack(folder)


def test_a_folder_with_other_arrays_is_none(tmp_path):
    write_h5(tmp_path / "features.h5", conv=np.zeros((5, 9)))
    assert stack_in(tmp_path) is None
    write_h5(tmp_path / "other.h5", conv=np.zeros((5, 9, 9)))
    assert stack_in(tmp_path) is None


# --- refusals


@pytest.mark.parametrize(
    "shape",
    [(9,), (9, 9), (480, 640, 3), (3, 64, 64), (5, 1, 1, 3), (5, 6, 7, 8), (0, 9, 9), (9,) * 5],
)
def test_what_holds_no_stack_is_refused_with_its_shapes(tmp_path, shape):
    path = write_h5(tmp_path / "a.h5", x=np.zeros(shape, np.uint8), names=["a", "b"])
    told = f"x {shape}" if len(shape) in (3, 4) and 0 not in shape else "none with 3 or 4 axes"
    with pytest.raises(UnreadableError, match="holds no stack of pictures") as raised:
        find_stack(path)
    assert told in str(raised.value)


def test_an_unknown_variable_is_refused(tmp_path, rng):
    path = write_h5(tmp_path / "a.h5", images=brick(rng))
    with pytest.raises(MissingInputError, match=r"no array 'image' .*Did you mean 'images'"):
        find_stack(Path(f"{path}:image"))


@pytest.mark.parametrize("axes", ["nyx", "nyxx", "yxcn", "abcd"])
def test_axes_that_do_not_fit_are_refused(tmp_path, rng, axes):
    path = write_h5(tmp_path / "a.h5", images=brick(rng))
    with pytest.raises(ShapeError, match=rf"\(5, 8, 6, 3\), which does not fit the axes '{axes}'"):
        find_stack(Path(f"{path}:images@{axes}"))


def test_links_to_other_files_are_not_followed(tmp_path, rng):
    write_h5(tmp_path / "secret.h5", images=brick(rng))
    (tmp_path / "raw.bin").write_bytes(bytes(5 * 9 * 9))
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["linked"] = h5py.ExternalLink(str(tmp_path / "secret.h5"), "images")
        file.create_dataset(
            "outside", (5, 9, 9), np.uint8, external=[(str(tmp_path / "raw.bin"), 0, 5 * 81)]
        )
    with pytest.raises(UnreadableError, match="holds no stack"):
        find_stack(tmp_path / "a.h5")
    for variable in ("linked", "outside"):
        with pytest.raises(MissingInputError, match=variable):
            find_stack(Path(f"{tmp_path}/a.h5:{variable}"))


@pytest.mark.parametrize("kind", ["h5", "mat5", "mat73", "text"])
def test_damaged_files_are_refused(tmp_path, rng, kind):
    path = tmp_path / ("a.h5" if kind == "h5" else "a.mat")
    if kind == "h5":
        write_h5(path, images=brick(rng))
    elif kind == "text":
        path.write_bytes(b"no array " * 200)
    else:
        (savemat if kind == "mat5" else write_mat73)(path, {"images": brick(rng, 40)})
    path.write_bytes(path.read_bytes()[: 150 if kind == "mat5" else 700])
    with pytest.raises(UnreadableError, match="cannot be read as a file of HDF5 or MATLAB"):
        find_stack(path)


def test_no_file_is_refused(tmp_path):
    with pytest.raises(MissingInputError, match=r"a\.h5 does not exist"):
        find_stack(tmp_path / "a.h5")
    with pytest.raises(MissingInputError, match=r"a\.h5 does not exist"):
        find_stack(tmp_path / "a.h5:images")
