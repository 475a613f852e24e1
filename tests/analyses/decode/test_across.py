"""analyses.decode.across: patterns common to participants are found, their own are not."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.model_selection import LeaveOneGroupOut, cross_val_predict
from sklearn.svm import SVC

from bids_dnn.analyses.decode.across import across_participants
from bids_dnn.analyses.decode.choices import Choices
from bids_dnn.analyses.decode.classifiers.choice import Classifier
from bids_dnn.analyses.decode.decoding import decode
from bids_dnn.analyses.decode.sharing import share_patterns, stack_patterns
from bids_dnn.containers.roi import Roi
from bids_dnn.containers.space import Grid
from bids_dnn.errors import ConfigError, NotEnoughDataError, SpaceError
from tests.factories.responses import make_patterns

N_UNITS = 24


def choices_of(*comparisons, n_permutations=99, **other):
    return Choices(
        comparisons=comparisons or ("pairs",), n_permutations=n_permutations, seed=0, **other
    )


FAST = choices_of(n_permutations=20, classifier=Classifier(kind="ridge"))


def make_person(
    rng, common, *, own=0.0, conditions=("a", "b"), n_runs=3, rois=(), texts=("pairs",)
):
    """Leave patterns that hold `common` (n_conditions, n_units), own ones, and noise."""
    made = make_patterns(rng, conditions=conditions, n_runs=n_runs, n_units=N_UNITS, effect=0)
    code = np.searchsorted(conditions, made.samples["condition"].to_numpy(str))
    means = common + own * rng.normal(size=(len(conditions), N_UNITS))
    made = replace(made, values=(made.values + means[code]).astype(np.float32))
    return share_patterns(made, rois, choices=choices_of(*texts))


def make_people(rng, n, *, size=0.0, own=0.0, conditions=("a", "b"), **other):
    common = size * rng.normal(size=(len(conditions), N_UNITS))
    return {
        f"{k:02d}": make_person(rng, common, own=own, conditions=conditions, **other)
        for k in range(1, n + 1)
    }


def test_a_common_pattern_is_found_in_all_who_are_left_out(rng):
    found = across_participants(make_people(rng, 5, size=3.0), choices=choices_of())
    row = found.table.iloc[0]
    assert row["score"] == 1.0
    assert row["p"] == row["p_floor"] == 1 / 16  # 2^5 exchanges, up to the names of both
    assert row["n_participants"] == 5
    assert (found.extras["participants"]["score"] == 1.0).all()
    assert found.extras["participants"]["participant"].tolist() == ["01", "02", "03", "04", "05"]
    counts = found.extras["confusion"].set_index(["truth", "guess"])["count"]
    assert counts.to_dict() == {("a", "a"): 15, ("a", "b"): 0, ("b", "a"): 0, ("b", "b"): 15}
    assert found.meta["participants"] == ["01", "02", "03", "04", "05"]


def test_patterns_of_ones_own_say_nothing_of_others(rng):
    """Each is told apart within, and over many groups the mean is chance."""
    scores = []
    for _ in range(25):
        people = make_people(rng, 4, own=3.0, n_runs=2)
        scores.append(across_participants(people, choices=FAST).table["score"][0])
    error = np.std(scores, ddof=1) / np.sqrt(len(scores))
    assert abs(np.mean(scores) - 0.5) < 3.9 * error + 1e-9


@pytest.mark.slow
def test_p_keeps_its_level_where_participants_have_patterns_of_their_own():
    """All runs of a participant agree, which an exchange within runs would not know of."""
    rng = np.random.default_rng(11)
    p = np.array(
        [
            across_participants(make_people(rng, 4, own=3.0, n_runs=2), choices=FAST).table["p"][0]
            for _ in range(120)
        ]
    )
    assert p.min() >= 1 / 8
    for level in (1 / 8, 1 / 4, 1 / 2):
        error = np.sqrt(level * (1 - level) / len(p))
        assert (p <= level + 1e-9).mean() <= level + 3.9 * error


@pytest.mark.parametrize("is_standardized", [False, True])
def test_guesses_are_those_of_scikit_learn(rng, is_standardized):
    people = {
        label: replace(one, responses=replace(one.responses, scale="zscore"))  # C as it stands
        for label, one in make_people(rng, 4, size=0.4, own=0.5).items()
    }
    found = across_participants(people, choices=choices_of(), is_standardized=is_standardized)
    x, y, groups = [], [], []
    for label, one in people.items():
        values = one.responses.values.astype(np.float64)
        values = values - values.mean(axis=0)
        x.append(values / values.std(axis=0) if is_standardized else values)
        y += one.responses.samples["condition"].tolist()
        groups += [label] * len(values)
    model = SVC(kernel="linear", tol=1e-6)
    guess = cross_val_predict(model, np.vstack(x), y, groups=groups, cv=LeaveOneGroupOut())
    right = guess == np.array(y)
    by_person = [right[np.array(groups) == label].mean() for label in people]
    assert 0.5 < right.mean() < 1
    np.testing.assert_allclose(found.table["score"][0], right.mean())
    np.testing.assert_allclose(found.extras["participants"]["score"], by_person)


def test_who_is_left_out_teaches_nothing(rng):
    """Other patterns of one's first run leave the guesses of one's other runs as they were."""
    people = make_people(rng, 4, size=0.3, n_runs=8)
    made, rois = stack_patterns(people, {"all": np.arange(N_UNITS)}, column="participant")
    is_first = (made.samples["run"] == "03 0").to_numpy()
    values = made.values.copy()
    values[is_first] = 50 * rng.normal(size=(2, N_UNITS))
    choices = choices_of(n_permutations=1, folds="participant", apart="run")
    before, after = (
        decode(one, rois, choices=choices).extras["sessions"].set_index("session")["score"]
        for one in (made, replace(made, values=values))
    )
    kept = [f"03 {run}" for run in range(1, 8)]
    assert before[kept].nunique() > 1
    np.testing.assert_array_equal(before[kept], after[kept])
    others = [name for name in before.index if name[:2] != "03"]
    assert (before[others] != after[others]).any()  # whom those patterns teach


def test_the_order_of_participants_does_not_matter(rng):
    people = make_people(rng, 4, size=0.4, conditions=("a", "b", "c"))
    turned = dict(reversed(people.items()))
    choices = choices_of("pairs", "all")
    one, two = (across_participants(told, choices=choices) for told in (people, turned))
    assert one.table.equals(two.table)
    assert one.extras["participants"].equals(two.extras["participants"])
    assert (one.table["p_corrected"] >= one.table["p"]).all()


def test_z_scores_do_without_the_unit_of_responses(rng):
    people = make_people(rng, 4, size=0.5)
    louder = {
        label: replace(
            one,
            responses=replace(
                one.responses, values=one.responses.values * (1 + 9 * (label == "02"))
            ),
        )
        for label, one in people.items()
    }
    one, two = (
        across_participants(told, choices=choices_of(), is_standardized=True).table["score"][0]
        for told in (people, louder)
    )
    assert one == two


def test_units_are_those_that_all_have(rng):
    space = Grid("T1w", (N_UNITS, 1, 1), np.eye(4), np.arange(N_UNITS))
    common = 3 * rng.normal(size=(2, N_UNITS))
    people = {}
    for k in range(3):
        rois = [
            Roi("V1", space.at(np.arange(k, 12)), "mask", 12),
            Roi(f"own{k}", space.at(np.array([20])), "mask", 1),
            Roi("LOC", space.at(np.array([14 + k])), "mask", 1),
        ]
        people[f"0{k}"] = make_person(rng, common, rois=rois)
    found = across_participants(people, choices=choices_of())
    assert found.table["region"].tolist() == ["V1"]
    assert found.table[["n_units", "n_units_most"]].to_numpy().tolist() == [[10, 12]]
    said = " ".join(found.meta["warnings"])
    assert "LOC: 0 unit(s) are common to sub-00, sub-01, sub-02, and 2 are needed." in said
    assert "own1 is without sub-00, sub-02, who did not leave it." in said


def test_who_lacks_a_condition_is_named_and_left_out_of_its_comparisons(rng):
    common = 3 * rng.normal(size=(3, N_UNITS))
    names = ("a", "b", "c")
    people = {f"0{k}": make_person(rng, common, conditions=names) for k in range(3)}
    people["03"] = make_person(rng, common[:2], conditions=names[:2])
    found = across_participants(people, choices=choices_of("pairs", "all"))
    table = found.table.set_index("comparison")
    assert table.index.tolist() == ["a vs b", "a vs c", "b vs c", "all"]
    assert table["n_participants"].tolist() == [4, 3, 3, 3]
    assert table["missing"].tolist() == ["", "03", "03", "03"]
    assert any("'a vs c' is without sub-03, who lacks" in text for text in found.meta["warnings"])
    assert (table["p_corrected"] >= 2 * table["p_floor"] - 1e-9).all()  # of two sets of rows


def test_sides_of_several_conditions_and_columns_go_through(rng):
    texts = ("x:a+b vs y:c+d", "a vs b @ session=1 -> @ session=2")
    people = {}
    common = 3 * rng.normal(size=(4, N_UNITS))
    for k in range(3):
        made = make_patterns(rng, conditions=tuple("abcd"), n_runs=4, n_units=N_UNITS, effect=0)
        code = np.searchsorted(list("abcd"), made.samples["condition"].to_numpy(str))
        session = np.where(
            made.samples["run"].isin(sorted(set(made.samples["run"]))[:2]), "1", "2"
        )
        made = replace(
            made,
            values=(made.values + common[code]).astype(np.float32),
            samples=made.samples.assign(session=session),
        )
        people[f"0{k}"] = share_patterns(made, (), choices=choices_of(*texts))
    found = across_participants(people, choices=choices_of(*texts))
    table = found.table.set_index("comparison")
    assert table.index.tolist() == ["x vs y", texts[1]]
    assert (table["score"] == 1.0).all()
    assert table["n_samples"].tolist() == [48, 12]


def make_crossed(rng, common, n, *, own=0.0):
    """Leave conditions a to d; c and d differ as a and b do, in all and in each alike."""
    people = {}
    for k in range(n):
        made = make_patterns(rng, conditions=tuple("abcd"), n_runs=2, n_units=N_UNITS, effect=0)
        means = common + own * rng.normal(size=(2, N_UNITS))
        code = np.searchsorted(list("abcd"), made.samples["condition"].to_numpy(str)) % 2
        made = replace(made, values=(made.values + means[code]).astype(np.float32))
        people[f"0{k}"] = share_patterns(made, (), choices=choices_of())
    return people


def test_what_conditions_share_is_found_across_them_and_participants(rng):
    people = make_crossed(rng, 3 * rng.normal(size=(2, N_UNITS)), 4)
    found = across_participants(people, choices=choices_of("a vs b -> c vs d", "a vs b -> d vs c"))
    table = found.table.set_index("comparison")
    assert table["score"].tolist() == [1.0, 0.0]
    assert table["p"].tolist() == [1 / 8, 1.0]  # both halves of a participant turn together
    assert table["n_samples"].tolist() == [16, 16]
    assert found.meta["chance"] == dict.fromkeys(table.index, 0.5)
    assert set(found.extras["confusion"]["comparison"]) == set(table.index)
    assert found.extras["confusion"]["truth"].tolist() == ["a", "a", "b", "b"] * 2


@pytest.mark.slow
def test_p_of_crossed_comparisons_keeps_its_level_under_patterns_of_ones_own():
    rng = np.random.default_rng(3)
    choices = replace(FAST, comparisons=("a vs b -> c vs d",))
    groups = (make_crossed(rng, np.zeros((2, N_UNITS)), 2, own=3.0) for _ in range(120))
    p = np.array([across_participants(one, choices=choices).table["p"][0] for one in groups])
    for level in (1 / 4, 1 / 2):
        error = np.sqrt(level * (1 - level) / len(p))
        assert (p <= level + 1e-9).mean() <= level + 3.9 * error


def test_uneven_numbers_of_patterns_are_said(rng):
    people = make_people(rng, 3, size=3.0)
    rows = np.arange(len(people["02"].responses.values)) > 0
    people["02"] = replace(people["02"], responses=people["02"].responses.select(rows))
    found = across_participants(people, choices=choices_of())
    assert any("in sub-02, so that" in text for text in found.meta["warnings"])
    assert found.table["metric"][0] == "balanced_accuracy"


def test_what_cannot_be_decoded_is_refused_with_its_reason(rng):
    people = make_people(rng, 3)
    with pytest.raises(NotEnoughDataError, match=r"1 participant\(s\) have patterns, and 2 are"):
        across_participants({"01": people["01"]}, choices=choices_of())
    with pytest.raises(ConfigError, match="names the condition 'cat', which no sample has"):
        across_participants(people, choices=choices_of("a vs cat"))
    with pytest.raises(NotEnoughDataError, match="'a vs b @ run=1 -> @ run=2' names runs"):
        across_participants(people, choices=choices_of("a vs b @ run=1 -> @ run=2"))
    pair = {label: people[label] for label in ("01", "02")}
    with pytest.raises(NotEnoughDataError, match="inner folds"):
        across_participants(pair, choices=choices_of(search={"c": (0.1, 1.0)}))


def test_another_grid_is_named_and_left_out(rng):
    people = make_people(rng, 3, size=3.0)
    made = people["02"].responses
    moved = Grid("T1w", (N_UNITS, 1, 1), 2 * np.eye(4), np.arange(N_UNITS))
    people["02"] = replace(people["02"], responses=replace(made, space=moved))
    found = across_participants(people, choices=choices_of())
    assert found.meta["participants"] == ["01", "03"]
    assert found.table["missing"][0] == "02"
    assert "sub-02 is left out" in found.meta["warnings"][0]
    with pytest.raises(SpaceError, match="of participant '02' lie on"):
        stack_patterns(people, {"all": np.arange(4)}, column="participant")
