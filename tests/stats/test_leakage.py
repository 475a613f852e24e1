"""stats.leakage: what is shared is named."""

import numpy as np
import pytest

from bids_dnn.errors import LeakageError, ShapeError
from bids_dnn.stats.folds import Fold, by_stimulus, leave_one_out
from bids_dnn.stats.leakage import (
    ceiling_doubts,
    check,
    check_choice,
    check_copies,
    check_independence,
)


def half(n):
    first = np.arange(n) < n // 2
    return Fold("1", first, ~first)


def test_folds_by_stimulus_do_not_leak(rng):
    stimuli = list(rng.choice(list("abcdefg"), size=60))
    check(by_stimulus(stimuli, 3, rng), groups=stimuli, what="stimuli")


def test_what_is_shared_is_named():
    with pytest.raises(LeakageError, match=r"fold '1' share 1 stimuli: dog[.]"):
        check([half(4)], groups=["dog", "cat", "dog", "car"], what="stimuli")


def test_five_names_at_most_are_shown():
    groups = [f"s{k}" for k in range(8)] * 2
    with pytest.raises(LeakageError, match="8 stimuli: s0, s1, s2, s3, s4 and 3 more"):
        check([half(16)], groups=groups, what="stimuli")


def test_groups_of_another_length_are_refused():
    with pytest.raises(ShapeError, match=r"4 samples.*3 runs"):
        check([half(4)], groups=[1, 2, 3], what="runs")


def test_what_was_chosen_on_tested_samples_is_named():
    fold = half(4)
    groups = ["dog", "cat", "dog", "car"]
    with pytest.raises(LeakageError, match=r"units of fold '1' were chosen on 1 of .*: dog[.]"):
        check_choice([fold], chosen_on=[fold.train], groups=groups, what="units")
    check_choice([fold], chosen_on=[np.arange(4) == 1], groups=groups, what="units")
    with pytest.raises(ShapeError, match=r"layers were .* \[\(4,\)\], but there are 2 folds of 4"):
        check_choice([fold] * 2, chosen_on=[fold.train], groups=groups, what="layers")


def test_folds_within_a_run_are_refused_for_single_trial_estimates():
    folds, runs = [half(4)], ["1", "2", "1", "2"]
    with pytest.raises(LeakageError, match=r"decode[.]folds splits samples within runs.*1, 2"):
        check_independence(folds, runs=runs, independence="run", how="decode.folds")
    check_independence(folds, runs=runs, independence="sample", how="decode.folds")
    check_independence(folds, runs=["1", "1", "2", "2"], independence="run", how="decode.folds")


def test_repeats_within_a_run_are_counted():
    stimuli, runs = ["a", "a", "b", "b", "c", ""], ["1", "1", "1", "2", "1", "1"]
    (said,) = ceiling_doubts(stimuli, runs=runs, independence="run")
    assert said.startswith("1 of 3 stimuli repeat within a run")
    assert ceiling_doubts(stimuli, runs=runs, independence="sample") == []
    (said,) = ceiling_doubts(stimuli, runs=runs, independence="none")
    assert "denoised or regularized" in said


def test_copies_across_a_fold_are_refused_and_named(rng):
    values = rng.normal(size=(6, 4)).astype(np.float32)
    folds = leave_one_out(list("aabbcc"), what="run")
    names = [f"sample {k}" for k in range(6)]
    values[1] = values[0]  # within a run: strange, but no leak
    values[:, 2] = np.nan  # a unit that was not measured tells nothing
    check_copies(folds, values=values, names=names)
    values[4, [0, 1, 3]] = values[0, [0, 1, 3]]
    with pytest.raises(
        LeakageError, match="sample 0 and sample 4, sample 1 and sample 4 are equal"
    ):
        check_copies(folds, values=values, names=names)


def test_samples_that_do_not_vary_are_no_copies():
    folds = leave_one_out(list("aabb"), what="run")
    check_copies(folds, values=np.zeros((4, 3)), names=list("wxyz"))
    check_copies(folds, values=np.full((4, 3), np.nan), names=list("wxyz"))
