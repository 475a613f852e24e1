"""analyses.samediff.tables: scores by part, confusion, greatest losses."""

import numpy as np
import pandas as pd
import pytest

from bids_dnn.analyses.samediff.pairs import LABELS, completed
from bids_dnn.analyses.samediff.tables import (
    confusion_table,
    judged_table,
    score_table,
    top_losses,
)
from bids_dnn.analyses.samediff.training import Judged


@pytest.fixture
def judged():
    table = pd.DataFrame(
        {"first": list("aabbcc"), "second": list("aaccbd"), "category": "x", "split": "test"}
    )
    table["orientation"] = ["normal", "inverted"] * 3
    evidence = np.array([1.0, -1.0, -2.0, 3.0, -1.0, 0.0])
    loss = np.array([0.1, 2.0, 0.1, 9.0, 0.3, 2.0])
    said = Judged((evidence > 0).astype(np.intp), evidence, loss)
    return judged_table(completed(table), said, LABELS)


def test_known_scores(judged):
    row = score_table(judged, seed=0).iloc[0]
    assert row["orientation"] == "both"
    assert row["category"] == "x"  # the only one: there is no row of all
    assert row["accuracy"] == pytest.approx(4 / 6)
    assert row["balanced_accuracy"] == pytest.approx((1 / 2 + 3 / 4) / 2)
    assert (row["n_pairs"], row["n_shown"]) == (3, 6)
    # a ~ a, b ~ c and c ~ d: labels can be exchanged in three ways.
    assert row["p_floor"] == pytest.approx(1 / 3)


def test_an_answer_of_no_evidence_is_different(judged):
    assert (
        judged["guess"].tolist() == ["same", "different", "different", "same"] + ["different"] * 2
    )


def test_confusion(judged):
    table = confusion_table(judged).set_index(["orientation", "truth", "guess"])["count"]
    assert table["normal"].tolist() == [2, 0, 0, 1]
    assert table["inverted"].tolist() == [1, 1, 1, 0]


def test_greatest_losses_come_first_and_equal_ones_keep_their_order(judged):
    top = top_losses(judged, 3)
    assert top["loss"].tolist() == [9.0, 2.0, 2.0]
    assert top["pair"].tolist() == ["b ~ c", "a ~ a", "c ~ d"]
    assert top["rank"].tolist() == [1, 2, 3]
