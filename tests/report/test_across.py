"""report.across: what the section and the methods text say of decoding across data."""

import numpy as np
import pandas as pd
import pytest

from bids_dnn.analyses.decode.across import COLUMNS as OVER_PARTICIPANTS
from bids_dnn.analyses.decode.across_tasks import COLUMNS as OVER_TASKS
from bids_dnn.containers.result import Result
from bids_dnn.report.across import across_answer, across_numbers, across_section, across_text
from bids_dnn.report.methods import sentences
from bids_dnn.report.page import GroupReport, render_group
from bids_dnn.report.palette import region_colors
from bids_dnn.report.shown import Shown

PEOPLE = ("01", "02", "03")
SETTINGS = {"across": "participants", "patterns": "center", "decode": {"c": 2.0}}


def make_result(kind="participants", *, score=(0.9, 0.5), p=(0.01, 0.8), floor=0.01):
    directions = [("loc", "main"), ("main", "loc")] if kind == "tasks" else [("", "")]
    rows = [
        {
            "region": region,
            "comparison": "a vs b",
            "trained_on": one,
            "tested_on": other,
            "n_classes": 2,
            "metric": "accuracy",
            "score": score[k],
            "chance": 0.5,
            "ci_low": score[k] - 0.1,
            "ci_high": min(1.0, score[k] + 0.1),
            "p": p[k],
            "p_floor": floor,
            "p_corrected": p[k],
            "p_fdr": p[k],
            "n_permutations": 99,
            "n_participants": 3,
            "n_samples": 24,
            "n_units": 40,
            "n_units_most": 50,
            "missing": "",
        }
        for k, region in enumerate(("V1", "V4"))
        for one, other in directions
    ]
    columns = OVER_TASKS if kind == "tasks" else OVER_PARTICIPANTS
    table = pd.DataFrame(rows)[list(columns)]
    keys = [name for name in ("region", "comparison", "trained_on", "tested_on") if name in table]
    single = pd.concat(
        [table[[*keys, "score", "chance"]].assign(participant=label) for label in PEOPLE],
        ignore_index=True,
    )
    confusion = pd.concat(
        [
            table[keys].assign(truth=truth, guess=guess, count=6)
            for truth in "ab"
            for guess in "ab"
        ],
        ignore_index=True,
    )
    return Result(
        "across",
        table,
        columns,
        meta={"across": kind, "participants": list(PEOPLE), "level": "group"},
        extras={"participants": single, "confusion": confusion},
    )


def shown_of(result, **settings):
    return Shown(
        "across",
        result,
        region_colors(["V1", "V4"]),
        "x.tsv",
        settings=SETTINGS | {"across": result.meta["across"]} | settings,
    )


def test_the_answer_counts_rows_and_names_the_best():
    answer = across_answer(make_result().table)
    assert answer == (
        "Rows above chance (corrected p < 0.05): 1 of 1 in V1, 0 of 1 in V4. Best: a vs b in V1, "
        "accuracy 0.90 (chance 0.50)."
    )
    weak = across_answer(make_result("tasks", floor=0.25).table)
    assert weak.startswith("No p can fall below 0.25 here")
    assert "a vs b (loc to main) in V1" in weak
    assert across_answer(make_result(score=(np.nan, np.nan)).table).startswith("No score")


def test_the_number_says_what_it_is_of():
    number = across_numbers(shown_of(make_result(p=(0.2, 0.8))))[0]
    assert number.value == "0.90"
    assert number.label == "accuracy for a vs b in V1, the best across participants"
    assert number.detail == "chance 0.50, not significant (corrected)"
    assert across_numbers(shown_of(make_result(score=(np.nan, np.nan)))) == []


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("participants", ["across", "across_confusion"]),
        ("tasks", ["across_1", "across_2", "across_confusion"]),
    ],
)
def test_the_section_draws_scores_and_confusion(undrawn, kind, names):
    section = across_section(shown_of(make_result(kind)))
    assert [one.name for one in section.pictures] == names
    assert section.title == f"Decoding across {kind}"
    assert section.tables[0].link == "x.tsv"
    assert len(section.tables) == 2
    assert "Classifier: a linear support vector machine (C = 2)." in section.how
    assert "[" not in section.how
    if kind == "tasks":
        assert section.pictures[1].caption.startswith("Learnt on main, tested on loc. Dots")
        assert "summed over directions" in section.pictures[2].caption


def test_dots_are_the_participants_and_chance_is_dashed(drawn):
    across_section(shown_of(make_result()))
    axes = drawn[0].axes[0]
    assert axes.get_title(loc="left") == "V1"
    assert len(axes.collections[0].get_offsets()) == len(PEOPLE)


def test_several_comparisons_without_all_have_no_matrix(undrawn):
    made = make_result()
    made.extras["confusion"].loc[0, "comparison"] = "a vs c"
    assert [one.name for one in across_section(shown_of(made)).pictures] == ["across"]


def test_the_methods_text_says_what_ran():
    text = across_text(SETTINGS)
    assert "leaving one run out" not in text
    assert "a linear support vector machine (C = 2) [@chang2011; @pedregosa2011] learnt" in text
    assert "maximum statistic [@westfall1993] and by the false discovery rate" in text
    other = {"across": "tasks", "patterns": "zscore", "decode": {"correct": ["fdr"]}}
    tasks = across_text(other)
    assert "z-scored over the patterns of each task" in tasks
    assert "largest t" not in tasks
    boot = across_text(SETTINGS | {"decode": {"interval": "bootstrap", "permutations": 50}})
    assert "bootstrap intervals over participants" in boot
    assert "(50 times" in boot
    assert len(sentences({"across": other})) == 2


def test_the_page_of_a_group_holds_the_section(undrawn, tmp_path):
    data = GroupReport(
        {"across": make_result("tasks")},
        {"across": SETTINGS | {"across": "tasks"}},
        participants=PEOPLE,
        task="loc+main",
        space="T1w",
    )
    page = render_group(data, tmp_path)
    assert "Decoding across tasks in 2 regions of 3 participants" in page
    assert 'id="across"' in page
    assert (tmp_path / "task-loc+main_space-T1w_across_1.png").is_file()
