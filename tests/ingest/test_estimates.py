"""ingest.estimates: equal answers by other ways, and what runs are told of."""

import numpy as np
import pandas as pd
import pytest

from bids_dnn.errors import NotEnoughDataError, UnreadableError
from bids_dnn.ingest.choices import DEFAULTS, settle
from bids_dnn.ingest.confounds import Confounds
from bids_dnn.ingest.estimates import (
    drift_of,
    estimate_conditions,
    estimate_trials,
    take_volumes,
    tell_conditions,
)
from bids_dnn.ingest.recorded import Recorded
from bids_dnn.ingest.trials import responses_at

ONSETS = np.array([4.0, 20, 36, 52, 68, 84])
KINDS = ["face", "house"] * 3


def recorded(rng, *, names=(), mean=100.0, onsets=ONSETS, run="01"):
    n = 60
    table = pd.DataFrame(
        {
            "stimulus": [f"{k}/1.png" for k in KINDS],
            "condition": KINDS,
            "run": run,
            "session": "",
            "repeat": 0,
            "trial": np.arange(6),
            "onset_s": onsets,
            "duration_s": 2.0,
        }
    )
    none = np.zeros(4, dtype=bool)
    return Recorded(
        rng.normal(mean, 1, size=(n, 4)).astype(np.float32),
        2.0 * np.arange(n) + 1,
        2.0,
        table,
        np.zeros(6, dtype=bool),
        {"nan": none, "constant": none},
        Confounds(rng.normal(size=(n, len(names))), tuple(names), np.arange(n) >= 2),
        np.full(n, 0.2),
        None,
        {"run": run, "events": "e.tsv"},
    )


def told(**settings):
    return settle(settings, n_sessions=0)


def test_one_trial_a_condition_makes_all_models_one(rng):
    run = recorded(rng)
    run.table["condition"] = [f"c{i}" for i in range(6)]
    made = [
        estimate_trials(run, told(model=model)).values for model in ("lsa", "lss-by-condition")
    ]
    names = sorted(run.table["condition"])
    one = tell_conditions(run, told(model="conditions"), names=names)
    made.append(estimate_conditions(one, names=names, run="01").values)
    np.testing.assert_allclose(made[0], made[1], atol=1e-4)
    np.testing.assert_allclose(made[0], made[2], atol=1e-4)


def test_conditions_are_the_regression_on_summed_trials(rng):
    run = recorded(rng, names=("csf", "cosine00"))
    names = ("face", "house")
    one = tell_conditions(run, told(model="conditions"), names=names)
    made = estimate_conditions(one, names=names, run="01")
    shapes = responses_at(run.times_s, ONSETS, np.full(6, 2.0), hrf="spm")
    x = np.column_stack(
        [
            shapes[:, ::2].sum(axis=1),
            shapes[:, 1::2].sum(axis=1),
            run.confounds.values,
            np.ones(60),
        ]
    )[2:]
    kept = run.series[2:].astype(float)
    expected = 100 / kept.mean() * np.linalg.lstsq(x, kept, rcond=None)[0][:2]
    np.testing.assert_allclose(made.values, expected, atol=1e-4)
    assert made.runs[0]["degrees_of_freedom"] == 58 - 5
    assert made.samples["motion"].tolist() == pytest.approx([0.2, 0.2])


@pytest.mark.parametrize(
    ("names", "cutoff", "expected"),
    [
        ((), 0.01, (0.01, "cosines up to 0.01 Hz")),
        ((), None, (None, "none")),
        ((), 0.0, (None, "none")),
        (("csf", "cosine00"), 0.01, (None, "cosines of the confounds table")),
    ],
)
def test_there_is_one_drift_model(rng, names, cutoff, expected):
    assert drift_of(recorded(rng, names=names), told(high_pass_hz=cutoff)) == expected


def test_a_series_without_a_mean_has_no_percent(rng):
    run = recorded(rng, mean=-3.0)
    with pytest.raises(UnreadableError, match=r"mean signal of run 01 is -\d"):
        tell_conditions(run, told(model="conditions"), names=("face", "house"))
    for model in ("lsa", "lss"):
        with pytest.raises(UnreadableError, match=r"mean signal of run 01 is -\d"):
            estimate_trials(run, told(model=model))


def test_trials_after_the_run_are_refused(rng):
    run = recorded(rng, onsets=ONSETS + 500)
    for model in ("lsa", "lss"):
        with pytest.raises(NotEnoughDataError, match=r"No trial is in run 01"):
            estimate_trials(run, told(model=model))
    with pytest.raises(NotEnoughDataError, match=r"No trial is in run 01"):
        take_volumes(run, told(model="block"))
    one = tell_conditions(run, told(model="fir"), names=("face", "house"))
    assert one.facts[0]["events_outside_run"] == 6
    with pytest.raises(NotEnoughDataError, match=r"does not determine any of its 2 conditions"):
        estimate_conditions(one, names=("face", "house"), run="01")


def test_joined_runs_add_up(rng):
    names = ("face", "house")
    runs = [recorded(rng, run=name) for name in ("01", "02")]
    parts = [tell_conditions(run, DEFAULTS | {"model": "conditions"}, names=names) for run in runs]
    made = estimate_conditions(parts[0] + parts[1], names=names, run="all")
    single = [estimate_conditions(part, names=names, run="x").values for part in parts]
    np.testing.assert_allclose(made.values, np.mean(single, axis=0), atol=0.05)  # like designs
    assert made.samples["n_events"].tolist() == [6, 6]
    assert [facts["run"] for facts in made.runs] == ["01", "02"]
    assert made.runs[0]["degrees_of_freedom"] > 100
