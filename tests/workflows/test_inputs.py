"""workflows.inputs: a file is hashed anew whenever it may have changed."""

import os

import pytest

from bids_dnn.errors import MissingInputError, UnreadableError
from bids_dnn.files import fingerprint
from bids_dnn.workflows import inputs
from bids_dnn.workflows.inputs import Inputs


def hashed(memory, path):
    made = Inputs(memory)
    digest = made.sha256(path)
    made.save()
    return digest


def test_what_was_hashed_is_remembered(tmp_path, monkeypatch):
    path, memory = tmp_path / "a", tmp_path / "memory.json"
    path.write_text("one")
    first = hashed(memory, path)
    monkeypatch.setattr(inputs, "fingerprint", None)
    assert hashed(memory, path) == first == fingerprint(path)


def test_other_bytes_of_the_same_size_and_time_are_noticed(tmp_path):
    """As after ``cp -p`` of another version."""
    path, memory = tmp_path / "a", tmp_path / "memory.json"
    path.write_text("one")
    os.utime(path, ns=(10**18, 10**18))
    first = hashed(memory, path)
    path.write_text("two")
    os.utime(path, ns=(10**18, 10**18))
    assert hashed(memory, path) == fingerprint(path) != first


def test_a_memory_that_was_cut_short_is_made_anew(tmp_path):
    path, memory = tmp_path / "a", tmp_path / "memory.json"
    path.write_text("one")
    memory.write_text('{"a": [1')
    assert hashed(memory, path) == fingerprint(path)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(MissingInputError, match=r"nothing\.png is not there"):
        Inputs(tmp_path / "memory.json").sha256(tmp_path / "nothing.png")


@pytest.mark.parametrize("error", [PermissionError(13, "Permission denied"), OSError(5, "I/O")])
def test_a_file_that_cannot_be_read_is_named(tmp_path, monkeypatch, error):
    path = tmp_path / "a.png"
    path.write_text("one")

    def refuse(_):
        raise error

    monkeypatch.setattr(inputs, "fingerprint", refuse)
    with pytest.raises(UnreadableError, match=rf"a\.png cannot be read \({error.strerror}\)"):
        Inputs(tmp_path / "memory.json").sha256(path)
