"""Small results, as the analyses leave them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bids_dnn.containers.result import Result, StatMap
from bids_dnn.containers.space import Channels, Grayordinates, Grid, Space, Surface

REGIONS = ("V1", "LOC", "FFA", "noise")
LAYERS = ("features.0", "features.3", "features.6", "features.8", "features.10")
CONDITIONS = ("body", "face", "house", "tool")
DECODE_COLUMNS = {
    "region": "Name of the region.",
    "comparison": "What was told apart.",
    "metric": "What score is.",
    "score": "Mean accuracy.",
    "chance": "Score expected by chance.",
    "ci_low": "Lower end of the interval.",
    "ci_high": "Upper end of the interval.",
    "p": "Permutation p.",
    "p_floor": "Smallest possible p.",
    "p_corrected": "p corrected over the table.",
    "n_samples": "Samples.",
    "n_voxels": "Voxels.",
}
ENCODE_COLUMNS = {
    "region": "Name of the region.",
    "network": "Name of the network.",
    "layer": "Module path.",
    "metric": "What score is.",
    "score": "Mean correlation over voxels.",
    "ceiling": "Mean noise ceiling of the region.",
    "normalized": "score / ceiling.",
    "ci_low": "Lower end of the interval.",
    "ci_high": "Upper end of the interval.",
    "p": "Permutation p.",
    "p_floor": "Smallest possible p.",
    "p_corrected": "p corrected over the table.",
    "best": "Best layer of its region.",
    "n_units": "Voxels.",
}


def make_space(n_units: int = 40, *, name: str = "T1w") -> Grid:
    rng = np.random.default_rng(1)
    shape = (8, 9, 7)
    index = np.sort(rng.choice(int(np.prod(shape)), n_units, replace=False)).astype(np.int64)
    return Grid(name, shape, np.diag([3.0, 3.0, 3.0, 1.0]), index)


def make_decode(rng: np.random.Generator) -> Result:
    pairs = [f"{a} vs {b}" for i, a in enumerate(CONDITIONS) for b in CONDITIONS[i + 1 :]]
    rows = []
    for region in REGIONS:
        for comparison in (*pairs, "all"):
            chance = 0.25 if comparison == "all" else 0.5
            score = chance + (0.0 if region == "noise" else 0.25) + 0.05 * rng.normal()
            p = 0.4 if region == "noise" else 0.001
            rows.append(
                (
                    region, comparison, "accuracy", score, chance, score - 0.08, score + 0.08,
                    p, 0.001, min(1.0, 2 * p), 96, 60,
                )
            )  # fmt: skip
    table = pd.DataFrame(rows, columns=list(DECODE_COLUMNS))
    counts = [
        {"region": region, "comparison": "all", "truth": a, "guess": b,
         "count": int(rng.integers(10, 20)) if a == b else int(rng.integers(0, 5))}
        for region in REGIONS for a in CONDITIONS for b in CONDITIONS
    ]  # fmt: skip
    meta = {
        "chance": {"pairs": 0.5, "all": 0.25},
        "folds": "leave one run out",
        "n_folds": 8,
        "n_permutations": 1000,
        "p_floor": 1 / 1001,
        "seed": 0,
    }
    return Result(
        "decode", table, DECODE_COLUMNS, meta=meta, extras={"confusion": pd.DataFrame(counts)}
    )


def make_encode(rng: np.random.Generator, *, space: Space | None = None) -> Result:
    space = space or make_space()
    n_units = len(space)
    rows = []
    for r, region in enumerate(REGIONS):
        ceiling = 0.02 if region == "noise" else 0.7 - 0.05 * r
        for i, layer in enumerate(LAYERS):
            score = 0.5 - 0.1 * abs(i - 1.3 * r) if region != "noise" else 0.01 * rng.normal()
            p = (0.4, 0.001, 0.9) if region == "noise" else (0.01, 0.001, 0.02)
            score = np.nan if (region, layer) == ("FFA", "features.0") else score
            rows.append(
                (
                    region, "alexnet", layer, "pearson", score, ceiling, score / ceiling,
                    score - 0.05, score + 0.05, *p,
                    False, n_units,
                )
            )  # fmt: skip
    table = pd.DataFrame(rows, columns=list(ENCODE_COLUMNS))
    table["best"] = table.groupby("region")["score"].transform("max") == table["score"]
    maps = [
        StatMap(
            "pearson",
            rng.normal(0.2, 0.2, n_units).astype(np.float32),
            "alexnet+" + layer.replace(".", ""),
            f"Correlation of prediction and response, {layer} of alexnet.",
        )
        for layer in LAYERS
    ]
    maps.append(StatMap("ceiling", np.full(n_units, 0.7, np.float32), "", "Noise ceiling of r."))
    meta = {
        "folds": "by stimulus",
        "n_folds": 5,
        "seed": 0,
        "networks": {"alexnet": {"weights": "random (seed 0)", "weights_sha256": "ab" * 32}},
    }
    return Result("encode", table, ENCODE_COLUMNS, tuple(maps), space, meta)


def make_grayordinates(n_vertices: int = 60) -> Grayordinates:
    """Two cortices that lack some vertices, and a few voxels of one structure."""
    left, right = np.arange(0, n_vertices, 2), np.arange(1, n_vertices, 3)
    voxel = np.stack(np.unravel_index(np.arange(12), (3, 4, 5)), axis=1).astype(np.int64)
    n_flat = len(left) + len(right)
    names = ("CORTEX_LEFT", "CORTEX_RIGHT", "AMYGDALA_LEFT")
    return Grayordinates(
        "fsLR",
        tuple(f"CIFTI_STRUCTURE_{name}" for name in names),
        (n_vertices, n_vertices, 0),
        np.repeat([0, 1, 2], [len(left), len(right), len(voxel)]).astype(np.int64),
        np.concatenate([left, right, np.full(len(voxel), -1)]).astype(np.int64),
        np.concatenate([np.full((n_flat, 3), -1), voxel]).astype(np.int64),
        (3, 4, 5),
        np.diag([2.0, 2.0, 2.0, 1.0]),
        np.arange(n_flat + len(voxel), dtype=np.int64),
    )


def make_spaces() -> dict[str, Space]:
    """One of each kind, with units at some of its places."""
    channels = tuple(f"array{i // 8}-{i % 8}" for i in range(24))
    return {
        "grid": make_space(),
        "surface": Surface("fsnative", (70, 64), np.arange(3, 130, 4, dtype=np.int64)),
        "left": Surface("fsaverage5", (70, 0), np.arange(3, 66, 4, dtype=np.int64)),
        "grayordinates": make_grayordinates().at(np.arange(1, 60, 2, dtype=np.int64)),
        "channels": Channels("electrodes", channels, np.arange(2, 22, 3, dtype=np.int64)),
    }
