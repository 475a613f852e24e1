"""analyses.decode.permutation: counted, listed and drawn labelings."""

from itertools import permutations, product

import numpy as np
import pandas as pd
import pytest

from bids_dnn.analyses.decode.permutation import (
    count_labelings,
    draw_labelings,
    exchange_units,
    labelings,
    list_labelings,
)
from bids_dnn.analyses.decode.samples import number_trials

DESIGNS = {
    "two classes, one a run": ([0, 1] * 4, [0, 0, 1, 1, 2, 2, 3, 3]),
    "two classes, two a run": ([0, 0, 1, 1] * 2, [0] * 4 + [1] * 4),
    "three classes, one a run": ([0, 1, 2] * 3, [0] * 3 + [1] * 3 + [2] * 3),
    "one class larger": ([0, 1, 1] * 3, [0] * 3 + [1] * 3 + [2] * 3),
    "missing in a run": ([0, 1, 2, 0, 1], [0, 0, 0, 1, 1]),
    "runs mixed": ([1, 0, 0, 1, 1, 0], [1, 0, 1, 0, 2, 2]),
}
EACH = pytest.mark.parametrize("design", DESIGNS.values(), ids=DESIGNS.keys())


def brute(labels, runs):
    """List every labeling by trying all orders of each run, one for each renaming of classes."""
    where = [np.flatnonzero(runs == run) for run in np.unique(runs)]
    counts = np.zeros((runs.max() + 1, labels.max() + 1), dtype=int)
    np.add.at(counts, (runs, labels), 1)
    renames = [
        names
        for names in permutations(range(counts.shape[1]))
        if (counts[:, list(names)] == counts).all()
    ]
    found = set()
    for parts in product(*(set(permutations(labels[inside])) for inside in where)):
        row = np.empty_like(labels)
        for inside, part in zip(where, parts, strict=True):
            row[inside] = part
        found.add(min(tuple(np.array(names)[row]) for names in renames))
    return found, renames


@EACH
def test_counted_and_listed_labelings_are_those_of_brute_force(design):
    labels, runs = map(np.array, design)
    expected, renames = brute(labels, runs)
    found = list_labelings(labels, runs)
    assert count_labelings(labels, runs) == len(found) == len(expected)
    assert {min(tuple(np.array(n)[row]) for n in renames) for row in found} == expected
    np.testing.assert_array_equal(found[0], labels)


@EACH
def test_drawn_labelings_keep_the_counts_of_each_run(rng, design):
    labels, runs = map(np.array, design)
    for row in draw_labelings(labels, runs, 20, rng):
        for run in np.unique(runs):
            assert sorted(row[runs == run]) == sorted(labels[runs == run])


def test_drawn_labelings_are_even(rng):
    labels, runs = np.array([0, 1, 0, 1]), np.array([0, 0, 1, 1])
    drawn = draw_labelings(labels, runs, 4000, rng)
    _, counts = np.unique(drawn, axis=0, return_counts=True)
    assert len(counts) == 4
    assert (abs(counts - 1000) < 4 * np.sqrt(4000 * 0.25 * 0.75)).all()


def test_few_labelings_are_enumerated_and_many_are_drawn(rng):
    labels, runs = np.tile([0, 1], 5), np.repeat(np.arange(5), 2)
    units = np.arange(10)
    few = labelings(labels, runs, units=units, n_permutations=16, rng=rng)
    assert (few.enumerated, few.n_permutations) == (True, 16)
    many = labelings(labels, runs, units=units, n_permutations=15, rng=rng)
    assert (many.enumerated, many.n_permutations, len(many.codes)) == (False, 15, 16)
    np.testing.assert_array_equal(many.codes[0], labels)


def test_a_design_beyond_enumeration_is_counted_at_once(rng):
    labels, runs = np.tile(np.repeat(np.arange(8), 9), 12), np.repeat(np.arange(12), 72)
    assert count_labelings(labels, runs) > 10**100
    units = np.arange(len(labels))
    assert not labelings(labels, runs, units=units, n_permutations=3, rng=rng).enumerated


@pytest.mark.parametrize(("n", "enumerated"), [(4, True), (3, False)])
def test_samples_of_a_trial_are_given_a_label_together(rng, n, enumerated):
    labels, runs = np.tile(np.repeat([0, 1], 3), 3), np.repeat(np.arange(3), 6)
    units = np.repeat(np.arange(6), 3)
    made = labelings(labels, runs, units=units, n_permutations=n, rng=rng)
    assert (made.enumerated, made.n_permutations) == (enumerated, n)
    np.testing.assert_array_equal(made.codes[0], labels)
    blocks = made.codes.reshape(len(made.codes), 6, 3)
    assert (blocks == blocks[..., :1]).all()


def test_a_trial_that_teaches_and_is_tested_keeps_one_label():
    codes, trials = np.array([0, 1, 0, 1]), np.array([0, 1, 0, 1])
    runs, parts = np.zeros(4, int), np.array([0, 0, 1, 1])
    units, blocks = exchange_units(codes, runs, trials=trials, groups=runs, parts=parts)
    assert units.tolist() == [0, 1, 0, 1]
    assert len(set(blocks)) == 1
    _, apart = exchange_units(codes, runs, trials=np.arange(4), groups=runs, parts=parts)
    assert len(set(apart)) == 2


@pytest.mark.parametrize("groups", [[0, 0, 1, 1, 2, 2, 3, 3], [0, 1, 2, 3, 4, 5, 6, 7]])
def test_runs_of_one_class_are_exchanged_as_wholes(groups):
    codes, runs = np.array([0, 0, 1, 1, 0, 0, 1, 1]), np.repeat([0, 1, 2, 3], 2)
    units, blocks = exchange_units(codes, runs, trials=np.arange(8), groups=np.array(groups))
    assert units.tolist() == runs.tolist()
    assert len(set(blocks)) == 1


def test_runs_of_one_class_that_share_stimuli_are_exchanged_as_one():
    codes, runs = np.repeat([0, 0, 1, 1, 0, 1], 2), np.repeat(np.arange(6), 2)
    groups = np.array([0, 1, 1, 2, 3, 4, 4, 5, 6, 7, 8, 9])  # runs 0 and 1, and 2 and 3
    units, blocks = exchange_units(codes, runs, trials=np.arange(12), groups=groups)
    assert units.tolist() == np.repeat([0, 0, 1, 1, 2, 3], 2).tolist()
    assert len(set(blocks)) == 1


def test_a_trial_is_of_one_run_and_condition():
    samples = pd.DataFrame(
        {"run": list("111122"), "condition": list("aabaab"), "trial": [0, 0, 0, None, 0, None]}
    )
    assert number_trials(samples).tolist() == [0, 0, 1, 2, 3, 4]
    assert number_trials(samples.drop(columns="trial")).tolist() == list(range(6))
