"""analyses.decode.left_out: folds know no label, and what they cannot do is said."""

import numpy as np
import pytest

from bids_dnn.analyses.decode.choices import Choices
from bids_dnn.analyses.decode.comparisons import parse
from bids_dnn.analyses.decode.left_out import folds_of, groups_of, own_folds
from bids_dnn.errors import ConfigError, NotEnoughDataError
from tests.factories.responses import make_responses

N = 12
RUNS = np.repeat(["1", "2", "3"], 4).astype(object)
(PAIR,) = parse(["a vs b"], ["a", "b"])


def choices_of(**other):
    return Choices(comparisons=("all",), n_permutations=1, seed=0, **other)


def test_groups_are_a_column_without_gaps(rng):
    responses = make_responses(rng.normal(size=(N, 2)), conditions=list("ab") * 6, runs=RUNS)
    np.testing.assert_array_equal(groups_of(responses, choices_of()), RUNS)
    with pytest.raises(ConfigError, match=r"names 'rum'.*Did you mean 'run'"):
        groups_of(responses, choices_of(folds="rum"))
    responses.samples["block"] = ["x"] * 11 + [""]
    with pytest.raises(NotEnoughDataError, match="1 of 12 samples have no block"):
        groups_of(responses, choices_of(folds="block"))


def test_groups_are_left_out_one_by_one_or_dealt():
    assert [fold.name for fold in folds_of(RUNS, choices_of())] == ["1", "2", "3"]
    dealt = folds_of(RUNS, choices_of(n_folds=2))
    assert sorted(fold.test.sum() for fold in dealt) == [4, 8]
    with pytest.raises(NotEnoughDataError, match=r"3 runs for 4 folds.*decode\.n_folds"):
        folds_of(RUNS, choices_of(n_folds=4))


def test_folds_that_leave_no_sample_of_a_side_are_refused_with_what_to_do():
    sides = np.where(RUNS == "1", 0, 1)  # the first side in one run only
    folds = folds_of(RUNS, choices_of())
    with pytest.raises(NotEnoughDataError, match=r"Without run '1' no sample of 'a'.*Add runs"):
        own_folds(PAIR, (sides, sides), folds, choices_of())
    dealt = choices_of(n_folds=2)
    with pytest.raises(NotEnoughDataError, match=r"Without group of runs .*ask for more groups"):
        own_folds(PAIR, (sides, sides), folds_of(RUNS, dealt), dealt)
    whole = np.arange(N) % 2
    assert own_folds(PAIR, (whole, whole), folds, choices_of()) == folds
    with pytest.raises(NotEnoughDataError, match="No sample of the side 'b' is tested"):
        own_folds(PAIR, (whole, np.where(whole, -1, 0)), folds, choices_of())


def test_a_metric_that_is_none_of_the_comparison_is_refused():
    (three,) = parse(["a vs b vs c"], ["a", "b", "c"])
    sides = np.arange(N) % 3
    folds = folds_of(RUNS, choices_of())
    with pytest.raises(NotEnoughDataError, match="dprime is of two sides"):
        own_folds(three, (sides, sides), folds, choices_of(metric="dprime"))
    assert own_folds(three, (sides, sides), folds, choices_of(metric="auc")) == folds
    alone = np.arange(N) // 6
    halves = (np.arange(N) // 3).astype(str).astype(object)  # each of one side
    with pytest.raises(NotEnoughDataError, match="auc compares samples within folds"):
        own_folds(PAIR, (alone, alone), folds_of(halves, choices_of()), choices_of(metric="auc"))
