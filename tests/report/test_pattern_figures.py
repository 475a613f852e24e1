"""report.pattern_figures: measured and predicted patterns side by side."""

import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from bids_dnn.report.palette import LIGHT
from bids_dnn.report.pattern_figures import pattern_panels, pattern_r

N_IMAGES, N_UNITS = 6, 10


def make(rng, *, models=("ridge", "pls"), regions=("V1", "V4")):
    made = []
    for region in regions:
        measured = rng.normal(size=(N_IMAGES, N_UNITS))
        rows = pd.DataFrame(
            {
                "region": region,
                "network": "net",
                "layer": "conv1",
                "stimulus": np.repeat([f"p{k}.png" for k in range(N_IMAGES)], N_UNITS),
                "unit": np.tile(np.arange(N_UNITS), N_IMAGES),
                "measured": measured.ravel(),
            }
        )
        noise = rng.normal(size=(len(models), len(rows)))
        made += [
            rows.assign(estimator=model, predicted=(rows["measured"] + one) / 9)
            for model, one in zip(models, noise, strict=True)
        ]
    return pd.concat(made, ignore_index=True)


def pixels(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


def reds(png):
    shown = pixels(png)
    return (shown[..., 0] - shown[..., 2] > 60).mean()


def test_the_same_table_gives_the_same_bytes(rng):
    table = make(rng)
    assert pattern_panels(table) == pattern_panels(table)


def test_small_predictions_are_seen_as_well_as_large_ones(rng):
    table = make(rng)
    small = table.assign(predicted=table["predicted"] / 1000)
    assert np.abs(pixels(pattern_panels(table)) - pixels(pattern_panels(small))).max() < 40
    assert reds(pattern_panels(table)) > 0.05


def test_what_was_not_measured_is_hatched(rng):
    table = make(rng, regions=("V1",))
    table.loc[:, ["measured", "predicted"]] = np.nan
    png = pattern_panels(table)
    faint = [int(LIGHT.faint[k : k + 2], 16) for k in (1, 3, 5)]
    assert (np.abs(pixels(png) - faint).max(axis=2) < 12).mean() > 0.02


def test_a_region_without_a_model_leaves_its_place_empty(rng):
    table = make(rng)
    table = table[(table["region"] == "V1") | (table["estimator"] == "ridge")]
    assert pattern_panels(table)[:4] == b"\x89PNG"


@pytest.mark.parametrize("scale", [1.0, -1.0])
def test_r_of_patterns_is_that_over_units(rng, scale):
    measured = rng.normal(size=(4, 9))
    assert pattern_r(measured, 3 * scale * measured + 2) == pytest.approx(scale)
    measured[:, 0] = np.nan
    assert pattern_r(measured, scale * measured) == pytest.approx(scale)
    assert np.isnan(pattern_r(measured[:, :3], measured[:, :3]))
