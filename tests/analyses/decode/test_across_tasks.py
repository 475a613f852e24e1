"""analyses.decode.across_tasks: what two tasks share is found, in both directions."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.svm import SVC

from bids_dnn.analyses.decode.across_tasks import across_tasks
from bids_dnn.analyses.decode.choices import Choices
from bids_dnn.analyses.decode.sharing import share_patterns
from bids_dnn.containers.roi import Roi
from bids_dnn.containers.space import Grid
from bids_dnn.errors import NotEnoughDataError
from tests.factories.responses import make_patterns

N_UNITS = 20


def choices_of(*comparisons, **other):
    told = {"n_permutations": 99, "seed": 0} | other
    return Choices(comparisons=comparisons or ("pairs",), **told)


def make_task(rng, means, conditions, *, n_runs=3, rois=()):
    made = make_patterns(rng, conditions=conditions, n_runs=n_runs, n_units=N_UNITS, effect=0)
    code = np.searchsorted(conditions, made.samples["condition"].to_numpy(str))
    made = replace(made, values=(made.values + means[code]).astype(np.float32), scale="zscore")
    return share_patterns(made, rois, choices=choices_of())


def make_people(rng, n, *, size, is_shared=True, conditions=("a", "b")):
    """Give each participant patterns of their own, which both tasks have or not."""
    people = {}
    for k in range(1, n + 1):
        means = size * rng.normal(size=(2, len(conditions), N_UNITS))
        people[f"{k:02d}"] = {
            task: make_task(rng, means[0 if is_shared else t], conditions)
            for t, task in enumerate(("loc", "main"))
        }
    return people


def test_what_tasks_share_is_found_in_both_directions(rng):
    found = across_tasks(make_people(rng, 5, size=3.0), choices=choices_of())
    table = found.table
    assert table[["trained_on", "tested_on"]].to_numpy().tolist() == [
        ["loc", "main"],
        ["main", "loc"],
    ]
    assert table["comparison"].tolist() == ["a vs b"] * 2
    assert (table["score"] == 1.0).all()
    assert (table["p"] == 1 / 32).all()
    assert (table["p_corrected"] == 1 / 32).all()
    singles = found.extras["participants"]
    assert len(singles) == 10
    assert (singles["p_floor"] == 1 / 32).all()  # 2 x 3 runs of two patterns, up to the names
    assert (singles["p"] <= 1 / 8).all()
    counts = found.extras["confusion"]
    assert counts["count"].sum() == 60
    assert (counts.loc[counts["truth"] == counts["guess"], "count"] == 15).all()
    assert found.meta["chance"] == {"a vs b": 0.5}


def test_patterns_of_each_task_alone_say_nothing_of_the_other(rng):
    found = across_tasks(make_people(rng, 24, size=3.0, is_shared=False), choices=choices_of())
    scores = found.extras["participants"]["score"].to_numpy()
    assert scores.std() > 0.3  # all runs of a task agree: right or wrong as a whole
    error = scores.std() / np.sqrt(24)
    assert abs(scores.mean() - 0.5) < 3.9 * error
    assert (found.table["p"] > 1e-4).all()


@pytest.mark.slow
def test_p_over_participants_keeps_its_level():
    rng = np.random.default_rng(5)
    p = np.array(
        [
            across_tasks(
                make_people(rng, 4, size=3.0, is_shared=False),
                choices=choices_of(n_permutations=1),
            ).table["p"][0]
            for _ in range(80)
        ]
    )
    for level in (1 / 16, 1 / 4, 1 / 2):
        error = np.sqrt(level * (1 - level) / len(p))
        assert (p <= level + 1e-9).mean() <= level + 3.9 * error


def test_guesses_are_those_of_scikit_learn(rng):
    people = make_people(rng, 2, size=0.35)
    found = across_tasks(people, choices=choices_of()).extras["participants"]
    scores = found.set_index(["participant", "trained_on"])["score"]
    for label, parts in people.items():
        x, y = {}, {}
        for task, one in parts.items():
            values = one.responses.values.astype(np.float64)
            x[task], y[task] = values - values.mean(axis=0), one.responses.samples["condition"]
        for taught, tested in (("loc", "main"), ("main", "loc")):
            model = SVC(kernel="linear", tol=1e-6).fit(x[taught], y[taught])
            np.testing.assert_allclose(
                scores[label, taught], model.score(x[tested], y[tested]), err_msg=label
            )


def test_the_order_of_participants_and_tasks_does_not_matter(rng):
    people = make_people(rng, 3, size=0.5, conditions=("a", "b", "c"))
    turned = {label: dict(reversed(one.items())) for label, one in reversed(people.items())}
    choices = choices_of("pairs", "all")
    one, two = (across_tasks(told, choices=choices) for told in (people, turned))
    assert one.table.equals(two.table)
    assert one.table["comparison"].unique().tolist() == ["a vs b", "a vs c", "b vs c", "all"]
    assert one.table["n_classes"].tolist() == [2] * 6 + [3] * 2


def test_conditions_that_tasks_do_not_share_are_left_out_by_name(rng):
    means = 3 * rng.normal(size=(3, N_UNITS))
    people = {
        label: {
            "loc": make_task(rng, means[:2], ("a", "b")),
            "main": make_task(rng, means, ("a", "b", "c")),
        }
        for label in ("01", "02")
    }
    people["03"] = {"main": make_task(rng, means, ("a", "b", "c"))}
    choices = choices_of("pairs", "a vs c", "a vs b @ session=1", search={"c": (0.1, 1.0)})
    found = across_tasks(people, choices=choices)
    assert found.table["comparison"].unique().tolist() == ["a vs b"]
    assert found.table["missing"].tolist() == ["03", "03"]
    assert found.meta["missing_participants"] == ["03"]
    said = " ".join(found.meta["warnings"])
    assert "'a vs c' is not decoded across the tasks loc and main" in said
    assert "says itself who teaches" in said
    assert "are not searched for" in said


def test_what_cannot_be_decoded_is_refused_with_its_reason(rng):
    means = rng.normal(size=(2, N_UNITS))
    one, other = make_task(rng, means, ("a", "b")), make_task(rng, means, ("b", "c"))
    with pytest.raises(NotEnoughDataError, match=r"loc and main share 1 condition\(s\) \['b'\]"):
        across_tasks({"01": {"loc": one, "main": other}}, choices=choices_of())
    with pytest.raises(NotEnoughDataError, match="Nobody has patterns of both tasks loc and main"):
        across_tasks({"01": {"loc": one}, "02": {"main": one}}, choices=choices_of())
    grid = Grid("T1w", (N_UNITS, 1, 1), 2 * np.eye(4), np.arange(N_UNITS))
    moved = replace(one, responses=replace(one.responses, space=grid))
    with pytest.raises(NotEnoughDataError, match="which are not the same places"):
        across_tasks({"01": {"loc": one, "main": moved}}, choices=choices_of())
    space = Grid("T1w", (N_UNITS, 1, 1), np.eye(4), np.arange(N_UNITS))
    left, right = (
        make_task(rng, means, ("a", "b"), rois=[Roi("V1", space.at(np.array(own)), "mask", 2)])
        for own in ([0, 1], [1, 2])
    )
    with pytest.raises(NotEnoughDataError, match=r"2 units in common \(regions: V1; and V1\)"):
        across_tasks({"01": {"loc": left, "main": right}}, choices=choices_of())


def test_one_participant_is_said(rng):
    found = across_tasks(make_people(rng, 1, size=3.0), choices=choices_of())
    assert (found.table["p"] == 0.5).all()
    assert found.table["ci_low"].isna().all()
    assert "Only sub-01 has a score" in found.meta["warnings"][0]
