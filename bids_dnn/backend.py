"""Devices and threads, read from what is there; no global switch."""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import forkserver
from multiprocessing.context import BaseContext
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from bids_dnn.errors import ConfigError

Device = Literal["auto", "cpu", "cuda"]
SAFE = "PYTHONSAFEPATH"  # tells Python not to look for modules in the working directory


def choose_device(device: Device) -> str:
    """Return ``cpu`` or ``cuda``; ``auto`` takes the GPU where there is one.

    Raises
    ------
    ConfigError
        If ``cuda`` is asked for and torch finds no GPU.
    """
    import torch

    if device == "cpu":
        return "cpu"
    found = torch.cuda.is_available()
    if device == "cuda" and not found:
        raise ConfigError(
            "--device cuda was asked for, but torch finds no GPU.",
            mend="Use --device auto, or start the container with --gpus all (Docker) or --nv "
            "(Singularity).",
        )
    return "cuda" if found else "cpu"


def cores() -> int:
    """Return how many cores this process may use (the scheduler's or container's share)."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def workers(method: str = "forkserver") -> BaseContext:
    """Return how worker processes are started: afresh, and blind to the working directory.

    Python starts the server of workers with ``-c``, and so looks into the working directory
    first: a folder ``bids_dnn`` there (a checkout), or a file such as ``random.py``, would be
    imported in place of what is installed. What is to be imported beforehand
    (`multiprocessing.set_forkserver_preload`) is said before.

    Parameters
    ----------
    method
        Another one than the default, by which workers are no copies (a copy hangs after torch has
        run).
    """
    if method == "forkserver":
        before = os.environ.get(SAFE)
        os.environ[SAFE] = "1"
        try:
            forkserver.ensure_running()
        finally:
            if before is None:
                del os.environ[SAFE]
            else:
                os.environ[SAFE] = before
    return multiprocessing.get_context(method)


def memory_gb() -> float:
    """Return how much memory this process may use, in GB: the container's share, or all.

    Reads the limit of the control group (version 2, then 1) and the machine's own memory, and
    takes the smaller.
    """
    told = (
        Path("/sys/fs/cgroup/memory.max"),
        Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
    )
    texts = [path.read_text().strip() for path in told if path.is_file()]
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    limits += [int(text) for text in texts if text.isdigit()]
    return min(limits) / 1e9


@contextmanager
def threads(n: int) -> Iterator[None]:
    """Let BLAS, OpenMP and torch use `n` threads inside the block."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=n):
        torch = sys.modules.get("torch")
        before = torch.get_num_threads() if torch else None
        if torch:
            torch.set_num_threads(n)
        try:
            yield
        finally:
            if torch and before is not None:
                torch.set_num_threads(before)


def namespace(array: Any) -> Any:
    """Return the library that an array belongs to: numpy, or torch for its tensors.

    Numerics are written once, in what both understand (`axis` and `keepdims` included), and
    take device and precision from the arrays that they are given.

    Examples
    --------
    >>> namespace(np.zeros(2)).__name__
    'numpy'
    """
    if isinstance(array, np.ndarray):
        return np
    return sys.modules["torch"]


def put(array: Any, like: Any, *, dtype: str = "") -> NDArray[Any]:
    """Return an array where another one is: a numpy array, or a tensor on its device.

    Parameters
    ----------
    array
        A numpy array or a tensor.
    like
        Whose library and device are taken.
    dtype
        ``float32`` or ``float64``; "" = that of `array`.

    Returns
    -------
    array
        A tensor answers to the names that the numerics use, and is typed like an array here.
    """
    xp = namespace(like)
    if xp is np:
        made = pull(array)
        return made.astype(dtype, copy=False) if dtype else made
    tensor: Any = (
        array if namespace(array) is not np else xp.from_numpy(np.ascontiguousarray(array))
    )
    kind = getattr(xp, dtype) if dtype else tensor.dtype
    return cast(NDArray[Any], tensor.to(device=like.device, dtype=kind))


def pull(array: Any) -> NDArray[Any]:
    """Return a numpy array of what may be a tensor on a device."""
    if isinstance(array, np.ndarray):
        return array
    return cast(NDArray[Any], array.detach().cpu().numpy())


def on_device(array: NDArray[Any], device: str) -> NDArray[Any]:
    """Return an array for a device: as it is for ``cpu``, a tensor for ``cuda``.

    Parameters
    ----------
    array
        A numpy array.
    device
        As `choose_device` returns it.
    """
    if device == "cpu":
        return array
    import torch

    return cast(NDArray[Any], torch.from_numpy(np.ascontiguousarray(array)).to(device))


def dtype_name(array: Any) -> str:
    """Return ``float32`` or ``float64``, for numpy arrays and tensors alike.

    Examples
    --------
    >>> dtype_name(np.zeros(1, dtype=np.float32))
    'float32'
    """
    return str(array.dtype).rpartition(".")[2]
