"""Pictures decoded ahead of the device that looks at them; imports no torch, for its workers."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextvars import ContextVar
from functools import partial
from multiprocessing.connection import Connection, wait
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bids_dnn import backend
from bids_dnn.errors import BidsDnnError, ConfigError, ShapeError, UnreadableError

Picture = NDArray[np.uint8] | NDArray[np.float32]
Load = Callable[[str], Picture]
FEW = 64  # pictures for which no process is worth its start
CHUNK = 8  # pictures that one worker decodes at a time
BROKEN = (OSError, ValueError, TypeError, LookupError, ArithmeticError, RuntimeError, MemoryError)
LOAD: ContextVar[Load] = ContextVar("load")  # set once in each worker


def decoded(
    load: Load, names: Sequence[str], *, size_px: int, n_workers: int = 0, n_ahead: int = 64
) -> Generator[Picture]:
    """Give the picture of each stimulus, in order, and decode the next ones meanwhile.

    Workers are started where there are pictures enough, and end when all pictures were given,
    the iterator is closed, or the process that started them ends in whatever way.

    Parameters
    ----------
    load
        Gives the picture of an id; it is sent to the workers.
    names
        Stimulus ids.
    size_px : int
        Side that each picture must have.
    n_workers : int
        Processes; 0 = a thread of this process.
    n_ahead : int
        Pictures that wait at most, besides those that are being decoded.

    Yields
    ------
    picture : (size_px, size_px, 3)
        uint8, or float32 in units of [0, 1].

    Raises
    ------
    ShapeError
        If a picture has another shape or type; its id is named.
    UnreadableError
        If a picture cannot be loaded, or a worker was ended from outside.
    ConfigError
        If `load` cannot be sent to the workers.
    BidsDnnError
        As `load` raises it, with the id.

    Examples
    --------
    >>> grey = decoded(lambda name: np.full((2, 2, 3), 9, np.uint8), ["a", "b"], size_px=2)
    >>> [int(picture.mean()) for picture in grey]
    [9, 9]
    """
    if n_workers and len(names) > FEW and not multiprocessing.current_process().daemon:
        _check_sendable(load)
        context = backend.workers()
        here, there = context.Pipe(duplex=False)
        workers = ProcessPoolExecutor(
            n_workers, mp_context=context, initializer=_begin, initargs=(load, here)
        )
        work = partial(_load_here, size_px=size_px)
        return _ordered(workers, work, names, n_ahead=n_ahead, lifelines=(there, here))
    thread = ThreadPoolExecutor(1)
    return _ordered(thread, partial(load_all, load, size_px=size_px), names, n_ahead=n_ahead)


def _check_sendable(load: Load) -> None:
    try:
        pickle.dumps(load)
    except (pickle.PicklingError, AttributeError, TypeError) as err:
        raise ConfigError(
            f"What loads the pictures cannot be sent to other processes ({err}).",
            mend="Use n_workers = 0, or stimuli.load.Loader, or a function of a module.",
        ) from err


def load_all(load: Load, names: Sequence[str], *, size_px: int) -> list[Picture]:
    """Load some pictures, and check each.

    Raises
    ------
    ShapeError
        If a picture has another shape or type than (size_px, size_px, 3) of uint8 or float.
    UnreadableError
        If a picture cannot be loaded for a reason that `load` does not tell in our own words.
    BidsDnnError
        As `load` raises it, with the id.
    """
    return [_load_one(load, name, size_px) for name in names]


def _load_one(load: Load, name: str, size_px: int) -> Picture:
    try:
        picture: NDArray[Any] = np.asarray(load(name))
    except BidsDnnError as err:
        raise type(err)(f"Stimulus {name!r}: {err.what}", mend=err.mend) from err
    except BROKEN as err:
        raise UnreadableError(
            f"Stimulus {name!r} cannot be loaded ({type(err).__name__}: {err}).",
            mend="Check its file, or leave it out.",
        ) from err
    if picture.shape != (size_px, size_px, 3):
        raise ShapeError(
            f"Stimulus {name!r} is a picture of shape {picture.shape}, but the network takes "
            f"{(size_px, size_px, 3)}.",
            mend="Load it with stimuli.load.Loader and the size of the network's card.",
        )
    if picture.dtype == np.uint8:
        return picture
    if picture.dtype.kind != "f":
        raise ShapeError(
            f"Stimulus {name!r} is a picture of {picture.dtype}; uint8, or float in units of "
            "[0, 1], was expected.",
            mend="Load it with stimuli.load.Loader.",
        )
    return picture.astype(np.float32, copy=False)


def _ordered(
    pool: ProcessPoolExecutor | ThreadPoolExecutor,
    work: Callable[[Sequence[str]], list[Picture]],
    names: Sequence[str],
    *,
    n_ahead: int,
    lifelines: Sequence[Connection] = (),
) -> Generator[Picture]:
    """Give what `work` makes of chunks, in order; workers end as soon as a lifeline is cut."""
    waiting: deque[Future[list[Picture]]] = deque()
    chunks = (names[start : start + CHUNK] for start in range(0, len(names), CHUNK))
    n_chunks = max(2, -(-n_ahead // CHUNK))
    try:
        while True:
            for chunk in chunks:
                waiting.append(pool.submit(work, chunk))
                if len(waiting) >= n_chunks:
                    break
            if not waiting:
                return
            yield from waiting.popleft().result()
    except BrokenProcessPool as err:
        raise UnreadableError(
            "A process that decodes pictures was ended from outside, as happens where memory "
            "runs out.",
            mend="Ask for fewer workers, or for more memory; in a script of your own, start the "
            'work below if __name__ == "__main__".',
        ) from err
    finally:
        if waiting:  # ended early: what is being decoded is not waited for
            _cut(lifelines)
        pool.shutdown(wait=True, cancel_futures=True)
        _cut(lifelines)


def _cut(lifelines: Sequence[Connection]) -> None:
    for one in lifelines:
        one.close()


def _begin(load: Load, lifeline: Connection) -> None:
    """Prepare a worker: it leaves Ctrl-C to its parent, and ends when the lifeline is cut."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    LOAD.set(load)
    threading.Thread(target=_end_with, args=(lifeline,), daemon=True).start()


def _end_with(lifeline: Connection) -> None:
    """End when the other end is closed, or the parent is gone without having closed it."""
    parent = multiprocessing.parent_process()
    wait([lifeline] if parent is None else [lifeline, parent.sentinel])
    os._exit(1)


def _load_here(names: Sequence[str], *, size_px: int) -> list[Picture]:
    return load_all(LOAD.get(), names, size_px=size_px)
