"""Small pictures, and small networks that can or cannot see whether two of them are the same."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image

from bids_dnn.analyses.samediff.material import Material
from bids_dnn.analyses.samediff.pairs import draw_pairs
from bids_dnn.analyses.samediff.split import deal_exemplars
from bids_dnn.containers.network import Card, Network
from bids_dnn.features.models.weights import hash_of

SIZE, ITEM = 24, 8
GREY = 125 / 255


def draw(first, second, orientation):
    """Put pictures into corners of a grey canvas."""
    canvas = np.full((SIZE, SIZE, 3), GREY, np.float32)
    left = orientation == "inverted"
    canvas[:ITEM, :ITEM] = first if left else GREY
    canvas[:ITEM, -ITEM:] = GREY if left else first
    canvas[-ITEM:, :ITEM] = GREY if left else second
    canvas[-ITEM:, -ITEM:] = second if left else GREY
    return canvas


def exemplars(rng, n=15, categories=("bike", "face")):
    """Return ids, pictures (one color and a little texture each) and categories."""
    names = [f"{category}/{k:02}.png" for category in categories for k in range(n)]
    color = rng.uniform(0.1, 0.9, (len(names), 1, 1, 3))
    texture = rng.normal(0, 0.03, (len(names), ITEM, ITEM, 3))
    pictures = np.clip(color + texture, 0, 1).astype(np.float32)
    return names, pictures, {name: name.partition("/")[0] for name in names}


def material(seed=0, *, n=15, orientations=("normal",), validation=0.2, test=0.4, **of_pairs):
    """Return pairs and pictures of two categories."""
    names, pictures, categories = exemplars(np.random.default_rng(seed), n)
    parts = deal_exemplars(categories, validation=validation, test=test, seed=seed)
    pairs = draw_pairs(categories, parts, orientations=orientations, seed=seed, **of_pairs)
    return Material(pairs, tuple(names), pictures, draw)


class Corners(torch.nn.Module):
    """Compares (or adds) the colors of the upper right and lower left corner."""

    def __init__(self, *, compares: bool, n_out: int = 5):
        super().__init__()
        self.compares = compares
        self.head = torch.nn.Linear(3, n_out)

    def forward(self, x):
        a = x[:, :, :ITEM, -ITEM:].mean(dim=(2, 3))
        b = x[:, :, -ITEM:, :ITEM].mean(dim=(2, 3))
        return self.head((a - b).abs() if self.compares else a + b)


class Maps(torch.nn.Module):
    """Two convolutions, a map of (n, 6, side, side), and a linear head after pooling."""

    def __init__(self, n_channels: int = 6, *, stride: int = 4):
        super().__init__()
        self.conv1 = torch.nn.Conv2d(3, n_channels, 3, stride=stride, padding=1)
        self.conv2 = torch.nn.Conv2d(n_channels, n_channels, 3, padding=1)
        self.head = torch.nn.Linear(n_channels, 5)

    def forward(self, x):
        return self.head(self.conv2(self.conv1(x).relu()).mean(dim=(2, 3)))


def network(module, *, size_px=SIZE, head=""):
    """Wrap a module."""
    module.eval().requires_grad_(requires_grad=False)
    card = Card("small", (), size_px=size_px, mean=(0.5,) * 3, sd=(0.25,) * 3, head=head)
    return Network(module, card, "random (seed 0)", hash_of(module))


def corners(*, compares=True):
    """Return a network that sees sameness, or one that sees colors only."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return network(Corners(compares=compares))


def maps(**options):
    """Return a small convolutional network."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return network(Maps(**options))


OWN = """
import torch
from PIL import Image

card = {"size_px": 24, "mean": (0.5, 0.5, 0.5), "sd": (0.25, 0.25, 0.25)}


class Corners(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 4, 3, padding=1)
        self.head = torch.nn.Linear(3, 5)

    def forward(self, x):
        self.conv(x)
        normal = x[:, :, :6, -6:].mean(dim=(2, 3)) - x[:, :, -6:, :6].mean(dim=(2, 3))
        other = x[:, :, :6, :6].mean(dim=(2, 3)) - x[:, :, -6:, -6:].mean(dim=(2, 3))
        return self.head(normal.abs() + other.abs())


def build():
    return Corners()
"""  # a network that sees sameness, in a file of the user's own


def write_exemplars(folder, *, n=10, categories=("bike", "face"), seed=0):
    """Write pictures into a folder for each category; returns the folder."""
    names, pictures, _ = exemplars(np.random.default_rng(seed), n, categories)
    for name, picture in zip(names, pictures, strict=True):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.rint(picture * 255).astype(np.uint8)).save(path)
    return folder
