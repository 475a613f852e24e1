"""ingest.ready.table: an array and its tables come out as they were written."""

import json

import numpy as np
import pandas as pd
import pytest

from bids_dnn.errors import MissingInputError, NotEnoughDataError, ShapeError, UnreadableError
from bids_dnn.ingest.ready import door, table
from tests.factories.ready_table import table_folder, voxel_folder


@pytest.fixture
def made(tmp_path, rng):
    return tmp_path, table_folder(tmp_path / "sub-01", rng)


def read(folder, **kwargs):
    (subject,), _ = table.find(folder, participants=[], space=None)
    return table.read_responses(subject, **{"standardize": "none", **kwargs})


def edit(home, name, /, **columns):
    held = pd.read_csv(home / name, sep="\t", dtype=str, keep_default_na=False)
    held.assign(**columns).to_csv(home / name, sep="\t", index=False)


def test_participants_are_folders_or_the_folder_itself(made, rng):
    table_folder(made[0] / "sub-02", rng)
    subjects, _ = door("table").find(made[0], participants=[], space=None)
    assert [s.participant for s in subjects] == ["01", "02"]
    (alone,), _ = table.find(made[0] / "sub-02", participants=["02"], space="units")
    assert alone.participant == "02"
    names = ["responses.npy", "samples.tsv", "units.tsv"]
    assert [path.name for path in alone.files] == names


def test_numbers_samples_and_regions_are_those_written(made):
    folder, truth = made
    ingested = read(folder)
    responses = ingested.responses
    np.testing.assert_array_equal(responses.values, truth["values"])
    samples = responses.samples
    assert samples["stimulus"][:5].tolist() == [
        "",
        "faces/1.png",
        "faces/2.png",
        "faces/3.png",
        "",
    ]
    assert samples["condition"][:2].tolist() == ["blank", "face"]
    assert samples["run"][[0, 1, 11]].tolist() == ["01x1", "01x2", "02x2"]
    assert samples["repeat"].tolist() == [0, 0, 0, 0, 0, 1, 1, 1, 0, 2, 2, 2]
    assert np.isnan(samples["reaction_time"][0])
    assert samples["reaction_time"][1] == 0.6
    assert samples["button"][0] == "left"
    assert {roi.name: roi.space.index.tolist() for roi in ingested.rois} == {
        "V1": [0, 1],
        "V4": [2, 3],
        "early": [0, 1],
    }
    assert responses.space.names == ("n0", "n1", "n2", "n3", "n4", "n5")
    assert (responses.scale, responses.independence) == ("raw", "sample")


def test_the_sidecar_tells_scale_and_space(tmp_path, rng):
    told = {"Scale": "rate", "Independence": "run", "Space": "probe", "Model": "counts"}
    table_folder(tmp_path, rng, sidecar=told)
    ingested = read(tmp_path)
    responses = ingested.responses
    assert (responses.scale, responses.independence) == ("rate", "run")
    assert (responses.space.name, ingested.facts["model"]) == ("probe", "counts")


def test_nan_units_are_left_out_with_their_place_in_regions(made):
    folder, truth = made
    truth["values"][3, 0] = np.nan
    np.save(folder / "sub-01" / "responses.npy", truth["values"])
    ingested = read(folder)
    np.testing.assert_array_equal(ingested.responses.values, truth["values"][:, 1:])
    assert {roi.name: roi.n_before for roi in ingested.rois}["V1"] == 2
    assert {roi.name: len(roi.space) for roi in ingested.rois}["V1"] == 1


def test_three_sessions_are_z_scored_by_auto(tmp_path, rng):
    values = table_folder(tmp_path, rng, n_sessions=3)["values"]
    responses = read(tmp_path, standardize="auto").responses
    part = values[4:8].astype(float)
    expected = (part - part.mean(axis=0)) / part.std(axis=0)
    np.testing.assert_allclose(responses.values[4:8], expected, atol=1e-5)
    assert responses.scale == "zscore"


def test_sessions_that_alternate_are_z_scored_alike(tmp_path, rng):
    values = table_folder(tmp_path, rng)["values"]
    edit(tmp_path, "samples.tsv", session=["1", "2"] * 6)
    responses = read(tmp_path, standardize="session").responses
    part = values[1::2].astype(float)
    expected = (part - part.mean(axis=0)) / part.std(axis=0)
    np.testing.assert_allclose(responses.values[1::2], expected, atol=1e-5)


# --- voxels


def test_units_are_the_voxels_of_the_mask_in_order(tmp_path, rng):
    truth = voxel_folder(tmp_path, rng)
    responses = read(tmp_path).responses
    np.testing.assert_array_equal(responses.values, truth["values"])
    space = responses.space
    found = np.column_stack(np.unravel_index(space.index, space.shape))
    np.testing.assert_array_equal(found, truth["voxels"])
    assert space.name == "native"
    (other,), _ = table.find(tmp_path, participants=[], space="T1w")
    assert table.read_responses(other, standardize="none").responses.space.name == "T1w"


@pytest.mark.parametrize("columns", ["ijk", "xyz"])
def test_units_in_another_order_keep_their_voxels(tmp_path, rng, columns):
    n = len(voxel_folder(tmp_path / "count", rng)["voxels"])
    truth = voxel_folder(tmp_path / "a", rng, order=rng.permutation(n)[:-1], columns=columns)
    responses = read(tmp_path / "a").responses
    np.testing.assert_array_equal(responses.values, truth["values"])
    found = np.column_stack(np.unravel_index(responses.space.index, responses.space.shape))
    np.testing.assert_array_equal(found, truth["voxels"])


def test_as_many_units_as_voxels_are_needed(tmp_path, rng):
    voxel_folder(tmp_path, rng)
    (tmp_path / "units.tsv").write_text("name\tregion\nv0\tV1\n")
    with pytest.raises(ShapeError, match=r"has 1 units for \d+ voxels of mask\.nii\.gz"):
        read(tmp_path)


def test_voxels_outside_the_mask_and_twice_are_refused(tmp_path, rng):
    n = len(voxel_folder(tmp_path / "count", rng)["voxels"])
    truth = voxel_folder(tmp_path / "a", rng, order=np.arange(n))
    i = truth["voxels"][:, 0].astype(str)
    edit(tmp_path / "a", "units.tsv", i=["9", *i[1:]])
    with pytest.raises(
        UnreadableError, match=r"places 1 units outside mask\.nii\.gz, such as row 1"
    ):
        read(tmp_path / "a")
    first = {c: [str(v[0])] * 2 for c, v in zip("ijk", truth["voxels"].T, strict=True)}
    rest = {c: v[2:].astype(str).tolist() for c, v in zip("ijk", truth["voxels"].T, strict=True)}
    edit(tmp_path / "a", "units.tsv", **{c: first[c] + rest[c] for c in "ijk"})
    with pytest.raises(UnreadableError, match="1 units on a voxel that has one already"):
        read(tmp_path / "a")


# --- bad input


def test_an_empty_folder_is_told_the_layout(tmp_path):
    with pytest.raises(MissingInputError, match=r"any participant[\s\S]*responses\.npy"):
        table.find(tmp_path, participants=[], space=None)


@pytest.mark.parametrize("name", ["samples.tsv", "units.tsv"])
def test_a_missing_table_is_named(made, name):
    (made[0] / "sub-01" / name).unlink()
    with pytest.raises(MissingInputError, match=f"no {name}"):
        table.find(made[0], participants=[], space=None)


def test_another_space_is_refused(made):
    with pytest.raises(MissingInputError, match="no responses in the space 'T1w'"):
        table.find(made[0], participants=[], space="T1w")


def test_an_array_cut_short_is_named(made):
    path = made[0] / "sub-01" / "responses.npy"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(UnreadableError, match=r"responses\.npy is no whole array"):
        read(made[0])


def test_pickled_objects_are_refused_and_not_run(made):
    class Bomb:
        def __reduce__(self):
            return (open, (str(made[0] / "ran"), "w"))

    objects = np.array([[Bomb()]], dtype=object)
    np.save(made[0] / "sub-01" / "responses.npy", objects, allow_pickle=True)
    with pytest.raises(UnreadableError, match="nothing in it was run"):
        read(made[0])
    assert not (made[0] / "ran").exists()


def test_other_lengths_are_named(made):
    np.save(made[0] / "sub-01" / "responses.npy", np.zeros((11, 6)))
    with pytest.raises(ShapeError, match=r"shape \(11, 6\); 12 samples x 6 units"):
        read(made[0])
    np.save(made[0] / "sub-01" / "responses.npy", np.zeros((6, 12)))
    with pytest.raises(ShapeError, match=r"Save it transposed"):
        read(made[0])
    np.save(made[0] / "sub-01" / "responses.npy", np.zeros(12))
    with pytest.raises(ShapeError, match=r"2 axes were expected"):
        read(made[0])


def test_a_sample_or_unit_twice_is_refused(made):
    home = made[0] / "sub-01"
    edit(home, "samples.tsv", sample=["s0", "s0", *[f"s{i}" for i in range(2, 12)]])
    with pytest.raises(UnreadableError, match="sample 's0' twice"):
        read(made[0])
    edit(home, "samples.tsv", sample=[f"s{i}" for i in range(12)])
    edit(home, "units.tsv", name=["n0", "n0", "n2", "n3", "n4", "n5"])
    with pytest.raises(UnreadableError, match="unit 'n0' twice"):
        read(made[0])


@pytest.mark.parametrize("name", ["../../etc/x.png", "/etc/x.png", "C:\\x.png"])
def test_pictures_outside_the_data_set_are_refused(made, name):
    edit(made[0] / "sub-01", "samples.tsv", stimulus=[name] * 12)
    with pytest.raises(UnreadableError, match="lies outside the data set"):
        read(made[0])


def test_samples_need_a_stimulus_or_a_condition(made):
    path = made[0] / "sub-01" / "samples.tsv"
    path.write_text("run\n" + "1\n" * 12)
    with pytest.raises(MissingInputError, match="neither of the columns stimulus and condition"):
        read(made[0])


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("{", "is no JSON"),
        ("[1]", "holds a list"),
        (json.dumps({"Scale": "zscores"}), "Scale = 'zscores'.*'zscore'"),
    ],
)
def test_a_wrong_sidecar_is_named(made, text, match):
    (made[0] / "sub-01" / "responses.json").write_text(text)
    with pytest.raises(UnreadableError, match=match):
        table.find(made[0], participants=[], space=None)


def test_nothing_but_nan_is_refused(made):
    np.save(made[0] / "sub-01" / "responses.npy", np.full((12, 6), np.nan))
    with pytest.raises(NotEnoughDataError, match="No unit can be used: of 6, 6 are NaN"):
        read(made[0])
