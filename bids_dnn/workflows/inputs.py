"""Fingerprints of input files, remembered while size and times of the file stay the same."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from bids_dnn.errors import MissingInputError, UnreadableError
from bids_dnn.files import fingerprint, read_json, write_json

LARGE = 500_000_000  # bytes; about a second from a disk


class Inputs:
    """Content hashes of input files.

    Parameters
    ----------
    memory
        JSON in the work directory that keeps what was hashed before: large images are read
        once, not at each run.
    tell
        Called with a sentence before a large file is read, which takes seconds.
    """

    def __init__(self, memory: Path, *, tell: Callable[[str], None] | None = None) -> None:
        self._memory = memory
        self._tell = tell
        self._known: dict[str, list[Any]] = _read(memory)
        self._used: dict[str, str] = {}

    def sha256(self, path: Path) -> str:
        """Return the SHA-256 of a file's bytes.

        Raises
        ------
        MissingInputError
            If the file is not there, or a link that leads nowhere (data not fetched).
        UnreadableError
            If the file cannot be read, as for want of permission.
        """
        name = str(path)
        if name in self._used:
            return self._used[name]
        try:
            stat = path.stat()
        except OSError as err:
            if path.is_symlink():
                what, mend = (
                    "a link to data that were not fetched",
                    f"Fetch it: datalad get {path}",
                )
            else:
                what, mend = "not there", "Correct the path that names it."
            raise MissingInputError(f"{path} is {what}.", mend=mend) from err
        # The last of them moves too where a copy brings the time of another file along.
        seen = [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns]
        kept = self._known.get(name, [])
        if kept[:3] != seen and stat.st_size > LARGE and self._tell is not None:
            self._tell(f"reading {path.name} once ({stat.st_size / 1e9:.1f} GB), to know it again")
        digest = str(kept[3]) if kept[:3] == seen else _digest(path)
        self._known[name] = [*seen, digest]
        self._used[name] = digest
        return digest

    def of(self, paths: Iterable[Path]) -> dict[str, str]:
        """Return the SHA-256 of each file by its path."""
        return {str(path): self.sha256(path) for path in paths}

    def used(self) -> dict[str, str]:
        """Return every file that was asked for, for the log."""
        return dict(sorted(self._used.items()))

    def save(self) -> None:
        """Remember what was hashed, for the next run."""
        write_json(self._memory, self._known)


def _digest(path: Path) -> str:
    try:
        return fingerprint(path)
    except OSError as err:
        raise UnreadableError(
            f"{path} cannot be read ({err.strerror}).",
            mend="Give read permission, or copy it again.",
        ) from err


def _read(memory: Path) -> dict[str, list[Any]]:
    if not memory.is_file():
        return {}
    try:
        known: dict[str, list[Any]] = read_json(memory)
    except ValueError:  # cut short by a kill: hash anew
        return {}
    return known
