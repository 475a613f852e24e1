"""ingest.matfile: MAT v5 and v7.3 read as one, nothing is run, bad files are named."""

import h5py
import numpy as np
import pytest
from scipy import sparse
from scipy.io import savemat

from bids_dnn.errors import MissingInputError, UnreadableError
from bids_dnn.ingest.matfile import Opaque, names_in, read_mat
from tests.factories.mat73 import write_mat73


def cells(*items, shape=None):
    made = np.empty(len(items), dtype=object)
    for i, item in enumerate(items):
        made[i] = item
    return made.reshape(shape or (1, len(items)))


def records(*rows):
    names = list(rows[0])
    made = np.empty((1, len(rows)), dtype=[(name, object) for name in names])
    for i, row in enumerate(rows):
        for name in names:
            made[0, i][name] = row[name]
    return made


def contents():
    """Give what both formats can hold, as our writer takes it."""
    rng = np.random.default_rng(0)
    return {
        "matrix": rng.normal(size=(3, 4)),
        "cube": rng.normal(size=(2, 3, 4)).astype(np.float32),
        "row": rng.normal(size=(1, 5)),
        "column": rng.normal(size=(5, 1)),
        "bytes": np.arange(6, dtype=np.uint8).reshape(2, 3),
        "short": np.array([[-5, 7]], dtype=np.int16),
        "truth": np.array([[True, False, True]]),
        "one": 3.5,
        "nothing": np.zeros((0, 0)),
        "text": "Grüße, 日本",
        "no_text": "",
        "lines": np.array(["one  ", "three"]),
        "sparse": sparse.csc_array(np.diag([1.0, 0, 3.0])[:, :2]),
        "hollow": sparse.csc_array((3, 2)),
        "struct": {"zulu": 1.0, "alpha": {"deep": "er"}, "mixed": cells("a", 2.0)},
        "structs": [{"name": "a", "dim": np.array([[1.0, 2.0]])}, {"name": "bc", "dim": 3.0}],
        "cells": cells("x", np.arange(3.0)[None], cells("y"), {"in": 1.0}),
        "table": cells("a", 1.0, "b", 2.0, "c", 3.0, shape=(3, 2)),
        "one_cell": cells("lonely"),
        "no_cells": np.empty((0, 0), dtype=object),
    }


def as_savemat(value):
    """Give the same to scipy, whose lists would be matrices."""
    if isinstance(value, dict):
        return {k: as_savemat(v) for k, v in value.items()}
    if isinstance(value, list):
        return records(*map(as_savemat, value))
    return value


def assert_same(a, b, where="file"):
    assert type(a) is type(b), (where, a, b)
    if isinstance(a, dict):
        assert list(a) == list(b), where
        for name in a:
            assert_same(a[name], b[name], f"{where}.{name}")
    elif isinstance(a, list):
        assert len(a) == len(b), where
        for i, (x, y) in enumerate(zip(a, b, strict=True)):
            assert_same(x, y, f"{where}[{i}]")
    elif sparse.issparse(a):
        assert (a.shape, a.dtype) == (b.shape, b.dtype), where
        np.testing.assert_array_equal(a.toarray(), b.toarray(), err_msg=where)
    elif isinstance(a, np.ndarray):
        assert (a.shape, a.dtype) == (b.shape, b.dtype), where
        np.testing.assert_array_equal(a, b, err_msg=where)
    else:
        assert a == b, where


@pytest.fixture
def both(tmp_path):
    held = contents()
    savemat(tmp_path / "v5.mat", as_savemat(held), do_compression=True)
    return tmp_path / "v5.mat", write_mat73(tmp_path / "v73.mat", held)


def test_both_formats_read_as_one(both):
    old, new = (read_mat(path) for path in both)
    assert_same(dict(sorted(old.items())), dict(sorted(new.items())))


@pytest.mark.parametrize("which", [0, 1], ids=["v5", "v7.3"])
def test_values_are_those_of_matlab(both, which):
    held, found = contents(), read_mat(both[which])
    np.testing.assert_array_equal(found["matrix"], held["matrix"])
    np.testing.assert_array_equal(found["cube"], held["cube"])
    assert found["cube"].dtype == np.float32
    assert found["row"].shape == found["column"].shape == (5,)
    assert found["one"] == 3.5
    assert found["text"] == "Grüße, 日本"
    assert found["no_text"] == ""
    assert found["lines"] == ["one  ", "three"]
    assert found["nothing"].shape == (0,)
    assert found["truth"].tolist() == [True, False, True]
    assert list(found["struct"]) == ["zulu", "alpha", "mixed"]
    assert found["struct"]["alpha"] == {"deep": "er"}
    assert [s["name"] for s in found["structs"]] == ["a", "bc"]
    assert found["structs"][1]["dim"] == 3.0
    assert found["cells"][2:] == [["y"], {"in": 1.0}]
    assert found["table"] == [["a", 1.0], ["b", 2.0], ["c", 3.0]]
    assert found["one_cell"] == ["lonely"]
    assert found["no_cells"] == []
    assert found["short"].dtype == np.int16


@pytest.mark.parametrize("which", [0, 1], ids=["v5", "v7.3"])
def test_only_what_is_named_is_read(both, which):
    assert list(read_mat(both[which], ["text"])) == ["text"]
    assert {"text", "structs"} <= set(names_in(both[which]))
    assert not any(name.startswith(("#", "__")) for name in names_in(both[which]))


@pytest.mark.parametrize("which", [0, 1], ids=["v5", "v7.3"])
def test_only_fields_that_are_named_are_read(both, which):
    found = read_mat(both[which], ["struct", "structs", "one"], fields=["zulu", "dim", "other"])
    assert found["struct"] == {"zulu": 1.0}
    assert [list(s) for s in found["structs"]] == [["dim"], ["dim"]]
    assert found["one"] == 3.5


@pytest.mark.parametrize("which", [0, 1], ids=["v5", "v7.3"])
def test_a_variable_that_is_not_there_is_named_with_the_nearest(both, which):
    with pytest.raises(MissingInputError, match=r"no variable 'matrx'\. Did you mean 'matrix'"):
        read_mat(both[which], ["matrx"])


def test_complex_numbers_keep_their_imaginary_part(tmp_path, rng):
    held = {"z": rng.normal(size=(2, 3)) + 1j * rng.normal(size=(2, 3))}
    savemat(tmp_path / "v5.mat", held)
    for path in (tmp_path / "v5.mat", write_mat73(tmp_path / "v73.mat", held)):
        np.testing.assert_array_equal(read_mat(path)["z"], held["z"])


def test_format_4_is_read(tmp_path):
    savemat(tmp_path / "a.mat", {"x": np.arange(6.0).reshape(2, 3), "s": "ab"}, format="4")
    found = read_mat(tmp_path / "a.mat")
    np.testing.assert_array_equal(found["x"], np.arange(6.0).reshape(2, 3))
    assert found["s"] == "ab"


def test_code_and_objects_are_named_not_run(tmp_path):
    path = write_mat73(tmp_path / "a.mat", {"plain": 1.0, "f": {"x": 1.0}, "t": np.zeros((1, 6))})
    with h5py.File(path, "r+") as file:
        file["f"].attrs["MATLAB_class"] = np.bytes_("function_handle")
        file["t"].attrs["MATLAB_class"] = np.bytes_("table")
        file["t"].attrs["MATLAB_object_decode"] = np.int32(3)
    found = read_mat(path)
    assert found == {"plain": 1.0, "f": Opaque("function_handle"), "t": Opaque("table")}


@pytest.mark.parametrize("which", [0, 1], ids=["v5", "v7.3"])
@pytest.mark.parametrize("part", [0.05, 0.5, 0.95])
def test_a_file_cut_short_is_named(both, which, part):
    raw = both[which].read_bytes()
    both[which].write_bytes(raw[: int(len(raw) * part)])
    with pytest.raises(UnreadableError, match=r"v\d+\.mat .*(MATLAB file)"):
        read_mat(both[which])


@pytest.mark.parametrize("raw", [b"", b"no MATLAB file at all, but some text" * 20])
def test_what_is_no_matlab_file_is_named(tmp_path, raw):
    (tmp_path / "a.mat").write_bytes(raw)
    with pytest.raises(UnreadableError, match=r"a\.mat cannot be read as a MATLAB file"):
        read_mat(tmp_path / "a.mat")


def test_a_link_that_was_not_fetched_says_datalad_get(tmp_path):
    (tmp_path / "a.mat").symlink_to(tmp_path / ".git/annex/objects/x")
    with pytest.raises(MissingInputError, match=r"datalad get .*a\.mat"):
        read_mat(tmp_path / "a.mat")


def test_another_file_is_not_opened_through_a_link(tmp_path):
    write_mat73(tmp_path / "secret.mat", {"x": 1.0})
    path = write_mat73(tmp_path / "a.mat", {"y": 1.0})
    with h5py.File(path, "r+") as file:
        file["x"] = h5py.ExternalLink(str(tmp_path / "secret.mat"), "x")
    with pytest.raises(UnreadableError, match="'x' as a link to another place"):
        read_mat(path)
    assert read_mat(path, ["y"]) == {"y": 1.0}


def test_circles_are_refused(tmp_path):
    path = write_mat73(tmp_path / "a.mat", {"x": {"y": 1.0}})
    with h5py.File(path, "r+") as file:
        file["x/again"] = file["x"]
    with pytest.raises(UnreadableError, match="going in circles"):
        read_mat(path)


@pytest.mark.real
def test_a_real_design_saved_again_as_v73_reads_the_same(real_data, tmp_path):
    old = read_mat(real_data / "spm_auditory" / "SPM.mat")
    new = read_mat(write_mat73(tmp_path / "SPM.mat", old))
    assert_same(old, new)
    assert len(old["SPM"]["xX"]["name"]) == 2
    assert old["SPM"]["xY"]["RT"] == 7.0
