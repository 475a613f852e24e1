"""analyses.decode.comparisons: the words of the user, and refusals."""

import pytest

from bids_dnn.analyses.decode.comparisons import parse
from bids_dnn.errors import ConfigError, NotEnoughDataError

FOUR = ["male", "female", "bike", "car"]


def test_pairs_are_all_pairs_in_sorted_order():
    found = parse(["pairs"], ["c", "a", "b"])
    assert [one.name for one in found] == ["a vs b", "a vs c", "b vs c"]
    assert found[0].sides == (("a", ("a",)), ("b", ("b",)))


def test_all_has_a_side_for_each_condition():
    (found,) = parse(["all"], FOUR)
    assert found.name == "all"
    assert found.labels == ("bike", "car", "female", "male")


@pytest.mark.parametrize(
    "text", ["face:female+male vs vehicle:bike+car", " vehicle: car + bike  vs  face:male+female"]
)
def test_named_unions(text):
    (found,) = parse([text], FOUR)
    assert found.name == "face vs vehicle"
    assert found.side_of == {"female": 0, "male": 0, "bike": 1, "car": 1}


def test_three_sides():
    (found,) = parse(["male vs bike+car vs female"], FOUR)
    assert found.name == "bike+car vs female vs male"


def test_the_order_typed_does_not_matter():
    assert parse(["male vs car"], FOUR) == parse(["car vs male"], FOUR)


def test_a_condition_may_hold_a_plus_or_a_colon():
    (found,) = parse(["a+b vs c:d"], ["a+b", "c:d", "e"])
    assert found.sides == (("a+b", ("a+b",)), ("c:d", ("c:d",)))


def test_what_is_asked_twice_is_tested_once():
    assert [one.name for one in parse(["pairs", "all", "b vs a"], ["a", "b"])] == ["a vs b"]
    twice = ["x:a vs y:b", "v:a vs w:b"]
    assert [one.name for one in parse(twice, ["a", "b"])] == ["x vs y"]


def test_a_name_that_is_typed_is_kept_beside_all_pairs():
    found = [one.name for one in parse(["pairs", "people:b vs things:a"], ["a", "b", "c"])]
    assert found == ["people vs things", "a vs c", "b vs c"]
    again = ["pairs", "x:a vs y:b", "a vs b", "v:a vs w:b"]
    assert [one.name for one in parse(again, ["a", "b"])] == ["x vs y"]


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("femal vs male", r"'femal'.*Did you mean 'female'"),
        ("pair", r"'pair' has one side.*Did you mean 'pairs'"),
        ("x:male+car vs female+car", r"the condition 'car' twice"),
        ("x:male vs x:female", r"the side 'x' twice"),
    ],
)
def test_what_does_not_exist_is_refused(text, match):
    with pytest.raises(ConfigError, match=match):
        parse([text], FOUR)


def test_two_comparisons_of_one_name_are_refused():
    with pytest.raises(ConfigError, match="one name, 'x vs y'"):
        parse(["x:male vs y:car", "x:female vs y:bike"], FOUR)


def test_one_condition_is_refused():
    with pytest.raises(NotEnoughDataError, match=r"1 condition\(s\) \['a'\]"):
        parse(["all"], ["a", "a"])


def test_pairs_of_single_pictures_are_refused():
    names = [f"picture{i}" for i in range(201)]
    for asked in ("pairs", "all"):
        with pytest.raises(NotEnoughDataError, match="201 conditions, most likely one for each"):
            parse([asked], names)
    assert len(parse(["picture1 vs picture2"], names)) == 1
    assert len(parse(["pairs"], names[:200])) == 19_900


def test_an_arrow_pairs_the_sides_that_teach_with_those_that_are_tested():
    (made,) = parse(["a vs b -> d vs c"], "abcd")
    assert made.side_of == {"a": 0, "b": 1}
    assert made.tested_side_of == {"d": 0, "c": 1}
    assert made.is_crossed
    assert made.labels == ("a", "b")


def test_samples_are_told_by_columns():
    (made,) = parse(["x:a+c vs b @ side=left, day=1 -> @ side=right"], "abc")
    assert made.side_of == made.tested_side_of == {"a": 0, "c": 0, "b": 1}
    assert made.taught_where == (("day", "1"), ("side", "left"))
    assert made.tested_where == (("side", "right"),)
    assert made.columns == ["day", "side"]


def test_without_an_arrow_some_samples_teach_and_are_tested():
    (made,) = parse(["a vs b @ side=left"], "ab")
    assert made.taught_where == made.tested_where == (("side", "left"),)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a vs b -> c", "has one side"),
        ("a vs b -> a vs b vs c", "has 2 side\\(s\\) before the arrow and 3"),
        ("a vs b -> b vs a", "has 'a' on side 1 before the arrow and on side 2"),
        ("a vs b -> c vs d -> a vs b", "has 2 arrows"),
        ("a vs b @ left", "says 'left' of samples"),
        ("a vs b -> c vs e", "names the condition 'e'"),
    ],
)
def test_a_crossed_comparison_that_cannot_be_is_refused(text, words):
    with pytest.raises(ConfigError, match=words):
        parse([text], "abcd")


def test_conditions_may_hold_arrows_and_signs():
    assert parse(["a->b vs x @ y"], ["a->b", "x @ y"])[0].sides == (
        ("a->b", ("a->b",)),
        ("x @ y", ("x @ y",)),
    )
