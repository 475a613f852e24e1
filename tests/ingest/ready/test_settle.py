"""ingest.ready.settle: blocks are joined, scaled and counted as one matrix would be."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from bids_dnn.containers.roi import Roi
from bids_dnn.containers.space import Channels
from bids_dnn.errors import ConfigError, NotEnoughDataError, ShapeError
from bids_dnn.ingest.ready.common import sample_table
from bids_dnn.ingest.ready.settle import Raw, choose_standardize, gather, settle
from bids_dnn.ingest.standardize import by_group


def channels(n):
    return Channels("test", tuple(map(str, range(n))), np.arange(n))


def split(values, sessions):
    return [values[sessions == session] for session in dict.fromkeys(sessions)]


@pytest.fixture
def data(rng):
    values = rng.normal(size=(12, 6)).astype(np.float32)
    return values, np.repeat(["1", "2", "3"], 4)


def test_blocks_make_one_matrix(data):
    values, sessions = data
    joined, lost = gather(split(values, sessions), n_units=6, groups=sessions, is_scaled=False)
    np.testing.assert_array_equal(joined, values)
    assert not np.any(list(lost.values()))


def test_scaled_blocks_are_those_of_the_whole(data):
    values, sessions = data
    joined, _ = gather(split(values, sessions), n_units=6, groups=sessions, is_scaled=True)
    np.testing.assert_array_equal(joined, by_group(values, sessions)[0])


@pytest.mark.parametrize("is_scaled", [False, True])
def test_units_that_cannot_be_used_are_named(data, is_scaled):
    values, sessions = data
    values[5, 1], values[7, 2] = np.nan, np.inf
    values[:, 3] = 2
    values[sessions == "2", 4] = 7
    joined, lost = gather(split(values, sessions), n_units=6, groups=sessions, is_scaled=is_scaled)
    np.testing.assert_array_equal(lost["nan"], [0, 1, 1, 0, 0, 0])
    np.testing.assert_array_equal(lost["constant"], [0, 0, 0, 1, is_scaled, 0])
    keep = ~np.any(list(lost.values()), axis=0)
    whole = by_group(values[:, keep], sessions)[0] if is_scaled else values[:, keep]
    np.testing.assert_allclose(joined, whole, atol=1e-6)


def test_the_blocks_are_not_altered(data):
    values, sessions = data
    values[5, 1] = np.nan
    before = values.copy()
    gather(split(values, sessions), n_units=6, groups=sessions, is_scaled=True)
    gather([values], n_units=6, groups=sessions, is_scaled=False)
    np.testing.assert_array_equal(values, before)


def test_little_more_than_the_result_is_held(rng):
    n_units, n_sessions, n = 2000, 20, 50
    sessions = np.repeat([f"{i:02d}" for i in range(n_sessions)], n)

    def blocks():
        for _ in range(n_sessions):
            block = rng.normal(size=(n, n_units)).astype(np.float32)
            block[:, 0] = 0
            yield block

    tracemalloc.start()
    joined, _ = gather(blocks(), n_units=n_units, groups=sessions, is_scaled=True)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert joined.shape == (1000, 1999)
    assert peak < 1.5 * joined.nbytes


@pytest.mark.parametrize(
    ("shapes", "match"),
    [
        ([(4, 6), (4, 6)], r"8 samples; 12 samples of 6 units"),
        ([(4, 6), (9, 6)], r"\(9, 6\) up to sample 13; 12 samples of 6 units"),
        ([(4, 6), (4, 5)], r"\(4, 5\) up to sample 8; 12 samples of 6 units"),
    ],
)
def test_blocks_of_another_shape_are_refused(data, shapes, match):
    blocks = [np.ones(shape, np.float32) for shape in shapes]
    with pytest.raises(ShapeError, match=match):
        gather(blocks, n_units=6, groups=data[1], is_scaled=False)


def test_nothing_to_use_is_refused(data):
    values, sessions = data
    values[:] = 1
    values[0, :2] = np.nan
    with pytest.raises(NotEnoughDataError, match="of 6, 2 are NaN in some sample and 4 do not"):
        gather([values], n_units=6, groups=sessions, is_scaled=False)


@pytest.mark.parametrize(
    ("asked", "sessions", "chosen"),
    [
        ("auto", ["1", "2", "3"], "session"),
        ("auto", ["1", "2", "2"], "none"),
        ("auto", ["", ""], "none"),
        ("run", [""], "run"),
        ("session", ["1"], "session"),
        ("none", ["1", "2", "3"], "none"),
    ],
)
def test_auto_means_sessions_where_there_are_three(asked, sessions, chosen):
    assert choose_standardize(asked, sessions) == chosen


def test_other_words_are_refused():
    with pytest.raises(ConfigError, match=r"'sessio'.*Did you mean 'session'"):
        choose_standardize("sessio", [])


def test_regions_and_facts_follow_the_units(data):
    values, sessions = data
    values[:, 0] = 1
    space = channels(6)
    rois = (
        Roi("A", space.select(np.array([0, 1])), "test", 2),
        Roi("B", space.select(np.array([0])), "test", 1),
    )
    samples = sample_table(list("aabbccddeeff"), run=["1", "2"] * 6, session=list(sessions))
    raw = Raw(samples, space, "psc", "none", rois, {"extra": 1, "warnings": ["first"]})
    found = settle(raw, split(values, sessions), source="nsd", model="b", standardize="auto")
    assert [roi.name for roi in found.rois] == ["A"]
    assert found.rois[0].n_before == 2
    np.testing.assert_array_equal(found.rois[0].space.index, [1])
    assert found.responses.scale == "zscore"
    assert found.responses.independence == "none"
    wanted = {"source": "nsd", "model": "b", "standardize": "session", "n_units": 5, "extra": 1}
    assert wanted.items() <= found.facts.items()
    assert found.facts["left_out_because"] == {"nan": 0, "constant": 1}
    assert found.facts["warnings"] == [
        "first",
        "Region B has no unit that can be used and was left out.",
    ]
    plain = settle(raw, [values], source="nsd", model="b", standardize="none")
    assert plain.responses.scale == "psc"
