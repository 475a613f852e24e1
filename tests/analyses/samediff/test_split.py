"""analyses.samediff.split: exemplars are dealt whole, and leaks are named."""

import pandas as pd
import pytest

from bids_dnn.analyses.samediff.pairs import completed
from bids_dnn.analyses.samediff.split import PARTS, check_split, deal, deal_exemplars
from bids_dnn.errors import ConfigError, LeakageError, MissingInputError, NotEnoughDataError


def exemplars(**n):
    return {f"{category}/{k:02}": category for category, size in n.items() for k in range(size)}


def rows(*told):
    table = pd.DataFrame(told, columns=["first", "second", "split"]).assign(category="x")
    return completed(table)


def test_each_category_gives_its_share_to_each_part():
    of = exemplars(face=20, house=10)
    parts = deal_exemplars(of, validation=0.2, test=0.3, seed=1)
    for category, expected in (("face", [10, 4, 6]), ("house", [4, 3, 3])):
        own = [parts[e] for e in of if of[e] == category]
        assert [own.count(part) for part in PARTS] == expected


def test_the_deal_knows_names_and_seed_not_their_order():
    of = exemplars(face=20, house=10)
    parts = deal_exemplars(of, seed=1)
    assert deal_exemplars(dict(reversed(of.items())), seed=1) == parts
    assert deal_exemplars(of, seed=2) != parts


def test_without_validation_nothing_is_held_for_it():
    parts = deal_exemplars(exemplars(face=6), validation=0, seed=0)
    assert sorted(set(parts.values())) == ["test", "train"]


@pytest.mark.parametrize(("n", "validation"), [(1, 0.2), (8, 0.2), (5, 0.0)])
def test_a_category_with_few_exemplars_is_refused(n, validation):
    with pytest.raises(NotEnoughDataError, match=f"'bike' has {n} exemplars .bike/00.*expected"):
        deal_exemplars(exemplars(bike=n, face=20), validation=validation, seed=0)


@pytest.mark.parametrize(("validation", "test"), [(0.5, 0.5), (0.2, 0.0), (-0.1, 0.2)])
def test_shares_that_leave_nothing_are_refused(validation, test):
    with pytest.raises(ConfigError, match=f"validation is {validation:g} .* test {test:g}"):
        deal_exemplars(exemplars(face=30), validation=validation, test=test, seed=0)


def test_no_exemplar_at_all_is_refused():
    with pytest.raises(NotEnoughDataError, match="no exemplar"):
        deal({}, validation=0.2, test=0.2, seed=[0])


def test_an_honest_split_passes():
    check_split(rows(("a", "a", "train"), ("b", "c", "test"), ("d", "e", "validation")))


def test_copies_of_a_pair_on_both_sides_are_named():
    told = rows(("a", "b", "train"), ("b", "a", "test"), ("c", "c", "train"))
    told = told.assign(augmentation=["plain", "noise", "plain"])
    with pytest.raises(LeakageError, match=r"'test' share 1 pairs .*copies.*: a ~ b"):
        check_split(told)


def test_a_common_exemplar_is_named():
    with pytest.raises(LeakageError, match="'test' share 1 exemplars: b"):
        check_split(rows(("a", "b", "train"), ("c", "b", "test")))


def test_validation_may_not_share_with_either_side():
    with pytest.raises(LeakageError, match="'validation' share 1 exemplars: a"):
        check_split(rows(("a", "a", "train"), ("a", "b", "validation"), ("c", "c", "test")))
    with pytest.raises(LeakageError, match="'test' share 1 exemplars: b"):
        check_split(rows(("a", "a", "train"), ("b", "d", "validation"), ("b", "b", "test")))


def test_other_words_and_lacking_parts_are_refused():
    with pytest.raises(ConfigError, match=r"'tset'.*'test'"):
        check_split(rows(("a", "a", "train"), ("b", "b", "tset")))
    with pytest.raises(NotEnoughDataError, match="'test'"):
        check_split(rows(("a", "a", "train")))
    with pytest.raises(MissingInputError, match="no column split"):
        check_split(rows(("a", "a", "train")).drop(columns="split"))
