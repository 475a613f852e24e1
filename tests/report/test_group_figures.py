"""report.group_figures: what is drawn of prevalence and contrasts, and what is left out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bids_dnn.group.choices import Choices
from bids_dnn.group.stack import stack
from bids_dnn.group.tests import About
from bids_dnn.group.tests import test_group as run
from bids_dnn.report import group_figures
from bids_dnn.report.group_figures import MOST_ROWS, contrast_pictures, prevalence_pictures
from bids_dnn.report.palette import region_colors
from bids_dnn.report.shown import Shown
from tests.factories.results import REGIONS, make_decode, make_encode

LABELS = tuple("abcdefgh")
PEOPLE = {x: {"group": "old" if x < "e" else "young"} for x in LABELS}


def shown_of(analysis="decode", make=make_decode, **choices):
    tables = {x: make(np.random.default_rng(i)).table for i, x in enumerate(LABELS)}
    table, _ = stack(tables, LABELS)
    about = About(people=PEOPLE)
    result = run(table, analysis=analysis, choices=Choices(**choices), about=about)
    return Shown(analysis, result, region_colors(REGIONS))


@pytest.fixture
def panels(monkeypatch):
    seen = []
    monkeypatch.setattr(group_figures, "forest", lambda told, **_: seen.append(told) or b"\x89PNG")
    return seen


def test_prevalence_has_a_panel_for_each_region(panels):
    shown = shown_of(tests=("sign-flip", "prevalence"))
    (picture,) = prevalence_pictures(shown)
    assert picture.name == "decode_prevalence"
    assert "Triangles" not in picture.caption
    assert f"The {MOST_ROWS} clearest of 28 rows" in picture.caption
    drawn = panels[0]
    assert [one.title for one in drawn] == list(REGIONS)
    first = shown.result.table.iloc[0]
    assert drawn[0].rows.iloc[0]["value"] == first["prevalence"]
    assert drawn[0].rows.iloc[0]["low"] == first["prevalence_low"]
    assert drawn[0].rows["name"].tolist()[0] == "body vs face"
    assert drawn[0].color == shown.colors["V1"]
    assert "bound" not in drawn[0].rows


def test_bounds_are_drawn_where_there_are_nulls(panels):
    shown = shown_of(tests=("prevalence",))
    table = shown.result.table.assign(prevalence_bound_corrected=0.4)
    result = replace(
        shown.result,
        table=table,
        columns=shown.result.columns | {"prevalence_bound_corrected": "Bound."},
    )
    (picture,) = prevalence_pictures(replace(shown, result=result))
    assert "Triangles" in picture.caption
    assert (panels[0][0].rows["bound"] == 0.4).all()


def test_contrasts_have_a_panel_each(panels):
    texts = ("region: V1 > noise", "group: old != young")
    (picture,) = contrast_pictures(shown_of(contrasts=texts))
    assert "95 % t intervals" in picture.caption
    within, between = panels[0]
    assert (within.title, between.title) == texts
    assert within.rows["star"].tolist() == ["*"] * 7
    assert within.rows["name"].tolist()[-1] == "all"
    assert between.rows["name"].tolist()[0].startswith("V1 ")
    assert len(within.rows) + len(between.rows) == MOST_ROWS


def test_layers_are_named_in_encoding(panels):
    shown = shown_of("encode", make_encode, contrasts=("layer: features.0 != features.10",))
    contrast_pictures(shown)
    assert panels[0][0].rows["name"].tolist() == ["V1", "LOC", "noise"]  # FFA has no score


def test_nothing_is_drawn_where_nothing_was_asked():
    shown = shown_of()
    assert prevalence_pictures(shown) == []
    assert contrast_pictures(shown) == []
    single = Shown("decode", make_decode(np.random.default_rng(0)), region_colors(REGIONS))
    assert prevalence_pictures(single) == []
