"""report.identification: curves of the best layers, tables with their words."""

from __future__ import annotations

import dataclasses
import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from bids_dnn.report import encoding, identification
from bids_dnn.report.palette import DARK, region_colors
from bids_dnn.report.shown import Shown, main_rows
from tests.factories.results import LAYERS, REGIONS, make_encode

COLORS = region_colors(REGIONS)
SIZES = (2, 10, 100)


@pytest.fixture
def shown(rng):
    made = make_encode(rng)
    curves = [
        (region, "units", "ridge", "alexnet", layer, size, size**-0.5, 1 / size, size > 10)
        for region in REGIONS
        for layer in LAYERS
        for size in SIZES
    ]
    names = ["region", "target", "estimator", "network", "layer", "n_candidates", "proportion"]
    told = pd.DataFrame({"region": ["V1"], "n_images": [20], "mean_rank": [0.8], "p": [0.01]})
    result = dataclasses.replace(
        made,
        table=made.table.assign(target="units", estimator="ridge"),
        columns=made.columns | {"target": "", "estimator": ""},
        extras={
            "identification": told,
            "candidates": pd.DataFrame(curves, columns=[*names, "chance", "extrapolated"]),
        },
        extra_columns={"identification": {"p": "Of mean_rank."}, "candidates": {}},
    )
    return Shown("encode", result, COLORS)


def test_curves_are_those_of_the_layer_with_the_highest_score(shown):
    rows = main_rows(shown.result.table)
    made = identification.best_curves(shown, rows)
    best = rows.loc[rows.groupby("region")["score"].idxmax()].set_index("region")["layer"]
    assert made.groupby("region")["layer"].unique().map(list).to_dict() == {
        region: [layer] for region, layer in best.items()
    }
    assert made[made["region"] == "V1"]["n_candidates"].tolist() == list(SIZES)


def test_the_page_has_curves_and_both_tables(shown):
    section = encoding.encoding(shown)
    (picture,) = [one for one in section.pictures if one.name == "encode_identification"]
    assert picture.light[:4] == b"\x89PNG"
    assert "chance" in picture.caption
    _, told, curves = section.tables
    assert ("p", "Of mean_rank.") in told.heads
    assert len(curves.rows) == len(REGIONS) * len(SIZES)


@pytest.mark.parametrize("without", ["score", "candidates", "extras"])
def test_what_was_not_identified_is_not_shown(shown, without):
    if without == "score":
        shown.result.table["score"] = np.nan
    else:
        del shown.result.extras["candidates"]
    if without == "extras":
        del shown.result.extras["identification"]
    rows = main_rows(shown.result.table)
    assert identification.identification_pictures(shown, rows) == []
    assert len(identification.identification_tables(shown, rows)) == (without != "extras")


def test_curves_show_in_both_themes_what_they_are_given(shown):
    curves = identification.best_curves(shown, main_rows(shown.result.table))
    several = pd.concat([curves, curves.assign(network="vgg16"), curves.assign(network="*")])
    once, again = (identification.candidate_curves(several, COLORS) for _ in range(2))
    assert once == again
    dark = identification.candidate_curves(several, COLORS, theme=DARK)
    corner = Image.open(io.BytesIO(dark)).convert("RGB").getpixel((1, 1))
    assert corner == tuple(bytes.fromhex(DARK.paper[1:]))
    none = identification.candidate_curves(curves.assign(proportion=np.nan), COLORS)
    assert none != identification.candidate_curves(curves, COLORS)
    beyond = identification.candidate_curves(curves.assign(extrapolated=True), COLORS)
    assert beyond[:4] == b"\x89PNG"
