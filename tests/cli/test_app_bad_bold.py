"""Damaged outputs of fMRIPrep: the message, and that no table is written."""

import numpy as np
import pandas as pd
import pytest

from tests.factories.sources import check, one
from tests.factories.trees import SHAPE, affine_of, tiny_tree, write_image

pytestmark = pytest.mark.whole

OUTSIDE = {"absolute": "/etc/passwd.png", "above": "../../secret.png", "Windows": "C:\\im.png"}


def cut_bold(tree):
    path = one(tree, "*run-02*desc-preproc_bold.nii.gz")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def cut_confounds(tree):
    path = one(tree, "*run-02*confounds_timeseries.tsv")
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))


def spoil_confounds(tree):
    path = one(tree, "*run-02*confounds_timeseries.tsv")
    table = pd.read_csv(path, sep="\t")
    table.loc[9, "csf"] = np.nan
    table.to_csv(path, sep="\t", index=False, na_rep="n/a")


def lose_confounds(tree):
    one(tree, "*run-02*confounds_timeseries.tsv").unlink()


def lose_events(tree):
    one(tree, "*run-02_events.tsv").unlink()


def lose_onset(tree):
    path = one(tree, "*run-02_events.tsv")
    path.write_text(path.read_text().replace("onset", "start"))


def spoil_onset(tree):
    path = one(tree, "*run-02_events.tsv")
    path.write_text(path.read_text().replace("\n2.0\t", "\nsoon\t"))


def lose_mask(tree):
    one(tree, "*run-02*brain_mask.nii.gz").unlink()


def empty_mask(tree):
    path = one(tree, "*run-02*brain_mask.nii.gz")
    write_image(path, np.zeros(SHAPE, np.uint8), affine_of())


BROKEN = {
    "a series cut short": (cut_bold, "run-02_space-T1w_desc-preproc_bold.nii.gz ends early"),
    "fewer rows of confounds": (cut_confounds, "has 39 rows, but"),
    "a confound without a number": (spoil_confounds, "has rows of 'csf' without a number"),
    "no confounds": (lose_confounds, "has no confounds table"),
    "no events": (lose_events, "has no events (*_events.tsv) in the raw data set"),
    "events without onsets": (lose_onset, "_events.tsv has no column 'onset'"),
    "an onset that is no number": (spoil_onset, "has the onset 'soon'"),
    "no mask": (lose_mask, "has no brain mask"),
    "a mask without a voxel": (empty_mask, "has no voxel: all its 48 values are 0"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_damaged_is_named(app, tmp_path, rng, case):
    damage, words = BROKEN[case]
    tree = tiny_tree(tmp_path / "tree", rng, participants=("01",))
    damage(tree)
    said = " ".join(app(tree, analysis="decode", expect=1).split())
    check(said, "failed: sub-01", words)


def test_a_series_that_was_not_fetched(app, tmp_path, rng):
    tree = tiny_tree(tmp_path / "tree", rng, participants=("01",))
    path = one(tree, "*run-02*desc-preproc_bold.nii.gz")
    path.unlink()
    path.symlink_to("../../.git/annex/objects/x")
    said = " ".join(app(tree, analysis="decode", expect=2).split())
    assert f"Fetch it: datalad get {path}" in said


def test_runs_on_other_grids_are_refused(app, tmp_path, rng):
    tree = tiny_tree(tmp_path / "tree", rng, participants=("01",), other_grid_in_last_run=True)
    said = " ".join(app(tree, analysis="decode", expect=1).split())
    check(said, "sub-01", "grid")


@pytest.mark.parametrize("where", OUTSIDE)
def test_pictures_of_events_outside_are_refused(app, tmp_path, rng, where):
    tree = tiny_tree(tmp_path / "tree", rng, participants=("01",))
    for path in tree.rglob("*_events.tsv"):
        path.write_text(path.read_text().replace("face/1.png", OUTSIDE[where]))
    said = " ".join(app(tree, analysis="decode", expect=1).split())
    check(said, "run 01 names the stimulus", "lies outside stimuli/")


def test_one_damaged_participant_does_not_stop_the_others(app, tmp_path, rng):
    tree = tiny_tree(tmp_path / "tree", rng)
    cut_bold(tree / "derivatives" / "fmriprep" / "sub-02")
    said = " ".join(app(tree, analysis="decode", expect=1, made=["01"]).split())
    assert "failed: sub-02" in said
    assert "Made: decode of sub-01" in said
    assert "Exit code 1: something failed, and the rest is finished." in said
