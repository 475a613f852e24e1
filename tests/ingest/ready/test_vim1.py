"""ingest.ready.vim1: numbers, voxels and areas of the data set come out as they were written."""

import h5py
import numpy as np
import pytest

from bids_dnn.errors import ConfigError, MissingInputError, ShapeError, UnreadableError
from bids_dnn.ingest.ready import door, vim1
from tests.factories.ready_vim1 import full_resolution, vim1_folder


@pytest.fixture
def made(tmp_path, rng):
    return tmp_path, vim1_folder(tmp_path, rng)


def read(folder, label="S1", **kwargs):
    (subject,), _ = vim1.find(folder, participants=[label], space=None)
    return vim1.read_responses(subject, **{"standardize": "none", **kwargs})


def test_participants_are_those_of_the_file(made):
    subjects, notes = door("vim1").find(made[0], participants=[], space=None)
    assert [s.participant for s in subjects] == ["S1", "S2"]
    assert notes == []
    assert subjects[0].inputs() == (made[0] / "EstimatedResponses.mat",)
    assert {(s.source, s.space, s.task) for s in subjects} == {("vim1", "native", "")}


@pytest.mark.parametrize("label", ["S1", "S2"])
def test_numbers_places_and_areas_are_those_written(made, label):
    folder, truth = made
    ingested = read(folder, label)
    responses, held = ingested.responses, truth[label]
    keep = np.isfinite(held["values"]).all(axis=0)
    np.testing.assert_array_equal(responses.values, held["values"][:, keep].astype(np.float32))
    space = responses.space
    found = np.column_stack(np.unravel_index(space.index, space.shape))
    np.testing.assert_array_equal(found, held["voxels"][keep])
    names = {1: "V1", 2: "V2", 3: "V3", 4: "V3A", 5: "V3B", 6: "V4", 7: "LatOcc"}
    assert {roi.name for roi in ingested.rois} == set(names.values())
    for code, name in names.items():
        (roi,) = (r for r in ingested.rois if r.name == name)
        np.testing.assert_array_equal(roi.units_in(space), held["codes"][keep] == code)
        assert roi.n_before == (held["codes"] == code).sum()


def test_samples_name_their_pictures_and_what_they_average(made):
    ingested = read(made[0])
    samples = ingested.responses.samples
    assert list(samples["stimulus"][[0, 19, 20, 25]]) == [
        "trn0001",
        "trn0020",
        "val0001",
        "val0006",
    ]
    assert samples["n_averaged"].tolist() == [2] * 20 + [13] * 6
    assert samples["run"].tolist() == ["training"] * 20 + ["validation"] * 6
    assert (samples["repeat"] == 0).all()
    assert ingested.facts["source"] == "vim1"
    assert ingested.facts["left_out_because"] == {"nan": 3, "constant": 0}
    assert any("noise ceilings cannot be computed" in w for w in ingested.facts["warnings"])
    assert any("orientation" in w for w in ingested.facts["warnings"])


def test_z_scores_within_runs_equal_numpy(made):
    folder, truth = made
    responses = read(folder, standardize="run").responses
    values = truth["S1"]["values"]
    part = values[20:, np.isfinite(values).all(axis=0)].astype(np.float32).astype(float)
    expected = (part - part.mean(axis=0)) / part.std(axis=0)
    np.testing.assert_allclose(responses.values[20:], expected, atol=1e-5)


def test_pictures_are_those_of_stimuli_mat(made):
    found = vim1.pictures(made[0])
    assert found.names[0] == "trn0001"
    assert found.names[-1] == "val0006"
    assert [(a.variable, a.axes, len(a.names)) for a in found.arrays] == [
        ("stimTrn", "nyx", 20),
        ("stimVal", "nyx", 6),
    ]


def test_pictures_at_full_resolution_come_first(made, rng):
    full_resolution(made[0], rng)
    found = vim1.pictures(made[0])
    assert [a.path.name for a in found.arrays][:2] == [
        "Stimuli_Trn_FullRes_01.mat",
        "Stimuli_Trn_FullRes_02.mat",
    ]
    assert found.names == tuple(
        [f"trn{i:04d}" for i in range(1, 21)] + [f"val{i:04d}" for i in range(1, 7)]
    )
    assert {a.axes for a in found.arrays} == {"xyn"}


def test_without_pictures_there_are_none(made):
    (made[0] / "Stimuli.mat").unlink()
    assert vim1.pictures(made[0]) is None


def test_damaged_pictures_are_named(made):
    (made[0] / "Stimuli.mat").write_bytes(b"nothing of the kind, but long enough" * 9)
    with pytest.raises(UnreadableError, match=r"Stimuli\.mat cannot be read"):
        vim1.pictures(made[0])


def change(folder, name, value):
    with h5py.File(folder / "EstimatedResponses.mat", "r+") as file:
        del file[name]
        if value is not None:
            file[name] = value


def test_an_empty_folder_is_told_the_layout(tmp_path):
    with pytest.raises(MissingInputError, match=r"EstimatedResponses\.mat[\s\S]*voxIdxS1"):
        vim1.find(tmp_path, participants=[], space=None)


def test_a_participant_that_is_not_there_is_named(made):
    with pytest.raises(MissingInputError, match=r"no participant 'S3'; there are: S1, S2"):
        vim1.find(made[0], participants=["S3"], space=None)


def test_another_space_is_refused(made):
    with pytest.raises(MissingInputError, match=r"no responses in the space 'T1w'.*native"):
        vim1.find(made[0], participants=[], space="T1w")


def test_a_file_cut_short_is_named(made):
    path = made[0] / "EstimatedResponses.mat"
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(UnreadableError, match=r"EstimatedResponses\.mat is no whole HDF5 file"):
        vim1.find(made[0], participants=[], space=None)


def test_a_missing_half_is_named(made):
    change(made[0], "dataValS1", None)
    with pytest.raises(UnreadableError, match="holds no array 'dataValS1'"):
        read(made[0])


def test_another_number_of_voxels_is_named(made):
    change(made[0], "dataValS1", np.zeros((6, 39)))
    with pytest.raises(ShapeError, match=r"dataValS1 of shape \(6, 39\), \(images, 40 voxels\)"):
        read(made[0])


def test_another_number_of_codes_is_named(made):
    change(made[0], "roiS1", np.zeros((1, 39)))
    with pytest.raises(ShapeError, match="39 area codes for 40 voxels"):
        read(made[0])


@pytest.mark.parametrize("place", [0, 64 * 64 * 18 + 1, 7, np.nan])
def test_voxels_twice_or_outside_are_refused(made, place):
    places = np.arange(2.0, 42.0)[None]
    places[0, 0] = place
    change(made[0], "voxIdxS1", places)
    with pytest.raises(UnreadableError, match="places 40 voxels, some twice or outside"):
        read(made[0])


def test_a_wrong_setting_is_refused(made):
    with pytest.raises(ConfigError, match=r"'sessio'.*session"):
        read(made[0], standardize="sessio")
