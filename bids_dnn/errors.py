"""The one exception family of bids_dnn: what was found, what was expected, what to type."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class BidsDnnError(Exception):
    """Base of every error that a user can mend.

    Parameters
    ----------
    what
        What was found, with the values, and what was expected.
    mend
        The next thing to try, as a command or a setting.
    """

    def __init__(self, what: str, *, mend: str) -> None:
        super().__init__(what, mend)
        self.what = what
        self.mend = mend

    def __str__(self) -> str:
        return f"{self.what} {self.mend}"

    def __reduce__(self) -> tuple[object, ...]:  # survives a worker process
        return _rebuild, (type(self), self.what, self.mend)


def _rebuild(cls: type[BidsDnnError], what: str, mend: str) -> BidsDnnError:
    return cls(what, mend=mend)


class ShapeError(BidsDnnError, ValueError):
    """Two arrays, or an array and its labels, do not fit each other."""


class ConfigError(BidsDnnError, ValueError):
    """A setting has a name or a value that does not exist, or two settings exclude each other."""


class MissingInputError(BidsDnnError, FileNotFoundError):
    """A file, folder, participant or column that the run needs is not there."""


class UnreadableError(BidsDnnError, ValueError):
    """A file is there, but does not hold what its name promises."""


class SpaceError(BidsDnnError, ValueError):
    """Two images do not lie in the same space or on the same grid."""


class NotEnoughDataError(BidsDnnError, ValueError):
    """Too few runs, repeats, conditions, stimuli or voxels for what is asked."""


class LeakageError(BidsDnnError, ValueError):
    """Training and test samples share what they must not share."""


class OutputError(BidsDnnError, OSError):
    """An output cannot be written."""


def run_words(run: str, session: str = "") -> str:
    """Name a run as options take it: its session, then its own label.

    Parameters
    ----------
    run
        As in sample tables, ``02x01`` where there are sessions.
    session
        Its label, "" where there are none.

    Examples
    --------
    >>> run_words("02x01", "02"), run_words("01")
    ('session 02, run 01', 'run 01')
    """
    own = run.removeprefix(f"{session}x") if session else run
    return f"session {session}, run {own}" if session else f"run {own}"


def nearest(name: str, choices: Iterable[str], *, most: int = 3) -> str:
    """Phrase the nearest right names, or all of them where none is near.

    Parameters
    ----------
    name
        What was typed.
    choices
        What would have been right.
    most
        How many near names are offered.

    Returns
    -------
    phrase
        ``Did you mean 'a' or 'b'?`` or ``There are: a, b, c.``

    Examples
    --------
    >>> nearest("decod", ["decode", "encode"])
    "Did you mean 'decode' or 'encode'?"
    """
    known = sorted(set(choices))
    if not known:
        return "There are none."
    near = difflib.get_close_matches(name, known, n=most, cutoff=0.6)
    if near:
        return f"Did you mean {' or '.join(map(repr, near))}?"
    shown = ", ".join(known[:20]) + (f" and {len(known) - 20} more" if len(known) > 20 else "")
    return f"There are: {shown}."
