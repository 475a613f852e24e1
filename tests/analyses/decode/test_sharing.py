"""analyses.decode.sharing: means of a condition and run, and stacks on common units."""

from dataclasses import replace

import numpy as np
import pytest

from bids_dnn.analyses.decode.choices import Choices
from bids_dnn.analyses.decode.comparisons import parse
from bids_dnn.analyses.decode.sharing import (
    common_places,
    comparison_text,
    halves,
    has_all,
    share_patterns,
    stack_patterns,
)
from bids_dnn.errors import ConfigError, ShapeError
from tests.factories.responses import make_patterns, make_roi


def choices_of(*comparisons):
    return Choices(comparisons=comparisons or ("pairs",), n_permutations=1, seed=0)


def test_patterns_are_means_of_a_condition_and_run(rng):
    made = make_patterns(rng, n_runs=3, n_each=4, n_units=10)
    trial = np.arange(len(made.values)) // 2  # blocks of two volumes
    made = replace(made, samples=made.samples.assign(trial=trial))
    rois = [make_roi("V1", made, [2, 5]), make_roi("LOC", made, [5, 7, 9])]
    shared = share_patterns(made, rois, choices=choices_of())
    found = shared.responses
    assert found.values.dtype == np.float32
    assert found.values.shape == (6, 4)
    assert found.space.index.tolist() == [2, 5, 7, 9]
    assert shared.places("LOC").tolist() == [5, 7, 9]
    for row, own in zip(found.values, found.samples.to_dict("records"), strict=True):
        rows = (made.samples["condition"] == own["condition"]) & (
            made.samples["run"] == own["run"]
        )
        np.testing.assert_allclose(row, made.values[rows][:, [2, 5, 7, 9]].mean(0), rtol=1e-5)
    assert (found.samples["stimulus"] == "").all()


def test_columns_that_comparisons_name_are_kept_apart(rng):
    made = make_patterns(rng, n_runs=2, n_each=4)
    side = np.tile(["left", "right"], len(made.values) // 2)
    made = replace(made, samples=made.samples.assign(side=side, speed=1.0))
    text = "a vs b @ side=left -> @ side=right"
    shared = share_patterns(made, (), choices=choices_of(text))
    assert len(shared.responses.values) == 8
    assert "speed" not in shared.responses.samples
    crossed = parse([text], ["a", "b"])[0]
    assert has_all(shared, crossed)
    kept = shared.responses.select((shared.responses.samples["side"] == "left").to_numpy())
    assert not has_all(replace(shared, responses=kept), crossed)
    plain = share_patterns(made, (), choices=choices_of())
    assert not has_all(plain, crossed)  # without the column
    half = share_patterns(made, (), choices=choices_of("a vs b @ side=up", "a vs b"))
    assert sorted(set(half.responses.samples["side"])) == ["left", "right"]  # others have up
    with pytest.raises(ConfigError, match="names 'tint', which is no column"):
        share_patterns(made, (), choices=choices_of("a vs b @ tint=red"))


def test_stacks_are_centered_on_the_units_of_all(rng):
    one = make_patterns(rng, conditions=("a", "b", "c"), n_runs=2, n_units=8)
    two = make_patterns(rng, conditions=("a", "b"), n_runs=3, n_units=8)
    two = two.units(np.array([7, 6, 5, 3, 2]))  # in another order
    parts = {
        name: share_patterns(m, (), choices=choices_of())
        for name, m in zip("xy", (one, two), strict=True)
    }
    places = common_places(list(parts.values()), "all")
    assert places.tolist() == [2, 3, 5, 6, 7]
    made, rois = stack_patterns(parts, {"all": places}, column="who", is_standardized=True)
    assert made.scale == "zscore"
    assert len(rois[0].space) == 5
    assert made.samples["who"].tolist() == ["x"] * 4 + ["y"] * 6
    assert made.samples["run"].iloc[[0, -1]].tolist() == ["x 0", "y 2"]
    assert set(made.samples["condition"]) == {"a", "b"}
    for who in "xy":
        own = made.values[(made.samples["who"] == who).to_numpy()]
        np.testing.assert_allclose(own.mean(axis=0), 0, atol=1e-6)
        np.testing.assert_allclose(own.std(axis=0), 1, rtol=1e-5)
    raw = parts["y"].responses
    column = raw.values[:, raw.space.index.tolist().index(3)]
    own = made.values[4:, 1]
    np.testing.assert_allclose(own, (column - column.mean()) / column.std(), rtol=1e-4)
    with pytest.raises(ShapeError, match="'y' lacks 1 of 2 units"):
        stack_patterns(parts, {"all": np.array([0, 2])}, column="who")


def test_halves_stand_below_each_other_with_sides_as_conditions(rng):
    made = make_patterns(rng, conditions=tuple("abc"), n_runs=2, n_each=1)
    made = replace(made, samples=made.samples.assign(side=["l", "r"] * 3))
    crossed = parse(["x:a vs y:b @ side=l -> a vs c"], list("abc"))[0]
    found, text = halves(made, crossed)
    assert text == "x vs y @ half=taught -> @ half=tested"
    told = found.samples[["run", "condition", "half"]].to_numpy().tolist()
    assert told == [
        ["0", "x", "taught"],
        ["1", "y", "taught"],
        ["0", "x", "tested"],
        ["0", "y", "tested"],
        ["1", "x", "tested"],
        ["1", "y", "tested"],
    ]
    np.testing.assert_array_equal(found.values, made.values[[0, 4, 0, 2, 3, 5]])


def test_units_that_do_not_vary_are_zero(rng):
    made = make_patterns(rng, n_runs=2, n_units=4)
    values = made.values.copy()
    values[:, 1] = 0.1
    part = share_patterns(replace(made, values=values), (), choices=choices_of())
    stacked, _ = stack_patterns(
        {"x": part}, {"all": np.arange(4)}, column="who", is_standardized=True
    )
    assert (stacked.values[:, 1] == 0).all()


@pytest.mark.parametrize(
    "text",
    [
        "a vs b",
        "x:a+b vs y:c",
        "a+b vs c",
        "all",
        "a vs b -> b vs c @ run=1".replace("b vs c", "c vs d"),
    ],
)
def test_comparisons_are_spelled_so_that_they_are_read_again(text):
    known = list("abcd")
    first = parse([text], known)[0]
    assert parse([comparison_text(first)], known)[0] == first
