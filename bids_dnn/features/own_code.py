"""Errors that the user's own Python code raises, said with file and line."""

from __future__ import annotations

import logging
import sysconfig
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from bids_dnn.errors import BidsDnnError, ConfigError, MissingInputError

PACKAGE = Path(__file__).parents[1]
N_LETTERS = 300
_log = logging.getLogger(__name__)


@contextmanager
def running(what: str, *, path: Path | None = None, mend: str) -> Iterator[None]:
    """Say in two sentences what code that is not ours raises, whatever it is.

    The traceback goes to the log where it tells more (``-v``).

    Parameters
    ----------
    what
        What runs, as the message begins.
    path
        The user's file, where the code is one of theirs.
    mend
        The next thing to try.

    Raises
    ------
    MissingInputError
        If the code of the user's file imports what is not there.
    ConfigError
        If it raises something else, or would end the program.

    Examples
    --------
    >>> with running("factory() in net.py", mend="Mend it."):
    ...     {}["size"]
    Traceback (most recent call last):
    bids_dnn.errors.ConfigError: factory() in net.py raised KeyError: 'size'. Mend it.
    """
    try:
        yield
    except (BidsDnnError, MemoryError, torch.OutOfMemoryError):
        raise
    except (Exception, SystemExit) as err:
        _log.info("%s raised %s.", what, type(err).__name__, exc_info=err)
        if path is not None and isinstance(err, ImportError):
            raise MissingInputError(
                f"{path} imports what is not there: {text_of(err)}.",
                mend=f"Install it; for a file beside it, type: export PYTHONPATH={path.parent}",
            ) from err
        place = place_of(err)
        where = f" ({place})" if place else ""
        raise ConfigError(
            f"{what} raised {type(err).__name__}{where}: {text_of(err)}.", mend=mend
        ) from err


def place_of(err: BaseException) -> str:
    """Return the innermost line of code that is of no installed library.

    Returns
    -------
    place
        As ``net.py, line 3``; "" where all is Python's, a library's or ours.
    """
    homes = [Path(sysconfig.get_path(name)) for name in ("stdlib", "purelib", "platlib")]
    for frame in reversed(traceback.extract_tb(err.__traceback__)):
        path = Path(frame.filename)
        if path.is_file() and not any(path.is_relative_to(one) for one in (*homes, PACKAGE)):
            return f"{path}, line {frame.lineno}"
    return ""


def text_of(err: BaseException) -> str:
    """Return an error's own words in one line, without a full stop."""
    told = " ".join(str(err).split()).rstrip(".") or "it says no more"
    return f"{told[:N_LETTERS]}..." if len(told) > N_LETTERS else told
