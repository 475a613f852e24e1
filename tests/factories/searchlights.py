"""Small searchlights, as the participant level leaves them, with maps under exchanged labels."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import ndimage

from bids_dnn.containers.nulls import NullMap
from bids_dnn.containers.result import Result, StatMap, model_label
from bids_dnn.containers.space import Grid
from bids_dnn.stats.spheres import COLUMNS

SHAPE = (12, 14, 11)
AFFINE = np.array([[-4.0, 0, 0, 22], [0, 4, 0, -26], [0, 0, 4, -20], [0, 0, 0, 1]])
NAME = "MNI152NLin2009cAsym"
COMPARISONS = ("face vs house", "body vs tool")
N_SAMPLES = 40
BLOB = (slice(3, 6), slice(5, 8), slice(4, 7))  # where the first comparison has an effect


def make_grid(*, name=NAME, radius=5.2):
    """Voxels of a ball."""
    places = np.indices(SHAPE)
    middle = [(n - 1) / 2 for n in SHAPE]
    inside = sum((p - m) ** 2 for p, m in zip(places, middle, strict=True)) <= radius**2
    return Grid(name, SHAPE, AFFINE, np.flatnonzero(inside).astype(np.int64))


def blob_of(space):
    """Mark the units (n_units,) of a grid that lie in the blob."""
    marked = np.zeros(SHAPE, dtype=bool)
    marked[BLOB] = True
    return marked.ravel()[space.index]


def smooth_counts(rng, space, n_maps, *, lift=0.0):
    """Counts of right answers (n_maps, n_units) around one half, smooth over a grid."""
    if isinstance(space, Grid):
        noise = ndimage.gaussian_filter(rng.normal(size=(n_maps, *SHAPE)), (0, 1, 1, 1))
        noise = noise.reshape(n_maps, -1)[:, space.index]
    else:
        noise = rng.normal(size=(n_maps, len(space)))
    share = 0.5 + 0.07 * noise / noise.std() + lift
    return np.clip(np.round(N_SAMPLES * share), 0, N_SAMPLES).astype(np.uint8)


def make_searchlight(rng, *, space=None, n_maps=100, lift=0.2, comparisons=COMPARISONS):
    """Return a participant's result, and its maps under exchanged labels by label.

    The first comparison is `lift` higher in the blob (of other spaces than grids, everywhere).
    """
    space = space or make_grid()
    rows, maps, chance = [], [], {}
    for k, name in enumerate(comparisons):
        where = blob_of(space) if isinstance(space, Grid) else np.ones(len(space))
        own = smooth_counts(rng, space, 1, lift=lift * where * (k == 0))[0]
        null = smooth_counts(rng, space, n_maps)
        scores = (own / N_SAMPLES).astype(np.float32)
        p = ((1 + (null >= own).sum(axis=0)) / (1 + n_maps)).astype(np.float32)
        model = model_label(name, "")
        maps.append(StatMap("accuracy", scores, model, f"Accuracy of {name}."))
        maps.append(StatMap("p", p, model, f"p of {name}."))
        chance[model] = NullMap(null, 1 / N_SAMPLES)
        rows.append(
            (
                name, 2, "accuracy", 0.5, model, len(space), 27.0, N_SAMPLES, n_maps,
                float(scores.mean()), float(scores.max()), int(scores.argmax()),
                1 / (1 + n_maps), 1 / (1 + n_maps),
            )
        )  # fmt: skip
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    return Result("searchlight", table, COLUMNS, tuple(maps), space, {"seed": 0}), chance


def make_group(n=6, *, space=None, seed=0, **how):
    """Return results and exchanged maps of participants by label, each without some units."""
    space = space or make_grid()
    results, chance = {}, {}
    for i in range(n):
        keep = np.arange(len(space)) % 41 != i
        made = make_searchlight(np.random.default_rng([seed, i]), space=space.select(keep), **how)
        results[f"{i + 1:02d}"], chance[f"{i + 1:02d}"] = made
    return results, chance
