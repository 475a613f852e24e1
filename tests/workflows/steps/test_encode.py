"""workflows.steps.encode: the split of stimuli, from a table or from the names of runs."""

import numpy as np
import pytest

from bids_dnn.errors import ConfigError, LeakageError
from bids_dnn.workflows.steps.encode import part_of, split_of
from tests.factories.responses import make_responses


def shown(**runs):
    """Return responses to stimuli, one sample each, by run."""
    pairs = [(name, run) for run, names in runs.items() for name in names]
    stimuli, names = zip(*pairs, strict=True)
    return make_responses(np.zeros((len(pairs), 2)), stimuli=stimuli, runs=names)


@pytest.mark.parametrize(
    ("run", "part"),
    [
        ("train", "train"),
        ("training", "train"),
        ("Train_02", "train"),
        ("test", "test"),
        ("test01", "test"),
        ("test-30", "test"),
        ("validation", "test"),
        ("01", ""),
        ("retest", ""),
        ("trainer", ""),
        ("testx01", ""),  # of a session, in studies of test and retest
        ("01xtest", ""),  # no session is called 01
    ],
)
def test_runs_are_named_after_the_split_with_a_number_or_without(run, part):
    assert part_of(run) == part


def test_the_session_before_a_run_is_no_part_of_its_name():
    assert part_of("03xtest01", session="03") == "test"
    assert part_of("testx01", session="test") == ""


def test_numbered_runs_of_repeats_are_test_runs():
    """TVSD has a run for each repetition of the test images."""
    responses = shown(train="ab", test01="yz", test02="zy", test30="y")
    told = {"a": "train", "b": "train", "y": "test", "z": "test"}
    assert split_of(responses, {}) == told


def test_stimuli_of_runs_of_another_name_have_no_split():
    assert split_of(shown(train="ab", test="z", localizer="q", rest=[""]), {}) == {
        "a": "train", "b": "train", "z": "test"
    }  # fmt: skip


def test_a_stimulus_in_train_and_in_test_runs_is_refused():
    with pytest.raises(LeakageError, match=r"2 stimuli are in training and in test .*'b'"):
        split_of(shown(training="abc", test02="bcz"), {})


def test_a_table_that_tells_all_stands_over_the_names_of_runs():
    """Of stimuli that it does not list there is no picture; they are left out in any case."""
    told = {"a": "test", "b": "train", "y": "train", "z": "test", "other": ""}
    assert split_of(shown(train="abq", test="yz"), told) == {
        name: part for name, part in told.items() if part
    }


def test_a_table_that_tells_some_alone_is_refused_where_runs_tell_the_others():
    told = {"a": "", "b": "", "y": "test", "z": "test"}
    with pytest.raises(ConfigError, match=r"split of 2 stimuli .* leaves 2 open, such as 'a'"):
        split_of(shown(train="ab", test="yz"), told)
    known = {"y": "test", "z": "test"}
    assert split_of(shown(first="ab", second="yz"), told) == known  # such runs tell nothing
