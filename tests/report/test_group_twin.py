"""report.group_twin: what is said and drawn of networks beside the regions of a group."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bids_dnn.group.choices import Choices
from bids_dnn.group.tests import About
from bids_dnn.group.twin import group_twin
from bids_dnn.report.group_twin import (
    group_twin_answer,
    group_twin_numbers,
    group_twin_section,
    group_twin_text,
)
from bids_dnn.report.methods import cited, references, sentences
from bids_dnn.report.page import render_group
from bids_dnn.report.palette import region_colors
from bids_dnn.report.shown import Shown
from bids_dnn.report.twin import patterns_of
from tests.factories.reports import make_group
from tests.factories.twins import make_people

CONV1 = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
NETS = {("conv1", np.inf): CONV1, ("conv1", 2.0): CONV1[::-1], ("conv2", np.inf): CONV1[::-1]}


def make(n=6, *, alike=0.001, people=None, **choices):
    """Let V1 be conv1 (all alike but for noise of `alike`), and V4 nothing."""
    rng = np.random.default_rng(0)
    v1 = np.clip(np.array(CONV1) - alike * rng.uniform(size=(n, 6)), 0, 1)
    results = make_people({"V1": v1, "V4": rng.uniform(0.4, 0.6, size=(n, 6))}, NETS)
    about = About(expected=[*results], people=people or {})
    made = group_twin(results, choices=Choices(**choices), about=about)
    return Shown("twin", made, region_colors(["V1", "V4"]), "group/x.tsv")


def test_the_answer_names_a_layer_where_both_p_allow_it():
    shown = make()
    answer = group_twin_answer(shown.result)
    row = shown.result.table.query("region == 'V1' and best").iloc[0]
    assert answer.startswith(
        "Nearest by rank over comparisons: V1: conv1 of net without noise (mean rho 1.00, where "
        "participants agree by 1.00 to 1.00; over participants p = "
        f"{row['p_participants']:.2g}, under exchanges of conditions p = "
        f"{row['p_conditions']:.2g})"
    )
    assert "No layer can be named for V4 (nearest: " in answer
    (number,) = group_twin_numbers(shown)
    assert number.value == "rho = 1.00"
    assert number.label == "mean rho of V1 and conv1 of net, its nearest layer"
    assert "under exchanges of conditions" in number.detail


def test_where_nothing_is_named_the_reason_is_said():
    few = make(3)
    answer = group_twin_answer(few.result)
    assert answer.startswith("With so few, p over participants cannot fall below 0.125. ")
    assert "No layer can be named for V1 (nearest: conv1" in answer
    assert group_twin_numbers(few) == []
    table = few.result.table
    single = replace(few.result, table=table.assign(exchanged="comparisons"))
    assert "under exchanges of comparisons p = " in group_twin_answer(single)
    none = replace(few.result, table=table.assign(best=False, n_comparisons=3))
    assert group_twin_answer(none) == "Nobody can tell: 3 comparisons make no rank correlation."
    flat = group_twin_answer(replace(none, table=none.table.assign(n_comparisons=6)))
    assert flat.endswith("the scores of regions, or of layers, do not vary over comparisons.")


def test_a_region_without_rho_is_named_beside_the_others():
    people = make_people({"V1": np.tile(CONV1, (6, 1)), "V2": np.full((6, 6), 0.5)}, NETS)
    made = group_twin(people, choices=Choices(), about=About(expected=[*people]))
    answer = group_twin_answer(made)
    assert answer.startswith("Nearest by rank over comparisons: V1: conv1 of net")
    assert answer.endswith(
        " V2: the scores of regions, or of layers, do not vary over comparisons."
    )


def test_levels_of_few_digits_stand_beside_their_regions(undrawn):
    nets = {("conv1", 1 / 3): CONV1, ("conv2", 1.0): CONV1[::-1]}
    people = make_people({"V1": np.tile(CONV1, (6, 1)) - 0.01 * np.arange(6)[:, None]}, nets)
    made = group_twin(people, choices=Choices(), about=About(expected=[*people]))
    section = group_twin_section(Shown("twin", made, region_colors(["V1"])))
    assert "conv1 of net signal-to-noise 0.333333 (mean rho" in section.answer
    assert len(patterns_of(made)) == 6


def test_the_title_has_the_larger_of_two_p_and_dots_are_of_those_in_the_mean(drawn):
    told = {f"{k:02}": {"age": str(20 + k % 3) if k > 1 else "n/a"} for k in range(1, 7)}
    shown = make(covariates=("age",), people=told)
    table = shown.result.table
    p = table.assign(
        p_participants=0.02, p_conditions=np.where(table["region"] == "V1", 0.3, 0.01)
    )
    group_twin_section(replace(shown, result=replace(shown.result, table=p)))
    titles = [axes.get_title(loc="left") for one in drawn for axes in one.axes]
    assert any(text.startswith("V1") and text.endswith("p = 0.3)") for text in titles)
    assert any(text.startswith("V4") and text.endswith("p = 0.02)") for text in titles)
    lines = next(one.axes[0] for one in drawn if one.axes[0].get_xlabel() == "Spearman's rho")
    assert len(lines.collections[0].get_offsets()) == 2 * 5
    drawn.clear()
    group_twin_section(
        replace(shown, result=replace(shown.result, table=p.assign(p_conditions=np.nan)))
    )
    titles = [axes.get_title(loc="left") for one in drawn for axes in one.axes]
    assert any(text.startswith("V1") and text.endswith("p = n/a)") for text in titles)


def test_the_section_has_pictures_tables_and_says_what_each_p_is_of(undrawn):
    shown = make(contrasts=("region: V1 > V4",))
    section = group_twin_section(shown)
    assert [one.name for one in section.pictures] == [
        "twin_noise", "twin_patterns", "twin_nearest", "twin_rho", "twin_contrasts",
    ]  # fmt: skip
    assert [len(one.rows) for one in section.tables] == [6, 18, 12, 3]
    assert section.tables[0].link == "group/x.tsv"
    assert "rho is the mean of 6 participants" in section.how
    assert "under exchanges of conditions between region and network" in section.how
    floors = "p_participants cannot fall below 0.016. p_conditions cannot fall below 0.042. The"
    assert floors in section.how
    assert section.pictures[-1].caption.startswith("Differences of mean rho.")
    assert "[@" not in section.how
    bars = section.pictures[0].caption
    assert "lowest to the highest end of participants' own intervals" in bars


def test_without_rho_only_what_is_decoded_is_drawn(undrawn):
    shown = make()
    table = shown.result.table.assign(rho=np.nan, best=False, is_named=False)
    section = group_twin_section(replace(shown, result=replace(shown.result, table=table)))
    assert [one.name for one in section.pictures] == ["twin_noise"]


def test_methods_cite_what_was_done():
    told = {"twin": {}, "group": {"tests": ["sign-flip"], "correct": "fdr"}}
    (paragraph,) = [text for text in sentences(told) if group_twin_text() in text]
    assert paragraph.startswith("Over participants")
    assert references(cited([paragraph]))
    assert not any(group_twin_text() in text for text in sentences({"group": told["group"]}))


@pytest.mark.slow
def test_the_page_of_the_group_holds_the_section(undrawn, tmp_path):
    data = make_group()
    page = render_group(replace(data, results={"twin": make().result}), tmp_path)
    assert 'id="twin"' in page
    assert "Networks in 2 regions of" in page
    assert "V1: conv1 of net without noise" in page
    assert (tmp_path / "twin_nearest.png").is_file()
