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
