"""A raw data set with pictures, and a tiny network, for runs on responses of any source."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from tests.factories.ready_algonauts import write_algonauts
from tests.factories.ready_bold5000 import write_bold5000
from tests.factories.ready_glmsingle import write_glmsingle
from tests.factories.ready_nsd import write_design, write_responses, write_volumes
from tests.factories.ready_nwb import nwb_file
from tests.factories.ready_statmap import volume_maps
from tests.factories.ready_table import table_folder
from tests.factories.ready_tvsd import norm_mua
from tests.factories.ready_vim1 import vim1_folder
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


def _nsd(home, rng):
    shown = write_design(home, rng)[0]
    write_responses(home, "subj01", shown, (1,))
    write_volumes(home, rng, sessions=(1,))


MAKE = {  # a small data set of each kind of ready-made responses
    "glmsingle": lambda home, rng: write_glmsingle(home / "sub-01", rng),
    "nsd": _nsd,
    "bold5000": lambda home, rng: write_bold5000(home, rng, volumes=False),
    "algonauts": write_algonauts,
    "vim1": lambda home, rng: vim1_folder(home, rng, participants=("S1",)),
    "tvsd": lambda home, rng: norm_mua(home / "monkeyF", rng),
    "nwb": lambda home, rng: nwb_file(home / "sub-m1" / "sub-m1_ecephys.nwb", rng),
    "statmap": volume_maps,
    "table": lambda home, rng: table_folder(home / "sub-01", rng),
}


def one(home: Path, pattern: str) -> Path:
    """Return the first file of a pattern."""
    return sorted(home.rglob(pattern))[0]


def check(said: str, *words: str) -> None:
    """Look that all words were said."""
    for word in words:
        assert word in said, said
