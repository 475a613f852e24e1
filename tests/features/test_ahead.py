"""features.ahead: pictures in order, ahead, by threads and processes that end; errors by name."""

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import Future
from pathlib import Path

import numpy as np
import pytest

from bids_dnn.errors import ConfigError, MissingInputError, ShapeError, UnreadableError
from bids_dnn.features import ahead
from bids_dnn.features.ahead import CHUNK, decoded
from tests.factories.loaders import Faulty, numbered

NAMES = [f"p{i:03}" for i in range(90)]


def is_gone(pid, patience_s=10):
    """Wait for a process that is no child of ours, or was not waited for."""
    end = time.monotonic() + patience_s
    while time.monotonic() < end:
        try:
            with open(f"/proc/{pid}/stat") as stream:  # noqa: PTH123
                if stream.read().rpartition(")")[2].split()[0] == "Z":
                    return True
        except FileNotFoundError:
            return True
        time.sleep(0.02)
    return False


@pytest.mark.parametrize("n_workers", [0, 2])
def test_pictures_come_in_order(n_workers):
    shown = list(decoded(numbered, NAMES, size_px=4, n_workers=n_workers))
    assert [int(one[0, 0, 0]) for one in shown] == list(range(90))
    assert {one.dtype for one in shown} == {np.dtype(np.uint8)}


LONE = """
from bids_dnn.features.ahead import decoded
from tests.factories.loaders import lone_torch

if __name__ == "__main__":
    import torch  # noqa: F401

    names = [f"p{i:03}" for i in range(90)]

    print(any(one.any() for one in decoded(lone_torch, names, size_px=4, n_workers=1)))
"""


def test_workers_do_not_load_torch(tmp_path):
    script = tmp_path / "lone.py"  # a process whose fork server has nothing preloaded
    script.write_text(LONE)
    said = subprocess.run(
        [sys.executable, script],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout.strip() == "False"


def test_few_pictures_start_no_process(tmp_path):
    load = Faulty("", "", tmp_path)
    list(decoded(load, NAMES[: ahead.FEW], size_px=4, n_workers=2))
    assert [one.name for one in tmp_path.iterdir()] == [str(os.getpid())]


def test_only_so_many_pictures_are_decoded_ahead():
    asked = []
    shown = decoded(lambda n: asked.append(n) or numbered(n), NAMES, size_px=4, n_ahead=16)
    next(shown)
    time.sleep(0.1)
    assert len(asked) <= 16
    shown.close()


def test_floats_become_float32():
    shown = list(decoded(lambda _: np.full((4, 4, 3), 0.5), ["a"], size_px=4))
    assert shown[0].dtype == np.float32


@pytest.mark.parametrize("n_workers", [0, 2])
@pytest.mark.parametrize(
    ("way", "error", "told"),
    [
        ("ours", MissingInputError, r"'p042': There is no file x\.png\. Put it there\."),
        ("theirs", UnreadableError, r"'p042' cannot be loaded \(ValueError: bad marker\)"),
        ("shape", ShapeError, r"'p042' is a picture of shape \(4, 5, 3\).* takes \(4, 4, 3\)"),
        ("type", ShapeError, "'p042' is a picture of int64"),
    ],
)
def test_errors_come_back_with_the_name_of_the_picture(n_workers, way, error, told):
    shown = decoded(Faulty("p042", way), NAMES, size_px=4, n_workers=n_workers)
    with pytest.raises(error, match=told):
        list(shown)


def test_a_worker_that_is_killed_is_told():
    shown = decoded(Faulty("p042", "killed"), NAMES, size_px=4, n_workers=2)
    with pytest.raises(UnreadableError, match=r"was ended from outside.*fewer workers"):
        list(shown)


def test_what_cannot_be_sent_to_a_worker_is_told():
    with pytest.raises(ConfigError, match=r"cannot be sent .*n_workers = 0"):
        decoded(lambda name: numbered(name), NAMES, size_px=4, n_workers=2)


def test_workers_end_when_the_iterator_is_closed(tmp_path):
    shown = decoded(Faulty("", "", tmp_path), NAMES, size_px=4, n_workers=2)
    next(shown)
    pids = [int(one.name) for one in tmp_path.iterdir()]
    assert pids
    assert os.getpid() not in pids
    shown.close()
    assert all(is_gone(pid) for pid in pids)


def test_threads_end_when_the_iterator_is_closed():
    before = threading.active_count()
    shown = decoded(numbered, NAMES, size_px=4)
    next(shown)
    shown.close()
    assert threading.active_count() == before


SCRIPT = """
import signal
import sys
from pathlib import Path
from bids_dnn.features.ahead import decoded
from tests.factories.loaders import Faulty
if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where tests run behind
    load = Faulty("p050", "slow", Path(sys.argv[1]))
    for one in decoded(load, [f"p{i:03}" for i in range(90)], size_px=4, n_workers=1):
        if one[0, 0, 0] == 40:
            print("ready", flush=True)
"""


@pytest.mark.parametrize("way", ["SIGINT", "SIGKILL"])
def test_no_worker_outlives_its_parent(tmp_path, way):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    said = tmp_path / "pids"
    said.mkdir()
    with subprocess.Popen(
        [sys.executable, script, said],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path.cwd())},
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout.readline() == "ready\n"
        pids = [int(one.name) for one in said.iterdir()]
        if way == "SIGINT":  # as Ctrl-C, which goes to the whole group
            time.sleep(0.5)  # Python drops an interrupt within a callback
            os.killpg(process.pid, signal.SIGINT)
            told = process.communicate(timeout=10)[1]  # the slow picture is not waited for
            assert told.rstrip().endswith("KeyboardInterrupt")
            assert "Process ForkServer" not in told
        process.kill()
    assert pids
    assert all(is_gone(pid) for pid in pids)


def test_no_chunk_is_larger_than_told():
    sizes = []

    class Watch:
        def submit(self, work, chunk):
            sizes.append(len(chunk))
            done = Future()
            done.set_result(work(chunk))
            return done

        def shutdown(self, **_):
            sizes.append("shut")

    given = list(ahead._ordered(Watch(), lambda chunk: list(chunk), NAMES[:20], n_ahead=4))
    assert given == NAMES[:20]
    assert sizes == [CHUNK, CHUNK, 4, "shut"]
