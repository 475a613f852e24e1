"""Devices and threads, read from what is there; no global switch."""

from __future__ import annotations

import os
from typing import Literal

from bids_dnn.errors import ConfigError

Device = Literal["auto", "cpu", "cuda"]
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


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
