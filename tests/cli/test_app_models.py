"""Each way from BOLD runs to responses, through the App: models, confounds, bands, scales."""

import json

import numpy as np
import pandas as pd
import pytest

from tests.factories.haxby import haxby_tree
from tests.factories.trees import tiny_tree

pytestmark = pytest.mark.whole

N_VOLUMES = 60
# What a decoded table counts: six trials a run, two conditions, two runs.
TRIALS, CONDITIONS = 12, 4
MODELS = {
    "lsa": TRIALS,
    "lss": TRIALS,
    "lss-by-condition": TRIALS,
    "conditions": CONDITIONS,
    "fir": CONDITIONS,
    "block": TRIALS,
    "volumes": TRIALS,  # an event of 2 s holds one volume of 2 s
}


def responses(**settings):
    lines = [f"{key} = {json.dumps(value)}" for key, value in settings.items()]
    return "\n".join(["[responses]", *lines])


def sidecar(tmp_path):
    (path,) = (tmp_path / "out").rglob("*_desc-decode_scores.json")
    return json.loads(path.read_text())


@pytest.fixture
def tree(tmp_path, rng):
    """One participant, two runs, with the confounds that fMRIPrep writes by default."""
    tree = tiny_tree(tmp_path / "data", rng, participants=("01",), n_volumes=N_VOLUMES)
    for path in tree.rglob("*_desc-confounds_timeseries.tsv"):
        add_confounds(path, rng)
    return tree


def add_confounds(path, rng):
    """Add what noise makes of the columns that tokens and strategies select by."""
    table = pd.read_csv(path, sep="\t")
    told = {}
    for name in ("global_signal", "cosine00", "cosine01", "aroma_motion_01"):
        table[name] = rng.normal(size=len(table))
    table["motion_outlier00"] = np.eye(len(table))[7]
    for number, mask in enumerate(["CSF", "WM", "combined"] * 5):
        name = f"a_comp_cor_{number:02d}"
        table[name] = rng.normal(size=len(table))
        told[name] = {"Mask": mask, "Method": "aCompCor", "Retained": True}
    table.to_csv(path, sep="\t", index=False, na_rep="n/a")
    path.with_suffix(".json").write_text(json.dumps(told))


@pytest.mark.parametrize("model", MODELS)
def test_each_model_reaches_a_table(app, tree, tmp_path, model):
    more = responses(model=model, confounds="6-HMP")
    table = app(tree, analysis="decode", more=more)["01"]
    assert (table["n_samples"] == MODELS[model]).all()
    assert table["region"].unique().tolist() == ["FFA"]
    told = sidecar(tmp_path)
    assert told["Settings"]["responses"]["model"] == model
    assert told["Facts"]["ingest"]["model"] == model


STRATEGIES = {  # a few of the columns of each run, and how many there are
    "6-HMP_8-Phys_SpikeReg_cosine": ({"rot_z", "csf_power2", "motion_outlier00", "cosine01"}, 17),
    "12-HMP_1-GS_10-aCompCor": ({"trans_x_derivative1", "global_signal", "a_comp_cor_13"}, 23),
    "simple": ({"trans_x_derivative1_power2", "white_matter", "cosine00"}, 28),
    "scrubbing": ({"csf_derivative1_power2", "rot_y_power2"}, 34),
    "compcor": ({"a_comp_cor_02", "rot_x", "cosine00"}, 31),
    "ica_aroma": ({"aroma_motion_01", "csf", "white_matter"}, 5),
    "none": (set(), 0),
}


@pytest.mark.parametrize("confounds", STRATEGIES)
def test_confounds_are_those_named(app, tree, tmp_path, confounds):
    app(tree, analysis="decode", more=responses(model="block", confounds=confounds))
    some, n_columns = STRATEGIES[confounds]
    told = sidecar(tmp_path)["Facts"]["ingest"]
    assert told["confounds"] == confounds
    for run in told["runs"]:
        assert some <= set(run["confound_columns"])
        assert len(run["confound_columns"]) == n_columns


def test_cosines_of_the_table_replace_the_drift_model(app, tree, tmp_path):
    app(tree, analysis="decode", more=responses(confounds="6-HMP_cosine"))
    (first, _) = sidecar(tmp_path)["Facts"]["ingest"]["runs"]
    assert first["drift"] == "cosines of the confounds table"
    n_free = N_VOLUMES - 6 - 2 - 6 - 1  # motion, cosines, trials, constant
    assert first["degrees_of_freedom"] == n_free


def test_a_low_pass_takes_degrees_of_freedom(app, tree, tmp_path):
    app(tree, analysis="decode", more=responses(confounds="6-HMP", low_pass_hz=0.1))
    told = sidecar(tmp_path)["Facts"]["ingest"]
    assert told["low_pass_hz"] == 0.1
    # 60 volumes of 2 s: frequencies up to 0.25 Hz, of which 0.1 Hz keeps two fifths
    kept = 2 * int(0.1 * N_VOLUMES * 2.0) + 1
    for run in told["runs"]:
        assert 0 < run["degrees_of_freedom"] <= kept - 6


def test_three_sessions_are_z_scored_by_session(app, tmp_path, rng):
    tree = tiny_tree(
        tmp_path / "data", rng, participants=("01",), sessions=("a", "b", "c"), n_runs=1
    )
    table = app(tree, analysis="decode", more=responses(confounds="6-HMP"))["01"]
    assert (table["n_runs"] == 3).all()
    told = sidecar(tmp_path)["Facts"]["ingest"]
    assert (told["standardize_asked"], told["standardize"]) == ("auto", "session")
    assert (told["scale"], told["n_sessions"]) == ("zscore", 3)


REFUSED = {
    "an unknown token": ({"confounds": "6-HPM_cosine"}, ("'6-HPM'", "Did you mean '6-HMP'")),
    "a size that does not exist": ({"confounds": "7-HMP"}, ("'7-HMP'", "'6-HMP' or '12-HMP'")),
    "an unknown strategy": ({"confounds": "simpel"}, ("'simpel'", "Did you mean 'simple'")),
    "Null beside others": ({"confounds": "Null_cosine"}, ("Null", "'cosine'")),
    "an unknown model": ({"model": "lsx"}, ("responses.model", "'lsx'", "'lsa'")),
    "a band without frequencies": ({"low_pass_hz": 0.001}, ("0.001 Hz", "responses.low_pass_hz")),
    "a window without delays": (
        {"model": "fir", "fir_window_s": [8.0, 30.0]},
        ("8 to 30 s", "responses.fir_length_s"),
    ),
    "a joint model of single trials": ({"joint": True}, ("responses.joint", "conditions")),
    "rest for trials": ({"standardize": "rest"}, ("rest", "'block'")),
}


@pytest.mark.parametrize("case", REFUSED)
def test_settings_that_cannot_be_are_refused(app, tree, case):
    settings, words = REFUSED[case]
    said = app(tree, analysis="decode", more=responses(**settings), expect=2)
    for word in words:
        assert word in said, said


MISSING = {
    "1-GS_6-HMP": ("global_signal", "There are: trans_x"),
    "SpikeReg_cosine": ("cosineXX", "There are: trans_x"),
    "compcor": ("a_comp_cor_XX", "that this table allows: none, simple, scrubbing"),
    "10-aCompCor": ("components of CSF", "There are: trans_x"),
    "ica_aroma": ("aroma_motion_XX", "that this table allows: none, simple, scrubbing"),
}


@pytest.mark.parametrize("confounds", MISSING)
def test_a_column_that_the_table_lacks_fails_its_participant(app, tmp_path, rng, confounds):
    tree = tiny_tree(tmp_path / "data", rng, participants=("01",), n_volumes=N_VOLUMES)
    said = app(tree, analysis="decode", more=responses(confounds=confounds), expect=1)
    said = " ".join(said.split())
    for word in ("sub-01", "desc-confounds_timeseries", *MISSING[confounds]):
        assert word in said, said


@pytest.mark.real
@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        # From trial by trial regressions with nilearn's design matrices. Below least squares all
        # (0.729 and 0.812), as blocks of 24 s every 36 s lie too close for one other regressor.
        ({"model": "lss"}, 0.656),
        ({"model": "lss", "standardize": "run"}, 0.708),
        # One block of each condition a run: the same columns as those of least squares all.
        ({"model": "lss-by-condition", "standardize": "run"}, 0.812),
    ],
)
def test_haxby_is_decoded_from_separate_estimates(app, real_data, tmp_path, settings, expected):
    bids = haxby_tree(real_data, tmp_path / "haxby", onsets="hrf")
    table = app(bids, analysis="decode", more=responses(confounds="none", **settings))["01"]
    (row,) = table.to_dict("records")
    assert (row["n_classes"], row["n_samples"], row["n_units"]) == (8, 96, 530)
    assert row["score"] == pytest.approx(expected, abs=0.02)  # two samples of 96
