"""ingest.fmriprep: what each model makes of planted responses, and what is told of them."""

import json

import numpy as np
import pandas as pd
import pytest

from bids_dnn import imaging
from bids_dnn.errors import ConfigError, NotEnoughDataError
from bids_dnn.ingest.fmriprep import read_responses
from bids_dnn.ingest.inventory import take_inventory
from bids_dnn.ingest.trials import responses_at
from tests.factories.trees import T_R_S, tiny_tree

pytestmark = pytest.mark.whole

SETTINGS = {"confounds": "none", "high_pass_hz": None, "standardize": "none"}
MODELS = ["lsa", "lss", "lss-by-condition", "conditions", "fir", "block", "volumes"]
ONSETS = np.round(2 + (80 - 6) / 6 * np.arange(6), 1)
KINDS = np.array(["face", "house"] * 3)


def read(where, **settings):
    subject = take_inventory(where).participants[0]
    return read_responses(subject, **{**SETTINGS, **settings})


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """Two sessions of two runs, in which faces answer 3 % and houses 1 %; never altered."""
    rng = np.random.default_rng(0)
    out = tiny_tree(
        tmp_path_factory.mktemp("tree") / "data", rng, participants=("01",), sessions=("a", "b")
    )
    for run in take_inventory(out).participants[0].runs:
        plant(run, rng)
    return out


def plant(run, rng):
    times = 1.0 + T_R_S * np.arange(40)
    shapes = responses_at(times, ONSETS, np.full(6, 2.0), hrf="spm")
    amplitudes = np.where(KINDS == "face", 3.0, 1.0)
    space = imaging.space_of_mask(run.mask, name="T1w")
    series = 100 + (shapes @ amplitudes)[:, None] + rng.normal(0, 0.05, size=(40, len(space)))
    imaging.write_series(run.bold, series, space, t_r_s=T_R_S)


@pytest.fixture
def small(tmp_path, rng):
    return tiny_tree(tmp_path / "data", rng, participants=("01",))


def events_of(tree):
    return sorted((tree / "sub-01").rglob("*events.tsv"))


@pytest.mark.parametrize("hrf", ["spm", "spm + derivative"])
@pytest.mark.parametrize("model", ["lsa", "lss", "lss-by-condition", "conditions"])
def test_planted_percent_is_found(tree, model, hrf):
    found = read(tree, model=model, hrf=hrf).responses
    assert found.values.shape == (8 if model == "conditions" else 24, 12)
    expected = np.where(found.samples["condition"] == "face", 3.0, 1.0)
    # the mean signal is a little above 100; and other trials are not exactly alike for lss
    np.testing.assert_allclose(found.values.mean(axis=1), expected, atol=0.4)
    assert (found.scale, found.independence) == ("psc", "run")


def test_the_free_shape_peaks_where_the_canonical_one_does(tree):
    early, peak = (
        read(tree, model="fir", fir_window_s=w, fir_length_s=8.0).responses
        for w in ((0.0, 2.0), (4.0, 8.0))
    )
    faces = (peak.samples["condition"] == "face").to_numpy()
    assert peak.values[faces].mean() > 2
    assert 0.3 < peak.values[~faces].mean() < 1
    assert np.abs(early.values).max() < 0.8
    assert peak.samples["n_events"].tolist() == [3] * 8
    runs = np.repeat(["ax01", "ax02", "bx01", "bx02"], 2).tolist()
    assert peak.samples["run"].tolist() == runs


def test_delays_that_two_conditions_share_leave_both_out(tree):
    """Faces and houses in turns each 12 s: their responses of 16 s lie on each other."""
    with pytest.raises(NotEnoughDataError, match=r"Run ax01 does not determine any of its 2 cond"):
        read(tree, model="fir", fir_length_s=16.0, fir_window_s=(0.0, 16.0))


def test_few_degrees_of_freedom_are_told(small):
    found = read(small, model="lsa", confounds="24-HMP_8-Phys").facts
    assert found["runs"][0]["degrees_of_freedom"] == 40 - 6 - 32 - 1
    assert "run 01 leaves 1 degrees of freedom of 40 volumes" in found["warnings"][-2]


@pytest.mark.parametrize("model", ["conditions", "fir"])
def test_joined_runs_give_one_sample_for_each_session(tree, model):
    joint = read(tree, model=model, joint=True, fir_length_s=12.0)
    single = read(tree, model=model, fir_length_s=12.0).responses
    samples = joint.responses.samples
    assert samples["run"].tolist() == ["a", "a", "b", "b"]
    assert samples["n_events"].tolist() == [6] * 4
    assert len(joint.facts["runs"]) == 4
    mean = single.values.reshape(2, 2, 2, 12).mean(axis=1).reshape(4, 12)
    np.testing.assert_allclose(joint.responses.values, mean, atol=0.1)
    assert json.loads(json.dumps(joint.facts)) == joint.facts


def test_joined_runs_without_sessions_are_all_of_them(small):
    found = read(small, model="conditions", joint=True).responses
    assert found.samples["run"].tolist() == ["all", "all"]
    assert found.samples["session"].tolist() == ["", ""]


@pytest.mark.parametrize("model", MODELS)
def test_numbers_of_the_events_and_motion_stay_with_the_samples(small, model):
    for path in events_of(small):
        table = pd.read_csv(path, sep="\t")
        table["response_time"] = [0.5, np.nan, 0.7, 0.8, 0.9, 1.0]
        table["run"] = 7
        table["answer"] = ["yes", "no"] * 3
        table.to_csv(path, sep="\t", index=False, na_rep="n/a")
    found = read(small, model=model, delay_s=4.0, fir_length_s=8.0)
    samples = found.responses.samples
    assert set(samples["run"]) == {"01", "02"}
    assert (samples["event_run"] == 7).all()
    assert "answer" in samples  # text stays, too
    assert found.facts["runs"][0]["numeric_columns"] == ["event_run", "response_time"]
    first = samples[samples["run"] == "01"].drop_duplicates("trial")["response_time"].to_numpy()
    if model in ("conditions", "fir"):
        np.testing.assert_allclose(first, [0.7, 0.9])
    else:
        np.testing.assert_allclose(first, [0.5, np.nan, 0.7, 0.8, 0.9, 1.0])
    assert samples["motion"].between(0.01, 0.5).all()


def test_motion_is_that_of_the_volumes_of_the_trial(small):
    for path in small.rglob("*_desc-confounds_timeseries.tsv"):
        table = pd.read_csv(path, sep="\t", na_values="n/a")
        table["framewise_displacement"] = np.arange(40.0)
        table.to_csv(path, sep="\t", index=False, na_rep="n/a")
    blocks = read(small, model="block", delay_s=0.0).responses.samples
    volumes = read(small, model="volumes", delay_s=0.0).responses.samples
    expected = volumes.groupby(["run", "trial"])["motion"].mean().to_numpy()
    np.testing.assert_allclose(blocks["motion"], expected)
    trials = read(small, model="lss").responses.samples
    later = trials["motion"].to_numpy()[:6] * T_R_S + 1.0 - ONSETS  # s after the onset
    assert (np.abs(later - 6) < 2.5).all()


def test_motion_is_unknown_where_there_is_no_table(small):
    for path in small.rglob("*_desc-confounds_timeseries.tsv"):
        path.unlink()
    for model in ("lsa", "conditions", "block"):
        found = read(small, model=model)
        assert found.responses.samples["motion"].isna().all()
        assert found.facts["runs"][0]["mean_framewise_displacement_mm"] is None


@pytest.mark.parametrize(
    ("sessions", "chosen"), [(("a", "b"), "none"), (("a", "b", "c"), "session")]
)
def test_auto_standardizes_many_sessions(tmp_path, rng, sessions, chosen):
    out = tiny_tree(tmp_path / "data", rng, participants=("01",), sessions=sessions, n_runs=1)
    found = read(out, standardize="auto")
    assert (found.facts["standardize"], found.facts["standardize_asked"]) == (chosen, "auto")
    assert found.responses.scale == ("zscore" if chosen == "session" else "psc")


def test_defaults_hold_where_nothing_is_told(small):
    found = read_responses(take_inventory(small).participants[0])
    assert found.facts["model"] == "lsa"
    assert found.facts["confounds"] == "simple"
    assert found.facts["high_pass_hz"] == 1 / 128
    assert found.facts["rest"] == ["rest", "fixation", "baseline"]


def test_tokens_choose_confounds_and_few_components_are_told(small):
    for path in small.rglob("*_desc-confounds_timeseries.tsv"):
        table = pd.read_csv(path, sep="\t", na_values="n/a")
        table = table.assign(c_comp_cor_00=np.sin(np.arange(40)), w_comp_cor_00=np.arange(40) % 7)
        table.to_csv(path, sep="\t", index=False, na_rep="n/a")
        about = {
            f"{m[0].lower()}_comp_cor_00": {"Method": "aCompCor", "Mask": m, "Retained": True}
            for m in ("CSF", "WM")
        }
        path.with_suffix(".json").write_text(json.dumps(about))
    found = read(small, confounds="6-HMP_10-aCompCor", model="lss")
    assert len(found.facts["runs"][0]["confound_columns"]) == 8
    assert found.facts["warnings"][0].startswith("10-aCompCor found fewer than 5 components")
    assert "(run 01)" in found.facts["warnings"][0]


@pytest.mark.parametrize("model", ["lsa", "lss", "conditions", "block"])
def test_a_low_pass_takes_fast_waves_out(small, model):
    settings = {"model": model, "low_pass_hz": 0.1, "delay_s": 4.0}
    before = read(small, **settings).responses.values
    for run in take_inventory(small).participants[0].runs:
        space = imaging.space_of_mask(run.mask, name="T1w")
        wave = 5 * np.sin(np.pi * 34 / 39 * np.arange(40))  # 0 at both ends, 0.218 Hz
        series = imaging.read_units(run.bold, space) + wave[:, None]
        imaging.write_series(run.bold, series, space, t_r_s=T_R_S)
    plain = read(small, model=model, delay_s=4.0).responses.values
    after = read(small, **settings).responses.values
    assert np.abs(after - before).max() < 0.1 * np.abs(plain - before).max()


def test_a_condition_that_hides_another_is_told(small):
    path = events_of(small)[0]
    path.write_text(path.read_text() + "2\t2\tcar\tn/a\n27\t2\tcar\tn/a\n52\t2\tcar\tn/a\n")
    found = read(small, model="conditions")
    assert set(found.responses.samples["condition"]) == {"car", "face", "house"}
    table = pd.read_csv(path, sep="\t")
    table = table[table["trial_type"] != "car"]
    double = table[table["trial_type"] == "face"].assign(trial_type="car")
    pd.concat([table, double]).to_csv(path, sep="\t", index=False, na_rep="n/a")
    found = read(small, model="conditions")
    conditions = found.responses.samples.query("run == '01'")["condition"].tolist()
    assert conditions == ["house"]
    assert any(
        "'car' is not determined by the volumes of run 01" in w for w in found.facts["warnings"]
    )


def test_many_overlapping_trials_are_estimated_separately(small):
    rows = [f"{1 + 1.5 * i}\t1\tface" for i in range(45)]
    for path in events_of(small):
        path.write_text("\n".join(["onset\tduration\ttrial_type", *rows]) + "\n")
    with pytest.raises(NotEnoughDataError, match=r'for 4\d regressors .*responses.model = "lss"'):
        read(small)
    found = read(small, model="lss")
    assert len(found.responses.samples) > 80


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"model": "glmsingle"}, r"estimated outside\. .*--responses glmsingle=PATH"),
        ({"model": "lsss"}, r"responses.model is 'lsss'.*Did you mean 'lss'"),
        ({"hrf": "spm + derivatives"}, r"Did you mean 'spm \+ derivative'"),
        ({"confounds": "24-HPM"}, r"'24-HPM' is no strategy\. Did you mean '24-HMP'"),
        ({"joint": True, "model": "lss"}, r"the runs share no regressor"),
        ({"model": "fir", "fir_window_s": (8.0, 4.0)}, r"fir_window_s is 8 to 4 s"),
        ({"model": "fir", "fir_window_s": (4.0, 24.0)}, r"the delays 0 to 20 s"),
        ({"low_pass_hz": 0.005, "high_pass_hz": 0.01}, r"no frequency passes"),
        ({"low_pass_hz": 0.3}, r"a cut-off between 0 and 0\.25 Hz"),
        ({"high_pass_hz": -1.0}, r"responses.high_pass_hz is -1 Hz"),
        ({"standardize": "rest", "model": "fir"}, r"have no rest"),
        ({"highpass_hz": 0.01}, r"responses.highpass_hz does not exist.*'high_pass_hz'"),
    ],
)
def test_wrong_settings_are_refused(tree, settings, expected):
    with pytest.raises(ConfigError, match=expected):
        read(tree, **settings)
