"""analyses.decode.network_tables: numbers of known trials."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binom

from bids_dnn.analyses.decode.classifiers.choice import Classifier
from bids_dnn.analyses.decode.network import Trial, TwinChoices, decode_network, tasks_of
from bids_dnn.analyses.decode.network_tables import NETWORK_COLUMNS, network_table
from bids_dnn.stats.inference import corrected_t_interval, max_statistic
from tests.factories.twins import make_layer, make_means, make_stimuli

HOW = TwinChoices(
    comparisons=("a vs b", "a vs c"),
    seed=0,
    n_permutations=49,
    classifier=Classifier(kind="ridge"),
    n_folds=4,
)


@pytest.fixture
def trials(rng):
    """Two layers at two levels, with known scores."""
    stimuli = make_stimuli("abc", 8)
    _, tasks = tasks_of(list(stimuli.values()), list(stimuli), HOW)
    made = []
    for layer in ("conv1", "conv2"):
        for snr in (math.inf, 1.0):
            for task in tasks:
                scores = np.array([0.75]) if math.isinf(snr) else np.array([0.5, 0.625, 0.75])
                null = np.concatenate([[scores.mean()], rng.choice([0.4, 0.5, 0.6], 49)])
                right = np.where(np.arange(24) % 4 == 0, 0.5, 1.0)
                made.append(Trial("net", layer, snr, task, scores, null, right, 30))
    return made


def test_each_trial_is_a_row_with_words(trials):
    table = network_table(trials, interval="t", n_permutations=49)
    assert list(table) == list(NETWORK_COLUMNS)
    assert len(table) == 8
    quiet, noisy = table.iloc[0], table.iloc[2]
    assert (quiet["score"], quiet["n_draws"]) == (0.75, 1)
    assert np.isnan(quiet["sd"])
    assert (noisy["score"], noisy["sd"]) == (0.625, 0.125)
    assert (table["chance"] == 0.5).all()
    assert (table["p_floor"] == 1 / 50).all()
    assert set(table["metric"]) == {"accuracy"}


def test_the_family_is_all_layers_levels_and_comparisons(trials):
    loud = replace(trials[0], null=np.concatenate([[0.99], np.full(49, 0.5)]))
    table = network_table([loud, *trials[1:]], interval="t", n_permutations=49)
    assert table.loc[0, "p"] == table.loc[0, "p_corrected"] == 1 / 50
    assert (table["p_corrected"] >= table["p"]).all()
    assert (table["p_fdr"] >= table["p"]).all()
    nulls = np.stack([trial.null[1:] for trial in trials], axis=1)
    observed = np.array([trial.null[0] for trial in trials])
    expected = np.maximum(max_statistic(observed, nulls), table["p"][0])
    table = network_table(trials, interval="t", n_permutations=49)
    np.testing.assert_allclose(table["p_corrected"], np.maximum(expected, table["p"]))


def test_few_labelings_are_drawn_from(rng):
    """Two folds of one stimulus a side have two labelings: no p below a half, corrected or not."""
    stimuli = make_stimuli("abc", 2)
    _, gram = make_layer(rng, stimuli, make_means(rng, "abc", effect=3.0))
    how = replace(HOW, comparisons=("pairs",), n_folds=2)
    trials = decode_network([gram], stimuli, how)
    assert all(trial.task.labelings.enumerated for trial in trials)
    table = network_table(trials, interval="t", n_permutations=49)
    assert (table["p_floor"] == 0.5).all()
    assert (table[["p", "p_corrected"]] >= 0.5).all(axis=None)


@pytest.mark.slow
def test_a_family_without_effect_is_at_level():
    """In 200 data sets, 5 % have a row with corrected p = 0.05, the smallest of 19 exchanges."""
    n_sets, n_false = 200, 0
    stimuli = make_stimuli("abc", 6)
    how = replace(HOW, comparisons=("pairs", "all"), n_permutations=19, n_folds=3, n_draws=1,
                  n_null_draws=1, snr=(math.inf, 1.0))  # fmt: skip
    for number in range(n_sets):
        rng = np.random.default_rng(number)
        _, gram = make_layer(rng, stimuli, make_means(rng, "abc", n_features=5, effect=0.0))
        trials = decode_network([gram], stimuli, replace(how, seed=number))
        table = network_table(trials, interval="t", n_permutations=19)
        n_false += int((table["p_corrected"] <= 0.05).any())
    assert n_false <= binom.ppf(1 - 1e-4, n_sets, 0.0513)


def test_intervals_are_those_of_folds_and_of_stimuli(trials):
    trial = trials[2]
    task = trial.task
    by_fold = [
        np.mean([trial.right[fold.test & (task.labels == side)].mean() for side in (0, 1)])
        for fold in task.folds
    ]
    low, high = corrected_t_interval(np.array(by_fold), n_test=4, n_train=12, center=0.625)
    row = network_table([trial], interval="t", n_permutations=49).iloc[0]
    np.testing.assert_allclose((row["ci_low"], row["ci_high"]), (max(low, 0), min(high, 1)))
    row = network_table([trial], interval="bootstrap", n_permutations=49).iloc[0]
    own = trial.right[task.labels >= 0]
    se = np.sqrt(np.mean([own[:8].var(), own[8:].var()]) / 16)  # of the mean of two sides of eight
    np.testing.assert_allclose(row["ci_high"] - row["ci_low"], 2 * 1.96 * se, rtol=0.2)
    assert row["ci_low"] < own.mean() < row["ci_high"]


def test_unequal_sides_are_balanced(rng):
    stimuli = make_stimuli("ab", 8) | {f"more{k}": "a" for k in range(8)}
    _, gram = make_layer(rng, stimuli, make_means(rng, "ab", effect=0.0))
    how = replace(HOW, comparisons=("all",), snr=(math.inf,))
    (trial,) = decode_network([gram], stimuli, how)
    row = network_table([trial], interval="t", n_permutations=49).iloc[0]
    assert row["metric"] == "balanced_accuracy"
    sides = [trial.right[trial.task.labels == side].mean() for side in (0, 1)]
    assert row["score"] == pytest.approx(np.mean(sides))
