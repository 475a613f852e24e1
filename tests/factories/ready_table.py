"""Plain tables of responses: channels, or voxels of a mask, in an order of their own."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd

from tests.factories.trees import affine_of, tiny_mask, write_image


def table_folder(
    home: Path, rng, *, n_samples: int = 12, n_units: int = 6, n_sessions: int = 2, sidecar=None
) -> dict:
    """Write channels with regions; return the values and the table of samples."""
    home.mkdir(parents=True, exist_ok=True)
    values = rng.normal(size=(n_samples, n_units)).astype(np.float32)
    np.save(home / "responses.npy", values)
    samples = pd.DataFrame(
        {
            "sample": [f"s{i}" for i in range(n_samples)],
            "stimulus": [f"faces\\{i % 4}.png" if i % 4 else "n/a" for i in range(n_samples)],
            "condition": ["face" if i % 4 else "blank" for i in range(n_samples)],
            "run": [str(i % 2 + 1) for i in range(n_samples)],
            "session": [f"{i * n_sessions // n_samples + 1:02d}" for i in range(n_samples)],
            "reaction_time": [f"{0.5 + i / 10:.1f}" if i else "n/a" for i in range(n_samples)],
            "button": ["left"] * n_samples,
        }
    )
    samples.to_csv(home / "samples.tsv", sep="\t", index=False)
    units = pd.DataFrame(
        {
            "name": [f"n{i}" for i in range(n_units)],
            "region": ["V1;early" if i < 2 else "V4" if i < 4 else "" for i in range(n_units)],
        }
    )
    units.to_csv(home / "units.tsv", sep="\t", index=False)
    if sidecar is not None:
        (home / "responses.json").write_text(json.dumps(sidecar))
    return {"values": values, "samples": samples}


def voxel_folder(home: Path, rng, *, order=None, columns="ijk", n_samples: int = 5) -> dict:
    """Write voxels of a mask; `order` permutes them and is told in ``units.tsv``."""
    home.mkdir(parents=True, exist_ok=True)
    mask = tiny_mask()
    write_image(home / "mask.nii.gz", mask, affine_of())
    voxels = np.argwhere(mask)
    values = rng.normal(size=(n_samples, len(voxels))).astype(np.float32)
    names = [f"face{i}" for i in range(n_samples)]
    pd.DataFrame({"condition": names}).to_csv(home / "samples.tsv", sep="\t", index=False)
    if order is not None:
        voxels, values = voxels[order], values[:, order]
        places = voxels if columns == "ijk" else voxels @ affine_of()[:3, :3] + affine_of()[:3, 3]
        units = pd.DataFrame(places, columns=list(columns))
        units.insert(0, "name", [f"v{i}" for i in range(len(voxels))])
        units.to_csv(home / "units.tsv", sep="\t", index=False)
    np.save(home / "responses.npy", values)
    return {"values": values, "voxels": voxels}
