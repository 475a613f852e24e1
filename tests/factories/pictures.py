"""A data set of pictures of two categories, with responses as a plain table."""

from __future__ import annotations

import numpy as np
import pandas as pd
from PIL import Image

from tests.factories.sources import write_raw

PICTURES = tuple(f"{kind}/{k}.png" for kind in ("face", "house") for k in range(8))


def write_pictures(home, rng):
    """Write pictures and responses; returns BIDS_DIR and the options that name the responses."""
    raw = write_raw(home / "raw", rng, pictures=PICTURES)
    folder = home / "responses" / "sub-01"
    folder.mkdir(parents=True)
    names = list(PICTURES) * 2
    np.save(folder / "responses.npy", rng.normal(size=(len(names), 5)).astype(np.float32))
    pd.DataFrame(
        {
            "stimulus": names,
            "sample": [f"s{k}" for k in range(len(names))],
            "condition": [name.partition("/")[0] for name in names],
            "run": ["1"] * len(PICTURES) + ["2"] * len(PICTURES),
        }
    ).to_csv(folder / "samples.tsv", sep="\t", index=False)
    pd.DataFrame({"name": [f"e{k}" for k in range(5)]}).to_csv(
        folder / "units.tsv", sep="\t", index=False
    )
    return raw, ("--responses", f"table={home / 'responses'}")


def add_training_pictures(raw):
    """Add three pictures that nobody saw, with the split train."""
    names = [*PICTURES, "other/0.png", "other/1.png", "other/2.png"]
    (raw / "stimuli" / "other").mkdir()
    for k, name in enumerate(names[-3:]):
        pixels = np.random.default_rng(k).integers(0, 256, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(raw / "stimuli" / name)
    split = ["test"] * len(PICTURES) + ["train"] * 3
    pd.DataFrame({"stimulus_id": names, "split": split}).to_csv(
        raw / "stimuli" / "stimuli.tsv", sep="\t", index=False
    )
