"""Who makes an entry of the cache, while others wait for it."""

from __future__ import annotations

import errno
import json
import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from bids_dnn import files
from bids_dnn.errors import OutputError

log = logging.getLogger(__name__)

DAY_S = 86_400.0
SUFFIX = ".lease"


@dataclass(frozen=True, slots=True)
class Pace:
    """How often who holds a lease says so, and how long others believe it.

    Parameters
    ----------
    beat_s
        Between two signs of life of the owner.
    stale_s
        Without a sign, after which the owner counts as dead; longer than network file systems
        remember the time of a file.
    poll_s
        Between two looks of who waits.
    """

    beat_s: float = 10.0
    stale_s: float = 120.0
    poll_s: float = 0.5


PACE = Pace()


@dataclass(frozen=True, slots=True)
class Owner:
    """Who holds a lease, as the lease tells.

    Parameters
    ----------
    mark
        Of this one lease; "" where the file is not written yet, or cannot be read.
    host, pid, since
        For the message.
    machine
        Host, boot and process namespace: where they are the same, `pid` means the same process.
    started
        Of the process, in ticks since boot; "" where the system does not tell.
    beat_ns : int
        Last sign of life, by the clock of the file system.
    """

    mark: str
    host: str
    pid: int
    since: str
    machine: str
    started: str
    beat_ns: int


@contextmanager
def leases(
    folder: Path,
    keys: Sequence[str],
    *,
    is_made: Callable[[str], bool],
    say: Callable[[str], None] | None = None,
    pace: Pace = PACE,
) -> Iterator[tuple[str, ...]]:
    """Take on the work for those of `keys` that nobody has made, one process each.

    A lease is a file that only one process can create (``O_EXCL``) and whose time it renews in
    a thread; who finds it waits until the entry is made, or until the owner is dead: at once
    where it ran on this machine, else after `pace.stale_s` without a sign of life. Whether it
    gave one is told by the file alone, not by comparing clocks of two machines. Should two
    processes ever make the same entry, as after one was suspended for long, the cache is as
    sound: entries appear whole, and the first one stays.

    Parameters
    ----------
    folder
        Of the cache; made where it is missing.
    keys
        Names of entries; leases are taken in alphabetical order, so that two processes never
        wait for each other.
    is_made
        Tells whether the entry is there.
    say
        Told once for each owner that is waited for.
    pace
        Seconds.

    Yields
    ------
    ours
        Keys whose entries this process is to make, in the order of `keys`; those that are not
        among them are made. The leases end with the block, also after an error.

    Raises
    ------
    OutputError
        If the disk is full, or the folder cannot be written.
    """
    with _beating(pace) as taken:
        for key in sorted(set(keys)):
            _take(folder / f"{key}{SUFFIX}", partial(is_made, key), taken, say=say, pace=pace)
        yield tuple(key for key in keys if folder / f"{key}{SUFFIX}" in taken)


def is_held(path: Path) -> bool:
    """Tell whether the owner of a lease may be alive, as far as this machine can know.

    Parameters
    ----------
    path
        Of the lease; one without a sign of life for a day is not held.
    """
    owner = read_owner(path)
    if owner is None or _is_dead(owner):
        return False
    return time.time() - owner.beat_ns / 1e9 < DAY_S


def read_owner(path: Path) -> Owner | None:
    """Return who holds a lease, or None where there is no such lease."""
    try:
        with path.open("rb") as stream:  # opening asks a network file system anew
            beat_ns = os.fstat(stream.fileno()).st_mtime_ns
            raw = stream.read()
    except OSError as err:
        if err.errno in (errno.ENOENT, errno.ESTALE):
            return None
        raise
    try:
        told: dict[str, Any] = json.loads(raw)
        return Owner(
            *(str(told["mark"]), str(told["host"]), int(told["pid"]), str(told["since"])),
            *(str(told["machine"]), str(told["started"]), beat_ns),
        )
    except (ValueError, KeyError, TypeError):
        return Owner("", "another machine", 0, "a while ago", "", "", beat_ns)


class _Watch:
    """How long something has stood still, by the clock of this process."""

    def __init__(self) -> None:
        self._seen: object = None
        self._since = 0.0

    def still_s(self, now: object) -> float:
        clock = time.monotonic()
        if now != self._seen:
            self._seen, self._since = now, clock
        return clock - self._since


def _take(
    path: Path,
    is_made: Callable[[], bool],
    taken: dict[Path, str],
    *,
    say: Callable[[str], None] | None,
    pace: Pace,
) -> None:
    """Claim a lease and put it into `taken`, or wait until the entry is made."""
    mark = uuid.uuid4().hex
    watch, guard_watch = _Watch(), _Watch()
    told = ""
    while not is_made():
        if _claim(path, mark):
            taken[path] = mark
            if is_made():  # by the last owner, between our look and our claim
                _release(path, taken.pop(path))
            return
        owner = read_owner(path)
        if owner is None:
            continue
        if _is_dead(owner) or watch.still_s((owner.mark, owner.beat_ns)) > pace.stale_s:
            _break(path, owner, guard_watch, pace)
        elif say is not None and owner.mark not in ("", told):
            told = owner.mark
            say(
                f"Waiting for features that process {owner.pid} on {owner.host} has been making "
                f"since {owner.since}."
            )
        time.sleep(pace.poll_s)


def _claim(path: Path, mark: str) -> bool:
    text = files.json_text(
        {
            "mark": mark,
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "since": time.strftime("%Y-%m-%d %H:%M:%S"),
            "machine": _machine(),
            "started": _state(os.getpid())[1],
        }
    )
    _make_folder(path.parent)
    try:
        with path.open("x", encoding="utf-8") as stream:
            try:
                stream.write(text)
                stream.flush()
            except OSError:
                path.unlink(missing_ok=True)
                raise
    except FileExistsError:
        return False
    except OSError as err:
        raise files.explain(err, path) from err
    return True


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError as err:
        raise OutputError(
            f"{folder} is a file, but features are kept in a folder.",
            mend="Name another one with --cache-dir.",
        ) from err
    except OSError as err:
        raise files.explain(err, folder) from err


def _release(path: Path, mark: str) -> None:
    with suppress(OSError):
        owner = read_owner(path)
        if owner is not None and owner.mark == mark:
            path.unlink(missing_ok=True)


def _break(path: Path, dead: Owner, watch: _Watch, pace: Pace) -> None:
    """Remove the lease of a dead owner; of several who find it, one at a time may do so.

    Without the guard, the slower of two could remove the fresh lease of the faster.
    """
    guard = path.with_name(f"{path.name}.break")
    try:
        guard.open("x").close()
    except FileExistsError:
        with suppress(FileNotFoundError):  # it lasts for an instant, or its maker was killed
            if watch.still_s(guard.stat().st_mtime_ns) > pace.stale_s:
                guard.unlink()
        return
    except OSError as err:
        raise files.explain(err, path) from err
    try:
        found = read_owner(path)
        if found is not None and (found.mark, found.beat_ns) == (dead.mark, dead.beat_ns):
            path.unlink(missing_ok=True)
            log.warning(
                "Process %s on %s no longer makes the features it began; going on in its place.",
                *(dead.pid, dead.host),
            )
    finally:
        guard.unlink(missing_ok=True)


@contextmanager
def _beating(pace: Pace) -> Iterator[dict[Path, str]]:
    """Renew the leases that are put into the dictionary, and give them back at the end."""
    taken: dict[Path, str] = {}
    end = threading.Event()

    def beat() -> None:
        while not end.wait(pace.beat_s):
            for path, mark in list(taken.items()):
                with suppress(OSError):
                    owner = read_owner(path)
                    if owner is not None and owner.mark == mark:
                        os.utime(path)

    thread = threading.Thread(target=beat, name="lease", daemon=True)
    thread.start()
    try:
        yield taken
    finally:
        end.set()
        thread.join()
        for path, mark in taken.items():
            _release(path, mark)


def _is_dead(owner: Owner) -> bool:
    """Tell whether the owner ran on this machine and runs no more."""
    if not owner.machine or owner.machine != _machine():
        return False
    try:
        os.kill(owner.pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass
    state, started = _state(owner.pid)
    return state in ("Z", "X") or ("" not in (started, owner.started) and started != owner.started)


def _machine() -> str:
    """Name host, boot and process namespace: containers may share the first."""
    parts = [socket.gethostname()]
    with suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip())
        parts.append(str(Path("/proc/self/ns/pid").readlink()))
    return " ".join(parts)


def _state(pid: int) -> tuple[str, str]:
    """Return the state of a process and when it started, "" where the system does not tell."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return "", ""
    return fields[0], fields[19]
