"""Networks with random weights, and pictures of noise, for benchmarks of extraction."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from bids_dnn.containers.network import Network
from bids_dnn.features.extract import Shown
from bids_dnn.features.models import load_network
from bids_dnn.features.transfer import normalized, placed, stacked


@dataclass(frozen=True, slots=True)
class Noise:
    """Makes the picture of an id, the same each time.

    Parameters
    ----------
    size_px : int
    """

    size_px: int

    def __call__(self, name: str) -> NDArray[np.uint8]:
        """Return (size, size, 3) of blocks of noise."""
        rng = np.random.default_rng(int(name))
        coarse = rng.integers(0, 256, (self.size_px // 8, self.size_px // 8, 3), dtype=np.uint8)
        return coarse.repeat(8, axis=0).repeat(8, axis=1)


def network_of(name: str) -> Network:
    """Return a network with random weights, as benchmarks need no trained ones."""
    return load_network(name, weights="random", layers=None, seed=0, offline=True)


def pictures_of(network: Network, rows: list[int]) -> Shown:
    """Return pictures of noise, numbered `rows`."""
    names = [f"{row:06}" for row in rows]
    hashes = {name: hashlib.sha256(name.encode()).hexdigest() for name in names}
    return Shown(hashes, Noise(network.card.size_px))


def bare_forward(network: Network, *, n: int, batch_size: int, device: str) -> float:
    """Show `n` pictures that are ready in memory, keep nothing, and return a number of it.

    Parameters
    ----------
    network
        On the CPU.
    n, batch_size : int
    device
    """
    there = placed(network, device)
    load = Noise(network.card.size_px)
    pictures = stacked([load(f"{row:06}") for row in range(batch_size)]).to(device)
    inputs = normalized(pictures, network.card)
    last = 0.0
    with torch.inference_mode():
        for start in range(0, n, batch_size):
            made = there.show(inputs[: min(batch_size, n - start)])
            if isinstance(made, torch.Tensor) and start + batch_size >= n:
                last = float(made.sum())  # waits for the device
    return last
