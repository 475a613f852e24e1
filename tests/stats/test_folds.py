"""stats.folds: every sample tested once, stimuli whole, refusals."""

import numpy as np
import pytest
from sklearn.model_selection import LeaveOneGroupOut

from bids_dnn.errors import NotEnoughDataError, ShapeError
from bids_dnn.stats.folds import Fold, by_stimulus, leave_one_run_out, linked


def test_leave_one_run_out_is_that_of_scikit_learn(rng):
    runs = rng.choice(["01", "02", "10"], size=30)
    expected = LeaveOneGroupOut().split(runs, groups=runs)
    folds = leave_one_run_out(runs)
    assert [fold.name for fold in folds] == ["01", "02", "10"]
    for fold, (train, test) in zip(folds, expected, strict=True):
        np.testing.assert_array_equal(np.flatnonzero(fold.train), train)
        np.testing.assert_array_equal(np.flatnonzero(fold.test), test)


def test_one_run_is_refused():
    with pytest.raises(NotEnoughDataError, match=r"one run \('1'\).*needs two"):
        leave_one_run_out(["1", "1"])


def test_no_run_is_refused():
    with pytest.raises(NotEnoughDataError, match="no run"):
        leave_one_run_out([])


def test_each_stimulus_is_tested_in_one_fold(rng):
    stimuli = rng.choice(list("abcdefg"), size=60)
    folds = by_stimulus(stimuli, 3, rng)
    assert (sum(fold.test.astype(int) for fold in folds) == 1).all()
    for fold in folds:
        assert not set(stimuli[fold.train]) & set(stimuli[fold.test])
        assert len(set(stimuli[fold.test])) in (2, 3)


def test_folds_do_not_depend_on_the_order_of_samples(rng):
    stimuli = np.array(list("abcdefgabc"))
    order = rng.permutation(len(stimuli))
    first = by_stimulus(stimuli, 3, np.random.default_rng(5))
    second = by_stimulus(stimuli[order], 3, np.random.default_rng(5))
    for one, two in zip(first, second, strict=True):
        np.testing.assert_array_equal(one.test[order], two.test)


@pytest.mark.parametrize("n_folds", [1, 4])
def test_fewer_stimuli_than_folds_are_refused(rng, n_folds):
    with pytest.raises(NotEnoughDataError, match=f"3 stimuli for {n_folds} folds"):
        by_stimulus(list("aabbcc"), n_folds, rng)


@pytest.mark.parametrize(
    ("train", "test"), [([1, 1], [0, 1]), ([1, 1], [0, 0]), ([1, 0], [0, 1, 0])]
)
def test_a_fold_that_overlaps_or_is_empty_is_refused(train, test):
    with pytest.raises(ShapeError, match="'x'"):
        Fold("x", np.array(train, dtype=bool), np.array(test, dtype=bool))


def test_stimuli_that_share_runs_hang_together(rng):
    names = [f"s{k}" for k in range(12)]
    runs = [str(k // 3) for k in range(12)]  # three stimuli a run
    groups = linked(names, names, runs)
    assert groups == [str(k // 3) for k in range(12)]
    folds = by_stimulus(groups, 2, rng)
    for fold in folds:
        held, taught = (
            {runs[k] for k in np.flatnonzero(part)} for part in (fold.test, fold.train)
        )
        assert not held & taught
    everywhere = linked(names, names * 2, runs + ["0"] * 12)
    assert set(everywhere) == {"0"}
