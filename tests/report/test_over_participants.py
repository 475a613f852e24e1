"""report.over_participants: what is said follows what was tested."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bids_dnn.group.choices import Choices
from bids_dnn.group.maps import group_maps
from bids_dnn.group.stack import stack
from bids_dnn.group.tests import About
from bids_dnn.group.tests import test_group as run
from bids_dnn.report import methods, over_participants, scores
from bids_dnn.report.encoding import encoding
from bids_dnn.report.over_participants import (
    contrast_answer,
    contrast_tables,
    group_how,
    group_text,
    made_of,
    significant_pictures,
)
from bids_dnn.report.palette import region_colors
from bids_dnn.report.shown import Shown, main_rows
from tests.factories.results import REGIONS, make_decode, make_encode, make_space

LABELS = tuple("abcdefgh")
PEOPLE = {x: {"group": "old" if x < "e" else "young", "age": str(i)} for i, x in enumerate(LABELS)}


def shown_of(*, n=8, analysis="decode", make=make_decode, **choices):
    tables = {x: make(np.random.default_rng(i)).table for i, x in enumerate(LABELS[:n])}
    table, _ = stack(tables, LABELS[:n])
    about = About(people=PEOPLE)
    result = run(table, analysis=analysis, choices=Choices(**choices), about=about)
    return Shown(analysis, result, region_colors(REGIONS))


@pytest.mark.parametrize(
    ("told", "words", "not_words"),
    [
        ({}, ["flipping signs", "and by t tests", "(of flips)", "false discovery"], ["revalence"]),
        ({"correct": "max"}, ["family-wise error", "largest t"], ["false discovery"]),
        ({"correct": "tfce"}, ["family-wise error", "largest t"], ["false discovery"]),
        ({"correct": "none"}, ["nothing was corrected"], ["control"]),
        ({"tests": ("wilcoxon",)}, ["signed ranks", "(of signed ranks)"], ["flipping"]),
        ({"tests": ("sign-flip", "prevalence")}, ["prevalence of an effect"], ["t tests"]),
        ({"covariates": ("age",)}, ["at the mean of age"], ["ontrasts"]),
        ({"contrasts": ("region: V1 > noise",)}, ["Contrasts within"], ["covariates were"]),
    ],
)
def test_the_words_are_of_what_was_tested(told, words, not_words):
    shown = shown_of(**told)
    text = group_how(shown, less="its chance level")
    paragraph = group_text({"tests": ["sign-flip", "t"], "correct": "fdr"} | told)
    assert "[@" not in text
    assert text.startswith("Each score less its chance level was tested one-sided")
    for said in (text, paragraph):
        assert all(word in said for word in words), said
        assert not any(word in said for word in not_words), said
    keys = methods.cited([paragraph])
    assert [work.key for work in methods.references(keys)] == keys


def test_prevalence_alone_tests_no_mean():
    text = group_text({"tests": ["prevalence"], "correct": "fdr"})
    assert "one-sided" not in text
    assert "Corrected" not in text
    assert "@allefeld2016" in text


def test_contrasts_are_counted_and_stand_in_a_table():
    shown = shown_of(contrasts=("region: V1 > noise", "group: old > young"))
    (table,) = contrast_tables(shown)
    rows = shown.result.extras["contrasts"]
    assert len(table.rows) == len(rows) == 7 + 28
    assert "region: V1 > noise: 7 of 7; group: old > young: 0 of 28." in table.caption
    assert dict(table.heads)["difference"].startswith("Mean of the first less the second")
    section = scores.decoding(shown)
    assert table.caption in [one.caption for one in section.tables]
    assert contrast_tables(shown_of()) == []


def test_contrasts_that_cannot_be_significant_say_so():
    rows = shown_of(n=3, contrasts=("region: V1 > noise",)).result.extras["contrasts"]
    assert "0 of 7 (no p can fall below 0.125)" in contrast_answer(rows)


def test_overlap_is_drawn_beside_means_where_there_are_group_maps(undrawn):
    space = make_space(name="MNI152NLin2009cAsym")
    results = {}
    for i, label in enumerate(LABELS[:4]):
        made = make_encode(np.random.default_rng(i), space=space)
        q = [replace(one, stat="q") for one in made.maps[:5]]
        results[label] = replace(made, maps=(*made.maps, *q))
    table, _ = stack({name: made.table for name, made in results.items()}, ())
    over = group_maps(results, choices=Choices())
    result = replace(run(table, analysis="encode"), maps=over.maps, space=over.space)
    shown = Shown("encode", result, region_colors(REGIONS))
    pictures = encoding(shown).pictures
    start = [one.name for one in pictures].index("encode_maps")
    assert [one.name for one in pictures[start + 1 : start + 3]] == [
        "encode_found", "encode_overlap",
    ]  # fmt: skip
    assert "Mean r where q (false discovery rate) is below 0.05" in pictures[start + 1].caption
    assert "In how many participants q is below 0.05" in pictures[start + 2].caption
    bare = replace(result, maps=tuple(m for m in over.maps if m.stat != "overlap"))
    assert "encode_overlap" not in [
        one.name for one in encoding(replace(shown, result=bare)).pictures
    ]


@pytest.mark.parametrize("correct", ["none", "tfce"])
def test_where_means_are_significant_is_drawn(monkeypatch, undrawn, correct):
    seen = []
    monkeypatch.setattr(
        over_participants, "found_pictures", lambda *args, **how: seen.append((args[1], how))
    )
    space = make_space(name="MNI152NLin2009cAsym")
    results = {x: make_encode(np.random.default_rng(i), space=space)
               for i, x in enumerate(LABELS[:6])}  # fmt: skip
    over = group_maps(results, choices=Choices(correct=correct, n_flips=19))
    result = replace(shown_of(analysis="encode", make=make_encode).result, maps=over.maps,
                     space=over.space)  # fmt: skip
    best = [("one", over.maps[0])]
    significant_pictures(Shown("encode", result, {}), best)
    ((((title, values),), how),) = seen
    p = next(m.values for m in over.maps if m.stat in ("p", "ptfce"))
    assert title == "one"
    np.testing.assert_array_equal(np.isfinite(values), p < 0.05)
    np.testing.assert_allclose(values[p < 0.05], over.maps[0].values[p < 0.05])
    assert {"none": "p (not corrected)", "tfce": "enhanced t)"}[correct] in how["what"]


def test_the_largest_provable_prevalence_is_said():
    shown = shown_of(tests=("sign-flip", "prevalence"))
    shown.result.table["prevalence_largest"] = 0.735
    assert "prevalence of 0.73 at most" in group_how(shown)
    shown.result.table["prevalence_largest"] = np.nan
    assert "can prove no prevalence" in group_how(shown)


def test_what_was_left_out_is_not_told():
    asked = {"tests": ("sign-flip", "mixed", "prevalence"), "contrasts": ("layer: a > b",)}
    shown = shown_of(**asked)
    assert any("mixed model was left out" in text for text in shown.result.meta["warnings"])
    made = sorted(made_of([shown.result.table]))
    for said in (group_how(shown), group_text(asked | {"made": made})):
        assert "flipping signs" in said
        assert "prevalence of an effect" in said
        assert not any(word in said for word in ("mixed model", "minimum statistic", "Contrasts"))
    whole = group_text(asked | {"made": [*made, "mean_mixed", "p_global", "difference"]})
    assert whole == group_text(asked)
    assert all(word in whole for word in ("mixed model", "minimum statistic", "Contrasts"))
    assert "prevalence of" not in group_text(asked | {"made": ["score"]})


@pytest.mark.parametrize(("analysis", "make"), [("decode", make_decode), ("encode", make_encode)])
def test_dots_are_of_who_is_in_the_mean(analysis, make, monkeypatch):
    monkeypatch.setitem(PEOPLE, "c", {"group": "old", "age": "n/a"})
    bare = shown_of(analysis=analysis, make=make)
    aged = shown_of(analysis=analysis, make=make, covariates=("age",), tests=("t", "prevalence"))
    assert set(bare.points["participant"]) == set(LABELS)
    assert set(aged.points["participant"]) == set(LABELS) - {"c"}
    by = ["region", "comparison"] if analysis == "decode" else ["region", "network", "layer"]
    mean = aged.points.groupby(by)["score"].mean()
    rows = main_rows(aged.result.table).set_index(by)["score"].dropna()
    np.testing.assert_allclose(mean.reindex(rows.index), rows)
    told = "Prevalence is of all with a score, also of those without a covariate."
    assert told in group_how(aged)
    assert told not in group_how(bare)


def test_counts_are_shown_as_whole_numbers():
    shown = shown_of(
        tests=("t", "prevalence"), contrasts=("region: V1 > noise", "group: old > young")
    )
    tables = scores.decoding(shown).tables
    for label in ("able", "significant", "first"):
        (cells,) = (
            [row[[head for head, _ in table.heads].index(label)].text for row in table.rows]
            for table in tables
            if label in dict(table.heads)
        )
        assert all(text == "n/a" or text.isdigit() for text in cells), label
        assert any(text.isdigit() for text in cells), label


def test_what_p_of_contrasts_are_over_is_that_of_tables_or_maps():
    told = {"contrasts": ["group: old != young"], "correct": "tfce"}
    assert "over the rows of each contrast" in group_text(told)
    table = ["contrast", "difference"]
    assert "over the rows of each contrast" in group_text(told | {"made": table})
    lights = ["contrastmap", "difference"]
    assert "over the units of each contrast" in group_text(told | {"made": lights})
    both = group_text(told | {"made": [*table, *lights]})
    assert "over the rows of a table, or the units of a map, of each contrast" in both
    assert "cluster-enhanced" not in both
    assert "cluster-enhanced" in group_text(told | {"made": ["ptfce"]})
