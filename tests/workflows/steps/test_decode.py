"""workflows.steps.decode: what features may be scaled by where units are chosen in folds."""

import pytest

from bids_dnn.errors import LeakageError
from bids_dnn.workflows.steps.decode import check_scaling_by_run
from tests.factories.responses import make_responses


@pytest.fixture
def shown(rng):
    """Two pictures in both runs, one in each alone, and a sample without a picture."""
    stimuli = ["a", "b", "once", "a", "b", "twice", "twice", ""]
    return make_responses(rng.normal(size=(8, 3)), stimuli=stimuli, runs=[1, 1, 1, 2, 2, 2, 2, 2])


@pytest.mark.parametrize("scaled_on", [(), ("a", "b"), ("never shown", "a")])
def test_pictures_that_training_runs_show_may_scale(shown, scaled_on):
    check_scaling_by_run(shown, scaled_on)


@pytest.mark.parametrize("name", ["once", "twice"])
def test_pictures_of_one_run_may_not(shown, name):
    with pytest.raises(LeakageError, match=rf"over 2 training .* 1 of them .* '{name}'"):
        check_scaling_by_run(shown, ("a", name))
