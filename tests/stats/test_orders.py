"""stats.orders: exchanges that keep comparisons what they are, and their level."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom, spearmanr

from bids_dnn.analyses.decode.comparisons import parse
from bids_dnn.analyses.decode.network import Trial, TwinChoices, tasks_of
from bids_dnn.analyses.decode.twin import match
from bids_dnn.stats.orders import N_RANDOM, mean_rho, orders_of
from tests.factories.twins import make_stimuli

FREE = ("a:a vs b:b+c", "a:a vs d:d+e", "all", "b vs c", "b vs f", "c:c+d vs e:e+f", "d vs e")
LAYERS, LEVELS = 3, (math.inf, 1.0)
N = 100
MOST = binom.ppf(1 - 1e-4, N, 0.05)


@pytest.mark.parametrize(
    ("names", "conditions", "n", "exchanged"),
    [
        (["pairs"], "abcd", 24, "conditions"),
        (["all", "pairs"], "abcde", 120, "conditions"),
        (["pairs"], "abcdefgh", N_RANDOM, "conditions"),
        (["a vs b", "c vs d", "e vs f", "all"], "abcdef", 24, "comparisons"),
        (FREE, "abcdef", 5040, "comparisons"),
        ((*FREE, "a vs f"), "abcdef", N_RANDOM, "comparisons"),
    ],
)
def test_conditions_exchange_where_comparisons_allow_it(names, conditions, n, exchanged):
    parsed = parse(names, conditions)
    made = orders_of([one.groups for one in parsed], np.random.default_rng(0))
    assert made.order.shape == (n, len(parsed))
    assert made.exchanged == exchanged
    assert made.enumerated == (n != N_RANDOM)
    assert made.floor == pytest.approx(1 / n if made.enumerated else 1 / (n + 1))
    assert (np.sort(made.order, axis=1) == np.arange(len(parsed))).all()
    if made.enumerated:
        assert len(np.unique(made.order, axis=0)) == n
        assert (made.order == np.arange(len(parsed))).all(axis=1).any()


def test_comparisons_move_with_their_conditions():
    """Two pairs that share a condition share one after each exchange."""
    parsed = parse(["pairs"], "abcde")
    share = np.array([[bool(set(a.side_of) & set(b.side_of)) for b in parsed] for a in parsed])
    for order in orders_of([one.groups for one in parsed], np.random.default_rng(0)).order:
        np.testing.assert_array_equal(share[np.ix_(order, order)], share)


def test_mean_rho_is_over_the_brains_that_have_a_layer_and_that_of_scipy(rng):
    """Brains take one order together; what is flat or lacks in one of them is of the others."""
    order = np.array([[0, 1, 2, 3, 4, 5], [5, 3, 1, 0, 2, 4]])
    brains, nets = rng.integers(5, size=(3, 6)) / 7, rng.integers(5, size=(3, 5, 6)) / 3
    brains[:, 0], nets[:, :, 0] = -1.0, 7.0
    brains[2] = 0.4
    nets[1, 2], nets[0, 3], nets[:2, 4] = 0.5, np.nan, np.nan
    made = mean_rho(brains, nets, order)
    there = {0: (0, 1), 1: (0, 1), 2: (0,), 3: (1,)}
    for row, one in enumerate(order):
        for layer, who in there.items():
            rho = [spearmanr(brains[k][one], nets[k, layer]).statistic for k in who]
            assert made[row, layer] == pytest.approx(np.mean(rho))
    assert np.isnan(made[:, 4]).all()


def on_a_line(rng, tasks):
    """Return scores of all comparisons where conditions lie on a line; a third is noise."""
    place = dict(zip("abcdef", rng.normal(size=6), strict=True))
    mean = [
        [np.mean([place[one] for one in names]) for _, names in task.comparison.sides]
        for task in tasks
    ]
    spread = np.array([np.ptp(one) for one in mean])
    return 0.5 + 0.4 * np.tanh(spread + 0.3 * spread.mean() * rng.normal(size=len(tasks)))


def named(rng, tasks, brain, *, p=0.01, n_simulations=N, planted=None):
    """Return how often a layer was named, and how often it was the planted one."""
    names = [task.comparison.name for task in tasks]
    chance = [1 / len(task.comparison.sides) for task in tasks]
    counts = np.zeros(2, int)
    for _ in range(n_simulations):
        scores = brain()
        regions = pd.DataFrame({"region": "V1", "comparison": names, "score": scores})
        regions = regions.assign(chance=chance, p_corrected=p, p_fdr=np.nan)
        trials = []
        for layer in range(LAYERS):
            clean = scores if layer == planted else on_a_line(rng, tasks)
            for snr in LEVELS:
                seen = clean + (0.02 if snr == 1 else 0.01) * rng.normal(size=len(tasks))
                trials += [
                    Trial("net", f"conv{layer}", snr, task, np.array([one]), None, None, 3)
                    for task, one in zip(tasks, seen, strict=True)
                ]
        made = match(regions, trials, seed=0)
        counts[0] += made["is_named"].any()
        counts[1] += (made.loc[made["is_named"], "layer"] == f"conv{planted}").any()
    return counts


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr("bids_dnn.analyses.decode.twin.N_BOOTSTRAP", 2)


def tasks(comparisons):
    stimuli = make_stimuli("abcdef", 2)
    how = TwinChoices(comparisons=comparisons, seed=0, n_permutations=1)
    return tasks_of(list(stimuli.values()), list(stimuli), how)[1]


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("noise", [False, True])
def test_a_layer_is_named_for_an_unrelated_region_in_five_percent(rng, noise):
    """Pairs of conditions on a line are no independent data, and count as what they are."""
    own = tasks(("pairs",))
    brain = (lambda: rng.binomial(80, 0.5, size=15) / 80) if noise else lambda: on_a_line(rng, own)
    assert named(rng, own, brain)[0] <= MOST


@pytest.mark.usefixtures("quick")
def test_single_comparisons_exchange_where_conditions_cannot(rng):
    own = tasks(FREE)
    chance = [1 / len(task.comparison.sides) for task in own]
    found = named(rng, own, lambda: rng.binomial(80, chance) / 80)
    assert found[0] <= MOST


@pytest.mark.usefixtures("quick")
def test_the_planted_layer_is_named_and_none_where_nothing_is_decoded(rng):
    own = tasks(("pairs",))
    found = named(rng, own, lambda: on_a_line(rng, own), n_simulations=20, planted=2)
    assert found[0] == 20
    assert found[1] == 20
    none = named(rng, own, lambda: on_a_line(rng, own), n_simulations=5, planted=2, p=0.05)
    assert none[0] == 0
