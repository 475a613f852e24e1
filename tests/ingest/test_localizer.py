"""ingest.localizer: designs and series of a localizer's runs."""

from dataclasses import replace

import numpy as np
import pytest

from bids_dnn.errors import NotEnoughDataError
from bids_dnn.ingest.inventory import take_inventory
from bids_dnn.ingest.localizer import conditions_of, model_runs
from bids_dnn.ingest.series import common_space
from tests.factories.trees import tiny_tree

SETTINGS = {"hrf": "spm", "high_pass_hz": 0.0, "confounds": "none", "rest": ("rest",)}


@pytest.fixture
def subject(tmp_path, rng):
    tree = tiny_tree(tmp_path / "data", rng, participants=("01",))
    return take_inventory(tree).participants[0]


def test_conditions_are_those_of_the_events(subject):
    assert conditions_of(subject.runs, rest=("rest",)) == ["face", "house"]
    assert conditions_of(subject.runs, rest=("rest", "face")) == ["house"]
    assert conditions_of([replace(subject.runs[0], events=None)], rest=()) == []


def test_the_design_explains_what_its_conditions_make(subject):
    space, _ = common_space(subject)
    runs = list(model_runs(subject, space, **SETTINGS))
    assert [one.run for one in runs] == [run.run for run in subject.runs]
    for one in runs:
        assert one.conditions == ("face", "house")
        assert one.design.shape == (len(one.series), 3)  # two conditions and a constant
        np.testing.assert_allclose(one.design[:, -1], 1.0)
        known = np.isfinite(one.series).all(axis=0)
        np.testing.assert_allclose(one.series[:, known].mean(axis=0), 100.0, rtol=1e-6)


def test_a_run_of_rest_alone_is_refused(subject):
    space, _ = common_space(subject)
    rest = SETTINGS | {"rest": ("face", "house", "rest")}
    with pytest.raises(NotEnoughDataError, match="rest"):
        list(model_runs(subject, space, **rest))
