"""Entries of the cache that are to be made, each by one process."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from bids_dnn.errors import MissingInputError, UnreadableError
from bids_dnn.features.entry import Kind, name_of, read_entry, stamp_of
from bids_dnn.features.lease import PACE, Pace, leases


def is_whole(folder: Path, key: str, kind: Kind) -> bool:
    """Tell whether the cache holds an entry, undamaged, and note that it was used.

    Parameters
    ----------
    folder
        Of the cache.
    key
        From `store.key`.
    kind
        Of the entry.
    """
    try:
        read_entry(folder, key, kind=kind)
    except (MissingInputError, UnreadableError):
        return False
    return True


@contextmanager
def claimed(
    folder: Path,
    keys: Sequence[str],
    *,
    kind: Kind,
    check: Callable[[str], bool] | None = None,
    say: Callable[[str], None] | None = None,
    pace: Pace = PACE,
) -> Iterator[tuple[str, ...]]:
    """Take on the work for those of `keys` whose entries are not there or are damaged.

    Parameters
    ----------
    folder
        Of the cache; made where it is missing.
    keys
        From `store.key`.
    kind
        Of the entries.
    check
        Tells whether an entry is whole, for who reads it in doing so; None = `is_whole`.
    say
        Told whom we wait for.
    pace
        Seconds, see `lease.leases`.

    Yields
    ------
    ours
        Keys whose entries this process is to make, in the order of `keys`; the others are there.

    Raises
    ------
    OutputError
        If the disk is full, or the folder cannot be written.
    """
    stamps = {key: stamp_of(folder, key, kind=kind) for key in keys}
    check = check or partial(is_whole, folder, kind=kind)
    bad = {name_of(key, kind): key for key in stamps if not check(key)}

    def is_made(name: str) -> bool:  # since we looked
        return stamp_of(folder, bad[name], kind=kind) not in (None, stamps[bad[name]])

    with leases(folder, tuple(bad), is_made=is_made, say=say, pace=pace) as ours:
        yield tuple(bad[name] for name in ours)
