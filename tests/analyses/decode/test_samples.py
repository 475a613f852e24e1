"""analyses.decode.samples: who is decoded, averaged or drawn evenly."""

from dataclasses import replace

import numpy as np
import pytest

from bids_dnn.analyses.decode.samples import averaged, evenly, short_averages, with_condition
from bids_dnn.errors import ConfigError
from tests.factories.responses import make_responses


@pytest.fixture
def responses(rng):
    """Five trials of each of two conditions in two runs, of two volumes each."""
    conditions = np.tile(np.repeat(list("abababbaab"), 2), 2)
    made = make_responses(
        rng.normal(size=(40, 3)), conditions=conditions, runs=np.repeat(["1", "2"], 20)
    )
    trial = np.tile(np.repeat(np.arange(10), 2), 2)
    return replace(made, samples=made.samples.assign(trial=trial, rt=np.arange(40.0)))


def test_pseudo_trials_are_means_of_whole_trials(responses):
    made = averaged(responses, 2)
    assert len(made.values) == 8  # five trials: two, and three
    samples = responses.samples
    own = (samples["run"] == "1") & (samples["condition"] == "a")
    first = own & samples["trial"].isin([0, 2])
    np.testing.assert_allclose(
        made.values[0], responses.values[first.to_numpy()].mean(axis=0), rtol=1e-6
    )
    assert made.samples["condition"][0] == "a"
    assert made.samples["rt"][0] == samples["rt"][first].mean()
    assert "trial" not in made.samples
    np.testing.assert_allclose(
        made.values.mean(axis=0) * 0 + responses.values[own].mean(axis=0),
        np.average(
            made.values[((made.samples["run"] == "1") & (made.samples["condition"] == "a"))],
            axis=0,
            weights=[4, 6],
        ),
        rtol=1e-5,
    )


def test_what_folds_leave_out_is_kept_apart(responses):
    samples = responses.samples.assign(side=np.tile(["left", "left", "right", "right"], 10))
    made = averaged(replace(responses, samples=samples), 10, columns=("side",))
    assert made.samples.groupby(["run", "condition"])["side"].nunique().eq(2).all()
    assert len(made.values) == 8


def test_one_trial_is_no_average(responses):
    assert averaged(responses, 1) is responses


def test_averages_of_several_stimuli_show_none(responses):
    samples = responses.samples.assign(stimulus=[f"{k}.png" for k in range(40)])
    assert set(averaged(replace(responses, samples=samples), 2).samples["stimulus"]) == {""}


@pytest.mark.parametrize("n", [1, 2, 5])
def test_enough_trials_are_averaged_without_a_word(responses, n):
    assert short_averages(responses, n) == []


def test_fewer_trials_than_asked_for_are_told_with_the_numbers(responses):
    (said,) = short_averages(responses, 9)
    assert "decode.average is 9, but in 4 of 4 combinations of run, condition there are 5" in said
    assert "2 trials a sample or fewer" in said
    assert len(averaged(responses, 2).values) == 8
    fewer = responses.select(responses.samples["trial"].to_numpy() < 7)
    assert "there are 3 to 4 trials" in short_averages(fewer, 9)[0]


def test_no_trial_cannot_be_averaged(responses):
    with pytest.raises(ConfigError, match="average is 0"):
        averaged(responses, 0)


def test_samples_without_condition_are_left_out(responses):
    samples = responses.samples.copy()
    samples.loc[[3, 5], "condition"] = ""
    assert len(with_condition(replace(responses, samples=samples)).values) == 38


def test_sides_are_drawn_evenly_in_each_run(rng):
    codes = np.array([0, 0, 0, 1, -1, 0, 1, 1, 1])
    runs = np.array([0, 0, 0, 0, 0, 1, 1, 1, 1])
    keep = evenly(codes[None], runs, np.arange(9), rng)[0]
    for run in (0, 1):
        assert np.bincount(codes[keep & (runs == run)], minlength=2).tolist() == [1, 1]
    assert not keep[4]


def test_trials_are_drawn_whole(rng):
    codes = np.array([0, 0, 0, 0, 1, 1])
    units = np.array([0, 0, 1, 1, 2, 2])
    keep = evenly(codes[None], np.zeros(6, int), units, rng)[0]
    assert keep.sum() == 4
    assert keep[0] == keep[1]
    assert keep[2] == keep[3] != keep[0]
