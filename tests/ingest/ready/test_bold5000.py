"""ingest.ready.bold5000: exactly the betas that were written, in the order of the lists."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest

from bids_dnn.containers.space import Channels, Grid
from bids_dnn.errors import ConfigError, MissingInputError, ShapeError, SpaceError, UnreadableError
from bids_dnn.ingest.ready import bold5000
from bids_dnn.ingest.records import Subject
from tests.factories.ready_bold5000 import (
    AFFINE,
    REGIONS,
    RUNS,
    SHAPE,
    TYPE_D,
    write_bold5000,
)

LISTS = "Stimuli_Presentation_Lists/CSI1/CSI1_sess01/CSI1_sess01_run01.txt"
ROIS = "BOLD5000_GLMsingle_ROI_betas/py"


def read(folder, *, standardize="none", space=None):
    (subject,), _ = bold5000.find(folder, participants=[], space=space)
    assert Subject.from_json(subject.to_json()) == subject
    return bold5000.read_responses(subject, standardize=standardize)


def check_samples(samples, truth):
    assert list(samples["stimulus"]) == truth["names"]
    runs = [f"{s:02d}x{r + 1:02d}" for s, n in RUNS.items() for r in range(n) for _ in range(37)]
    assert list(samples["run"]) == runs
    assert list(samples["session"]) == [run[:2] for run in runs]
    again = [i for i, name in enumerate(truth["names"]) if name == truth["names"][3]]
    assert list(samples["repeat"].iloc[again]) == [0, 1, 2]
    kinds = {"C": "coco", "n": "imagenet", "a": "scene"}
    assert list(samples["condition"]) == [kinds[name[0]] for name in truth["names"]]


@pytest.mark.parametrize("lists", [True, False])
def test_volumes_come_as_written(tmp_path, rng, lists):
    truth = write_bold5000(tmp_path, rng, lists=lists)
    found = read(tmp_path)
    responses = found.responses
    assert isinstance(responses.space, Grid)
    np.testing.assert_array_equal(responses.space.affine, AFFINE)
    inside = truth["mask"] > 0
    expected = np.concatenate([truth["volumes"][s][inside].T for s in RUNS])
    np.testing.assert_array_equal(responses.values, expected)
    check_samples(responses.samples, truth)
    assert (responses.scale, responses.independence) == ("psc", "none")
    assert "3 session(s) claim another place than the brain mask" in found.facts["warnings"][0]
    assert found.facts["model"] == TYPE_D


def test_arrays_of_regions_come_as_written(tmp_path, rng):
    truth = write_bold5000(tmp_path, rng, volumes=False)
    found = read(tmp_path)
    responses = found.responses
    assert isinstance(responses.space, Channels)
    order = sorted(REGIONS)
    expected = np.concatenate([truth["arrays"][name] for name in order], axis=1)
    np.testing.assert_array_equal(responses.values, expected)
    check_samples(responses.samples, truth)
    assert responses.space.names[0] == "LHEarlyVis0001"
    rois = {roi.name: roi for roi in found.rois}
    assert set(rois) == {*REGIONS, "EarlyVis", "PPA"}
    both = np.concatenate([truth["arrays"]["LHPPA"], truth["arrays"]["RHPPA"]], axis=1)
    units = rois["PPA"].units_in(responses.space)
    np.testing.assert_array_equal(responses.values[:, units], both)


def test_sessions_are_scaled_by_themselves(tmp_path, rng):
    truth = write_bold5000(tmp_path, rng)
    parts = [truth["volumes"][s][truth["mask"] > 0].T for s in RUNS]
    z = np.concatenate([(part - part.mean(0)) / part.std(0) for part in parts])
    found = read(tmp_path, standardize="auto")
    assert found.facts["standardize"] == "session"
    np.testing.assert_allclose(found.responses.values, z, atol=1e-5)
    arrays = np.concatenate([truth["arrays"][name] for name in sorted(REGIONS)], axis=1)
    parts = np.split(arrays, np.cumsum([37 * n for n in RUNS.values()])[:-1])
    z = np.concatenate([(part - part.mean(0)) / part.std(0) for part in parts])
    found = read(tmp_path, standardize="session", space="rois")
    np.testing.assert_allclose(found.responses.values, z, atol=1e-5)


def test_without_lists_arrays_have_no_sessions(tmp_path, rng):
    truth = write_bold5000(tmp_path, rng, volumes=False, lists=False)
    found = read(tmp_path, standardize="auto")
    assert found.facts["standardize"] == "none"
    assert "Sessions are not known" in found.facts["warnings"][0]
    samples = found.responses.samples
    assert list(samples["stimulus"]) == truth["names"]
    assert samples["run"].iloc[-1] == "007"
    assert set(samples["session"]) == {""}


@pytest.mark.parametrize(
    ("kind", "independence"),
    [
        ("TYPEA-ASSUMEHRF", "run"),
        ("TYPEB-FITHRF", "run"),
        ("TYBEB-FITHRF", "run"),
        ("TYPEC-FITHRF-GLMDENOISE", "none"),
    ],
)
def test_other_types_of_estimates(tmp_path, rng, kind, independence):
    write_bold5000(tmp_path, rng, kind=kind)
    assert read(tmp_path).responses.independence == independence
    write_bold5000(tmp_path, rng)
    _, notes = bold5000.find(tmp_path, participants=[], space=None)
    assert notes[0].endswith(f"{TYPE_D} was taken.")
    assert "--space rois takes arrays of regions" in notes[1]
    assert read(tmp_path).facts["model"] == TYPE_D


def test_the_first_sessions_alone(tmp_path, rng):
    truth = write_bold5000(tmp_path, rng, lists=False)
    (tmp_path / f"CSI1_GLMbetas-{TYPE_D}_ses-03.nii.gz").unlink()
    found = read(tmp_path)
    assert list(found.responses.samples["stimulus"]) == truth["names"][: 37 * 5]
    assert "Only the first 185 of 259 trials have betas." in found.facts["warnings"]


def test_a_session_that_is_missing(tmp_path, rng):
    truth = write_bold5000(tmp_path, rng)
    (tmp_path / f"CSI1_GLMbetas-{TYPE_D}_ses-01.nii.gz").unlink()
    _, notes = bold5000.find(tmp_path, participants=[], space=None)
    assert "CSI1: no betas of session(s) 1." in notes
    assert list(read(tmp_path).responses.samples["stimulus"]) == truth["names"][74:]
    for path in tmp_path.rglob("*_run*.txt"):
        path.unlink()
    with pytest.raises(MissingInputError, match=r"session 1 are not there, and .* does not say"):
        read(tmp_path)


# --- refusals


def test_participants_spaces_and_layout(tmp_path, rng):
    with pytest.raises(MissingInputError, match=r"(?s)does not hold any part.*brainmask"):
        bold5000.find(tmp_path, participants=[], space=None)
    write_bold5000(tmp_path, rng, arrays=False)
    with pytest.raises(MissingInputError, match=r"'CSI2'; there are: CSI1"):
        bold5000.find(tmp_path, participants=["CSI2"], space=None)
    with pytest.raises(MissingInputError, match=r"space 'rois'.* T1w"):
        bold5000.find(tmp_path, participants=[], space="rois")


def test_parts_that_are_missing(tmp_path, rng):
    write_bold5000(tmp_path, rng, lists=False)
    (tmp_path / ROIS / f"CSI1_GLMbetas-{TYPE_D}_allses_RHPPA.npy").unlink()
    with pytest.raises(MissingInputError, match="holds LHPPA, but not RHPPA"):
        read(tmp_path, space="rois")
    (tmp_path / "CSI1_brainmask.nii.gz").unlink()
    with pytest.raises(MissingInputError, match=r"CSI1_brainmask\.nii\.gz"):
        read(tmp_path)
    (tmp_path / "CSI1_imgnames.txt").unlink()
    with pytest.raises(MissingInputError, match=r"the pictures of CSI1"):
        read(tmp_path)


def test_a_session_that_stands_twice(tmp_path, rng):
    write_bold5000(tmp_path, rng)
    name = f"CSI1_GLMbetas-{TYPE_D}_ses-02.nii.gz"
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / name).write_bytes((tmp_path / name).read_bytes())
    with pytest.raises(UnreadableError, match="the betas 2 of CSI1 more than once"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("name", "space"),
    [
        (f"CSI1_GLMbetas-{TYPE_D}_ses-02.nii.gz", "T1w"),
        (f"{ROIS}/CSI1_GLMbetas-{TYPE_D}_allses_LHPPA.npy", "rois"),
    ],
)
def test_a_file_cut_short(tmp_path, rng, name, space):
    write_bold5000(tmp_path, rng)
    path = tmp_path / name
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(UnreadableError, match=path.name):
        read(tmp_path, space=space)


def test_an_array_of_objects_is_refused(tmp_path, rng):
    write_bold5000(tmp_path, rng)
    path = tmp_path / ROIS / f"CSI1_GLMbetas-{TYPE_D}_allses_LHPPA.npy"
    np.save(path, np.array([[None]]))
    with pytest.raises(UnreadableError, match="nothing in it was run"):
        read(tmp_path, space="rois")


def test_arrays_of_other_lengths(tmp_path, rng):
    write_bold5000(tmp_path, rng)
    path = tmp_path / ROIS / f"CSI1_GLMbetas-{TYPE_D}_allses_LHPPA.npy"
    np.save(path, np.zeros((258, 3)))
    with pytest.raises(ShapeError, match="differ in trials: LHEarlyVis 259, LHPPA 258"):
        read(tmp_path, space="rois")
    np.save(path, np.zeros(259))
    with pytest.raises(ShapeError, match=r"shape \(259,\); 2 axes were expected"):
        read(tmp_path, space="rois")


@pytest.mark.parametrize(
    ("shape", "error", "match"),
    [
        ((*SHAPE, 110), ShapeError, "111 trials of session 2, the betas 110"),
        ((5, 3, 2, 111), SpaceError, r"betas on \(5, 3, 2\), the mask lies on \(4, 3, 2\)"),
        (SHAPE, ShapeError, "111 trials of session 2, the betas 1"),
    ],
)
def test_sessions_of_another_shape(tmp_path, rng, shape, error, match):
    write_bold5000(tmp_path, rng)
    image = nib.Nifti1Image(np.ones(shape, np.float32), AFFINE)
    nib.save(image, tmp_path / f"CSI1_GLMbetas-{TYPE_D}_ses-02.nii.gz")
    with pytest.raises(error, match=match):
        read(tmp_path)


def test_lists_of_another_length(tmp_path, rng):
    write_bold5000(tmp_path, rng)
    for space, where in (("T1w", "session 1, the betas 74"), ("rois", "sessions, the betas 259")):
        path = tmp_path / LISTS
        path.write_text("airport1.jpg\n")
        with pytest.raises(ShapeError, match=where):
            read(tmp_path, space=space)


def test_a_list_of_all_trials_of_another_length(tmp_path, rng):
    truth = write_bold5000(tmp_path, rng, lists=False)
    path = tmp_path / "CSI1_imgnames.txt"
    path.write_text("\n".join(truth["names"][:-1]))
    with pytest.raises(ShapeError, match="names 258 pictures, the betas have 259 trials"):
        read(tmp_path)
    with pytest.raises(ShapeError, match="258 trials of all sessions, the betas 259"):
        read(tmp_path, space="rois")


def test_a_session_without_whole_runs(tmp_path, rng):
    write_bold5000(tmp_path, rng, lists=False)
    image = nib.Nifti1Image(np.ones((*SHAPE, 36), np.float32), AFFINE)
    nib.save(image, tmp_path / f"CSI1_GLMbetas-{TYPE_D}_ses-03.nii.gz")
    with pytest.raises(ShapeError, match="Session 3 has 36 trials; whole runs of 37"):
        read(tmp_path)


def test_a_session_without_lists(tmp_path, rng):
    write_bold5000(tmp_path, rng)
    for path in tmp_path.rglob("*_sess02_run*.txt"):
        path.unlink()
    with pytest.raises(MissingInputError, match="betas of session 2, but no list such as"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        (b"", "names no picture"),
        (b"a.jpg\n\nb.jpg\n", "Line 2 of .* is empty"),
        (b"\xff\xfe\x00\xd8", "is no text"),
        (b"/data/a.jpg\n", "lies outside the data set"),
        (b"rep_../a.jpg\n", "lies outside the data set"),
    ],
)
def test_lists_that_name_no_pictures(tmp_path, rng, text, match):
    write_bold5000(tmp_path, rng)
    (tmp_path / LISTS).write_bytes(text)
    with pytest.raises(UnreadableError, match=match):
        read(tmp_path)


def test_a_list_that_stands_twice(tmp_path, rng):
    write_bold5000(tmp_path, rng)
    (tmp_path / "CSI1_sess01_run01.txt").write_text("a.jpg\n")
    with pytest.raises(UnreadableError, match=r"CSI1_sess01_run01\.txt stands twice"):
        read(tmp_path)


def test_an_unknown_way_to_standardize(tmp_path, rng):
    write_bold5000(tmp_path, rng)
    with pytest.raises(ConfigError, match=r"'runs'.*Did you mean 'run'"):
        read(tmp_path, standardize="runs")
