"""ingest.ready.algonauts: exactly what was written, in the order of the pictures."""

from __future__ import annotations

import os

import numpy as np
import pytest

from bids_dnn.containers.space import Channels, Surface
from bids_dnn.errors import ConfigError, MissingInputError, ShapeError, UnreadableError
from bids_dnn.ingest.ready import algonauts
from bids_dnn.ingest.records import Subject
from tests.factories.ready_algonauts import N_MESH, write_algonauts

MASKS = "subj01/roi_masks"
FMRI = "subj01/training_split/training_fmri"
IMAGES = "subj01/training_split/training_images"


def read(folder, *, standardize="none", space=None):
    (subject,), _ = algonauts.find(folder, participants=[], space=space)
    assert Subject.from_json(subject.to_json()) == subject
    assert all(path.exists() for path in subject.files)
    return algonauts.read_responses(subject, standardize=standardize)


def both(truth, key):
    return np.concatenate([truth[key]["lh"], truth[key]["rh"]])


def test_responses_come_as_written(tmp_path, rng):
    truth = write_algonauts(tmp_path, rng)
    found = read(tmp_path)
    responses = found.responses
    expected = np.concatenate([truth["lh_train"], truth["rh_train"]], axis=1)
    np.testing.assert_array_equal(responses.values, expected)
    assert responses.values.dtype == np.float32
    assert isinstance(responses.space, Surface)
    assert responses.space.name == "fsaverage"
    assert responses.space.n_vertices == tuple(N_MESH.values())
    np.testing.assert_array_equal(responses.space.index, np.flatnonzero(both(truth, "mask")))
    samples = responses.samples
    assert list(samples["stimulus"]) == truth["train"]
    assert list(samples["condition"]) == [name[11:20] for name in truth["train"]]
    assert set(samples["run"]) == {"training"}
    assert set(samples["repeat"]) == {0}
    assert (responses.scale, responses.independence) == ("zscore", "none")
    assert "noise ceilings cannot be computed" in found.facts["warnings"][0]


def test_regions_are_those_of_the_maps(tmp_path, rng):
    truth = write_algonauts(tmp_path, rng)
    rois = {roi.name: roi for roi in read(tmp_path).rois}
    for name, key, values in (
        ("V1", "prf", (1, 2)),
        ("V1v", "prf", (1,)),
        ("hV4", "prf", (7,)),
        ("FFA", "faces", (2, 3)),
        ("FFA1", "faces", (2,)),
    ):
        places = np.flatnonzero(np.isin(both(truth, key), values))
        np.testing.assert_array_equal(rois[name].space.index, places)


def test_without_the_masks_units_are_channels(tmp_path, rng):
    truth = write_algonauts(tmp_path, rng, on_surface=False)
    found = read(tmp_path)
    assert isinstance(found.responses.space, Channels)
    expected = np.concatenate([truth["lh_train"], truth["rh_train"]], axis=1)
    np.testing.assert_array_equal(found.responses.values, expected)
    v1 = {roi.name: roi for roi in found.rois}["V1"].units_in(found.responses.space)
    labels = both(truth, "prf")[both(truth, "mask")]
    np.testing.assert_array_equal(v1, np.isin(labels, (1, 2)))
    with pytest.raises(MissingInputError, match="no responses in the space 'fsaverage'"):
        read(tmp_path, space="fsaverage")


def test_channels_on_request(tmp_path, rng):
    write_algonauts(tmp_path, rng)
    found = read(tmp_path, space="challenge").responses
    assert found.space.names[0] == "lh00001"


def test_test_responses_follow_where_they_are(tmp_path, rng, monkeypatch):
    truth = write_algonauts(tmp_path, rng, with_test=True)
    monkeypatch.setattr("bids_dnn.ingest.ready.pieces.CHUNK_SAMPLES", 5)
    responses = read(tmp_path).responses
    parts = [
        np.concatenate([truth[f"lh_{s}"], truth[f"rh_{s}"]], axis=1) for s in ("train", "test")
    ]
    np.testing.assert_array_equal(responses.values, np.concatenate(parts))
    assert list(responses.samples["stimulus"]) == truth["train"] + truth["test"]
    assert list(responses.samples["run"]) == ["training"] * 12 + ["test"] * 3
    scaled = read(tmp_path, standardize="run").responses.values
    z = np.concatenate([(part - part.mean(0)) / part.std(0) for part in parts])
    np.testing.assert_allclose(scaled, z, atol=1e-5)


def test_hidden_test_responses_are_noted(tmp_path, rng):
    write_algonauts(tmp_path, rng)
    _, notes = algonauts.find(tmp_path, participants=["subj01"], space=None)
    assert notes == []
    assert read(tmp_path).facts["n_test_images_without_responses"] == 3


def test_units_that_are_nan_are_left_out(tmp_path, rng):
    write_algonauts(tmp_path, rng)
    path = tmp_path / FMRI / "lh_training_fmri.npy"
    values = np.load(path)
    values[2, 1] = np.nan
    np.save(path, values)
    found = read(tmp_path)
    assert found.facts["left_out_because"] == {"nan": 1, "constant": 0}


# --- refusals


def test_participants_and_layout(tmp_path, rng):
    with pytest.raises(MissingInputError, match=r"(?s)does not hold any part.*training_fmri"):
        algonauts.find(tmp_path, participants=[], space=None)
    write_algonauts(tmp_path, rng)
    with pytest.raises(MissingInputError, match=r"'subj02'; there are: subj01"):
        algonauts.find(tmp_path, participants=["subj02"], space=None)


@pytest.mark.parametrize(
    "name",
    [
        f"{FMRI}/rh_training_fmri.npy",
        f"{MASKS}/lh.all-vertices_fsaverage_space.npy",
        f"{MASKS}/rh.floc-faces_challenge_space.npy",
    ],
)
def test_a_hemisphere_that_is_missing(tmp_path, rng, name):
    write_algonauts(tmp_path, rng)
    (tmp_path / name).unlink()
    with pytest.raises(MissingInputError, match=rf"is there, but {(tmp_path / name).name} is not"):
        read(tmp_path)


def test_no_responses_at_all(tmp_path, rng):
    write_algonauts(tmp_path, rng)
    for path in (tmp_path / FMRI).iterdir():
        path.unlink()
    with pytest.raises(MissingInputError, match=r"does not hold \?h_training_fmri\.npy"):
        read(tmp_path)


@pytest.mark.parametrize(
    "name", [f"{FMRI}/lh_training_fmri.npy", f"{MASKS}/mapping_floc-faces.npy"]
)
def test_a_file_cut_short(tmp_path, rng, name):
    write_algonauts(tmp_path, rng)
    path = tmp_path / name
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(UnreadableError, match=rf"{path.name} is no whole"):
        read(tmp_path)


def test_a_mapping_with_code_is_not_run(tmp_path, rng):
    class Hostile:
        def __reduce__(self):
            return os.system, (f"touch {tmp_path / 'was-run'}",)

    write_algonauts(tmp_path, rng)
    np.save(tmp_path / MASKS / "mapping_floc-faces.npy", {0: Hostile()})
    with pytest.raises(UnreadableError, match=r"mapping_floc-faces\.npy holds the name posix"):
        read(tmp_path)
    assert not (tmp_path / "was-run").exists()
    np.save(tmp_path / MASKS / "mapping_floc-faces.npy", {"OFA": 1})
    with pytest.raises(UnreadableError, match="maps 'OFA' to 1; a number and a name"):
        read(tmp_path)


def test_pictures_that_do_not_fit(tmp_path, rng):
    truth = write_algonauts(tmp_path, rng)
    images = tmp_path / IMAGES
    twin = images / "train-0002_nsd-72999.png"
    twin.touch()
    with pytest.raises(UnreadableError, match="two pictures with the number 2"):
        read(tmp_path)
    twin.unlink()
    (images / truth["train"][4]).unlink()
    with pytest.raises(ShapeError, match="11 training pictures for 12 responses; number 5 is not"):
        read(tmp_path)
    (images / truth["train"][4]).touch()
    (images / "train-0013_nsd-00001.png").touch()
    with pytest.raises(ShapeError, match="13 training pictures for 12 responses"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("name", "shape", "match"),
    [
        (
            f"{FMRI}/lh_training_fmri.npy",
            (11, 4),
            "has 11 training responses in the left hem.* 12",
        ),
        (f"{FMRI}/lh_training_fmri.npy", (12,), "2 axes were expected"),
        (f"{FMRI}/lh_training_fmri.npy", (12, 4), "marks .* vertices, the responses have 4"),
        (f"{MASKS}/lh.floc-faces_challenge_space.npy", (3,), "has 3 vertices, the responses have"),
        (f"{MASKS}/lh.floc-faces_fsaverage_space.npy", (3,), "on different vertices"),
    ],
)
def test_arrays_of_another_shape(tmp_path, rng, name, shape, match):
    write_algonauts(tmp_path, rng)
    np.save(tmp_path / name, np.zeros(shape))
    with pytest.raises(ShapeError, match=match):
        read(tmp_path)


def test_regions_in_another_order_of_vertices(tmp_path, rng):
    write_algonauts(tmp_path, rng)
    path = tmp_path / MASKS / "lh.prf-visualrois_challenge_space.npy"
    np.save(path, np.load(path)[::-1])
    with pytest.raises(ShapeError, match=r"lh\.prf-visualrois_fsaverage_space\.npy and its map"):
        read(tmp_path)


def test_splits_of_other_vertices(tmp_path, rng):
    write_algonauts(tmp_path, rng, with_test=True)
    np.save(tmp_path / "subj01/test_split/test_fmri/lh_test_fmri.npy", np.zeros((3, 2)))
    with pytest.raises(ShapeError, match=r"has \[2, \d+\] vertices in its test responses"):
        read(tmp_path)


def test_an_unknown_way_to_standardize(tmp_path, rng):
    write_algonauts(tmp_path, rng)
    with pytest.raises(ConfigError, match=r"'all'"):
        read(tmp_path, standardize="all")
