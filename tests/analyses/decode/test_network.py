"""analyses.decode.network: planted effects, noise, scikit-learn, the null, refusals."""

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from scipy.stats import binom
from sklearn.decomposition import PCA
from sklearn.svm import SVC

from bids_dnn.analyses.decode.classifiers.choice import Classifier
from bids_dnn.analyses.decode.network import TwinChoices, deal, decode_network, tasks_of
from bids_dnn.errors import ConfigError, MissingInputError, NotEnoughDataError
from tests.factories.twins import make_layer, make_means, make_stimuli

INF = math.inf
FAST = Classifier(kind="ridge")


def choices(**told):
    plain = {"comparisons": ("pairs", "all"), "seed": 0, "n_draws": 2, "n_permutations": 1}
    return TwinChoices(**plain | {"classifier": FAST, "n_null_draws": 1} | told)


@pytest.fixture
def seen(rng):
    """Three conditions of twelve stimuli; the first two are alike."""
    stimuli = make_stimuli("abc", 12)
    means = make_means(rng, "abc", effect=0.9)
    means["b"] = means["a"]
    return stimuli, *make_layer(rng, stimuli, means)


def test_a_planted_effect_is_found_and_noise_lowers_it(seen):
    stimuli, _, gram = seen
    snr = (INF, 4.0, 1.0, 0.25, 0.01)
    told = choices(snr=snr, n_draws=40, comparisons=("a vs c", "a vs b"))
    trials = decode_network([gram], stimuli, told)
    found = [one for one in trials if one.task.comparison.name == "a vs c"]
    assert tuple(one.snr for one in found) == snr
    assert found[0].scores.mean() > 0.9
    assert [len(one.scores) for one in found] == [1, 40, 40, 40, 40]
    for more, less in pairwise(found):
        drop = more.scores - less.scores  # the draws of two levels are one
        assert drop.mean() >= -4 * drop.std(ddof=1) / np.sqrt(len(drop))
    assert found[0].scores.mean() > found[3].scores.mean() + 0.1
    assert found[-1].scores.mean() == pytest.approx(0.5, abs=4 * 0.5 / np.sqrt(24 * 10))
    alike = trials[1]
    assert (alike.task.comparison.name, alike.snr) == ("a vs b", INF)
    assert alike.scores.mean() < 0.8


@pytest.mark.parametrize("n_components", [None, 3])
@pytest.mark.parametrize("factor", [1.0, 2.0**-20, 2.0**20])
def test_without_noise_guesses_are_those_of_scikit_learn(seen, n_components, factor):
    """Components are learnt in each fold, on the training stimuli of all conditions."""
    stimuli, values, gram = seen
    gram = replace(gram, gram=factor**2 * gram.gram)
    told = choices(snr=(INF,), n_components=n_components, classifier=Classifier())
    trials = decode_network([gram], stimuli, told)
    folds, _ = tasks_of(list(stimuli.values()), list(stimuli), told)
    for trial in trials:
        labels, right = trial.task.labels, np.zeros(len(values))
        for fold in folds:
            center = values[fold.train].mean(axis=0)
            places = values - center
            if n_components:
                places = PCA(n_components).fit(values[fold.train]).transform(values)
            places = places * np.sqrt(places.shape[1] / (places[fold.train] ** 2).sum(1).mean())
            train, test = fold.train & (labels >= 0), fold.test & (labels >= 0)
            machine = SVC(kernel="linear", tol=1e-6).fit(places[train], labels[train])
            right[test] = machine.predict(places[test]) == labels[test]
        own = labels >= 0
        np.testing.assert_array_equal(trial.right[own], right[own])
        np.testing.assert_allclose(trial.scores, right[own].mean())
        assert trial.n_dimensions == (n_components or values.shape[1])


def test_labels_at_random_stay_at_level(rng):
    """Of 150 data sets without effect, 5 % have p = 1/20 of 19 exchanges, at most."""
    stimuli = make_stimuli("ab", 8)
    told = choices(snr=(1.0,), n_draws=1, n_permutations=19, comparisons=("all",), n_folds=4)
    n_first, n_sets = 0, 150
    for number in range(n_sets):
        _, gram = make_layer(rng, stimuli, {"a": np.zeros(5), "b": np.zeros(5)})
        (trial,) = decode_network([gram], stimuli, replace(told, seed=number))
        n_first += int((trial.null[0] > trial.null[1:]).all())
    assert n_first <= binom.ppf(1 - 1e-4, n_sets, 0.05)
    assert n_first > 0


def test_exchanges_keep_the_number_of_each_side_in_each_fold(seen):
    stimuli, _, _ = seen
    folds, tasks = tasks_of(list(stimuli.values()), list(stimuli), choices(n_permutations=50))
    for task in tasks:
        codes = task.labelings.codes
        assert len(codes) == 51
        assert (codes[0] == task.labels).all()
        for fold in folds:
            counts = [np.bincount(row[fold.test] + 1, minlength=4) for row in codes]
            assert (np.array(counts) == counts[0]).all()


def test_the_numbers_of_a_layer_do_not_hang_on_others(seen, rng):
    stimuli, _, gram = seen
    _, other = make_layer(rng, stimuli, make_means(rng, "abc"), layer="conv2")
    told = choices(n_permutations=3)
    alone = decode_network([gram], stimuli, told)
    both = decode_network([other, gram], stimuli, told)
    for one, same in zip(alone, both[len(alone) :], strict=True):
        assert (one.layer, one.snr) == (same.layer, same.snr)
        np.testing.assert_array_equal(one.scores, same.scores)
        np.testing.assert_array_equal(one.null, same.null)
    assert any((x.scores != y.scores).any() for x, y in zip(alone, both, strict=False))


def test_the_order_of_stimuli_does_not_matter(seen):
    stimuli, _, gram = seen
    backwards = dict(reversed(stimuli.items()))
    for one, same in zip(
        decode_network([gram], stimuli, choices()),
        decode_network([gram], backwards, choices()),
        strict=True,
    ):
        np.testing.assert_array_equal(one.scores, same.scores)


def test_a_null_of_fewer_draws_is_that_of_those_draws(seen):
    stimuli, _, gram = seen
    more = decode_network([gram], stimuli, choices(snr=(0.5,), n_draws=4, n_null_draws=2))
    for one in more:
        assert len(one.scores) == 4
        np.testing.assert_allclose(one.null[0], one.scores[:2].mean())


def test_components_of_the_network_count_where_they_are_fewer(seen):
    stimuli, _, gram = seen
    made = decode_network([replace(gram, n_components=4)], stimuli, choices(n_components=9))
    assert {one.n_dimensions for one in made} == {4}


@pytest.mark.parametrize("n_folds", [2, 5, 40])
def test_conditions_are_dealt_evenly(rng, n_folds):
    conditions = ["a"] * 7 + ["b"] * 3 + ["c"] * 11
    fold_of = deal(conditions, n_folds, rng)
    for name in (*"abc", None):
        own = [k for k, one in zip(fold_of, conditions, strict=True) if name in (one, None)]
        counts = np.bincount(own, minlength=n_folds)
        assert counts.max() - counts.min() <= 1


def test_what_does_not_fit_is_refused(seen):
    stimuli, _, gram = seen
    with pytest.raises(ConfigError, match="no layer"):
        decode_network([], stimuli, choices())
    few = {name: one for name, one in stimuli.items() if one != "c" or name == "c00.png"}
    with pytest.raises(NotEnoughDataError, match="'c' has 1 stimulus"):
        decode_network([gram], few, choices())
    with pytest.raises(NotEnoughDataError, match="1 condition"):
        decode_network([gram], {"a00.png": "a"}, choices())
    with pytest.raises(MissingInputError, match=r"'other\.png'"):
        decode_network([gram], stimuli | {"other.png": "a"}, choices())


def test_a_condition_that_somebody_did_not_see_costs_its_comparisons_only(seen):
    stimuli, _, gram = seen
    fewer = {name: one for name, one in stimuli.items() if one != "b"}
    told = choices(comparisons=("a vs c", "a vs b", "side:a+b vs other:c"))
    alone = decode_network([gram], fewer, replace(told, comparisons=("a vs c",)))
    made = decode_network([gram], fewer, told)
    assert {one.task.comparison.name for one in made} == {"a vs c"}
    np.testing.assert_array_equal(made[0].scores, alone[0].scores)
    with pytest.raises(ConfigError, match=r"'b', which no sample has"):
        decode_network([gram], fewer, replace(told, comparisons=("a vs b",)))


@pytest.mark.parametrize(
    "told", [{"n_draws": 0}, {"n_folds": 1}, {"n_components": 0}, {"n_null_draws": 0}]
)
def test_settings_out_of_range_are_refused(told):
    ((name, value),) = told.items()
    with pytest.raises(ConfigError, match=f"{name} is {value}"):
        choices(**told)
