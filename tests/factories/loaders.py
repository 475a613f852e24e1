"""Loaders that can be sent to the processes that decode pictures ahead."""

import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bids_dnn.errors import MissingInputError
from bids_dnn.stimuli.load import Loader


def numbered(name):
    """Return a picture that tells its number, such as 12 of ``p012``."""
    return np.full((4, 4, 3), int(name[1:]), np.uint8)


def lone_torch(name):
    """Tell whether torch was loaded into the process that decodes."""
    return np.full((4, 4, 3), "torch" in sys.modules, np.uint8)


def wide(name):
    """Return the picture of `numbered`, 12 px wide."""
    return np.tile(numbered(name), (3, 3, 1))


@dataclass(frozen=True)
class Faulty:
    """Fails on one stimulus, in one of several ways."""

    name: str
    way: str
    said: Path = Path()

    def __call__(self, name):
        if self.said.name:
            (self.said / str(os.getpid())).touch()
        if name == self.name:
            if self.way == "ours":
                raise MissingInputError("There is no file x.png.", mend="Put it there.")
            if self.way == "theirs":
                raise ValueError("bad marker")
            if self.way == "killed":
                os._exit(9)
            if self.way == "slow":
                time.sleep(30)
            return {"shape": np.zeros((4, 5, 3), np.uint8), "type": np.zeros((4, 4, 3), int)}[
                self.way
            ]
        return numbered(name)


def load_picture(path, card):
    """Return a picture (3, size, size) as a network is fed it: by the loader, then by NumPy."""
    load = Loader({"a": (path,)}, card.size_px, card.resize, card.interpolation)
    unit = load("a").astype(np.float32) / np.float32(255)
    scaled = (unit - np.float32(card.mean)) / np.float32(card.sd)
    return np.ascontiguousarray(np.moveaxis(scaled, 2, 0))
