"""features.ready: features of other programs come in whole, with their stimuli, or not at all."""

import hashlib
import logging
import pickle

import h5py
import numpy as np
import pytest
import torch
from scipy.io import savemat

from bids_dnn.errors import (
    ConfigError,
    MissingInputError,
    NotEnoughDataError,
    ShapeError,
    UnreadableError,
)
from bids_dnn.features.ready import Ready, grams, read_ready
from bids_dnn.stimuli.catalog import resolve
from tests.factories import ready_features as make

IDS = tuple(f"ä{i:02}.png" for i in range(23))


@pytest.fixture
def values(rng):
    return rng.normal(size=(23, 6)).astype("f4")


def write_npy(folder, values, ids=IDS):
    return make.npy(folder, values, ids)[0]


@pytest.mark.parametrize("write", make.SINGLE, ids=lambda one: one.__name__)
def test_each_program_gives_the_same(write, values, tmp_path):
    path, layer = write(tmp_path, values, IDS)
    found = read_ready(path)
    assert list(found) == [layer]
    np.testing.assert_allclose(found[layer].values, values, rtol=1e-6)
    assert found[layer].values.dtype == np.float32
    assert found[layer].ids == IDS
    assert found[layer].source == path.name
    assert len(found[layer].sha256) == 64


@pytest.mark.parametrize("write", make.SEVERAL, ids=lambda one: one.__name__)
def test_of_several_layers_one_is_chosen(write, values, tmp_path):
    path, layer = write(tmp_path, values, IDS)
    with pytest.raises(ConfigError, match=rf"holds 2 layers \(.*{layer}.*--network features:.*@"):
        read_ready(path)
    found = read_ready(path, layers=[layer])
    assert list(found) == [layer]
    np.testing.assert_array_equal(found[layer].values, values)
    assert found[layer].ids == IDS
    both = read_ready(path, layers=["*"])
    assert len(both) == 2
    assert len({one.sha256 for one in both.values()}) == 2


def test_an_unknown_layer_is_told_the_nearest(values, tmp_path):
    path, _ = make.things_layers(tmp_path, values, IDS)
    with pytest.raises(ConfigError, match=r"no layer 'clasifier.3'.*Did you mean 'classifier.3'"):
        read_ready(path, layers=["classifier.3", "clasifier.3"])


def test_layers_come_in_the_order_asked_for(values, tmp_path):
    np.savez(tmp_path / "a.npz", c=values, b=-values, stimulus=np.array(IDS))
    assert list(read_ready(tmp_path / "a.npz", layers=["b", "c"])) == ["b", "c"]


@pytest.mark.parametrize("write", [make.npy, make.hdf5, make.tensor, make.things_pt])
def test_maps_are_flattened_with_the_channel_slowest(write, rng, tmp_path):
    maps = rng.normal(size=(23, 4, 2, 3)).astype("f4")
    path, layer = write(tmp_path, maps, IDS)
    np.testing.assert_array_equal(read_ready(path)[layer].values, maps.reshape(23, -1))


def test_maps_of_thingsvision_in_matlab(rng, tmp_path):
    maps = rng.normal(size=(23, 4, 2, 3)).astype("f4")
    path, layer = make.things_mat(tmp_path, maps, IDS)
    np.testing.assert_array_equal(read_ready(path)[layer].values, maps.reshape(23, -1))


def test_rows_of_matlab_without_a_list_are_called_as_the_variables(values, tmp_path):
    savemat(tmp_path / "a.mat", {"cat": values[0], "dog": values[1]})
    found = read_ready(tmp_path / "a.mat")["a"]
    assert found.ids == ("cat", "dog")
    np.testing.assert_array_equal(found.values, values[:2])


@pytest.mark.parametrize("kind", ["f8", "f2", "i8", "u1", "?"])
def test_numbers_of_any_kind_become_single(kind, tmp_path):
    whole = np.arange(46).reshape(23, 2).astype(kind)
    found = read_ready(write_npy(tmp_path, whole))["conv1"]
    assert found.values.dtype == np.float32
    np.testing.assert_array_equal(found.values, whole)


def test_the_hash_is_of_the_bytes(values, tmp_path):
    path = write_npy(tmp_path, values)
    first = read_ready(path)["conv1"].sha256
    assert first == hashlib.sha256(path.read_bytes()).hexdigest()
    values[0, 0] += 1
    assert read_ready(write_npy(tmp_path, values))["conv1"].sha256 != first


def test_a_large_file_stays_on_the_disk(values, tmp_path):
    assert isinstance(read_ready(write_npy(tmp_path, values))["conv1"].values.base, np.memmap)


# --- bad input


@pytest.mark.parametrize(("n", "what"), [(22, "there are 22 ids"), (24, "there are 24 ids")])
def test_a_wrong_number_of_ids_is_refused(n, what, values, tmp_path):
    ids = [f"{i}.png" for i in range(n)]
    with pytest.raises(ShapeError, match=rf"'conv1'.*\(23, 6\), but {what}"):
        read_ready(write_npy(tmp_path, values, ids))


def test_ids_that_nobody_tells_are_asked_for(values, tmp_path):
    np.save(tmp_path / "a.npy", values)
    with pytest.raises(MissingInputError, match=r"23 rows, but nothing.*Write a\.tsv beside.*23"):
        read_ready(tmp_path / "a.npy")
    folder, _ = make.things_npy(tmp_path, values, IDS)
    (folder / "file_names.txt").unlink()
    with pytest.raises(MissingInputError, match=r"Write file_names\.txt"):
        read_ready(folder)


def test_an_id_that_stands_twice_is_named_with_its_place(values, tmp_path):
    ids = [*IDS[:-2], IDS[0], IDS[1]]
    with pytest.raises(UnreadableError, match=rf"conv1\.tsv names '{IDS[0]}' twice, and 2 id"):
        read_ready(write_npy(tmp_path, values, ids))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("write", [make.npy, make.hdf5, make.mat, make.tsv, make.things_pt])
def test_values_that_are_not_finite_are_refused_with_their_stimulus(write, bad, values, tmp_path):
    values[7, :2] = bad
    path, layer = write(tmp_path, values, IDS)
    with pytest.raises(UnreadableError, match=rf"{layer!r}.*2 NaN or infinite.*6 for '{IDS[7]}'"):
        read_ready(path)


def test_what_single_precision_cannot_hold_is_refused(values, tmp_path):
    huge = values.astype("f8")
    huge[3, 0] = 1e300
    with pytest.raises(UnreadableError, match=f"1 NaN or infinite.*{IDS[3]}"):
        read_ready(write_npy(tmp_path, huge))


def test_an_empty_array_is_refused(tmp_path):
    with pytest.raises(ShapeError, match="nothing in it"):
        read_ready(write_npy(tmp_path, np.zeros((0, 5), "f4"), ()))


@pytest.mark.parametrize("name", ["a.tsv", "a.csv", "a.txt"])
@pytest.mark.parametrize("text", ["", "stimulus\n", "a.png\nb.png\n"])
def test_a_table_without_features_is_refused(name, text, tmp_path):
    (tmp_path / name).write_text(text)
    with pytest.raises((ShapeError, UnreadableError), match=r"nothing in it|cannot be read"):
        read_ready(tmp_path / name)


@pytest.mark.parametrize("shape", [(), (23,)])
def test_one_axis_is_refused(shape, tmp_path):
    with pytest.raises(ShapeError, match=r"has shape .*\(stimuli, features\) was expected"):
        read_ready(write_npy(tmp_path, np.zeros(shape, "f4")))


def test_a_transposed_array_is_recognized(values, tmp_path):
    with pytest.raises(ShapeError, match=r"\(6, 23\).*23 ids: stimuli are its columns.*transpose"):
        read_ready(write_npy(tmp_path, values.T))


@pytest.mark.parametrize("kind", ["U3", "c8", "M8[s]", "S3"])
def test_what_is_no_number_is_refused(kind, tmp_path):
    with pytest.raises(UnreadableError, match="numbers were expected"):
        read_ready(write_npy(tmp_path, np.zeros((23, 2), dtype=kind)))


def test_a_word_in_a_table_is_named_with_its_place(values, tmp_path):
    path, _ = make.tsv(tmp_path, values, IDS)
    lines = path.read_text().splitlines()
    lines[5] = lines[5].rpartition("\t")[0] + "\tred"
    path.write_text("\n".join(lines))
    with pytest.raises(UnreadableError, match="'red' in column 7 of data row 5"):
        read_ready(path)
    path.write_text("\n".join(lines[:5]) + "\nx.png\t1\n")
    with pytest.raises(UnreadableError, match="rows of 1 to 6 features, and a first line of 6"):
        read_ready(path)


@pytest.mark.parametrize("missing", ["", "n/a", "nan"])
def test_a_cell_without_a_number_is_refused(missing, values, tmp_path):
    path, _ = make.tsv(tmp_path, values, IDS)
    lines = path.read_text().splitlines()
    lines[5] = lines[5].rpartition("\t")[0] + f"\t{missing}"
    path.write_text("\n".join(lines))
    with pytest.raises(UnreadableError, match=r"column 7 of data row 5|1 NaN"):
        read_ready(path)


class Bomb:
    """Its pickle runs code."""

    def __reduce__(self):
        return (open, ("/nowhere/bids_dnn_bomb", "w"))


def bombs(folder):
    objects = np.array([[Bomb()] * 2] * 23, dtype=object)
    np.save(folder / "a.npy", objects, allow_pickle=True)
    np.savez(folder / "a.npz", a=objects, ids=np.array(IDS))
    torch.save({"a": Bomb()}, folder / "a.pt")
    (folder / "b.npy").write_bytes(pickle.dumps(Bomb()))
    (folder / "b.npz").write_bytes(pickle.dumps(Bomb()))


@pytest.mark.parametrize("name", ["a.npy", "a.npz", "a.pt", "b.npy", "b.npz"])
def test_nothing_is_unpickled(name, tmp_path):
    bombs(tmp_path)
    make.write_ids(tmp_path / "file_names.txt", IDS, None)
    with pytest.raises(UnreadableError, match=r"pickled objects|cannot be read as features"):
        read_ready(tmp_path / name)


def test_nobody_is_advised_to_run_code(tmp_path):
    bombs(tmp_path)
    with pytest.raises(UnreadableError) as caught:
        read_ready(tmp_path / "a.pt")
    told = str(caught.value)
    assert "a.pt cannot be read as features: it holds code of" in told
    assert "weights_only" not in told
    assert "still be loaded" not in told


@pytest.mark.parametrize(
    "write",
    [make.npy, make.npz, make.hdf5, make.mat, make.mat73, make.tensor, make.things_mat],
    ids=lambda one: one.__name__,
)
@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_a_file_that_ends_early_is_refused(write, share, rng, tmp_path):
    path, _ = write(tmp_path, rng.normal(size=(23, 400)).astype("f4"), IDS)
    file = next(path.glob("features.*")) if path.is_dir() else path
    raw = file.read_bytes()
    file.write_bytes(raw[: int(share * len(raw))])
    with pytest.raises((UnreadableError, ShapeError)) as caught:
        read_ready(path)
    assert str(file.parent) in str(caught.value)


def test_what_is_not_there_or_unknown_is_told(tmp_path):
    with pytest.raises(MissingInputError, match=r"no file .*absent\.npy"):
        read_ready(tmp_path / "absent.npy")
    (tmp_path / "a.mst").touch()
    with pytest.raises(UnreadableError, match=r"suffix '\.mst'.*\.mat"):
        read_ready(tmp_path / "a.mst")
    (tmp_path / "empty").mkdir()
    with pytest.raises(MissingInputError, match="no file of features"):
        read_ready(tmp_path / "empty")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["ids"] = list(IDS)
    with pytest.raises(UnreadableError, match="no array of numbers"):
        read_ready(tmp_path / "a.h5")


def test_a_missing_piece_is_found_out(values, tmp_path):
    folder, _ = make.things_pieces(tmp_path, values, IDS)
    (folder / "features_03.npy").unlink()
    with pytest.raises(ShapeError, match=r"features_04\.npy begins at 4"):
        read_ready(folder)
    (tmp_path / "more").mkdir()
    folder, _ = make.things_layers(tmp_path / "more", values, IDS)
    (folder / "classifier.3" / "features_0-2.npy").unlink()
    with pytest.raises(ShapeError, match=r"features_2-22\.npy begins at 2.*end at 0"):
        read_ready(folder)


def test_a_table_of_ids_without_a_known_column_is_refused(values, tmp_path):
    path = write_npy(tmp_path, values)
    make.write_ids(tmp_path / "conv1.tsv", IDS, "picture")
    with pytest.raises(UnreadableError, match=r"columns picture, category.*Call that column"):
        read_ready(path)


def test_binary_in_place_of_a_list_is_refused(values, tmp_path):
    path = write_npy(tmp_path, values)
    (tmp_path / "conv1.tsv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UnreadableError, match="UTF-8"):
        read_ready(path)


def test_links_to_other_files_are_not_followed(values, tmp_path):
    make.hdf5(tmp_path, values, IDS)
    with h5py.File(tmp_path / "links.h5", "w") as file:
        file["stolen"] = h5py.ExternalLink("all.h5", "alexnet/fc6")
    with pytest.raises(UnreadableError, match="no array of numbers"):
        read_ready(tmp_path / "links.h5")


# --- products


def test_products_join_stimuli_by_name(values, tmp_path, caplog):
    """The catalog has other folders, another order, fewer pictures."""
    catalog = [f"set/{name}" for name in reversed(IDS[3:])]
    found = read_ready(write_npy(tmp_path, values))
    with caplog.at_level(logging.WARNING):
        (gram,) = grams(found, resolve(IDS, catalog), network="mine")
    assert "3 of 23 rows" in caplog.text
    assert IDS[0] in caplog.text
    assert gram.stimuli == tuple(f"set/{name}" for name in IDS[3:])
    x = values[3:].astype("f8")
    np.testing.assert_allclose(gram.gram, x @ x.T, rtol=1e-12)
    np.testing.assert_allclose(gram.sums, x.sum(axis=1), rtol=1e-12)
    assert (gram.network, gram.layer, gram.n_features) == ("mine", "conv1", 6)
    assert gram.identity["weights_sha256"] == found["conv1"].sha256


def test_the_identity_tells_what_the_products_depend_on(values, tmp_path):
    found = read_ready(write_npy(tmp_path, values))
    same = {name: name for name in IDS}
    (base,) = grams(found, same, network="mine")
    assert base.identity == grams(found, same, network="mine")[0].identity
    fewer = {name: name for name in IDS[1:]}
    other = dict(zip(IDS, reversed(IDS), strict=True))
    for resolved in (fewer, other):
        assert grams(found, resolved, network="mine")[0].identity != base.identity
    values[0, 0] += 1
    changed = read_ready(write_npy(tmp_path, values))
    assert grams(changed, same, network="mine")[0].identity != base.identity


def test_two_rows_of_one_stimulus_are_refused(values):
    ready = {"a": Ready(IDS, values, "0", "a.npy")}
    with pytest.raises(NotEnoughDataError, match=rf"'{IDS[0]}' and '{IDS[1]}' in a\.npy are both"):
        grams(ready, dict.fromkeys(IDS[:2], "x.png"), network="mine")


def test_features_of_another_data_set_are_refused(values):
    ready = {"a": Ready(IDS, values, "0", "a.npy")}
    with pytest.raises(MissingInputError, match=rf"None of the 23 ids.*'{IDS[0]}'"):
        grams(ready, {}, network="mine")


def test_ready_features_check_themselves(values):
    for ids in (IDS[1:], [IDS[0]] * 23):
        with pytest.raises(ShapeError, match=r"\(23, 6\)"):
            Ready(tuple(ids), values, "0")
