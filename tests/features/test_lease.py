"""features.lease: one process makes an entry, others wait, and a dead one is replaced."""

import json
import os
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path

import pytest

from bids_dnn.errors import OutputError
from bids_dnn.features import lease
from bids_dnn.features.lease import Pace, leases

FAST = Pace(beat_s=0.05, stale_s=0.4, poll_s=0.02)
# A process that makes entries as files; each making adds a line to FOLDER/made.
WORKER = """
import os, sys, time
from functools import partial
from pathlib import Path
from bids_dnn.features.lease import Pace, leases
folder, work_s, keys = Path(sys.argv[1]), float(sys.argv[2]), sys.argv[3:]
def is_made(key):
    return (folder / key).is_file()
said = []
with leases(folder, keys, is_made=is_made, say=said.append, pace=Pace(0.05, 5.0, 0.02)) as ours:
    print("ours", *ours, flush=True)
    for key in ours:
        time.sleep(work_s)
        with (folder / "made").open("a") as log:
            log.write(f"{key} {os.getpid()}\\n")
        (folder / key).touch()
print("said", len(said), *said, flush=True)
"""


def start(folder, work_s, *keys):
    return subprocess.Popen(
        [sys.executable, "-c", WORKER, str(folder), str(work_s), *keys],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )


def made_in(folder):
    return [line.split()[0] for line in (folder / "made").read_text().splitlines()]


def left_in(folder):
    return [p.name for p in folder.iterdir() if ".lease" in p.name]


def is_made(folder, key):
    return (folder / key).is_file()


def test_what_is_made_is_left_alone_even_where_nothing_can_be_written(tmp_path):
    with leases(tmp_path / "absent", ("a",), is_made=lambda _: True) as ours:
        assert ours == ()
    assert not (tmp_path / "absent").exists()


def test_leases_end_with_the_block_and_after_an_error(tmp_path):
    with leases(tmp_path, ("b", "a"), is_made=partial(is_made, tmp_path)) as ours:
        assert ours == ("b", "a")
        assert sorted(left_in(tmp_path)) == ["a.lease", "b.lease"]
    assert left_in(tmp_path) == []
    with pytest.raises(ZeroDivisionError), leases(tmp_path, ("a",), is_made=lambda _: False):
        raise ZeroDivisionError
    assert left_in(tmp_path) == []


def test_several_processes_make_each_entry_once(tmp_path):
    """They ask in different orders: each could wait for another for ever."""
    orders = [("a", "b", "c"), ("c", "b", "a"), ("b", "c", "a"), ("c", "a", "b")]
    workers = [start(tmp_path, 0.1, *order) for order in orders]
    said = [worker.communicate(timeout=60)[0] for worker in workers]
    assert [worker.returncode for worker in workers] == [0] * 4
    assert sorted(made_in(tmp_path)) == ["a", "b", "c"]
    ours = [line.split()[1:] for one in said for line in one.splitlines() if line[:4] == "ours"]
    assert sorted(key for keys in ours for key in keys) == ["a", "b", "c"]
    assert left_in(tmp_path) == []


def test_a_living_owner_is_waited_for_and_named_once(tmp_path):
    owner = start(tmp_path, 2.0, "a")
    assert owner.stdout.readline() == "ours a\n"
    said = []
    begin = time.monotonic()
    pace = Pace(beat_s=0.05, stale_s=1.2, poll_s=0.02)  # shorter than the work: its beats count
    with leases(
        tmp_path, ("a",), is_made=partial(is_made, tmp_path), say=said.append, pace=pace
    ) as ours:
        assert ours == ()
    assert time.monotonic() - begin > 1.5
    assert len(said) == 1
    assert f"process {owner.pid} on {os.uname().nodename}" in said[0]
    owner.communicate(timeout=30)
    assert made_in(tmp_path) == ["a"]


def test_a_killed_owner_of_this_machine_is_replaced_at_once(tmp_path):
    owner = start(tmp_path, 60, "a")
    assert owner.stdout.readline() == "ours a\n"
    owner.kill()
    owner.wait()
    begin = time.monotonic()
    with leases(tmp_path, ("a",), is_made=lambda _: False, pace=Pace(10, 120, 0.02)) as ours:
        assert ours == ("a",)
    assert time.monotonic() - begin < 5
    owner.stdout.close()


def test_an_owner_that_its_parent_has_not_buried_is_dead(tmp_path):
    owner = start(tmp_path, 60, "a")
    assert owner.stdout.readline() == "ours a\n"
    owner.kill()
    while lease._state(owner.pid)[0] not in ("Z", ""):
        time.sleep(0.01)
    with leases(tmp_path, ("a",), is_made=lambda _: False, pace=Pace(10, 120, 0.02)) as ours:
        assert ours == ("a",)
    owner.communicate()


def foreign(folder, key, **changed):
    """Write the lease of a process of another machine."""
    told = {
        "mark": "theirs",
        "host": "elsewhere",
        "pid": os.getpid(),
        "since": "2026-01-01 00:00:00",
        "machine": "elsewhere boot",
        "started": "1",
    }
    path = folder / f"{key}.lease"
    path.write_text(json.dumps(told | changed))
    return path


def test_another_machine_is_believed_until_it_gives_no_sign(tmp_path):
    path = foreign(tmp_path, "a")
    os.utime(path, (1, 1))  # the clock of that machine may be years behind
    begin = time.monotonic()
    said = []
    with leases(tmp_path, ("a",), is_made=lambda _: False, say=said.append, pace=FAST) as ours:
        assert ours == ("a",)
    assert 0.4 < time.monotonic() - begin < 5
    assert "on elsewhere" in said[0]


def test_signs_of_life_of_another_machine_keep_its_lease(tmp_path):
    path = foreign(tmp_path, "a")
    end = threading.Event()

    def live():
        while not end.wait(0.05):
            os.utime(path)
        (tmp_path / "a").touch()

    thread = threading.Thread(target=live)
    thread.start()
    threading.Timer(1.6, end.set).start()
    pace = Pace(beat_s=0.05, stale_s=1.0, poll_s=0.02)
    with leases(tmp_path, ("a",), is_made=partial(is_made, tmp_path), pace=pace) as ours:
        assert ours == ()
    thread.join()
    assert lease.read_owner(path).mark == "theirs"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"mark": "x"}'])
def test_a_lease_that_says_nothing_goes_when_stale(tmp_path, text):
    (tmp_path / "a.lease").write_text(text)
    with leases(tmp_path, ("a",), is_made=lambda _: False, pace=FAST) as ours:
        assert ours == ("a",)
    assert left_in(tmp_path) == []


def test_the_number_of_a_process_that_is_used_again_is_another_process(tmp_path):
    """This very process did not start then: the owner is dead, its number was given to us."""
    foreign(tmp_path, "a", machine=lease._machine(), started="1")
    if not lease._state(os.getpid())[1]:
        pytest.skip("the system does not tell when a process started")
    with leases(tmp_path, ("a",), is_made=lambda _: False, pace=Pace(10, 120, 0.02)) as ours:
        assert ours == ("a",)


def test_of_two_who_find_a_dead_lease_the_slower_leaves_the_fresh_one(tmp_path):
    path = foreign(tmp_path, "a")
    dead = lease.read_owner(path)
    path.unlink()
    fresh = foreign(tmp_path, "a", mark="fresh")
    lease._break(path, dead, lease._Watch(), FAST)
    assert lease.read_owner(fresh).mark == "fresh"
    lease._break(path, lease.read_owner(path), lease._Watch(), FAST)
    assert not path.exists()
    assert left_in(tmp_path) == []


def test_who_was_killed_while_breaking_stops_nobody(tmp_path):
    foreign(tmp_path, "a")
    (tmp_path / "a.lease.break").touch()
    with leases(tmp_path, ("a",), is_made=lambda _: False, pace=FAST) as ours:
        assert ours == ("a",)
    assert left_in(tmp_path) == []


def test_many_waiters_for_a_dead_owner_make_it_once(tmp_path):
    owner = start(tmp_path, 60, "a")
    assert owner.stdout.readline() == "ours a\n"
    owner.kill()
    owner.communicate()
    workers = [start(tmp_path, 0.2, "a") for _ in range(4)]
    for worker in workers:
        worker.communicate(timeout=60)
    assert made_in(tmp_path) == ["a"]
    assert left_in(tmp_path) == []


def test_a_lease_that_was_taken_from_us_is_not_given_back(tmp_path):
    with leases(tmp_path, ("a",), is_made=lambda _: False, pace=FAST):
        path = foreign(tmp_path, "a")
        before = path.stat().st_mtime_ns
        time.sleep(0.2)
        assert path.stat().st_mtime_ns == before  # nor kept alive
    assert lease.read_owner(path).mark == "theirs"


def test_a_lease_beats(tmp_path):
    with leases(tmp_path, ("a",), is_made=lambda _: False, pace=FAST):
        path = tmp_path / "a.lease"
        os.utime(path, (1, 1))
        deadline = time.monotonic() + 20
        while path.stat().st_mtime == 1 and time.monotonic() < deadline:
            time.sleep(0.02)
        assert time.time() - path.stat().st_mtime < 5
        assert lease.is_held(path)
    assert not lease.is_held(path)


def test_a_lease_without_a_sign_for_a_day_holds_nothing(tmp_path):
    path = foreign(tmp_path, "a")
    assert lease.is_held(path)
    os.utime(path, (time.time() - 2 * lease.DAY_S,) * 2)
    assert not lease.is_held(path)


@pytest.mark.parametrize(("below", "what"), [("file", "is a file"), ("file/a", "Choose a folder")])
def test_a_folder_that_cannot_be_made_is_told(tmp_path, below, what):
    (tmp_path / "file").touch()
    with (
        pytest.raises(OutputError, match=what),
        leases(tmp_path / below, ("a",), is_made=lambda _: False),
    ):
        pass


def test_a_lease_without_room_leaves_nothing(tmp_path, monkeypatch):
    import errno

    def full(*_args):
        raise OSError(errno.ENOSPC, "full")

    opened = Path.open

    class Full:
        def __init__(self, stream):
            self.stream = stream

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self.stream.close()

        write = full

    monkeypatch.setattr(
        Path,
        "open",
        lambda self, mode="r", **o: (
            Full(opened(self, mode, **o)) if mode == "x" else opened(self, mode, **o)
        ),
    )
    with (
        pytest.raises(OutputError, match="Free some space"),
        leases(tmp_path, ("a",), is_made=lambda _: False),
    ):
        pass
    assert left_in(tmp_path) == []
