"""ingest.ready.tvsd: the release and its exports come out as they were written."""

import shutil

import h5py
import numpy as np
import pytest

from bids_dnn.errors import MissingInputError, ShapeError, UnreadableError
from bids_dnn.ingest.ready import door, tvsd
from tests.factories.mat73 import write_mat73
from tests.factories.ready_tvsd import export_mua, norm_mua, write_pictures


@pytest.fixture
def release(tmp_path, rng):
    truth = {name: norm_mua(tmp_path / name, rng) for name in ("monkeyF", "monkeyN")}
    return tmp_path, truth


@pytest.fixture
def exports(tmp_path, rng):
    return tmp_path / "monkeyN", export_mua(tmp_path / "monkeyN", rng)


def read(folder, label, **kwargs):
    (subject,), _ = tvsd.find(folder, participants=[label], space=None)
    return tvsd.read_responses(subject, **{"standardize": "none", **kwargs})


def units_of(ingested):
    return {roi.name: roi.space.index for roi in ingested.rois}


def test_monkeys_are_found_by_folder(release):
    subjects, notes = door("tvsd").find(release[0], participants=[], space="electrodes")
    assert [s.participant for s in subjects] == ["monkeyF", "monkeyN"]
    assert [p.name for p in subjects[0].files] == ["THINGS_normMUA.mat", "things_imgs.mat"]
    assert notes == []
    (alone,), _ = tvsd.find(release[0] / "monkeyN", participants=[], space=None)
    assert alone == subjects[1]


def test_numbers_and_pictures_are_those_written(release):
    folder, truth = release
    held, responses = truth["monkeyF"], read(folder, "monkeyF").responses
    expected = np.concatenate([held["train"], *held["repeats"]]).astype(np.float32)
    np.testing.assert_array_equal(responses.values, expected)
    samples = responses.samples
    train, test = held["names"]
    assert samples["stimulus"].tolist() == train + test * 3
    assert samples["condition"].tolist() == [n.split("/")[0] for n in train + test * 3]
    assert samples["run"].unique().tolist() == ["train", "test01", "test02", "test03"]
    assert samples["repeat"].tolist() == [0] * 12 + [0] * 4 + [1] * 4 + [2] * 4
    assert (responses.scale, responses.independence) == ("zscore", "sample")


def test_areas_follow_the_arrays_of_each_monkey(release):
    f, n = (units_of(read(release[0], f"monkey{m}")) for m in "FN")
    for areas, name, first, last in (
        (f, "V1", 0, 512),
        (f, "IT", 512, 832),
        (f, "V4", 832, 1024),
        (n, "V1", 0, 512),
        (n, "V4", 512, 768),
        (n, "IT", 768, 1024),
    ):
        np.testing.assert_array_equal(areas[name], np.arange(first, last))


def test_normalization_over_test_days_is_told(release):
    ingested = read(release[0], "monkeyF")
    assert any("carry statistics of test images" in w for w in ingested.facts["warnings"])
    assert ingested.facts["median_reliability"] == 0.5


def test_without_repetitions_averages_are_taken_and_told(release):
    folder, truth = release
    with h5py.File(folder / "monkeyF" / "THINGS_normMUA.mat", "r+") as file:
        del file["test_MUA_reps"]
    ingested = read(folder, "monkeyF")
    mean = truth["monkeyF"]["repeats"].mean(axis=0)
    np.testing.assert_array_equal(ingested.responses.values[12:], mean.astype(np.float32))
    assert any("averages over showings" in w for w in ingested.facts["warnings"])


def test_channels_that_are_nan_in_some_showing_are_left_out(release):
    folder, truth = release
    with h5py.File(folder / "monkeyF" / "THINGS_normMUA.mat", "r+") as file:
        file["test_MUA_reps"][2, 1, 5] = np.nan
    ingested = read(folder, "monkeyF")
    assert ingested.facts["left_out_because"]["nan"] == 1
    expected = np.delete(truth["monkeyF"]["train"], 5, axis=1).astype(np.float32)
    np.testing.assert_array_equal(ingested.responses.values[:12], expected)
    assert 5 not in ingested.responses.space.index


def test_showings_without_a_response_are_counted_and_left_out(release):
    folder, truth = release
    with h5py.File(folder / "monkeyF" / "THINGS_normMUA.mat", "r+") as file:
        file["test_MUA_reps"][2, 1] = np.nan
    ingested = read(folder, "monkeyF")
    held = truth["monkeyF"]
    expected = np.delete(held["repeats"][2], 1, axis=0).astype(np.float32)
    np.testing.assert_array_equal(ingested.responses.values[20:], expected)
    names = ingested.responses.samples["stimulus"][20:].tolist()
    assert names == [n for i, n in enumerate(held["names"][1]) if i != 1]
    assert any(
        "1 showings of test images have no response" in w for w in ingested.facts["warnings"]
    )


def test_exports_lie_side_by_side(exports):
    folder, held = exports
    ingested = read(folder, "monkeyN")
    responses = ingested.responses
    np.testing.assert_array_equal(responses.values, held["values"].astype(np.float32))
    assert list(responses.space.names) == held["channels"]
    assert {k: v.tolist() for k, v in units_of(ingested).items()} == {
        "V1": [0, 1, 2, 3, 4],
        "V4": [5, 6, 7, 8],
        "array01": [0, 1, 2],
        "array02": [3, 4],  # array 10 is all there is of V4
    }
    assert [roi.name for roi in ingested.rois if roi.is_part] == ["array01", "array02"]
    layout = responses.space.layout
    assert layout.array[:4] == ("array01", "array01", "array01", "array02")
    assert layout.area == ("V1",) * 5 + ("V4",) * 4
    assert layout.channel.tolist() == [2, 4, 6, 2, 4, 2, 4, 6, 8]
    assert np.isnan(layout.place).all()
    assert ingested.facts["arrays_without_channels"] == ["6"]
    assert responses.scale == "raw"


def test_exports_without_a_list_number_their_pictures(exports):
    _, notes = tvsd.find(exports[0], participants=[], space=None)
    assert "named by number" in notes[0]
    samples = read(exports[0], "monkeyN").responses.samples
    assert samples["stimulus"][0] == "train/THINGS_train/00001.bmp"
    assert samples["stimulus"][12] == "val/test/00001.bmp"
    assert (samples["condition"] == samples["stimulus"]).all()


def test_exports_take_a_list_that_is_there(exports):
    train, test = write_pictures(exports[0], 12, 4)
    samples = read(exports[0], "monkeyN").responses.samples
    assert samples["stimulus"].tolist() == train + test


def test_areas_of_another_monkey_come_from_a_table(exports):
    other = exports[0].with_name("Rex")
    shutil.copytree(exports[0], other)
    ingested = read(other, "Rex")
    assert list(units_of(ingested)) == ["array01", "array02", "array10"]
    assert any("areas.tsv" in w for w in ingested.facts["warnings"])
    (other / "areas.tsv").write_text("array\tarea\n1\tV2\n10\tTEO\n")
    regions = {k: len(v) for k, v in units_of(read(other, "Rex")).items()}
    assert regions == {"TEO": 4, "V2": 3, "array02": 2}


def test_places_of_electrodes_come_from_a_table(exports):
    home = exports[0]
    (home / "electrodes.tsv").write_text(
        "array\tchannel\trow\tcolumn\n1\t2\t1\t1\n1\t4\t1\t2\n1\t6\tn/a\t1\n10\t8\t3\t4\n"
    )
    place = read(home, "monkeyN").responses.space.layout.place
    assert place[[0, 1, 8]].tolist() == [[1, -1], [2, -1], [4, -3]]
    assert np.isnan(place[2:8]).all()


@pytest.mark.parametrize(
    ("rows", "match"),
    [
        ("1\t2\t1\t1\n1\t2\t2\t2\n", "2 rows for 1 electrodes"),
        ("1\t2\tleft\t1\n", "row = 'left' in row 1"),
        ("one\t2\t1\t1\n", "array = 'one' in row 1"),
    ],
)
def test_places_that_cannot_be_read_are_refused(exports, rows, match):
    (exports[0] / "electrodes.tsv").write_text(f"array\tchannel\trow\tcolumn\n{rows}")
    with pytest.raises(UnreadableError, match=match):
        read(exports[0], "monkeyN")


def test_z_scores_use_all_samples_of_a_run(release):
    responses = read(release[0], "monkeyF", standardize="run").responses
    np.testing.assert_allclose(responses.values[:12].mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(responses.values[12:16].std(axis=0), 1, atol=1e-5)


# --- bad input


def test_an_empty_folder_is_told_the_layout(tmp_path):
    with pytest.raises(MissingInputError, match=r"any participant[\s\S]*THINGS_normMUA\.mat"):
        tvsd.find(tmp_path, participants=[], space=None)


def test_a_missing_list_of_pictures_is_named(release):
    (release[0] / "monkeyF" / "_logs" / "things_imgs.mat").unlink()
    with pytest.raises(MissingInputError, match=r"_logs/things_imgs\.mat in monkeyF, which names"):
        tvsd.find(release[0], participants=["monkeyF"], space=None)


def test_another_monkey_and_another_space_are_refused(release):
    with pytest.raises(MissingInputError, match="no participant 'monkeyX'"):
        tvsd.find(release[0], participants=["monkeyX"], space=None)
    with pytest.raises(MissingInputError, match="no responses in the space 'T1w'"):
        tvsd.find(release[0], participants=[], space="T1w")


def test_a_list_of_another_length_is_named(release):
    write_pictures(release[0] / "monkeyF", 11, 4)
    with pytest.raises(ShapeError, match="names 11 train images, there are responses to 12"):
        read(release[0], "monkeyF")


@pytest.mark.parametrize("name", ["..\\..\\secret.jpg", "C:\\pics\\a.jpg", "/etc/a.jpg"])
def test_pictures_outside_the_data_set_are_refused(release, name):
    records = [{"things_path": name}, *[{"things_path": f"a\\{i}.jpg"} for i in range(11)]]
    path = release[0] / "monkeyF" / "_logs" / "things_imgs.mat"
    write_mat73(path, {"train_imgs": records, "test_imgs": records[:4]})
    with pytest.raises(UnreadableError, match="lies outside the data set"):
        read(release[0], "monkeyF")


def test_a_list_without_paths_is_named(release):
    path = release[0] / "monkeyF" / "_logs" / "things_imgs.mat"
    write_mat73(path, {"train_imgs": [{"class": "a"}, {"class": "b"}]})
    with pytest.raises(UnreadableError, match="no things_path in train_imgs"):
        read(release[0], "monkeyF")


@pytest.mark.parametrize("name", ["THINGS_normMUA.mat", "_logs/things_imgs.mat"])
def test_files_cut_short_are_named(release, name):
    path = release[0] / "monkeyF" / name
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(UnreadableError, match=path.name):
        read(release[0], "monkeyF")


def test_a_missing_array_is_named(release):
    with h5py.File(release[0] / "monkeyF" / "THINGS_normMUA.mat", "r+") as file:
        del file["train_MUA"]
    with pytest.raises(UnreadableError, match="holds no array 'train_MUA'"):
        read(release[0], "monkeyF")


def test_other_channels_in_the_repetitions_are_named(release):
    with h5py.File(release[0] / "monkeyF" / "THINGS_normMUA.mat", "r+") as file:
        del file["test_MUA_reps"]
        file["test_MUA_reps"] = np.zeros((3, 4, 1000))
    with pytest.raises(ShapeError, match=r"test_MUA_reps of shape \(3, 4, 1000\) for 1024"):
        read(release[0], "monkeyF")


def test_exports_of_other_lengths_are_named(exports, rng):
    export_mua(exports[0], rng, counts=(2,), numbers=(3,), n_train=11)
    with pytest.raises(ShapeError, match=r"array3\.mat has 11 and 12 training images"):
        read(exports[0], "monkeyN")


def test_a_table_of_areas_with_an_array_twice_is_refused(exports):
    (exports[0] / "areas.tsv").write_text("array\tarea\n1\tV1\n1\tV4\n")
    with pytest.raises(UnreadableError, match="stand twice"):
        read(exports[0], "monkeyN")
