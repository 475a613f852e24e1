"""analyses.samediff.chance: exact exchanges, against Fisher, enumeration and simulation."""

from itertools import combinations, permutations, product

import numpy as np
import pytest
from scipy import stats

from bids_dnn.analyses.samediff.chance import (
    N_EXCHANGES,
    exchange,
    exchange_classes,
    interval,
)
from bids_dnn.errors import ShapeError


@pytest.mark.parametrize("seed", range(5))
def test_one_row_a_pair_is_fishers_exact_test(seed):
    rng = np.random.default_rng(seed)
    truth = np.arange(17) < 9
    answer = rng.random(17) < 0.5
    found = exchange(answer, truth, pairs=range(17), strata=["x"] * 17)
    table = [[np.sum(truth & answer), np.sum(truth & ~answer)],
             [np.sum(~truth & answer), np.sum(~truth & ~answer)]]  # fmt: skip
    expected = stats.fisher_exact(table, alternative="greater").pvalue
    assert found.p == pytest.approx(expected, rel=1e-9)


def enumerated(answer, truth, pairs, strata):
    """Return the accuracy under every exchange of labels."""
    names = list(dict.fromkeys(pairs))
    of = {name: strata[pairs.index(name)] for name in names}
    label = {name: truth[pairs.index(name)] for name in names}
    ways = []
    for stratum in sorted(set(strata)):
        own = [name for name in names if of[name] == stratum]
        n_same = sum(label[name] for name in own)
        ways.append([(own, set(one)) for one in combinations(own, n_same)])
    made = []
    for way in product(*ways):
        told = {name: name in chosen for own, chosen in way for name in own}
        made.append(np.mean([answer[k] == told[pair] for k, pair in enumerate(pairs)]))
    return np.array(made)


@pytest.mark.parametrize("seed", range(4))
def test_strata_and_copies_are_as_if_enumerated(seed):
    rng = np.random.default_rng(seed)
    n_copies = rng.integers(1, 4, size=10)
    pairs = [f"p{k}" for k in range(10) for _ in range(n_copies[k])]
    strata = ["face" if int(name[1:]) < 6 else "bike" for name in pairs]
    truth = np.array([int(name[1:]) in (0, 1, 2, 6, 9) for name in pairs])
    answer = rng.random(len(pairs)) < 0.6
    null = enumerated(answer, truth, pairs, strata)
    found = exchange(answer, truth, pairs=pairs, strata=strata)
    observed = np.mean(answer == truth)
    assert found.p == pytest.approx(np.mean(null >= observed - 1e-12), rel=1e-9)
    assert found.chance == pytest.approx(null.mean(), rel=1e-9)
    assert found.p_floor == pytest.approx(1 / len(null), rel=1e-9)


def test_balanced_labels_have_a_chance_of_one_half_whatever_the_answers(rng):
    truth = np.tile([True, False], 8)
    for share in (0.0, 0.3, 1.0):
        answer = rng.random(16) < share
        found = exchange(answer, truth, pairs=range(16), strata=[0] * 16)
        assert found.chance == pytest.approx(0.5, rel=1e-12)
    assert found.p == pytest.approx(1, rel=1e-12)  # always the same answer is never above chance


def test_copies_make_no_evidence():
    truth = np.array([True, True, False, False])
    once = exchange(truth, truth, pairs=range(4), strata=[0] * 4)
    often = exchange(
        np.repeat(truth, 9), np.repeat(truth, 9), pairs=np.repeat(range(4), 9), strata=[0] * 36
    )
    assert once.p == pytest.approx(1 / 6)
    assert often.p == pytest.approx(1 / 6)
    assert often.p_floor == pytest.approx(1 / 6)


def test_many_pairs_do_not_overflow():
    truth = np.tile([True, False], 300)
    answer = truth.copy()
    answer[:200] = ~answer[:200]
    found = exchange(answer, truth, pairs=range(600), strata=[0] * 600)
    assert 0 < found.p < 1e-10
    assert found.chance == pytest.approx(0.5, rel=1e-9)


def test_false_alarms_where_answers_depend_on_exemplars():
    # A score that is a sum over exemplars knows nothing of sameness; pairs share exemplars.
    rng = np.random.default_rng(5)
    n_runs, n = 1500, 8
    ring = (np.arange(n) + 1) % n
    truth = np.repeat([True, False], n)
    strata = np.zeros(2 * n)
    p = np.empty(n_runs)
    for k in range(n_runs):
        first, second = rng.normal(size=(2, n))
        score = np.concatenate([first + second, first + second[ring]])
        answer = score + 0.1 * rng.normal(size=2 * n) > 0
        p[k] = exchange(answer, truth, pairs=range(2 * n), strata=strata).p
    for level in (0.05, 0.1, 0.2):
        bound = level + 3.8 * np.sqrt(level * (1 - level) / n_runs)
        assert np.mean(p <= level) < bound


def test_the_interval_covers_and_copies_do_not_narrow_it():
    rng = np.random.default_rng(1)
    n_runs, n, truth = 400, 60, 0.7
    covered = 0
    for k in range(n_runs):
        right = rng.random(n) < truth
        low, high = interval(right, pairs=range(n), strata=[0] * n, seed=k)
        covered += low <= truth <= high
    assert covered / n_runs > 0.93 - 3.8 * np.sqrt(0.07 * 0.93 / n_runs)
    once = interval(right, pairs=range(n), strata=[0] * n, seed=0)
    often = interval(np.repeat(right, 4), pairs=np.repeat(range(n), 4), strata=[0] * 4 * n, seed=0)
    assert once == pytest.approx(often, abs=1e-12)
    assert once == interval(right, pairs=range(n), strata=[0] * n, seed=0)


def test_an_interval_of_one_pair_is_not_known():
    low, high = interval(np.array([True, True]), pairs="aa", strata="xx", seed=0)
    assert np.isnan([low, high]).all()


def test_refusals():
    truth = np.array([True, False])
    with pytest.raises(ShapeError, match="2 answers, 2 labels, 3 pairs"):
        exchange(truth, truth, pairs="abc", strata="xx")
    with pytest.raises(ShapeError, match="the pair 'a' have several labels"):
        exchange(truth, truth, pairs="aa", strata="xx")


def test_exchanges_of_classes_are_close_to_all_of_them():
    rng = np.random.default_rng(4)
    truth = np.array(list("aabbcc"))
    guess = np.array(list("aabccb"))
    found = exchange_classes(guess, truth, pairs=range(6), tested=np.ones(6, bool), seed=0)
    every = [np.mean(guess == np.array(way)) for way in set(permutations("aabbcc"))]
    assert found.chance == pytest.approx(np.mean(every)) == pytest.approx(1 / 3)
    exact = np.mean(np.array(every) >= np.mean(guess == truth) - 1e-9)
    assert abs(found.p - exact) < 4 * np.sqrt(exact * (1 - exact) / N_EXCHANGES)
    renamed = {"a": "z", "b": "y", "c": "x"}
    others = [np.array([renamed[one] for one in told]) for told in (guess, truth)]
    again = exchange_classes(*others, pairs=range(6), tested=np.ones(6, bool), seed=0)
    assert again.chance == found.chance
    order = rng.permutation(6)
    turned = exchange_classes(
        guess[order], truth[order], pairs=order.tolist(), tested=np.ones(6, bool), seed=1
    )
    assert abs(turned.p - found.p) < 0.03


def test_copies_of_a_pair_count_as_one_and_only_tested_ones_give_p():
    truth, guess = np.repeat(list("ab"), 4), np.array(list("aaaabbbb"))
    pairs = [0, 0, 1, 1, 2, 2, 3, 3]
    both = exchange_classes(guess, truth, pairs=pairs, tested=np.ones(8, bool), seed=0)
    assert both.p == pytest.approx(1 / 6, abs=0.02)  # four pairs, not eight
    assert both.p >= both.p_floor == pytest.approx(1 / 6)
    half = np.array([True, True, False, False] * 2)
    assert exchange_classes(guess, truth, pairs=pairs, tested=half, seed=0).p > 0.45
    none = exchange_classes(guess, truth, pairs=pairs, tested=~np.ones(8, bool), seed=0)
    assert np.isnan(none.p)
    assert np.isnan(none.p_floor)
    assert none.chance == both.chance == 0.5


def test_classes_without_meaning_give_few_false_alarms():
    rng, hits, n = np.random.default_rng(7), 0, 200
    truth = np.repeat(list("abcd"), 6)
    for seed in range(n):
        guess = rng.choice(list("abcd"), 24)
        hits += exchange_classes(
            guess, truth, pairs=range(24), tested=np.ones(24, bool), seed=seed, n_exchanges=199
        ).p <= 0.1  # fmt: skip
    assert hits / n < 0.1 + 3.8 * np.sqrt(0.09 / n)


def test_pairs_of_two_classes_are_refused():
    told = np.array(list("ab"))
    with pytest.raises(ShapeError, match="The rows of the pair 'x' have several classes"):
        exchange_classes(told, told, pairs="xx", tested=np.ones(2, bool), seed=0)
    with pytest.raises(ShapeError, match="2 answers, 2 classes and 3 pairs"):
        exchange_classes(told, told, pairs="xyz", tested=np.ones(2, bool), seed=0)
