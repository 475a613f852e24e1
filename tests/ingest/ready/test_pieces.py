"""ingest.ready.pieces: rows are read once, in order, by session where z-scores need it."""

import itertools

import numpy as np
import pandas as pd
import pytest

from bids_dnn.errors import ConfigError, MissingInputError
from bids_dnn.ingest.ready.pieces import (
    CHUNK_SAMPLES,
    column_values,
    pieces,
    read_pieces,
    require_space,
)


def sessions(*labels):
    return pd.DataFrame({"session": list(labels)})


def test_rows_come_in_chunks_where_nothing_is_scaled():
    n = 2 * CHUNK_SAMPLES + 3
    found = pieces(sessions(*[""] * n), "auto")
    assert [s.stop - s.start for s in found] == [CHUNK_SAMPLES, CHUNK_SAMPLES, 3]


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ("aab", [(0, 2), (2, 3)]),
        ("aba", [(0, 3)]),  # a session that comes again
        ("aaa", [(0, 3)]),
    ],
)
def test_sessions_come_whole_where_they_are_scaled(labels, expected):
    for standardize in ("session", "run"):
        found = pieces(sessions(*labels), standardize)
        assert [(s.start, s.stop) for s in found] == expected


def test_a_wrong_setting_is_refused():
    with pytest.raises(ConfigError, match="'runs'"):
        pieces(sessions("a"), "runs")


@pytest.mark.parametrize("cuts", [[0, 9], [0, 2, 5, 9], [0, 4, 9]])
def test_several_arrays_read_as_one(rng, cuts):
    arrays = [rng.normal(size=(n, 3)).astype(np.float32) for n in (4, 1, 4)]
    parts = [(len(a), lambda first, last, a=a: a[first:last]) for a in arrays]
    wanted = [slice(a, b) for a, b in itertools.pairwise(cuts)]
    found = list(read_pieces(parts, wanted))
    assert [len(block) for block in found] == np.diff(cuts).tolist()
    np.testing.assert_array_equal(np.concatenate(found), np.concatenate(arrays))


def test_columns_are_numbers_only_where_all_are():
    numbers = column_values(pd.Series(["1", "n/a", "2.5"], name="x"))
    np.testing.assert_array_equal(numbers, [1, np.nan, 2.5])
    assert column_values(pd.Series(["1", "a"], name="x")) == ["1", "a"]
    assert column_values(pd.Series(["1", "2"], name="trial")) == ["1", "2"]


def test_a_space_that_is_not_there_is_refused(tmp_path):
    require_space(None, ["T1w"], folder=tmp_path)
    require_space("T1w", ["T1w"], folder=tmp_path)
    with pytest.raises(MissingInputError, match=r"space 'T2w'\. Did you mean 'T1w'"):
        require_space("T2w", ["T1w"], folder=tmp_path)
