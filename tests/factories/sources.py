"""A raw data set with pictures, and a tiny network, for runs on responses of any source."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from tests.factories.trees import describe

NETWORK = """
import torch

card = {"name": "tiny", "layers": ("0",), "size_px": 8}


def build():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU())
"""
SETTINGS = """
[decode]
comparisons = ["all"]
permutations = 5
nuisance = {nuisance}
[encode]
permutations = 5
folds = {{ stimulus = 2, inner = 2 }}
[networks.tiny]
network = "tiny.py:build"
weights = "random"
"""


def write_raw(root: Path, rng, *, pictures=(), participants=("01",)) -> Path:
    """Write a data set of a description, participants and `pictures` below ``stimuli/``."""
    describe(root, "Pictures")
    rows = "".join(f"sub-{label}\n" for label in participants)
    (root / "participants.tsv").write_text(f"participant_id\n{rows}")
    for name in pictures:
        path = root / "stimuli" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        shade = rng.integers(0, 255, size=(8, 8, 3), dtype=np.uint8)
        Image.fromarray(shade).save(path, format="PNG")
    return root


def write_settings(folder: Path, nuisance=(), more: str = "") -> Path:
    """Write ``analysis.toml``, a tiny network, and a plugin that runs in this process.

    `more` is TOML: sections other than [decode], [encode] and [networks.tiny].
    """
    (folder / "tiny.py").write_text(NETWORK)
    (folder / "plugin.yml").write_text("plugin: Linear\n")
    path = folder / "analysis.toml"
    path.write_text(f"{SETTINGS.format(nuisance=list(nuisance))}\n{more}\n")
    return path
