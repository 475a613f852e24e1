"""report.triggered_figures: a map for each unit, one scale of colors, hatches for the unknown."""

import io

import numpy as np
import pandas as pd
from PIL import Image

from bids_dnn.report.palette import DARK
from bids_dnn.report.triggered_figures import triggered_maps


def make(rng, *, n=14, side=16):
    table = pd.DataFrame(
        {"region": ["V1"] * n + ["V4"] * 3, "unit": [7 * k for k in range(n + 3)]}
    )
    z = rng.normal(size=(n + 3, side, side)).astype(np.float32)
    return table, z


def pixels(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


def reds(png):
    shown = pixels(png)
    return (shown[..., 0] - shown[..., 2] > 60).mean()


def test_the_same_maps_give_the_same_bytes(rng):
    table, z = make(rng)
    assert triggered_maps(table, z) == triggered_maps(table, z)
    assert triggered_maps(table, z, theme=DARK) != triggered_maps(table, z)


def test_what_is_strong_is_red_and_what_is_noise_is_pale(rng):
    table, z = make(rng)
    strong = z.copy()
    strong[0, 4:12, 4:12] = 20.0
    shown = pixels(triggered_maps(table, strong))
    left = shown[:, : shown.shape[1] // 10]  # where the first unit is
    assert (left[..., 0] - left[..., 2] > 60).sum() > 300
    assert reds(triggered_maps(table, z * 0)) < reds(triggered_maps(table, z * 3))


def test_units_without_a_map_are_hatched(rng):
    table, z = make(rng)
    z[0] = np.nan
    assert len(np.unique(pixels(triggered_maps(table, z)[:]))) > 5
    assert triggered_maps(table, np.full_like(z, np.nan))[:4] == b"\x89PNG"


def test_lines_follow_the_number_of_units(rng):
    few, z_few = make(rng, n=3)
    many, z_many = make(rng, n=24)
    assert len(pixels(triggered_maps(many, z_many))) > len(pixels(triggered_maps(few, z_few)))
