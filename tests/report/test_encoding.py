"""report.encoding: answers come from the table; chosen layers stand beside the best."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from bids_dnn.containers.result import RowArrays, StatMap
from bids_dnn.report import encoding, raster
from bids_dnn.report.palette import region_colors
from bids_dnn.report.shown import Shown
from tests.factories.electrodes import make_utah
from tests.factories.looks import legend_of
from tests.factories.reports import make_surface_rois, make_surfaces
from tests.factories.results import LAYERS, REGIONS, make_encode, make_space

COLORS = region_colors(REGIONS)


@pytest.fixture
def encode(rng):
    return make_encode(rng)


def test_the_encoding_answer_names_best_layers_and_what_is_weak(encode):
    answer = encoding.encoding_answer(encode.table)
    assert "V1: features.0 (r = 0.50, 0.71 of its ceiling)" in answer
    assert "LOC: features.3" in answer
    assert "not significant" in answer.split("noise:")[1]
    encode.table["score"] = np.nan
    assert encoding.encoding_answer(encode.table) == "No score could be computed."


def test_best_maps_are_those_of_the_best_layers(encode):
    made = encoding.best_maps(encode)
    assert made[0][0] == "alexnet features.0, best in V1"
    assert made[0][1].model == "alexnet+features0"
    assert len(made) == len({m.model for _, m in made})


def of_estimator(encode, name):
    """The same scores and maps, by another estimator than ridge."""
    maps = [
        dataclasses.replace(one, model=f"{one.model}+{name}") if one.model else one
        for one in encode.maps
    ]
    return dataclasses.replace(
        encode,
        table=encode.table.assign(target="units", estimator=name),
        columns=encode.columns | {"target": "", "estimator": ""},
        maps=tuple(maps),
    )


def test_maps_are_drawn_of_another_estimator_too(encode):
    pls = of_estimator(encode, "pls")
    section = encoding.encoding(Shown("encode", pls, COLORS))
    titles = [title for title, _ in encoding.best_maps(pls)]
    assert titles == [title for title, _ in encoding.best_maps(encode)]
    assert any(one.name.startswith("encode_maps") for one in section.pictures)


def test_a_map_that_is_best_in_many_regions_names_some(encode):
    rows = encode.table[encode.table["layer"] == "features.3"]
    table = pd.concat([rows.assign(region=f"array{i:02d}") for i in range(16)], ignore_index=True)
    ((title, _),) = encoding.best_maps(dataclasses.replace(encode, table=table))
    assert title.endswith("array04, array05 and 10 more")


def chosen_of(encode):
    layers = encode.table[["network", "layer"]].drop_duplicates()
    shares = [
        (region, target, *layer, 1 / len(layers))
        for region in ("V1", "noise")
        for target in ("units", "mean")
        for layer in layers.itertuples(index=False)
    ]
    names = ["region", "target", "network", "layer", "share"]
    chosen = encode.table.assign(target="units", estimator="ridge")
    more = chosen[chosen["layer"] == "features.0"].assign(network="*", layer="chosen layer")
    more["score"] = np.where(more["region"] == "V1", 0.4, np.nan)
    columns = encode.columns | {"target": "", "estimator": ""}
    table = pd.concat([chosen, more], ignore_index=True)
    encode = dataclasses.replace(encode, table=table, columns=columns)
    encode.extras["assignment"] = pd.DataFrame(shares, columns=names)
    return encode


def test_layers_chosen_on_training_images_are_shown(encode):
    encode = chosen_of(encode)
    section = encoding.encoding(Shown("encode", encode, COLORS))
    names = [one.name for one in section.pictures]
    assert "encode_assignment" in names
    (picture,) = [one for one in section.pictures if one.name == "encode_assignment"]
    assert picture.light[:4] == b"\x89PNG"
    assert "V1 r = 0.40." in picture.caption
    assert "noise" not in encoding.chosen_answer(encode)
    assert "chosen layer" not in encoding.encoding_answer(encode.table)


@pytest.mark.parametrize("kind", ["volume", "surface", "arrays"])
def test_layers_have_the_colors_of_the_bars_wherever_units_lie(rng, drawn, kind):
    space, brain = make_space(), None
    if kind == "surface":
        space, brain = make_surface_rois()[0].space, raster.make_brain(make_surfaces())
    elif kind == "arrays":
        space, _ = make_utah()
    layer = StatMap("layer", rng.integers(1, 6, len(space)).astype(np.float32), "", "Layers.")
    encode = chosen_of(make_encode(rng, space=space))
    encode = dataclasses.replace(encode, maps=(*encode.maps, layer))
    pictures = encoding._assignment_pictures(Shown("encode", encode, COLORS, brain=brain))
    assert [one.name for one in pictures] == ["encode_assignment", "encode_chosen"]
    assert "(colors as in the bars)" in pictures[1].caption
    assert "below zero" not in pictures[1].caption
    bars, *maps = (legend_of(figure) for figure in drawn)
    assert tuple(bars) == LAYERS
    assert maps == [bars] * 3  # light and dark


@pytest.mark.usefixtures("undrawn")
def test_banded_ridge_is_no_choice_of_layers(encode):
    encode = chosen_of(encode)
    rows = encode.table[encode.table["layer"] == "chosen layer"]
    banded = rows.assign(estimator="banded", layer="all spaces", score=0.9)
    both = pd.concat([encode.table, banded], ignore_index=True)
    told = encoding.chosen_answer(dataclasses.replace(encode, table=both))
    assert told == encoding.chosen_answer(encode)


@pytest.mark.usefixtures("undrawn")
def test_each_estimator_has_its_heat_map(encode):
    ridge = encode.table.assign(target="units", estimator="ridge")
    both = pd.concat([ridge, ridge.assign(estimator="pls", score=0.1)], ignore_index=True)
    columns = encode.columns | {"target": "", "estimator": ""}
    encode = dataclasses.replace(encode, table=both, columns=columns)
    section = encoding.encoding(Shown("encode", encode, COLORS))
    names = [one.name for one in section.pictures]
    assert names.count("encode_layers") == names.count("encode_layerspls") == 1
    (picture,) = [one for one in section.pictures if one.name == "encode_layerspls"]
    assert "by partial least squares" in picture.caption


@pytest.mark.usefixtures("undrawn")
def test_without_a_choice_nothing_is_said_of_it(encode):
    section = encoding.encoding(Shown("encode", encode, COLORS))
    assert encoding.chosen_answer(encode) == ""
    assert len(section.tables) == 1


def test_region_means_are_not_drawn_among_units(encode):
    table = encode.table.assign(target="units")
    means = table.assign(target="mean", score=0.99)
    both = pd.concat([table, means], ignore_index=True)
    assert encoding.encoding_answer(both) == encoding.encoding_answer(table)


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize(
    ("meta", "told"),
    [
        ({"select": "gcv"}, "by generalized cross-validation"),
        ({"select": "loo"}, "leaving out each training stimulus"),
        (
            {"select": "inner", "folds": "split given"},
            "of the test images of the split",
        ),
    ],
)
def test_how_it_was_done_is_told_as_it_was_done(encode, meta, told):
    encode.meta.update(meta)
    assert told in encoding.how_encoded(Shown("encode", encode, COLORS))


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("pls", "by components that they share"),
        ("banded", "joined all feature spaces"),
        ("bashivan", "spatial mask"),
        ("cadena", "full weights"),
        ("factorized", "what-where"),
    ],
)
def test_ridge_is_told_only_where_it_ran(encode, name, told):
    how = encoding.how_encoded(Shown("encode", of_estimator(encode, name), COLORS))
    assert told in how
    assert "Ridge regression" not in how
    assert "chosen layer" not in how
    assert "[@" not in how
    assert "Ridge regression" in encoding.how_encoded(Shown("encode", encode, COLORS))


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("is_scaled", [True, False])
def test_scaling_is_told_where_it_was_done(encode, is_scaled):
    pls = of_estimator(encode, "pls")
    pls.meta["pls_scale"] = is_scaled
    how = encoding.how_encoded(Shown("encode", pls, COLORS))
    assert ("features and responses were divided by" in how) == is_scaled


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize(("loss", "told"), [("gaussian", "squared error"), ("poisson", "counts")])
def test_the_loss_of_readouts_is_told(encode, loss, told):
    readout = of_estimator(encode, "cadena")
    readout.meta["readout_loss"] = loss
    assert told in encoding.how_encoded(Shown("encode", readout, COLORS))


@pytest.mark.usefixtures("undrawn")
def test_the_choice_of_layers_is_told_where_it_was_made(encode):
    assert "chosen layer" not in encoding.how_encoded(Shown("encode", encode, COLORS))
    one = dataclasses.replace(encode, table=encode.table[encode.table["layer"] == "features.0"])
    assert "Boxed" not in encoding.how_encoded(Shown("encode", one, COLORS))
    assert "chosen layer" in encoding.how_encoded(Shown("encode", chosen_of(encode), COLORS))


def test_fields_are_drawn_for_the_layer_that_predicts_best(encode):
    kind = encode.table.assign(target="units", estimator="bashivan")
    columns = encode.columns | {"target": "", "estimator": ""}
    fields = pd.DataFrame(
        [
            (region, "alexnet", layer, unit, 0.1 * unit - 1, 0.5, 1.0 + 0.1 * unit, "deg")
            for region in REGIONS
            for layer in encode.table["layer"].unique()
            for unit in range(20)
        ],
        columns=["region", "network", "layer", "unit", "x", "y", "size", "measured_in"],
    )
    fields.loc[fields["region"] == "noise", "x"] = np.nan  # no fields there
    encode = dataclasses.replace(
        encode,
        table=kind,
        columns=columns,
        extras={"fieldsbashivan": fields},
        meta=encode.meta | {"stimulus_deg": 8.0},
    )
    section = encoding.encoding(Shown("encode", encode, COLORS))
    (picture,) = [one for one in section.pictures if one.name == "encode_fieldsbashivan"]
    best = kind.groupby("layer")["score"].mean().idxmax()
    assert f"in {best} of alexnet" in picture.caption
    assert picture.light[:4] == b"\x89PNG"


def test_parts_of_the_variance_are_drawn(encode):
    table = pd.DataFrame(
        {
            "region": ["V1", "V1", "noise", "noise"],
            "target": "units",
            "space": ["pixels", "alexnet conv1"] * 2,
            "r2": [0.2, 0.3, -0.01, np.nan],
            "weight": 0.5,
        }
    )
    encode.extras["spaces"] = table
    section = encoding.encoding(Shown("encode", encode, COLORS))
    (picture,) = [one for one in section.pictures if one.name == "encode_spaces"]
    assert "add up to the whole" in picture.caption


def test_maps_of_channels_are_drawn_as_arrays(rng):
    space, _ = make_utah()
    encode = chosen_of(make_encode(rng, space=space))
    layer = StatMap("layer", rng.integers(1, 6, len(space)).astype(np.float32), "", "Layers.")
    encode = dataclasses.replace(encode, maps=(*encode.maps, layer))
    section = encoding.encoding(Shown("encode", encode, COLORS))
    made = {one.name: one for one in section.pictures}
    assert "Electrodes are where they stand on the array." in made["encode_maps"].caption
    assert "below zero" in made["encode_maps"].caption
    assert "The layer that each channel chose" in made["encode_chosen"].caption
    assert "below zero" not in made["encode_chosen"].caption


@pytest.mark.parametrize("in_deg", [8.0, None])
def test_sizes_of_fields_are_drawn_on_arrays(rng, in_deg):
    space, _ = make_utah()
    encode = make_encode(rng, space=space)
    encode.meta["stimulus_deg"] = in_deg
    size = rng.uniform(0.1, 2, len(space)).astype(np.float32)
    fields = pd.DataFrame(
        {"region": "V1", "network": "alexnet", "layer": "features.3", "x": 0.0, "y": 0.0,
         "size": size, "measured_in": "deg"}
    )  # fmt: skip
    kept = StatMap("fieldsize", size, "alexnet+features3+bashivan", "Size.")
    other = StatMap("fieldsize", size, "alexnet+features0+bashivan", "Size.")
    table = encode.table.assign(target="units", estimator="bashivan")
    table["score"] = np.where(table["layer"] == "features.3", 0.5, 0.1)
    encode = dataclasses.replace(
        encode,
        table=table,
        columns=encode.columns | {"target": "", "estimator": ""},
        maps=(other, kept),
        extras={"fieldsbashivan": fields},
    )
    pictures = encoding._field_pictures(Shown("encode", encode, COLORS), {"bashivan": table})
    assert [one.name for one in pictures] == ["encode_fieldsbashivan", "encode_sizesbashivan"]
    assert "field size, alexnet features.3" in pictures[1].alt


def test_sizes_of_fields_are_not_mapped_without_arrays(rng):
    encode = make_encode(rng)
    assert (
        encoding._sizes_picture(Shown("encode", encode, COLORS), ("alexnet", "x"), "cadena") == []
    )


def test_triggered_averages_are_drawn_with_a_warning(encode, rng):
    table = pd.DataFrame({"region": ["V1", "V1"], "unit": [0, 3], "network": "net", "n_images": 9})
    kept = RowArrays({"z": rng.normal(size=(2, 6, 8)).astype(np.float32)}, {"z": "Scores."})
    shown = Shown("encode", encode, COLORS)
    assert encoding._triggered_pictures(shown) == []
    encode.extras["triggered"] = table
    encode.arrays["triggered"] = kept
    (picture,) = encoding._triggered_pictures(shown)
    assert "9 training pictures" in picture.caption
    assert "as net sees it, in gray, 8 x 6 pixels" in picture.caption
    assert "no receptive fields by themselves" in picture.caption
