"""features.index: what is noted of a network, and a cache that may not be written."""

import errno

import pytest

from bids_dnn.errors import OutputError
from bids_dnn.features.index import (
    damaged_indices,
    index_path,
    read_index,
    where_open,
    write_index,
)
from bids_dnn.files import explain

TOLD = {"layers": ["a"], "keys": ["k"], "warnings": []}


def test_what_was_noted_is_read(tmp_path):
    path = index_path(tmp_path, "key", "cpu")
    assert read_index(path) is None
    write_index(path, TOLD)
    assert read_index(path) == TOLD
    assert damaged_indices(tmp_path) == []


@pytest.mark.parametrize(
    "text", ["", '{"layers": [', "[]", "{}", '{"layers": ["a"], "keys": [], "warnings": []}']
)
def test_a_damaged_index_is_as_none(tmp_path, text):
    path = index_path(tmp_path, "key", "cpu")
    path.write_text(text)
    assert read_index(path) is None
    assert damaged_indices(tmp_path) == [path]


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES, errno.EPERM])
def test_a_cache_that_may_not_be_written_is_gone_without(tmp_path, number):
    with where_open():
        raise explain(OSError(number, "no"), tmp_path) from OSError(number, "no")


def test_a_full_disk_is_told(tmp_path):
    err = OSError(errno.ENOSPC, "full")
    with pytest.raises(OutputError, match="Free some space"), where_open():
        raise explain(err, tmp_path) from err
