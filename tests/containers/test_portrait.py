"""containers.portrait: facts as JSON and back, and shapes that are refused."""

import json

import numpy as np
import pytest

from bids_dnn.containers.portrait import Maps, NetworkFacts, Portrait
from bids_dnn.errors import ShapeError
from tests.factories.portraits import make_facts


def test_facts_are_the_same_after_json():
    facts = make_facts()
    assert NetworkFacts.from_json(json.loads(json.dumps(facts.to_json()))) == facts


def test_facts_that_are_not_known_are_left_out():
    assert NetworkFacts.from_json({"name": "net", "of_tomorrow": 3}) == NetworkFacts("net")


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({"filters": np.zeros((4, 3, 3, 2))}, r"filters has shape \(4, 3, 3, 2\); \(4, 3, 3, 3\)"),
        ({"filters": np.zeros((4, 3))}, r"filters has shape \(4, 3\)"),
        ({"rdms": {"fc": np.zeros((2, 3))}}, r"RDM of fc has shape \(2, 3\); \(2, 2\)"),
        ({"examples": {"grey()": np.zeros((5, 4))}}, r"'grey\(\)' has shape \(5, 4\)"),
        ({"categories": ("face",)}, r"categories has shape \(1,\); \(2,\)"),
    ],
)
def test_a_portrait_refuses_other_shapes(parts, said):
    given = {"order": ("a", "b"), "categories": ("", "")} | parts
    with pytest.raises(ShapeError, match=said):
        Portrait(NetworkFacts("net"), 2, **given)


def test_maps_refuse_another_number_of_channels():
    with pytest.raises(ShapeError, match=r"\(2, 3, 3\), but 1 channels"):
        Maps(np.zeros((2, 3, 3), np.float32), (0,), 5)
