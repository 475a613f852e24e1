"""report.chosen: what was chosen stands on the page where it is told, and nothing where not."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from bids_dnn.analyses.encode.choices import Choices
from bids_dnn.analyses.encode.fit import encode as run
from bids_dnn.report import chosen, encoding
from bids_dnn.report.chosen import chosen_pictures, chosen_tables
from bids_dnn.report.page import ParticipantReport, render_participant
from bids_dnn.report.palette import region_colors
from bids_dnn.report.shown import Shown
from tests.factories.responses import make_gram, make_responses
from tests.factories.results import LAYERS, REGIONS, make_encode

pytestmark = pytest.mark.usefixtures("undrawn")
COLORS = region_colors(REGIONS)


def alphas_of(table, *, n_smallest=2, n_largest=5):
    """Ten units and folds of each layer and region: some at the ends, the rest between."""
    keys = table[["region", "network", "layer"]].drop_duplicates()
    counts = {0.1: n_smallest, 1.0: 10 - n_smallest - n_largest, 10.0: n_largest}
    return pd.concat(
        [
            keys.assign(
                alpha=alpha,
                count=count,
                n_smallest=count if alpha < 1 else 0,
                n_largest=count if alpha > 1 else 0,
            )
            for alpha, count in counts.items()
        ],
        ignore_index=True,
    )


def components_of(table, *, most=7):
    keys = table[["region", "network", "layer"]].drop_duplicates()
    return pd.concat(
        [
            keys.assign(target=target, fold=f"fold {f}", n_components=n, most=most)
            for target in ("units", "mean")
            for f, n in enumerate((2, 3, most))
        ],
        ignore_index=True,
    )


def settings_of():
    """Two layers, three units and two folds; one unit is in two regions, one was not fitted."""
    rows = [
        (region, "net", layer, unit, f"fold {f}", unit, 0.1 * 10**unit, 0.5 * unit, 0.2, False)
        for layer in ("conv1", "conv2")
        for f in range(2)
        for region, unit in (("V1", 0), ("V1", 1), ("V4", 1), ("V4", 2))
    ]
    names = ["region", "network", "layer", "unit", "fold", "setting", "smooth", "places", "loss",
             "is_diverged"]  # fmt: skip
    table = pd.DataFrame(rows, columns=names)
    table[["ridge", "sparse"]] = 0.0
    lost = (table["layer"] == "conv2") & (table["unit"] == 2)
    table["setting"] = table["setting"].astype("Int64").mask(lost)
    table.loc[lost, ["smooth", "places", "ridge", "sparse", "loss"]] = np.nan
    table.loc[(table["layer"] == "conv1") & (table["unit"] == 1), "is_diverged"] = True
    return table


@pytest.fixture
def encode(rng):
    made = make_encode(rng)
    table = pd.concat(
        [
            made.table.assign(target=target, estimator=name)
            for name in ("ridge", "pls", "cadena")
            for target in ("units", "mean")
        ],
        ignore_index=True,
    )
    return dataclasses.replace(
        made, table=table, columns=made.columns | {"target": "", "estimator": ""}
    )


def shown_of(encode, **tables):
    encode.extras.update(tables)
    return Shown("encode", encode, COLORS)


def test_shares_at_an_end_are_told_beside_the_picture(encode):
    table = alphas_of(encode.table)
    table.loc[(table["layer"] == LAYERS[2]) & (table["alpha"] > 1), "n_largest"] = 0
    (picture,) = chosen_pictures(shown_of(encode, alphas=table))
    assert picture.name == "encode_alphas"
    assert "the smallest for 20% (most often in features.0 of alexnet: 20%)" in picture.caption
    # 5 of 10 in 15 of 19 cells with a score
    assert "the largest for 39% (most often in features.0 of alexnet: 50%)." in picture.caption
    assert "each voxel and fold" in picture.caption
    assert "5 layers, in 4 regions" in picture.alt
    assert "regions with most choices" not in picture.caption


def test_where_no_end_was_chosen_this_is_told(encode):
    table = alphas_of(encode.table, n_smallest=0, n_largest=0)
    (picture,) = chosen_pictures(shown_of(encode, alphas=table))
    assert "the smallest for 0%, the largest for 0%." in picture.caption


def test_layers_without_a_score_are_missing(encode, monkeypatch):
    """A layer that answers all images alike has penalties all the same."""
    asked = []
    monkeypatch.setattr(chosen, "penalty_bars", lambda rows, *_, **__: asked.append(rows) or b"x")
    flat = encode.table["layer"] == LAYERS[1]
    encode.table.loc[flat & (encode.table["estimator"] == "ridge"), "score"] = np.nan
    encode.table.loc[(encode.table["region"] == "V1") & ~flat, "score"] = 0.3
    chosen_pictures(shown_of(encode, alphas=alphas_of(encode.table)))
    rows = asked[0]
    assert list(dict.fromkeys(rows["layer"])) == list(LAYERS)  # it keeps its row
    gone = rows.groupby(["region", "layer"])["alpha"].apply(lambda one: one.isna().all())
    assert gone.xs(LAYERS[1], level="layer").all()
    assert not gone["V1"].drop(LAYERS[1]).any()
    assert gone["FFA", "features.0"]  # whose score is not known either


@pytest.mark.parametrize("estimator", ["ridge", "pls"])
def test_a_layer_that_answers_all_images_alike_is_missing(rng, monkeypatch, estimator):
    asked = []
    for name in ("penalty_bars", "component_dots"):
        monkeypatch.setattr(chosen, name, lambda rows, *_, **__: asked.append(rows) or b"x")
    stimuli = [f"s{k:02}" for k in range(40)]
    features = rng.normal(size=(40, 6))
    values = features @ rng.normal(size=(6, 5)) + rng.normal(size=(40, 5))
    grams = [
        make_gram(x, stimuli, layer=layer)
        for layer, x in (("conv1", features), ("flat", np.ones((40, 6))))
    ]
    choices = Choices(
        n_folds=3, n_inner=3, alphas=None, select="inner", ceiling="ncsnr", floor=0.0,
        n_permutations=9, seed=0, estimators=(estimator,),
    )  # fmt: skip
    made = run(make_responses(values, stimuli=stimuli), [], grams, choices=choices)
    (picture,) = chosen_pictures(Shown("encode", made, region_colors(made.table["region"])))
    value = "alpha" if estimator == "ridge" else "n_components"
    known = asked[0].groupby("layer")[value].apply(lambda one: one.notna().all())
    assert known.to_dict() == {"conv1": True, "flat": False}
    assert "in 2 layers" in picture.alt


def test_of_many_regions_those_with_most_at_an_end_are_drawn(encode, monkeypatch):
    asked = []
    monkeypatch.setattr(chosen, "penalty_bars", lambda rows, *_, **__: asked.append(rows) or b"x")
    one = encode.table[encode.table["region"] == "LOC"]
    names = [f"area{k:02d}" for k in range(15)]
    table = pd.concat([one.assign(region=name) for name in names], ignore_index=True)
    alphas = alphas_of(table, n_smallest=0)
    alphas.loc[alphas["region"].isin(names[:3]), "n_largest"] = 0
    many = dataclasses.replace(encode, table=table, extras={"alphas": alphas})
    (picture,) = chosen_pictures(Shown("encode", many, region_colors(names)))
    assert list(dict.fromkeys(asked[0]["region"])) == names[3:]
    assert "The 12 of 15 regions with most choices at an end" in picture.caption


def test_components_at_the_most_are_told(encode):
    (picture,) = chosen_pictures(shown_of(encode, components=components_of(encode.table)))
    assert picture.name == "encode_components"
    assert "33% of the choices are the most that were offered (7 components)." in picture.caption
    table = components_of(encode.table).assign(most=50)
    (picture,) = chosen_pictures(shown_of(encode, components=table))
    assert "None of the choices is the most" in picture.caption


def test_settings_of_readouts_are_a_row_a_readout_and_layer(encode):
    (table,) = chosen_tables(shown_of(encode, settingscadena=settings_of()))
    heads = [label for label, _ in table.heads]
    assert heads == ["readout", "network", "layer", "voxels and folds", "smooth", "places", "loss",
                     "diverged"]  # fmt: skip
    first, second = ([cell.text for cell in row] for row in table.rows)
    # a unit of two regions counts once; of three units one goes without a penalty on places
    assert first == ["cadena", "net", "conv1", "6", "1 (0.1 to 10)",
                     "0.75 (0.5 to 1), none for 33%", "0.200", "2"]  # fmt: skip
    assert second == ["cadena", "net", "conv2", "4", "0.55 (0.1 to 1)", "0.5, none for 50%",
                      "0.200", "0"]  # fmt: skip
    assert float(table.rows[0][4].order) == 1.0  # sorted by number
    assert all(description for _, description in table.heads[4:])


def test_several_readouts_share_the_table(encode):
    other = settings_of().assign(channels=0.3)
    told = {"settingsbashivan": settings_of(), "settingscadena": other}
    (table,) = chosen_tables(shown_of(encode, **told))
    assert [row[0].text for row in table.rows] == ["bashivan"] * 2 + ["cadena"] * 2
    place = [label for label, _ in table.heads].index("channels")
    assert [row[place].text for row in table.rows][::2] == ["-", "0.3"]


@pytest.mark.parametrize("columns", ["none", "some"])
def test_results_that_do_not_tell_have_no_picture(encode, columns):
    if columns == "some":
        encode.extras["alphas"] = alphas_of(encode.table).drop(columns="n_smallest")
        encode.extras["components"] = components_of(encode.table).drop(columns="most")
        encode.extras["settingscadena"] = settings_of().drop(columns="is_diverged")
    shown = Shown("encode", encode, COLORS)
    assert chosen_pictures(shown) == []
    assert chosen_tables(shown) == []
    section = encoding.encoding(shown)
    assert not {"encode_alphas", "encode_components"} & {one.name for one in section.pictures}


def test_old_tables_without_estimators_have_their_penalties_drawn(rng):
    made = make_encode(rng)
    (picture,) = chosen_pictures(shown_of(made, alphas=alphas_of(made.table)))
    assert picture.name == "encode_alphas"


@pytest.mark.parametrize(
    ("share", "told"), [(0.034, "for 3% of voxels"), (0.0, "for 0%"), (None, "")]
)
def test_ends_of_banded_ridge_are_told_with_its_spaces(encode, share, told):
    spaces = {"region": ["V1"], "target": "units", "space": ["a"], "r2": [0.2], "weight": 0.5}
    encode.extras["spaces"] = pd.DataFrame(spaces)
    if share is not None:
        encode.meta["banded"] = {"share_at_edge": share}
    section = encoding.encoding(Shown("encode", encode, COLORS))
    (picture,) = [one for one in section.pictures if one.name == "encode_spaces"]
    assert told in picture.caption
    assert ("largest penalty" in picture.caption) == (share is not None)


@pytest.mark.parametrize("is_told", [True, False])
def test_the_page_shows_what_was_chosen_with_words(encode, tmp_path, is_told):
    if is_told:
        shown_of(
            encode,
            alphas=alphas_of(encode.table),
            components=components_of(encode.table),
            settingscadena=settings_of(),
        )
    page = render_participant(ParticipantReport("01", {"encode": encode}, {}), tmp_path)
    for words in (
        'alt="Bars of the penalties that ridge regression chose in 5 layers',
        "the largest for 50%",
        'alt="Dots of the numbers of components that were chosen in 5 layers',
        "Settings that readouts chose on a part of the training images",
        "1 (0.1 to 10)",
    ):
        assert (words in page) == is_told, words
    for name in ("encode_alphas.png", "encode_components.png"):
        assert (tmp_path / name).is_file() == is_told
