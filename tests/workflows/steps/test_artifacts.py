"""workflows.steps.artifacts: what is kept comes back, with the same bytes each time."""

import numpy as np
import pandas as pd
import pytest

from bids_dnn.containers.responses import Responses
from bids_dnn.containers.roi import Roi
from bids_dnn.containers.space import Channels, Grid
from bids_dnn.workflows.steps.artifacts import (
    load_responses,
    load_rois,
    save_responses,
    save_rois,
)
from tests.factories.electrodes import make_channels, make_layout


@pytest.fixture
def responses(rng):
    samples = pd.DataFrame(
        {
            "stimulus": ["001", ""],
            "condition": ["1", "true"],
            "run": ["01", "02"],
            "session": ["", ""],
            "repeat": [0, 1],
            "onset": [0.1, np.nan],
        }
    )
    space = Grid("T1w", (2, 3, 4), np.diag([2.0, 2, 2, 1]), np.array([0, 5, 7]))
    return Responses(rng.normal(size=(2, 3)).astype(np.float32), samples, space, "psc")


def test_responses_come_back(responses, tmp_path):
    path = save_responses(tmp_path / "a.npz", responses, {"n": 2, "names": ["x"]})
    kept, facts = load_responses(path)
    np.testing.assert_array_equal(kept.values, responses.values)
    for column in ("stimulus", "condition", "run", "session"):
        assert list(kept.samples[column]) == list(responses.samples[column])
    np.testing.assert_array_equal(kept.samples["repeat"], [0, 1])
    assert kept.space.has_places_of(responses.space)
    np.testing.assert_array_equal(kept.space.index, responses.space.index)
    assert (kept.scale, facts) == ("psc", {"n": 2, "names": ["x"]})


def test_the_same_bytes_each_time(responses, tmp_path):
    one = save_responses(tmp_path / "a.npz", responses, {"n": 2})
    two = save_responses(tmp_path / "b.npz", responses, {"n": 2})
    assert one.read_bytes() == two.read_bytes()


def test_regions_come_back(responses, tmp_path):
    rois = [Roi("V1", responses.space, "mask", 9), Roi("V2", responses.space, "x", 3)]
    kept, warnings = load_rois(save_rois(tmp_path / "r.npz", rois, ["said"]))
    assert [(roi.name, roi.source, roi.n_before) for roi in kept] == [
        ("V1", "mask", 9),
        ("V2", "x", 3),
    ]
    np.testing.assert_array_equal(kept[0].space.index, responses.space.index)
    assert warnings == ["said"]


def test_channels_come_back_where_they_stand(tmp_path):
    layout = make_layout(["a", ""], channel=[3, 0], place=[[1, 2], [np.nan, np.nan]])
    bare = Channels("units", ("x",), np.arange(1))
    rois = [Roi("a", make_channels(layout), "here", 2), Roi("b", bare, "here", 1)]
    (kept, without), _ = load_rois(save_rois(tmp_path / "r.npz", rois, []))
    assert without.space.layout is None
    assert (kept.space.layout.array, kept.space.layout.area) == (("a", ""), ("V1", "V1"))
    np.testing.assert_array_equal(kept.space.layout.channel, layout.channel)
    np.testing.assert_array_equal(kept.space.layout.place, layout.place)
