"""Small networks for tests that would not profit from a large one."""

import numpy as np
import torch

from bids_dnn.containers.network import Card, Network
from bids_dnn.features.models.weights import hash_of


def small_network(seed=0, size_px=12, layers=("0", "2", "5")):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = torch.nn.Sequential(
            torch.nn.Conv2d(3, 4, 3),
            torch.nn.ReLU(inplace=True),
            torch.nn.Conv2d(4, 6, 3),
            torch.nn.ReLU(inplace=True),
            torch.nn.Flatten(),
            torch.nn.Linear(6 * (size_px - 4) ** 2, 5),
            torch.nn.ReLU(inplace=True),
        )
    module.eval().requires_grad_(requires_grad=False)
    card = Card("small", layers, size_px=size_px)
    return Network(module, card, f"random (seed {seed})", hash_of(module))


def photos(rng, n, size_px=12):
    """Return pictures as they are loaded, 8-bit and not normalized, by their ids."""
    return {
        f"p{i:03}.png": rng.integers(0, 256, (size_px, size_px, 3), dtype=np.uint8)
        for i in range(n)
    }
