"""features.scratch: what was written is read, nothing stays behind, refusals."""

import errno
import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from bids_dnn.errors import OutputError, ShapeError, UnreadableError
from bids_dnn.features import scratch
from bids_dnn.features.scratch import Scratch, check_room, free_disk, numbered, spooled
from tests.factories.passes import FakePasses

KILLED = """
import os, signal, sys
from pathlib import Path
import numpy as np
from bids_dnn.features.scratch import Scratch
made = Scratch(Path(sys.argv[1]), n=100, p=1000, tile=64)
made.write(0, np.ones((100, 1000), dtype=np.float32))
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("tile", [1, 7, 64, 100])
@pytest.mark.parametrize("batch_size", [1, 4, 11])
def test_columns_are_those_of_the_rows(rng, tmp_path, tile, batch_size):
    x = rng.normal(size=(11, 64)).astype(np.float32)
    with Scratch(tmp_path, n=11, p=64, tile=tile) as made:
        for start in range(0, 11, batch_size):
            made.write(start, x[start : start + batch_size])
        for start in range(0, 64, tile):
            stop = min(start + tile, 64)
            np.testing.assert_array_equal(made.columns(start, stop), x[:, start:stop])


def test_a_write_that_is_cut_short_goes_on(rng, tmp_path, monkeypatch):
    x = rng.normal(size=(5, 40)).astype(np.float32)
    write, read = os.pwrite, os.preadv
    monkeypatch.setattr(os, "pwrite", lambda fd, data, at: write(fd, bytes(data)[:13], at))
    monkeypatch.setattr(os, "pwritev", lambda fd, some, at: write(fd, bytes(some[0])[:7], at))
    monkeypatch.setattr(os, "preadv", lambda fd, data, at: read(fd, [data[0][:11]], at))
    with Scratch(tmp_path, n=5, p=40, tile=16) as made:
        made.write(0, x)
        np.testing.assert_array_equal(made.columns(16, 32), x[:, 16:32])


def test_columns_of_any_order_in_memory_are_written(rng, tmp_path):
    x = np.asfortranarray(rng.normal(size=(6, 20)).astype(np.float32))
    with Scratch(tmp_path / "made" / "here", n=6, p=20, tile=8) as made:
        made.write(0, x)
        np.testing.assert_array_equal(made.columns(8, 16), x[:, 8:16])


def test_a_killed_process_leaves_nothing(tmp_path):
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_was_cut_is_told(tmp_path):
    with Scratch(tmp_path, n=3, p=10, tile=5) as made:
        made.write(0, np.ones((3, 10), dtype=np.float32))
        os.ftruncate(made._file.fileno(), 70)
        assert made.columns(0, 5).all()
        with pytest.raises(UnreadableError, match="ends at 70 bytes of 120"):
            made.columns(5, 10)


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"file.*Choose a folder"):
        Scratch(tmp_path / "file" / "below", n=1, p=1, tile=1)


def test_an_error_of_the_last_write_is_told_too(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "pwritev", full)
    passes = FakePasses({"a": np.ones((3, 4), dtype=np.float32)}, batch_size=3)
    given = {"n": 3, "tiles": {"a": 4}, "folder": tmp_path}
    with (
        pytest.raises(OutputError, match="No space left"),
        spooled(passes(), passes.widths, **given),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


def test_too_little_room_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(scratch, "free_disk", lambda _: 3 * 10**9)
    check_room(tmp_path, 3 * 10**9)
    with pytest.raises(OutputError, match=r"need 4\.0 GB in .* has 3\.0 GB left\. .*--work-dir"):
        check_room(tmp_path, 4 * 10**9)


def test_the_room_of_a_folder_that_is_not_there_is_that_of_its_parent(tmp_path):
    assert free_disk(tmp_path / "not" / "there") == pytest.approx(free_disk(tmp_path), rel=0.05)


def test_batches_are_numbered_from_where_they_begin():
    passes = FakePasses({"a": np.ones((10, 2), dtype=np.float32)}, batch_size=3)
    found = [row for row, _ in numbered(passes(4), passes.widths, n=10, start=4)]
    assert found == [4, 7]
    with pytest.raises(ShapeError, match="gave 10 rows, but there are 12"):
        list(numbered(passes(4), passes.widths, n=12, start=4))
