"""analyses.samediff.pairs: balanced, seeded, split by exemplar."""

import pandas as pd
import pytest

from bids_dnn.analyses.samediff.pairs import (
    ORIENTATIONS,
    completed,
    draw_pairs,
    draw_split,
    split_pairs,
    unbalanced,
)
from bids_dnn.analyses.samediff.split import check_split, deal_exemplars
from bids_dnn.errors import ConfigError, MissingInputError, NotEnoughDataError


def exemplars(**n):
    return {f"{category}/{k:02}": category for category, size in n.items() for k in range(size)}


@pytest.fixture
def of():
    return exemplars(bike=18, face=20)


def test_the_table_of_the_seed_project_has_20_pairs_a_category(of):
    pairs = draw_pairs(of, deal_exemplars(of, seed=0), n_same=10, n_different=10, seed=0)
    assert (pairs.groupby(["category", "orientation", "label"]).size() == 10).all()
    assert (pairs["label"].eq("same") == pairs["first"].eq(pairs["second"])).all()
    assert (pairs["first"].map(of) == pairs["second"].map(of)).all()
    assert not pairs.duplicated(["pair", "orientation"]).any()
    shown = pairs.groupby("pair")["orientation"].agg(set)
    assert all(one == set(ORIENTATIONS) for one in shown)
    check_split(pairs)


def test_neither_an_exemplar_nor_its_place_tells_the_label(of):
    pairs = draw_pairs(of, deal_exemplars(of, seed=3), orientations=["normal"], seed=3)
    for _, part in pairs.groupby(["split", "category"]):
        for side in ("first", "second"):
            counts = part.groupby([side, "label"]).size()
            assert (counts == 1).all()
            assert len(counts) == 2 * part[side].nunique()


def test_exemplars_that_one_label_shows_more_often_are_named(of):
    for n in (None, 5):
        assert unbalanced(draw_pairs(of, dict.fromkeys(of, "train"), n_same=n, n_different=n,
                                     seed=0)) == []  # fmt: skip
    hub = pd.DataFrame({"first": list("abxx"), "second": list("abyz"), "category": "c"})
    assert unbalanced(completed(hub)) == ["a", "b", "x", "y", "z"]
    twice = pd.DataFrame({"first": list("aabb"), "second": list("aabc"), "category": "c"})
    assert unbalanced(completed(twice)) == ["a", "c"]  # the copy of a pair counts once


def test_smaller_rings_are_balanced_too(of):
    pairs = draw_pairs(of, dict.fromkeys(of, "train"), n_same=5, n_different=5, seed=0)
    for _, part in pairs.groupby("category"):
        for side in ("first", "second"):
            told = part.groupby("label")[side].agg(set)
            assert told["same"] == told["different"]


@pytest.mark.parametrize("n", [6, 7])
def test_all_pairs_that_differ_can_be_drawn(n):
    of = exemplars(face=n)
    most = n * (n - 1) // 2
    parts = dict.fromkeys(of, "train")
    pairs = draw_pairs(of, parts, n_different=most, orientations=["normal"], seed=0)
    assert pairs.loc[pairs["label"] == "different", "pair"].nunique() == most
    with pytest.raises(NotEnoughDataError, match=rf"{most + 1} pairs.*'face'.*make {most}"):
        draw_pairs(of, parts, n_different=most + 1, seed=0)


def test_same_seed_same_table_another_seed_another(of):
    parts = deal_exemplars(of, seed=0)
    first, again, other = (draw_pairs(of, parts, seed=seed) for seed in (0, 0, 1))
    pd.testing.assert_frame_equal(first, again)
    assert not first.equals(other)
    assert sorted(first.columns) == sorted(other.columns)


@pytest.mark.parametrize("n", [4, 5, 17])
def test_pairs_are_dealt_onto_parts_as_exemplars_are(of, n):
    parts = deal_exemplars(of, seed=0)
    pairs = draw_pairs(of, parts, n_same=n, n_different=n, orientations=["inverted"], seed=0)
    assert (pairs.groupby(["category", "label"]).size() == n).all()
    assert pairs.groupby(["category", "label", "split"]).ngroups == 2 * 2 * 3


def test_what_cannot_be_drawn_is_refused(of):
    parts = deal_exemplars(of, seed=0)
    with pytest.raises(NotEnoughDataError, match=r"n_same of 'bike' is 2, fewer than the 3"):
        draw_pairs(of, parts, n_same=2, seed=0)
    with pytest.raises(NotEnoughDataError, match="same exemplar of 'bike'"):
        draw_pairs(of, parts, n_same=40, seed=0)
    with pytest.raises(ConfigError, match="'upright'"):
        draw_pairs(of, parts, orientations=["upright"], seed=0)
    with pytest.raises(ConfigError, match="No orientation"):
        draw_pairs(of, parts, orientations=[], seed=0)
    few = parts | {name: "train" for name in of if name not in ("face/00", "face/01")}
    few |= {"face/00": "test", "face/01": "test", "bike/00": "test"}
    with pytest.raises(NotEnoughDataError, match="'bike' has 1 exemplars in test; three"):
        draw_pairs(of, few, seed=0)


def test_a_given_table_is_split_by_exemplar_and_loses_few(of, rng):
    table = draw_pairs(of, dict.fromkeys(of, "train"), seed=0).drop(columns="split")
    kept, left_out = draw_split(table, validation=0.2, test=0.2, seed=0)
    check_split(kept)
    assert len(kept) + len(left_out) == len(table)
    assert left_out["label"].eq("different").all()  # a pair of the same is never cut
    assert kept.groupby(["category", "label", "split"]).ngroups == 2 * 2 * 3
    fewer, _ = draw_split(table, validation=0.2, test=0.2, seed=0, n_tries=50)
    assert len(fewer) <= len(kept)
    again, _ = draw_split(table, validation=0.2, test=0.2, seed=0)
    pd.testing.assert_frame_equal(kept, again)


def test_a_table_that_no_deal_can_split_is_refused():
    of = exemplars(face=9)
    ring = draw_pairs(of, dict.fromkeys(of, "train"), n_different=1, seed=0)
    with pytest.raises(NotEnoughDataError, match=r"20 pairs.*200 tries"):
        draw_split(ring, validation=0.2, test=0.2, seed=0)


def test_pairs_across_are_left_out():
    table = completed(pd.DataFrame({"first": list("aab"), "second": list("abb"), "category": "x"}))
    kept, left_out = split_pairs(table, {"a": "train", "b": "test"})
    assert kept["pair"].tolist() == ["a ~ a", "b ~ b"]
    assert left_out["pair"].tolist() == ["a ~ b"]


def test_a_label_that_contradicts_is_refused():
    table = pd.DataFrame({"first": ["a", "a"], "second": ["a", "b"], "category": "x"})
    with pytest.raises(ConfigError, match=r"1 pairs.*'a' and 'b'.*'same'"):
        completed(table.assign(label=["same", "same"]))
    with pytest.raises(MissingInputError, match="without category"):
        completed(table[["first", "second"]])
    with pytest.raises(ConfigError, match="'sideways'"):
        completed(table.assign(orientation="sideways"))
