"""files: whole or not at all, the same bytes, errors that say what to do."""

import errno
import hashlib
from pathlib import Path

import numpy as np
import pytest

from bids_dnn import files
from bids_dnn.errors import OutputError


def test_fingerprint_is_sha256(tmp_path, rng):
    data = rng.bytes(3 * files.CHUNK // 2)
    path = tmp_path / "a"
    path.write_bytes(data)
    assert files.fingerprint(path) == hashlib.sha256(data).hexdigest()


def test_fingerprint_of_ignores_the_order_of_keys_only():
    assert files.fingerprint_of({"a": 1, "b": 2}) == files.fingerprint_of({"b": 2, "a": 1})
    assert files.fingerprint_of([1, 2]) != files.fingerprint_of([2, 1])


def test_json_takes_numpy_and_paths_and_nan():
    value = {"a": np.float64("nan"), "b": np.arange(2), "c": Path("x"), "d": (np.int64(3),)}
    text = files.json_text(value)
    assert "".join(text.split()) == '{"a":null,"b":[0,1],"c":"x","d":[3]}'


def test_a_failed_write_leaves_what_was_there(tmp_path):
    path = files.write_text(tmp_path / "sub" / "a.txt", "before")

    def fail():
        with files.writing(path) as aside:
            aside.write_text("half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert path.read_text() == "before"
    assert list(path.parent.iterdir()) == [path]


def test_a_folder_appears_whole_and_the_first_wins(tmp_path):
    for text in ("one", "two"):
        with files.writing_folder(tmp_path / "key") as aside:
            (aside / "a").write_text(text)
            (aside / "b").write_text(text)
    assert (tmp_path / "key" / "a").read_text() == "one"
    assert [p.name for p in tmp_path.iterdir()] == ["key"]


@pytest.mark.parametrize(
    ("number", "word"),
    [(errno.ENOSPC, "space"), (errno.EACCES, "permission"), (errno.EROFS, "read-only")],
)
def test_a_full_or_closed_disk_is_explained(tmp_path, number, word):
    def fail():
        with files.writing(tmp_path / "a"):
            raise OSError(number, "no")

    with pytest.raises(OutputError, match=rf"{tmp_path}/a cannot be written.*{word}"):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_other_failures_stay_what_they_are(tmp_path):
    def fail():
        with files.writing(tmp_path / "a"):
            raise OSError(errno.EIO, "broken")

    with pytest.raises(OSError, match="broken") as found:
        fail()
    assert not isinstance(found.value, OutputError)
