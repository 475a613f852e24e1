"""report.group_ceilings: what is said and drawn of ceilings over participants."""

from dataclasses import replace

import numpy as np
import pandas as pd

from bids_dnn.containers.rdm import Rdm
from bids_dnn.containers.result import Result
from bids_dnn.group.ceilings import Left, group_ceilings
from bids_dnn.report.figures import layer_profiles
from bids_dnn.report.group_ceilings import (
    bounded_pictures,
    bounds_of,
    ceiling_bars,
    group_ceiling_answer,
    group_ceiling_numbers,
    group_ceiling_section,
    group_ceiling_text,
)
from bids_dnn.report.methods import cited, references, sentences
from bids_dnn.report.palette import DARK, LIGHT, region_colors
from bids_dnn.report.shown import Shown
from tests.factories.looks import pixels, share_of


def make(n=4, *, has_rdms=True):
    rng = np.random.default_rng(5)
    signal = rng.normal(size=12)
    labels = [f"{k:02}" for k in range(1, n + 1)]
    profiles = {
        label: pd.DataFrame(
            {
                "region": np.repeat(["V1", "noise"], 12),
                "stimulus": [f"s{k}" for k in range(12)] * 2,
                "response": [*(signal + 0.3 * rng.normal(size=12)), *rng.normal(size=12)],
            }
        )
        for label in labels
    }
    rdms = {x: {"V1": Rdm(rng.uniform(size=6), tuple("abcd"), "correlation")} for x in labels}
    made = group_ceilings(Left(profiles, rdms if has_rdms else {}))
    return Shown("ceiling", made, region_colors(["V1", "noise"]))


def test_the_section_answers_with_the_bounds():
    shown = make()
    row = shown.result.table.iloc[0]
    section = group_ceiling_section(shown)
    bounds = f"{row['lower']:.2f} to {row['upper']:.2f}"
    assert f"Mean response to stimuli (4 participants): V1 {bounds}" in section.answer
    assert "Dissimilarities of conditions (4 participants)" in section.answer
    assert "share = true" not in section.how
    assert "[@" not in section.how
    assert [len(one.rows) for one in section.tables] == [3, 12]
    (number,) = group_ceiling_numbers(shown)
    assert number.value == bounds
    assert "share = true" in group_ceiling_section(make(has_rdms=False)).how


def test_one_participant_has_a_page_without_bounds():
    shown = make(1)
    assert "cannot be told" in group_ceiling_answer(shown.result.table)
    assert group_ceiling_numbers(shown) == []
    assert group_ceiling_section(shown).pictures[0].light[:4] == b"\x89PNG"


def test_where_participants_do_not_agree_is_said():
    table = make().result.table
    table = table[table["kind"] == "encoding"].assign(lower=[-0.1, 0.2], upper=[0.4, 0.6])
    answer = group_ceiling_answer(table.assign(lower_ci_low=[-0.5, 0.1]))
    assert answer.endswith("noise 0.20 to 0.60; participants do not agree in V1.")
    table = table.assign(lower_ci_low=[-0.5, -0.3], lower_ci_high=[0.3, 0.7])
    unsure = group_ceiling_answer(table)
    assert "not sure in noise (0.20, 95 % interval -0.30 to 0.70); participants do not" in unsure
    made = make()
    assert group_ceiling_numbers(replace(made, result=replace(made.result, table=table))) == []


def test_the_picture_is_the_same_each_time_and_has_both_colors():
    shown = make()
    table, points = shown.result.table, shown.result.extras["participants"]
    made = ceiling_bars(table, points, shown.colors, theme=LIGHT)
    assert made == ceiling_bars(table, points, shown.colors, theme=LIGHT)
    assert made != ceiling_bars(table, points, shown.colors, theme=DARK)
    seen = {tuple(one) for one in pixels(made)[..., :3].reshape(-1, 3)}
    for color in shown.colors.values():
        assert tuple(int(color[i : i + 2], 16) for i in (1, 3, 5)) in seen


def test_the_methods_name_what_there_is_and_cite_it():
    for kinds, n in ((["encoding"], 0), (["encoding", "rsa"], 1)):
        text = sentences({"loo_ceiling": {"kinds": kinds}})[-1]
        assert text == group_ceiling_text({"kinds": kinds})
        assert text.count("dissimilarities") == n
        assert [work.key for work in references(cited([text]))] == ["nili2014", "efron1981"]


def encoded(score=0.5):
    """A group's encoding of two regions by two layers: of units, and of regions' means."""
    rows = [
        (region, target, "net", layer, "pearson", score * own, np.nan)
        for region in ("V1", "noise")
        for target, own in (("units", 0.4), ("mean", 1.0))
        for layer in ("conv1", "conv2")
    ]
    names = ["region", "target", "network", "layer", "metric", "score", "ceiling"]
    table = pd.DataFrame(rows, columns=names)
    result = Result("encode", table, dict.fromkeys(names, "."), meta={"level": "group"})
    return Shown("encode", result, region_colors(["V1", "noise"]))


def test_encoding_of_means_is_drawn_with_the_bounds_of_its_region():
    made = make().result
    bounds = bounds_of(made)
    row = made.table.iloc[0]
    assert bounds["region"].tolist() == ["V1", "noise"]
    assert bounds.loc[0, "lower"] == row["lower"]
    (found,) = bounded_pictures(replace(encoded(), bounds=bounds))
    assert found.name == "encode_bounds"
    assert bounds.loc[0, "lower"] > 0.5
    assert bounds.loc[1, "lower"] < 0
    assert found.caption.endswith("It does not in V1. Participants do not agree in noise.")
    unsure = bounds.assign(lower_ci_low=[-0.2, -0.4])
    (other,) = bounded_pictures(replace(encoded(score=0.99), bounds=unsure))
    assert "reaches" not in other.caption
    assert "Whether participants agree is not sure in V1. Participants do not" in other.caption
    (high,) = bounded_pictures(replace(encoded(score=0.99), bounds=bounds))
    assert "The best layer reaches the lower bound in V1. Participants" in high.caption


def test_the_band_lies_between_the_bounds():
    rows = encoded().result.table.query("target == 'mean' and region == 'V1'")
    colors = region_colors(["V1"])

    def shaded(low, high):
        png = layer_profiles(rows.assign(lower=low, upper=high), colors, label="r")
        return share_of(pixels(png), LIGHT.band, within=2)

    assert shaded(0.2, 0.6) > 1.5 * shaded(0.4, 0.6) > 0
    assert shaded(np.nan, np.nan) < 0.01


def test_without_bounds_nothing_is_drawn_beside():
    assert bounded_pictures(encoded()) == []
    alone = make(1).result
    assert bounds_of(alone) is None
    plain = encoded().result
    assert bounds_of(plain) is None
