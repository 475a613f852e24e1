"""The App takes the split that a data set has in the names of its runs, or refuses it."""

import numpy as np
import pandas as pd
import pytest

from tests.factories.pictures import PICTURES, write_pictures
from tests.factories.ready_algonauts import write_algonauts
from tests.factories.ready_tvsd import norm_mua
from tests.factories.ready_vim1 import vim1_folder
from tests.factories.sources import check, write_raw

pytestmark = pytest.mark.whole


@pytest.fixture
def by_split(tmp_path):
    """Write settings that ask for the split; returns the options that name them."""
    (tmp_path / "settings").mkdir()
    path = tmp_path / "settings" / "own.toml"
    path.write_text(
        '[networks.tiny]\nnetwork = "tiny.py:build"\n'
        "[encode]\npermutations = 5\nfolds = { split = true, inner = 2 }\n"
    )
    return ("--config", path)


def test_numbered_test_runs_of_tvsd_are_tested(app, tmp_path, rng, by_split):
    made = norm_mua(tmp_path / "tvsd" / "monkeyF", rng, n_test=6, n_repeats=3)
    names = [name for part in made["names"] for name in part]
    raw = write_raw(tmp_path / "raw", rng, pictures=names)
    given = ("--responses", f"tvsd={tmp_path / 'tvsd'}", "--roi", "V4=area:V4")
    table = app(raw, *given, *by_split, analysis="encode")["monkeyF"]
    assert (table["n_stimuli"] == 6).all()
    assert (table["n_folds"] == 1).all()
    (path,) = (tmp_path / "out").rglob("*desc-encode_units.tsv")
    ceiling = pd.read_csv(path, sep="\t")["noiseceiling"]
    assert np.isfinite(ceiling).any()  # test images repeat, run by run


def test_validation_runs_of_vim1_are_tested(app, tmp_path, rng, by_split):
    vim1_folder(tmp_path / "vim1", rng)
    raw = write_raw(tmp_path / "raw", rng)
    given = ("--responses", f"vim1={tmp_path / 'vim1'}", "--participant-label", "S1")
    table = app(raw, *given, *by_split, analysis="encode")["S1"]
    assert (table["n_stimuli"] == 6).all()


def test_test_images_of_algonauts_are_tested(app, tmp_path, rng, by_split):
    made = write_algonauts(tmp_path / "algonauts", rng, n_test=5, with_test=True)
    raw = write_raw(tmp_path / "raw", rng, pictures=[*made["train"], *made["test"]])
    given = ("--responses", f"algonauts={tmp_path / 'algonauts'}", "--roi", "V1=area:V1")
    table = app(raw, *given, *by_split, analysis="encode")["subj01"]
    assert (table["n_stimuli"] == 5).all()


def name_runs(tmp_path, runs):
    """Give the two showings of the pictures in the table of responses other runs."""
    path = tmp_path / "responses" / "sub-01" / "samples.tsv"
    table = pd.read_csv(path, sep="\t")
    table.assign(run=runs).to_csv(path, sep="\t", index=False)


def test_a_stimulus_in_training_and_test_runs_is_refused(app, tmp_path, rng, by_split):
    raw, given = write_pictures(tmp_path, rng)
    name_runs(tmp_path, ["train"] * len(PICTURES) + ["test"] * len(PICTURES))
    said = app(raw, *given, *by_split, analysis="encode", expect=1)
    check(
        " ".join(said.split()),
        f"16 stimuli are in training and in test runs, such as '{PICTURES[0]}'",
        "Give the split of each stimulus in stimuli.tsv",
    )


def test_a_partial_column_is_refused_where_runs_tell_the_rest(app, tmp_path, rng, by_split):
    raw, given = write_pictures(tmp_path, rng)
    name_runs(tmp_path, (["train"] * 8 + ["test01"] * 8) * 2)
    told = raw / "stimuli" / "stimuli.tsv"
    split = ["train"] * 4 + ["n/a"] * 4 + ["test"] * 8
    pd.DataFrame({"stimulus_id": PICTURES, "split": split}).to_csv(told, sep="\t", index=False)
    said = app(raw, *given, *by_split, analysis="encode", expect=1)
    check(" ".join(said.split()), "tells the split of 12", "leaves 4 open, such as 'face/4.png'")
    told.unlink()
    (table,) = app(raw, *given, *by_split, analysis="encode").values()
    assert (table["n_stimuli"] == 8).all()
