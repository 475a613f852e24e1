"""How far a step in a worker process is: a small file that the main process reads."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from bids_dnn.files import json_text, read_json
from bids_dnn.group.watch import unwatched

EVERY_S = 0.5


class Ticker:
    """Writes how far a step is, at most twice a second.

    Parameters
    ----------
    path
        Read by `read_tick`; it is removed by `close`.
    noun
        What is counted, such as ``images``.
    """

    def __init__(self, path: Path, noun: str) -> None:
        self._path = path
        self._noun = noun
        self._began = time.monotonic()
        self._last = 0.0

    def __call__(self, done: int, total: int) -> None:
        """Say that `done` of `total` are done."""
        now = time.monotonic()
        if now - self._last < EVERY_S and done < total:
            return
        self._last = now
        told = asdict(Tick(done, total, now - self._began, self._noun))
        aside = self._path.with_suffix(".tmp")
        with suppress(OSError):  # no bar is worth a failure
            self._path.parent.mkdir(parents=True, exist_ok=True)
            aside.write_text(json_text(told), encoding="utf-8")
            aside.replace(self._path)

    def close(self) -> None:
        """Remove the file."""
        with suppress(OSError):
            self._path.unlink(missing_ok=True)


class Tickers:
    """One ticker after another on a file, for a step of several long parts.

    Parameters
    ----------
    path
        As of `Ticker`; None = nobody reads.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path

    def __call__(self, noun: str) -> Callable[[int, int], None]:
        """Return the ticker of the next part, which counts this."""
        return unwatched(noun) if self._path is None else Ticker(self._path, noun)

    def close(self) -> None:
        """Remove the file."""
        if self._path is not None:
            Ticker(self._path, "").close()


@dataclass(frozen=True, slots=True)
class Tick:
    """How far a step is.

    Parameters
    ----------
    done, total : int
    seconds : float
        Since it began.
    noun
        What is counted.
    """

    done: int
    total: int
    seconds: float
    noun: str

    def text(self) -> str:
        """Return it as a phrase.

        Examples
        --------
        >>> Tick(30, 120, 3.0, "images").text()
        '30 of 120 images, 10.0 a second, 0:09 left'
        """
        rate = self.done / self.seconds if self.seconds > 0 else 0.0
        left = f", {clock((self.total - self.done) / rate)} left" if rate > 0 else ""
        return f"{self.done} of {self.total} {self.noun}, {rate:.1f} a second{left}"


def read_tick(path: Path) -> Tick | None:
    """Return how far a step is; None where nothing is told.

    Parameters
    ----------
    path
        That of a `Ticker`.
    """
    try:
        return Tick(**read_json(path))
    except (OSError, ValueError, TypeError):
        return None


def clock(seconds: float) -> str:
    """Return a time as minutes and seconds, or hours and minutes.

    Examples
    --------
    >>> clock(75), clock(3700)
    ('1:15', '1 h 01 min')
    """
    whole = round(seconds)
    if whole >= 3600:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 60}:{whole % 60:02d}"
