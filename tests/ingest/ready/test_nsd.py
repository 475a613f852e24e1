"""ingest.ready.nsd: exactly the betas that were written, in the order of the trials."""

from __future__ import annotations

from dataclasses import replace

import h5py
import nibabel as nib
import numpy as np
import pytest

from bids_dnn.containers.space import Grid, Surface
from bids_dnn.errors import (
    ConfigError,
    MissingInputError,
    NotEnoughDataError,
    ShapeError,
    SpaceError,
    UnreadableError,
)
from bids_dnn.ingest.ready import nsd
from bids_dnn.ingest.records import Subject
from tests.factories.ready_nsd import (
    MODEL,
    RUNS,
    SHAPE,
    VERTICES,
    write_design,
    write_responses,
    write_surfaces,
    write_volumes,
)

SESSIONS = (1, 2, 3)


def read(folder, *, standardize="none", space=None, **options):
    (subject,), _ = nsd.find(folder, participants=[], space=space)
    assert Subject.from_json(subject.to_json()) == subject
    assert all(path.exists() for path in subject.files)
    subject = replace(subject, options=subject.options | options)
    return nsd.read_responses(subject, standardize=standardize)


def tree(folder, rng, **options):
    truth = write_volumes(folder, rng, **options)
    truth["shown"] = write_design(folder, rng)[0]
    return truth


def expected_betas(truth, index, sessions=SESSIONS):
    flat = [truth["betas"][s].reshape(-1, 750)[index].T for s in sessions]
    return np.concatenate(flat).astype(np.float32) / np.float32(300)


@pytest.mark.parametrize("suffix", [".hdf5", ".nii.gz"])
def test_betas_come_as_written(tmp_path, rng, suffix):
    truth = tree(tmp_path, rng, suffix=suffix)
    found = read(tmp_path)
    responses = found.responses
    collections = [truth[k] for k in ("prf-visualrois", "floc-faces", "nsdgeneral")]
    inside = (truth["mask"] > 0) & np.any([c > 0 for c in collections], axis=0)
    index = np.flatnonzero(inside)
    assert isinstance(responses.space, Grid)
    assert (responses.space.name, responses.space.shape) == ("func1pt8mm", SHAPE)
    np.testing.assert_array_equal(responses.space.index, index)
    np.testing.assert_array_equal(responses.values, expected_betas(truth, index))
    assert responses.values.dtype == np.float32
    assert (responses.scale, responses.independence) == ("psc", "none")
    assert found.facts["model"] == MODEL
    assert found.facts["ncsnr"].endswith("ncsnr.nii.gz")
    samples = responses.samples
    shown = truth["shown"][: 3 * 750]
    assert list(samples["stimulus"]) == [f"nsd-{picture - 1:05d}" for picture in shown]
    assert list(samples["run"][:64].unique()) == ["01x01", "01x02"]
    assert list(samples["session"].unique()) == ["01", "02", "03"]
    assert samples["repeat"].max() > 0


@pytest.mark.parametrize("chunks", [None, (50, 3, 4, 5), (750, 1, 4, 5)])
def test_other_orders_on_disk_give_the_same(tmp_path, rng, chunks):
    tree(tmp_path, rng, sessions=(1,))
    expected = read(tmp_path, units="brain").responses.values
    path = tmp_path / f"nsddata_betas/ppdata/subj01/func1pt8mm/{MODEL}/betas_session01.hdf5"
    with h5py.File(path, "r+") as file:
        betas = file["betas"][()]
        del file["betas"]
        file.create_dataset("betas", data=betas, chunks=chunks)
    np.testing.assert_array_equal(read(tmp_path, units="brain").responses.values, expected)


def test_both_tables_of_trials_agree(tmp_path, rng):
    truth = tree(tmp_path, rng)
    by_design = read(tmp_path).responses.samples
    write_responses(tmp_path, "subj01", truth["shown"], (3, 1, 2))
    samples = read(tmp_path).responses.samples
    assert list(samples["stimulus"]) == list(by_design["stimulus"])
    assert list(samples["run"]) == list(by_design["run"])
    assert list(samples["run"]) == [f"{s:02d}x{r:02d}" for s in SESSIONS for r in RUNS[:750]]
    seconds = samples["reaction_time_s"].to_numpy()
    assert np.isnan(seconds[0])
    assert seconds[1] == 0.601


def test_regions_are_those_of_the_maps(tmp_path, rng):
    truth = tree(tmp_path, rng)
    found = read(tmp_path)
    rois = {roi.name: set(roi.space.index.tolist()) for roi in found.rois}
    brain = truth["mask"] > 0

    def places(collection, *values):
        return set(np.flatnonzero(brain & np.isin(truth[collection], values)).tolist())

    assert rois["V1v"] == places("prf-visualrois", 1)
    assert rois["V1"] == places("prf-visualrois", 1, 2)
    assert rois["hV4"] == places("prf-visualrois", 7)
    assert rois["FFA"] == places("floc-faces", 2, 3)
    assert rois["FFA1"] == places("floc-faces", 2)
    assert rois["mTLfaces"] == places("floc-faces", 4)
    assert rois["nsdgeneral"] == places("nsdgeneral", 1)
    names = {"nsdgeneral", "V1", "V2", "V3", "FFA", "FFA1", "FFA2", "OFA", "hV4"}
    names |= {"V1v", "V1d", "V2v", "V2d", "V3v", "V3d", "mTLfaces", "aTLfaces"}
    assert set(rois) == names


def test_the_whole_brain_on_request_and_without_regions(tmp_path, rng):
    truth = tree(tmp_path, rng)
    index = np.flatnonzero(truth["mask"])
    found = read(tmp_path, units="brain")
    np.testing.assert_array_equal(found.responses.values, expected_betas(truth, index))
    assert {"V1", "nsdgeneral"} <= {roi.name for roi in found.rois}
    bare = read(tmp_path, units="brain", regions="")
    assert bare.rois == ()


def test_a_name_in_two_collections_stays_apart(tmp_path, rng):
    truth = tree(tmp_path, rng)
    atlas = tmp_path / "nsddata/ppdata/subj01/func1pt8mm/roi/HCP_MMP1.nii.gz"
    nib.save(nib.Nifti1Image((truth["mask"] * 1.0), np.eye(4)), atlas)
    table = tmp_path / "nsddata/freesurfer/fsaverage/label/HCP_MMP1.mgz.ctab"
    table.parent.mkdir(parents=True)
    table.write_text("0 Unknown\n1 V1 63 5 255 0\n")
    found = read(tmp_path, regions="prf-visualrois,HCP_MMP1")
    assert {"V1", "HCPMMP1V1"} <= {roi.name for roi in found.rois}


@pytest.mark.parametrize("space", ["fsaverage", "fsnative"])
def test_surfaces_come_as_written(tmp_path, rng, space):
    truth = write_surfaces(tmp_path, rng, space=space)
    write_design(tmp_path, rng)
    found = read(tmp_path, units="brain")
    responses = found.responses
    assert isinstance(responses.space, Surface)
    assert (responses.space.name, responses.space.n_vertices) == (space, VERTICES)
    joined = np.concatenate([truth["betas"][s] for s in SESSIONS], axis=1).T
    np.testing.assert_array_equal(responses.values, joined)
    inside = truth["prf-visualrois"] > 0
    within = read(tmp_path)
    np.testing.assert_array_equal(within.responses.values, joined[:, inside])
    rois = {roi.name: roi for roi in within.rois}
    v1 = np.flatnonzero(np.isin(truth["prf-visualrois"], (1, 2)))
    np.testing.assert_array_equal(rois["V1"].space.index, v1)


def test_sessions_are_scaled_by_themselves(tmp_path, rng):
    truth = tree(tmp_path, rng)
    found = read(tmp_path, standardize="auto", units="brain")
    assert found.facts["standardize"] == "session"
    raw = expected_betas(truth, np.flatnonzero(truth["mask"])).reshape(3, 750, -1)
    z = (raw - raw.mean(1, keepdims=True)) / raw.std(1, keepdims=True)
    np.testing.assert_allclose(found.responses.values.reshape(z.shape), z, atol=1e-4)


def test_spaces_and_models_are_chosen(tmp_path, rng):
    tree(tmp_path, rng, sessions=(1,))
    write_surfaces(tmp_path, rng, sessions=(1,))
    write_volumes(tmp_path, rng, sessions=(1,), model="betas_assumehrf", label="subj02")
    (one,), notes = nsd.find(tmp_path, participants=["subj01"], space="fsaverage")
    assert one.space == "fsaverage"
    assert notes == ["subj01: only units in prf-visualrois are read."]
    _, notes = nsd.find(tmp_path, participants=["subj01"], space=None)
    assert notes[1] == "subj01: of the spaces func1pt8mm, fsaverage, func1pt8mm was taken."
    (two,), _ = nsd.find(tmp_path, participants=["subj02"], space=None)
    assert nsd.read_responses(two, standardize="auto").responses.independence == "run"
    with pytest.raises(MissingInputError, match=r"'fsaverage6'; .*: func1pt8mm, fsaverage"):
        nsd.find(tmp_path, participants=["subj01"], space="fsaverage6")


def test_a_session_that_is_not_there_is_named(tmp_path, rng):
    truth = tree(tmp_path, rng, sessions=(1, 3))
    _, notes = nsd.find(tmp_path, participants=[], space=None)
    assert "subj01: no betas of session(s) 2." in notes
    found = read(tmp_path, units="brain").responses
    index = np.flatnonzero(truth["mask"])
    np.testing.assert_array_equal(found.values, expected_betas(truth, index, (1, 3)))
    shown = truth["shown"][1500:2250]
    assert list(found.samples["stimulus"][750:]) == [f"nsd-{p - 1:05d}" for p in shown]


@pytest.mark.parametrize("standardize", ["none", "session"])
def test_voxels_without_signal_in_a_session_are_left_out(tmp_path, rng, standardize):
    tree(tmp_path, rng, sessions=(1, 2))
    path = tmp_path / f"nsddata_betas/ppdata/subj01/func1pt8mm/{MODEL}/betas_session02.hdf5"
    with h5py.File(path, "r+") as file:
        file["betas"][:, 1, 1, 1] = 0
    found = read(tmp_path, standardize=standardize, units="brain")
    assert found.facts["left_out_because"] == {"nan": 1, "constant": 0}
    assert np.ravel_multi_index((1, 1, 1), SHAPE) not in found.responses.space.index


def test_pictures_are_those_of_the_brick(tmp_path):
    assert nsd.pictures(tmp_path) is None
    path = tmp_path / "nsddata_stimuli/stimuli/nsd/nsd_stimuli.hdf5"
    path.parent.mkdir(parents=True)
    path.touch()
    found = nsd.pictures(tmp_path)
    assert found.where("nsd-00013") == (found.arrays[0], 13)
    assert len(found.names) == 73_000


def test_pictures_that_were_shown_are_known_without_betas(tmp_path, rng):
    truth = tree(tmp_path, rng, sessions=(1, 2))
    (subject,), _ = nsd.find(tmp_path, participants=[], space=None)
    for path in subject.files:
        if path.suffix == ".hdf5":
            path.write_bytes(b"")
    assert nsd.stimuli_of(subject) == {f"nsd-{p - 1:05d}" for p in truth["shown"][:1500]}


def test_surfaces_of_the_participant_are_found(tmp_path, rng):
    write_surfaces(tmp_path, rng, space="fsnative", sessions=(1,))
    write_design(tmp_path, rng)
    home = tmp_path / "nsddata/freesurfer/subj01"
    (home / "surf").mkdir()
    for name in ("lh.white", "rh.white", "lh.sphere.reg"):
        (home / "surf" / name).touch()
    (subject,), _ = nsd.find(tmp_path, participants=[], space=None)
    assert subject.anatomy.freesurfer == home
    assert set(subject.anatomy.surfaces) == {"L_white", "R_white", "L_reg-fsaverage"}


# --- refusals


def test_participants_and_layout(tmp_path, rng):
    with pytest.raises(MissingInputError, match=r"(?s)does not hold any part.*nsddata_betas"):
        nsd.find(tmp_path, participants=[], space=None)
    tree(tmp_path, rng, sessions=(1,))
    with pytest.raises(MissingInputError, match=r"'subj1'; there are: subj01.* Did you mean"):
        nsd.find(tmp_path, participants=["subj1"], space=None)


@pytest.mark.parametrize(
    ("part", "match"),
    [
        ("nsddata/experiments/nsd/nsd_expdesign.mat", r"responses\.tsv of subj01, or nsd_exp"),
        ("nsddata/ppdata/subj01/func1pt8mm/brainmask.nii.gz", r"brainmask\.nii\.gz of subj01"),
        (f"nsddata_betas/ppdata/subj01/func1pt8mm/{MODEL}/betas_session01.hdf5", "of sessions"),
    ],
)
def test_parts_that_are_missing(tmp_path, rng, part, match):
    tree(tmp_path, rng, sessions=(1,))
    (tmp_path / part).unlink()
    with pytest.raises(MissingInputError, match=match):
        read(tmp_path)


@pytest.mark.parametrize(
    "part",
    [
        "nsddata/experiments/nsd/nsd_expdesign.mat",
        "nsddata/ppdata/subj01/func1pt8mm/brainmask.nii.gz",
        "nsddata/ppdata/subj01/func1pt8mm/roi/floc-faces.nii.gz",
        "nsddata/freesurfer/subj01/label/floc-faces.mgz.ctab",
        f"nsddata_betas/ppdata/subj01/func1pt8mm/{MODEL}/betas_session01.hdf5",
    ],
)
def test_links_that_were_not_fetched(tmp_path, rng, part):
    tree(tmp_path, rng, sessions=(1,))
    (tmp_path / part).unlink()
    (tmp_path / part).symlink_to("../.git/annex/objects/x")
    (subject,), _ = nsd.find(tmp_path, participants=[], space=None)
    with pytest.raises(MissingInputError, match=r"not fetched\. Type: datalad get"):
        nsd.read_responses(subject, standardize="none")


def test_a_hemisphere_that_is_missing(tmp_path, rng):
    write_surfaces(tmp_path, rng, sessions=(1, 2))
    write_design(tmp_path, rng)
    home = tmp_path / f"nsddata_betas/ppdata/subj01/fsaverage/{MODEL}"
    (home / "rh.betas_session02.mgh").unlink()
    with pytest.raises(MissingInputError, match=r"Session 2 has only .*lh\.betas_session02\.mgh"):
        read(tmp_path)


@pytest.mark.parametrize("suffix", [".hdf5", ".nii.gz"])
def test_a_session_cut_short(tmp_path, rng, suffix):
    tree(tmp_path, rng, sessions=(1,), suffix=suffix)
    home = tmp_path / f"nsddata_betas/ppdata/subj01/func1pt8mm/{MODEL}"
    path = home / f"betas_session01{suffix}"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(UnreadableError, match="betas_session01"):
        read(tmp_path)


def test_a_surface_cut_short(tmp_path, rng):
    write_surfaces(tmp_path, rng, sessions=(1,))
    write_design(tmp_path, rng)
    path = tmp_path / f"nsddata_betas/ppdata/subj01/fsaverage/{MODEL}/rh.betas_session01.mgh"
    path.write_bytes(path.read_bytes()[:900])
    with pytest.raises(UnreadableError, match=r"rh\.betas_session01\.mgh ends early, 900 bytes"):
        read(tmp_path)
    path.write_bytes(b"abc")
    with pytest.raises(UnreadableError, match=r"rh\.betas_session01\.mgh .*3 bytes"):
        read(tmp_path)


def test_betas_of_another_type_or_grid(tmp_path, rng):
    tree(tmp_path, rng, sessions=(1,))
    home = tmp_path / f"nsddata_betas/ppdata/subj01/func1pt8mm/{MODEL}"
    for array, error, match in (
        (np.zeros((750, *SHAPE[::-1]), np.float32), UnreadableError, "holds float32; 16-bit"),
        (np.zeros((750, *SHAPE), np.int16), SpaceError, r"betas on \(3, 4, 5\), .* \(5, 4, 3\)"),
        (np.zeros((749, *SHAPE[::-1]), np.int16), ShapeError, "749 samples; 750 samples"),
    ):
        with h5py.File(home / "betas_session01.hdf5", "w") as file:
            file["betas"] = array
        with pytest.raises(error, match=match):
            read(tmp_path)
    with h5py.File(home / "betas_session01.hdf5", "w") as file:
        file["other"] = 1
    with pytest.raises(UnreadableError, match="no array 'betas'; there are: other"):
        read(tmp_path)


def test_a_region_on_another_grid(tmp_path, rng):
    tree(tmp_path, rng, sessions=(1,))
    path = tmp_path / "nsddata/ppdata/subj01/func1pt8mm/roi/floc-faces.nii.gz"
    nib.save(nib.Nifti1Image(np.ones((9, 9, 9)), np.eye(4)), path)
    with pytest.raises(SpaceError, match=r"floc-faces.* \(9, 9, 9\) places, the betas \(5, 4, 3"):
        read(tmp_path)


def test_regions_without_a_unit(tmp_path, rng):
    tree(tmp_path, rng, sessions=(1,))
    for path in (tmp_path / "nsddata/ppdata/subj01/func1pt8mm/roi").iterdir():
        nib.save(nib.Nifti1Image(np.zeros(SHAPE), np.eye(4)), path)
    with pytest.raises(NotEnoughDataError, match="No unit of the brain of subj01"):
        read(tmp_path)


def test_a_surface_of_another_mesh(tmp_path, rng):
    write_surfaces(tmp_path, rng, sessions=(1, 2))
    write_design(tmp_path, rng)
    path = tmp_path / f"nsddata_betas/ppdata/subj01/fsaverage/{MODEL}/lh.betas_session02.mgh"
    nib.save(nib.MGHImage(np.zeros((7, 1, 1, 750), np.float32), np.eye(4)), path)
    with pytest.raises(SpaceError, match="has 7 vertices, other sessions or masks have 11"):
        read(tmp_path)


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


@pytest.mark.parametrize(
    ("old", "new", "error", "match"),
    [
        ("73KID", "KID", MissingInputError, r"lacks the column\(s\) 73KID"),
        ("1\t1\t1\t2\t", "1\t1\t1\t1\t", UnreadableError, "trial 1 of run 1 in session 1 twice"),
        ("1\t1\t1\t2\t", "1\t1\t1\tx\t", UnreadableError, "has 1, 1, x, .* in row 3; whole"),
        ("1\t1\t1\t2\t", "1\t9\t1\t2\t", ShapeError, "749 trials of session 1, its betas 750"),
        ("1\t1\t1\t2\t", "1\t1\t1\t2\t9", UnreadableError, "names the pictures .* 1 to 73000"),
    ],
)
def test_tables_of_trials_that_do_not_fit(tmp_path, rng, old, new, error, match):
    truth = tree(tmp_path, rng, sessions=(1,))
    truth["shown"][1] += 10_000
    path = write_responses(tmp_path, "subj01", truth["shown"], (1,))
    edit(path, old, new)
    with pytest.raises(error, match=match):
        read(tmp_path)


def test_a_table_without_the_session(tmp_path, rng):
    truth = tree(tmp_path, rng, sessions=(1, 2))
    write_responses(tmp_path, "subj01", truth["shown"], (1,))
    with pytest.raises(MissingInputError, match="no session 2, of which there are betas"):
        read(tmp_path)


def test_an_unknown_way_to_standardize(tmp_path, rng):
    tree(tmp_path, rng, sessions=(1,))
    with pytest.raises(ConfigError, match=r"'zscore'"):
        read(tmp_path, standardize="zscore")
