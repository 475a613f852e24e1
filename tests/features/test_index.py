"""features.index: what is noted of a network, and a cache that may not be written."""

import errno

import pytest

from bids_dnn.errors import OutputError
from bids_dnn.features.index import (
    Index,
    Place,
    damaged_indices,
    index_path,
    read_index,
    where_open,
    write_index,
)
from bids_dnn.files import explain

PLAIN = Index(("a",), ("k",), ("slow",))
KEPT = Index(("a", "b"), ("k", "l"), (), {"a": Place("m", (4, 3, 2)), "b": Place("n", (7,))})


@pytest.mark.parametrize("index", [PLAIN, KEPT, Index(("a",), ("k",), (), {})])
def test_what_was_noted_is_read(tmp_path, index):
    path = index_path(tmp_path, "key", "cpu")
    assert read_index(path) is None
    write_index(path, index)
    assert read_index(path) == index
    assert damaged_indices(tmp_path) == []


def test_entries_are_those_of_products_and_of_kept_features():
    assert PLAIN.entries() == [("k", "gram")]
    kept = [("m", "features"), ("n", "features")]
    assert KEPT.entries() == [("k", "gram"), ("l", "gram"), *kept]


@pytest.mark.parametrize(
    "text",
    [
        *("", '{"layers": [', "[]", "{}", '{"layers": ["a"], "keys": [], "warnings": []}'),
        '{"layers": ["a"], "keys": [1], "warnings": []}',
        '{"layers": ["a"], "keys": ["k"], "warnings": [], "kept": {"a": {"key": "m"}}}',
        '{"layers": [], "keys": [], "warnings": [], "kept": {"a": {"key": "m", "shape": [1, 2]}}}',
    ],
)
def test_a_damaged_index_is_as_none(tmp_path, text):
    path = index_path(tmp_path, "key", "cpu")
    path.write_text(text)
    assert read_index(path) is None
    assert damaged_indices(tmp_path) == [path]


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES, errno.EPERM])
def test_a_cache_that_may_not_be_written_is_gone_without(tmp_path, number):
    is_left = False
    with where_open():
        is_left = True
        raise explain(OSError(number, "no"), tmp_path) from OSError(number, "no")
    assert is_left


def test_a_full_disk_is_told(tmp_path):
    err = OSError(errno.ENOSPC, "full")
    with pytest.raises(OutputError, match="Free some space"), where_open():
        raise explain(err, tmp_path) from err
