"""ingest.ready.glmsingle: exactly the betas that were written, in the order of the table."""

from __future__ import annotations

import os

import h5py
import nibabel as nib
import numpy as np
import pytest

from bids_dnn.containers.space import Channels, Grid
from bids_dnn.errors import ConfigError, MissingInputError, ShapeError, SpaceError, UnreadableError
from bids_dnn.ingest.ready import glmsingle
from bids_dnn.ingest.records import Subject
from tests.factories.ready_glmsingle import SHAPE, TYPES, save_betas, write_glmsingle

SUFFIXES = (".npy", ".hdf5", ".mat")


def read(folder, *, standardize="none", space=None):
    (subject,), _ = glmsingle.find(folder, participants=[], space=space)
    assert Subject.from_json(subject.to_json()) == subject
    return glmsingle.read_responses(subject, standardize=standardize)


@pytest.mark.parametrize("table", ["samples", "conditions"])
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_betas_come_as_written(tmp_path, rng, suffix, table):
    truth = write_glmsingle(tmp_path / "sub-01", rng, suffix=suffix, table=table)
    found = read(tmp_path, space="T1w")
    responses = found.responses
    assert isinstance(responses.space, Grid)
    assert responses.space.name == "T1w"
    inside = truth["betas"][1:].reshape(-1, len(truth["order"]))
    np.testing.assert_array_equal(responses.values, inside.T)
    assert responses.values.dtype == np.float32
    assert list(responses.samples["stimulus"]) == [f"im{c}.png" for c in truth["order"]]
    assert list(responses.samples["condition"]) == [f"c{c % 2}" for c in truth["order"]]
    assert list(responses.samples["run"]) == [f"{r:02d}" for r in truth["run"]]
    assert list(responses.samples["repeat"]) == [r - 1 for r in truth["run"]]
    assert (responses.scale, responses.independence) == ("psc", "none")
    assert found.facts["model"] == f"GLMsingle {TYPES[-1]}"
    assert found.facts["warnings"] == []


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("shape", [SHAPE, (5,)])
def test_without_a_mask_units_are_channels(tmp_path, rng, suffix, shape):
    truth = write_glmsingle(tmp_path, rng, suffix=suffix, shape=shape, mask=False)
    found = read(tmp_path).responses
    assert isinstance(found.space, Channels)
    np.testing.assert_array_equal(found.values, truth["betas"].reshape(-1, 8).T)


@pytest.mark.parametrize("name", ["sub-07", "subj07", "subj-07"])
def test_a_folder_is_a_participant(tmp_path, rng, name):
    write_glmsingle(tmp_path / name, rng)
    (subject,), _ = glmsingle.find(tmp_path, participants=[], space=None)
    (alone,), _ = glmsingle.find(tmp_path / name, participants=[], space=None)
    assert subject.participant == alone.participant == name.removeprefix("sub-").replace("-", "")


def test_the_highest_type_is_taken(tmp_path, rng):
    write_glmsingle(tmp_path, rng, kind=TYPES[0])
    assert read(tmp_path).responses.independence == "run"
    truth = write_glmsingle(tmp_path, rng, kind=TYPES[2])
    (subject,), notes = glmsingle.find(tmp_path, participants=[], space=None)
    found = glmsingle.read_responses(subject, standardize="none").responses
    assert found.independence == "none"
    np.testing.assert_array_equal(found.values, truth["betas"][1:].reshape(-1, 8).T)
    (label,) = [subject.participant]
    assert notes == [f"{label}: of {TYPES[0]}, {TYPES[2]}, {TYPES[2]} was taken."]


def test_sessions_stand_in_natural_order(tmp_path, rng):
    truths = {s: write_glmsingle(tmp_path / f"sub-01/ses-{s}", rng) for s in ("10", "2", "1")}
    responses = read(tmp_path).responses
    expected = [truths[s]["betas"][1:].reshape(-1, 8).T for s in ("1", "2", "10")]
    np.testing.assert_array_equal(responses.values, np.concatenate(expected))
    assert list(dict.fromkeys(responses.samples["session"])) == ["1", "2", "10"]
    assert list(dict.fromkeys(responses.samples["run"]))[:3] == ["1x01", "1x02", "2x01"]
    assert responses.samples["repeat"].max() == 5
    scaled = read(tmp_path, standardize="auto")
    assert scaled.facts["standardize"] == "session"
    assert scaled.responses.scale == "zscore"
    z = np.concatenate([(part - part.mean(0)) / part.std(0) for part in expected])
    np.testing.assert_allclose(scaled.responses.values, z, atol=1e-5)


def test_a_session_without_estimates_is_named(tmp_path, rng):
    write_glmsingle(tmp_path / "sub-01/ses-1", rng)
    (tmp_path / "sub-01/ses-2").mkdir()
    _, notes = glmsingle.find(tmp_path, participants=[], space=None)
    assert "01: ses-2 has no estimates and was left out." in notes


def test_runs_come_from_the_design_where_the_table_lacks_them(tmp_path, rng):
    truth = write_glmsingle(tmp_path, rng)
    lines = [f"im{c}.png" for c in truth["order"]]
    (tmp_path / "samples.tsv").write_text("\n".join(["stimulus", *lines]) + "\n")
    samples = read(tmp_path).responses.samples
    assert list(samples["run"]) == [f"{r:02d}" for r in truth["run"]]
    assert list(samples["condition"]) == lines
    (tmp_path / "DESIGNINFO.npy").unlink()
    with pytest.raises(MissingInputError, match=r"no DESIGNINFO beside .*samples\.tsv"):
        read(tmp_path)


def test_units_that_are_nan_or_constant_are_left_out(tmp_path, rng):
    truth = write_glmsingle(tmp_path, rng)
    betas = truth["betas"]
    betas[1, 0, 0, 3] = np.nan
    betas[2, 1, 1] = 4
    save_betas(tmp_path / f"{TYPES[-1]}.npy", betas)
    found = read(tmp_path)
    assert found.facts["left_out_because"] == {"nan": 1, "constant": 1}
    kept = np.setdiff1d(np.arange(6, 24), [6, 2 * 6 + 3])
    np.testing.assert_array_equal(found.responses.space.index, kept)
    np.testing.assert_array_equal(found.responses.values, betas.reshape(24, -1)[kept].T)


# --- refusals


def test_a_participant_who_is_not_there(tmp_path, rng):
    write_glmsingle(tmp_path / "sub-01", rng)
    with pytest.raises(MissingInputError, match=r"no participant '02'; there are: 01"):
        glmsingle.find(tmp_path, participants=["02"], space=None)


@pytest.mark.parametrize("folder", ["", "nothing"])
def test_a_folder_of_another_kind_shows_the_layout(tmp_path, folder):
    with pytest.raises(MissingInputError, match=r"(?s)does not hold any.*TYPED_FITHRF_GLMDENOISE"):
        glmsingle.find(tmp_path / folder, participants=[], space=None)


def test_a_model_without_single_trials(tmp_path, rng):
    write_glmsingle(tmp_path, rng, kind="TYPEA_ONOFF")
    with pytest.raises(MissingInputError, match="only TYPEA_ONOFF"):
        read(tmp_path)


def test_a_missing_table(tmp_path, rng):
    write_glmsingle(tmp_path, rng)
    (tmp_path / "samples.tsv").unlink()
    with pytest.raises(MissingInputError, match=r"does not hold samples\.tsv or conditions\.tsv"):
        read(tmp_path)


@pytest.mark.parametrize("name", [f"{TYPES[-1]}.npy", "samples.tsv", "mask.nii.gz"])
def test_links_that_were_not_fetched(tmp_path, rng, name):
    write_glmsingle(tmp_path, rng)
    (tmp_path / name).unlink()
    (tmp_path / name).symlink_to("../.git/annex/objects/x")
    with pytest.raises(MissingInputError, match=r"not fetched\. Type: datalad get"):
        read(tmp_path)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_cut_short(tmp_path, rng, suffix):
    write_glmsingle(tmp_path, rng, suffix=suffix)
    path = tmp_path / f"{TYPES[-1]}{suffix}"
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(UnreadableError, match=f"{TYPES[-1]}.* is no whole"):
        read(tmp_path)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_more_trials_than_rows(tmp_path, rng, suffix):
    write_glmsingle(tmp_path, rng, suffix=suffix)
    table = tmp_path / "samples.tsv"
    table.write_text("\n".join(table.read_text().splitlines()[:-1]) + "\n")
    with pytest.raises(ShapeError, match="has 8 trials, the sample table beside it names 7"):
        read(tmp_path)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_without_betas(tmp_path, rng, suffix):
    write_glmsingle(tmp_path, rng, suffix=suffix)
    path = tmp_path / f"{TYPES[-1]}{suffix}"
    path.unlink()
    if suffix == ".npy":
        np.save(path, {"R2": 1})
    else:
        with h5py.File(path, "w") as file:
            file["R2"] = 1
    with pytest.raises(UnreadableError, match="holds no array"):
        read(tmp_path)


def test_a_pickle_with_code_is_not_run(tmp_path, rng):
    class Hostile:
        def __reduce__(self):
            return os.system, (f"touch {tmp_path / 'was-run'}",)

    write_glmsingle(tmp_path, rng)
    np.save(tmp_path / f"{TYPES[-1]}.npy", {"betasmd": Hostile()})
    with pytest.raises(UnreadableError, match=r"posix\.system.*nothing in it was run"):
        read(tmp_path)
    assert not (tmp_path / "was-run").exists()


@pytest.mark.parametrize(
    ("cell", "error", "match"),
    [
        ("/data/im.png", UnreadableError, "lies outside"),
        ("../im.png", UnreadableError, "lies outside"),
        ("C:\\im.png", UnreadableError, "lies outside"),
    ],
)
def test_pictures_outside_are_refused(tmp_path, rng, cell, error, match):
    write_glmsingle(tmp_path, rng)
    table = tmp_path / "samples.tsv"
    table.write_text(table.read_text().replace("im2.png", cell))
    with pytest.raises(error, match=match):
        read(tmp_path)


def test_a_trial_that_stands_twice(tmp_path, rng):
    truth = write_glmsingle(tmp_path, rng)
    rows = [f"im{c}.png\t01\t{i % 7}" for i, c in enumerate(truth["order"])]
    (tmp_path / "samples.tsv").write_text("\n".join(["stimulus\trun\ttrial", *rows]) + "\n")
    with pytest.raises(UnreadableError, match="trial '0' of run '01' twice"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "error", "match"),
    [
        ("4\tim3", "3\tim3", UnreadableError, "condition '3' twice"),
        ("4\tim3", "9\tim3", MissingInputError, "lacks 1 conditions .* such as '4'"),
        ("number", "column", MissingInputError, r"lacks the column\(s\) number"),
    ],
)
def test_tables_of_conditions_that_do_not_fit(tmp_path, rng, old, new, error, match):
    write_glmsingle(tmp_path, rng, table="conditions")
    table = tmp_path / "conditions.tsv"
    table.write_text(table.read_text().replace(old, new))
    with pytest.raises(error, match=match):
        read(tmp_path)


def test_a_design_of_another_program(tmp_path, rng):
    write_glmsingle(tmp_path, rng, table="conditions")
    np.save(tmp_path / "DESIGNINFO.npy", {"stimorder": [0, 1]})
    with pytest.raises(UnreadableError, match="lacks numtrialrun; there are: stimorder"):
        read(tmp_path)
    np.save(tmp_path / "DESIGNINFO.npy", {"stimorder": [0, 1], "numtrialrun": [3]})
    with pytest.raises(UnreadableError, match="2 trials in stimorder, but 3 in its runs"):
        read(tmp_path)
    np.save(tmp_path / "DESIGNINFO.npy", {"stimorder": "ab", "numtrialrun": [3]})
    with pytest.raises(UnreadableError, match="no whole numbers under 'stimorder'"):
        read(tmp_path)


def test_masks_that_do_not_fit(tmp_path, rng):
    write_glmsingle(tmp_path / "ses-1", rng)
    write_glmsingle(tmp_path / "ses-2", rng, shape=(5, 3, 2))
    with pytest.raises(SpaceError, match=r"ses-2/mask\.nii\.gz lies on"):
        read(tmp_path)
    image = nib.Nifti1Image(np.ones((9, 9, 9), dtype=np.uint8), np.eye(4))
    for session in "12":
        nib.save(image, tmp_path / f"ses-{session}/mask.nii.gz")
    with pytest.raises(SpaceError, match=r"betas on \(4, 3, 2\), .* on \(9, 9, 9\)"):
        read(tmp_path)
    (tmp_path / "ses-2/mask.nii.gz").unlink()
    with pytest.raises(MissingInputError, match="which other sessions have"):
        read(tmp_path)


def test_sessions_of_other_units(tmp_path, rng):
    write_glmsingle(tmp_path / "ses-1", rng, shape=(5,))
    write_glmsingle(tmp_path / "ses-2", rng, shape=(6,))
    with pytest.raises(ShapeError, match=r"has 6 units, .* has 5"):
        read(tmp_path)


def test_sessions_of_other_types(tmp_path, rng):
    write_glmsingle(tmp_path / "ses-1", rng)
    write_glmsingle(tmp_path / "ses-2", rng, kind=TYPES[0])
    with pytest.raises(MissingInputError, match="different estimates: TYPEB_FITHRF, TYPED"):
        read(tmp_path)


def test_an_unknown_way_to_standardize(tmp_path, rng):
    write_glmsingle(tmp_path, rng)
    with pytest.raises(ConfigError, match=r"'sessions'.*Did you mean 'session'"):
        read(tmp_path, standardize="sessions")
