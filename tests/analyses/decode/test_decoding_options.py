"""analyses.decode.decoding with its options: folds, classifiers, preparations; levels of p."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import GridSearchCV, LeaveOneGroupOut, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from bids_dnn.analyses.decode.choices import Choices
from bids_dnn.analyses.decode.classifiers.choice import Classifier
from bids_dnn.analyses.decode.decoding import decode
from bids_dnn.analyses.decode.prepare import Preparation
from bids_dnn.errors import ConfigError, LeakageError, NotEnoughDataError
from tests.factories.responses import make_patterns, make_responses

# Classifiers, preparations, folds and balances, each of which must keep the level of p.
WAYS = {
    "svm": {},
    "svm-rbf": {"classifier": Classifier(kind="svm-rbf")},
    "lda": {"classifier": Classifier(kind="lda")},
    "ridge": {"classifier": Classifier(kind="ridge")},
    "logistic": {"classifier": Classifier(kind="logistic")},
    "weights": {"classifier": Classifier(is_weighted=True), "balance": "weights"},
    "subsample": {"balance": "subsample"},
    "average": {"average": 2},
    "standardize": {"preparation": Preparation(is_standardized=True)},
    "blank": {"preparation": Preparation(is_blank=True)},
    "anova": {"preparation": Preparation(anova=3)},
    "whiten": {"preparation": Preparation(is_whitened=True)},
    "pca": {"preparation": Preparation(pca=3)},
    "search": {"search": {"c": (0.01, 1.0)}},
    "stimulus": {"folds": "stimulus", "n_folds": 4},
    "auc": {"metric": "auc"},
    "dprime": {"metric": "dprime"},
}


def choices_of(*, comparisons=("all",), n_permutations=19, seed=0, **other):
    return Choices(comparisons=comparisons, n_permutations=n_permutations, seed=seed, **other)


def noise(rng, *, n_runs=4, n_each=4, n_units=8, effect=0.0):
    """Make patterns in runs that differ in level, of stimuli that each run shows once."""
    made = make_patterns(rng, n_runs=n_runs, n_each=n_each, n_units=n_units, effect=effect)
    samples = made.samples
    place = samples.groupby(["run", "condition"]).cumcount()
    stimulus = samples["condition"] + place.astype(str) + ".png"
    level = rng.normal(size=(n_runs, n_units))[pd.factorize(samples["run"])[0]]
    values = (made.values + level).astype(np.float32)
    return replace(made, values=values, samples=samples.assign(stimulus=stimulus))


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_p_keeps_its_level_under_noise(way):
    rng = np.random.default_rng(len(way))
    p = [
        decode(noise(rng), (), choices=choices_of(seed=k, **WAYS[way])).table["p"][0]
        for k in range(100)
    ]
    for level in (0.05, 0.2, 0.5):
        error = np.sqrt(level * (1 - level) / len(p))
        assert np.mean(np.array(p) <= level + 1e-9) <= level + 3.9 * error


@pytest.mark.parametrize("way", WAYS)
def test_a_planted_effect_is_found(rng, way):
    responses = noise(rng, n_each=6, n_units=30, effect=1.5)
    row = decode(responses, (), choices=choices_of(**WAYS[way])).table.iloc[0]
    assert row["p"] == row["p_floor"] == 1 / 20
    assert row["score"] > row["chance"] + 0.2


def test_a_blank_of_one_sample_each_is_told_and_keeps_the_level():
    rng = np.random.default_rng(5)
    p = []
    for k in range(150):
        responses = noise(rng, n_runs=5, n_each=1)
        how = Preparation(is_blank=True)
        result = decode(responses, (), choices=choices_of(preparation=how, seed=k))
        assert result.table["score"][0] in np.arange(6) / 5  # a run is right or wrong as a whole
        p.append(result.table["p"][0])
    assert result.table["p_floor"][0] == 1 / 16
    assert any("mirror each other ('all')" in text for text in result.meta["warnings"])
    for level in (1 / 16, 0.25, 0.5):
        assert np.mean(np.array(p) <= level) <= level + 3.9 * np.sqrt(level * (1 - level) / 150)


def test_a_pipeline_of_scikit_learn_guesses_the_same(rng):
    responses = replace(noise(rng, effect=0.6, n_units=20), scale="zscore")
    how = Preparation(is_standardized=True)
    made = decode(responses, (), choices=choices_of(preparation=how, n_permutations=1))
    model = make_pipeline(StandardScaler(), SVC(kernel="linear", tol=1e-6))
    truth, runs = (responses.samples[name].to_numpy() for name in ("condition", "run"))
    guess = cross_val_predict(
        model, responses.values.astype(float), truth, groups=runs, cv=LeaveOneGroupOut()
    )
    np.testing.assert_allclose(made.table["score"], np.mean(guess == truth))


def test_inner_folds_choose_the_parameters_that_a_grid_search_chooses(rng):
    responses = replace(noise(rng, effect=0.6, n_units=20), scale="zscore")
    grid = (1e-5, 1e-3, 0.1)
    made = decode(responses, (), choices=choices_of(search={"c": grid}, n_permutations=1))
    found = made.extras["parameters"]
    assert found["parameter"].unique().tolist() == ["c"]
    truth, runs = (responses.samples[name].to_numpy() for name in ("condition", "run"))
    for run, value in zip(found["run"], found["value"], strict=True):
        train = runs != run
        search = GridSearchCV(
            SVC(kernel="linear", tol=1e-6), {"C": grid}, cv=LeaveOneGroupOut(), scoring="accuracy"
        )
        search.fit(responses.values[train].astype(float), truth[train], groups=runs[train])
        assert value == search.best_params_["C"]


def test_a_search_of_two_parameters_tells_both(rng):
    choices = choices_of(
        classifier=Classifier(kind="svm-rbf"),
        search={"c": (0.1, 10.0), "gamma": (0.1, 1.0)},
        n_permutations=2,
    )
    found = decode(noise(rng), (), choices=choices).extras["parameters"]
    assert len(found) == 4 * 2
    assert found.groupby("parameter")["value"].agg(set).map(len).max() <= 2


def test_stimuli_are_left_out_and_exchanged_whole(rng):
    made = decode(noise(rng), (), choices=choices_of(folds="stimulus", n_permutations=100))
    row = made.table.iloc[0]
    assert row["n_runs"] == 8  # stimuli
    assert row["n_permutations"] == 35  # of 8 stimuli, 4 of each side, up to the swap of sides
    assert made.meta["folds"] == "leave one stimulus out"


def test_any_column_of_the_events_makes_folds(rng):
    responses = noise(rng)
    side = np.where(np.arange(len(responses.samples)) % 4 < 2, "left", "right")
    samples = responses.samples.assign(side=side)
    made = decode(replace(responses, samples=samples), (), choices=choices_of(folds="side"))
    assert made.table["n_runs"][0] == 2


@pytest.mark.slow
@pytest.mark.parametrize("n_groups", [2, 8])
def test_p_keeps_its_level_where_folds_cut_runs(n_groups):
    """An exchange leaves each fold with as many samples of each side as it had."""
    rng = np.random.default_rng(n_groups)
    p = []
    for k in range(150):
        made = make_patterns(rng, n_runs=1, n_each=16, n_units=8, effect=0.0)
        side = np.arange(len(made.samples)) // 2 % n_groups
        made = replace(made, samples=made.samples.assign(side=side.astype(str)))
        choices = choices_of(folds="side", seed=k, classifier=Classifier(kind="ridge"))
        p.append(decode(made, (), choices=choices).table["p"][0])
    for level in (0.05, 0.2, 0.5):
        error = np.sqrt(level * (1 - level) / len(p))
        assert np.mean(np.array(p) <= level + 1e-9) <= level + 3.5 * error


def test_runs_of_one_condition_are_exchanged_whole(rng):
    responses = make_responses(
        rng.normal(size=(32, 6)),
        conditions=np.tile(np.repeat(["a", "b"], 4), 4),
        runs=np.repeat(np.arange(8), 4),
    )
    samples = responses.samples.assign(session=np.repeat(["1", "2"], 16))
    made = decode(replace(responses, samples=samples), (), choices=choices_of(folds="session"))
    assert made.table["n_permutations"][0] == 18  # 6 x 6 ways, up to the swap of both sides
    (told,) = [text for text in made.meta["warnings"] if "one side only" in text]
    assert "('all')" in told
    plain = decode(noise(rng), (), choices=choices_of())
    assert not [text for text in plain.meta["warnings"] if "one side only" in text]


def test_a_run_that_was_copied_is_refused(rng):
    made = noise(rng, n_runs=5)
    runs = made.samples["run"].to_numpy()
    first, last = (np.flatnonzero(runs == one) for one in (runs[0], runs[-1]))
    made.values[last[0]] = made.values[first[0]]
    with pytest.raises(LeakageError, match=r"copies of what it tests: .* in run .* and .* in run"):
        decode(made, (), choices=choices_of())


def test_groups_of_runs_are_left_out(rng):
    made = decode(noise(rng, n_runs=6), (), choices=choices_of(n_folds=3))
    assert made.table["n_runs"][0] == 3
    assert made.meta["folds"] == "leave one run out in 3 groups"


def test_every_metric_is_told(rng):
    made = decode(noise(rng, effect=1.0), (), choices=choices_of(metric="auc"))
    told = made.extras["metrics"].set_index("metric")
    assert told.loc["auc", "score"] == made.table["score"][0]
    assert made.table["chance"][0] == 0.5
    assert told.loc["dprime", "chance"] == 0
    assert told["score"].notna().all()


def test_the_bootstrap_of_runs_holds_the_score(rng):
    for metric in ("auto", "auc", "dprime"):
        choices = choices_of(interval="bootstrap", metric=metric, n_permutations=1)
        row = decode(noise(rng, effect=0.5, n_runs=6), (), choices=choices).table.iloc[0]
        assert row["ci_low"] <= row["score"] <= row["ci_high"]
        assert row["ci_low"] < row["ci_high"]


def test_comparisons_share_exchanges_in_the_family_alone(rng):
    responses = make_patterns(rng, conditions=("a", "b", "c"), n_units=20, effect=0.5)
    few = choices_of(comparisons=("pairs",), n_permutations=99)
    table = decode(responses, (), choices=few).table
    assert (table["p_corrected"] >= table["p"]).all()
    assert (table["p_fdr"] >= table["p"]).all()
    alone = decode(responses, (), choices=replace(few, correct=("fdr",))).table
    pd.testing.assert_series_equal(alone["p"], table["p"])
    assert alone["p_corrected"].isna().all()
    blunt = decode(responses, (), choices=replace(few, correct=("max",))).table
    assert blunt["p_fdr"].isna().all()
    pd.testing.assert_series_equal(blunt["p_corrected"], table["p_corrected"])


@pytest.mark.slow
def test_the_family_of_comparisons_keeps_its_level():
    rng = np.random.default_rng(3)
    least = []
    for k in range(80):
        responses = make_patterns(rng, conditions=("a", "b", "c"), n_runs=3, n_units=6, effect=0.0)
        choices = choices_of(comparisons=("pairs",), seed=k)
        least.append(decode(responses, (), choices=choices).table["p_corrected"].min())
    for level in (0.05, 0.2):
        error = np.sqrt(level * (1 - level) / len(least))
        assert np.mean(np.array(least) <= level) <= level + 3.9 * error


@pytest.mark.slow
def test_the_family_keeps_its_level_where_stimuli_are_left_out():
    rng = np.random.default_rng(4)
    least, middle = [], []
    for k in range(60):
        made = make_patterns(
            rng, conditions=tuple("abcd"), n_runs=2, n_each=4, n_units=6, effect=0
        )
        place = made.samples.groupby(["run", "condition"]).cumcount()
        stimulus = made.samples["condition"] + place.astype(str)
        made = replace(made, samples=made.samples.assign(stimulus=stimulus))
        # Folds of up to three stimuli cannot take all four of a condition, which is refused.
        choices = choices_of(
            comparisons=("pairs",), seed=k, folds="stimulus", n_folds=6,
            classifier=Classifier(kind="ridge"),
        )  # fmt: skip
        table = decode(made, (), choices=choices).table
        least.append(table["p_corrected"].min())
        middle.append((table["p_corrected"] > table["p"]).mean())
    assert np.mean(middle) > 0.5  # the family corrects
    for level in (0.05, 0.2):
        error = np.sqrt(level * (1 - level) / len(least))
        assert np.mean(np.array(least) <= level) <= level + 3.5 * error


def test_small_decisions_count(rng):
    responses = noise(rng, effect=2.0, n_units=20)
    for classifier in (Classifier(kind="ridge", alpha=1e6), Classifier(kind="logistic", c=1e-8)):
        made = decode(responses, (), choices=choices_of(classifier=classifier))
        assert made.table["score"][0] > 0.9


def test_auc_needs_folds_that_test_two_sides(rng):
    with pytest.raises(NotEnoughDataError, match="auc compares samples within folds"):
        decode(noise(rng), (), choices=choices_of(folds="stimulus", metric="auc"))


def test_inner_folds_need_a_third_run(rng):
    choices = choices_of(search={"c": (0.1, 1.0)})
    with pytest.raises(NotEnoughDataError, match="chooses parameters in inner folds"):
        decode(noise(rng, n_runs=2), (), choices=choices)


def test_an_even_draw_that_leaves_nothing_is_refused(rng):
    responses = make_responses(
        rng.normal(size=(8, 4)), conditions=list("aabbaabb"), runs=np.repeat(range(4), 2)
    )
    with pytest.raises(NotEnoughDataError, match='balance = "subsample" leaves none'):
        decode(responses, (), choices=choices_of(balance="subsample"))


def test_dprime_of_three_sides_is_refused_and_costs_no_pair(rng):
    responses = make_patterns(rng, conditions=("a", "b", "c"))
    words = "dprime is of two sides, and the comparison 'all' has 3"
    with pytest.raises(NotEnoughDataError, match=words):
        decode(responses, (), choices=choices_of(metric="dprime"))
    both = choices_of(comparisons=("pairs", "all"), metric="dprime")
    made = decode(responses, (), choices=both)
    assert made.table["comparison"].tolist() == ["a vs b", "a vs c", "b vs c"]
    assert any("'all' was not decoded" in one and words in one for one in made.meta["warnings"])


def test_folds_that_lack_a_side_are_named(rng):
    whole = noise(rng)
    keep = ~(
        (whole.samples["run"] == whole.samples["run"].iloc[0])
        & (whole.samples["condition"] == "a")
    )
    samples = whole.samples[keep].reset_index(drop=True)
    part = replace(whole, values=whole.values[keep.to_numpy()], samples=samples)
    words = "left out, no sample of a side is tested"
    told = decode(part, (), choices=choices_of()).meta["warnings"]
    assert sum(words in one for one in told) == 1
    assert not any(
        words in one for one in decode(whole, (), choices=choices_of()).meta["warnings"]
    )
    by_picture = decode(whole, (), choices=choices_of(folds="stimulus"))  # none tests two sides
    assert not any(words in one for one in by_picture.meta["warnings"])


def test_a_column_that_is_not_there_is_refused(rng):
    with pytest.raises(ConfigError, match=r"decode\.folds names 'stimulsu'"):
        decode(noise(rng), (), choices=choices_of(folds="stimulsu"))


def test_samples_without_a_group_are_refused(rng):
    responses = noise(rng)
    samples = responses.samples.assign(stimulus=["", *responses.samples["stimulus"][1:]])
    with pytest.raises(NotEnoughDataError, match="1 of 32 samples have no stimulus"):
        decode(replace(responses, samples=samples), (), choices=choices_of(folds="stimulus"))


def test_folds_within_runs_of_single_trial_estimates_are_refused(rng):
    responses = replace(noise(rng), independence="run")
    with pytest.raises(LeakageError, match="splits samples within runs"):
        decode(responses, (), choices=choices_of(folds="stimulus"))


def test_a_comparison_within_one_run_is_refused(rng):
    responses = make_responses(
        rng.normal(size=(8, 4)), conditions=list("aabbccdd"), runs=[1, 1, 1, 1, 2, 2, 3, 3]
    )
    with pytest.raises(NotEnoughDataError, match="Without run '1' no sample of 'a'"):
        decode(responses, (), choices=choices_of(comparisons=("a vs b",)))


def test_scores_under_exchanged_labels_are_left_for_the_group(rng):
    responses = make_patterns(rng, conditions=("a", "b", "c"), n_runs=3, n_each=1)
    made = decode(responses, (), choices=choices_of(comparisons=("pairs", "all")))
    nulls = made.nulls
    assert nulls.comparison.tolist() == made.table["comparison"].tolist()
    for row, null, is_all in zip(
        made.table.itertuples(), nulls.null, nulls.enumerated, strict=True
    ):
        known = null[np.isfinite(null)]
        assert len(known) == row.n_permutations
        count = (known >= row.score - 1e-6).sum()
        assert row.p == pytest.approx(count / len(known) if is_all else (count + 1) / 20)


def test_sessions_are_scored_where_there_are_several(rng):
    responses = noise(rng, n_runs=4, effect=0.5)
    session = np.where(responses.samples["run"].astype(int) < 2, "1", "2")
    samples = responses.samples.assign(session=session)
    made = decode(replace(responses, samples=samples), (), choices=choices_of())
    table = made.extras["sessions"]
    assert table["session"].tolist() == ["1", "2"]
    np.testing.assert_allclose(table["score"].mean(), made.table["score"][0])
    assert "sessions" not in decode(responses, (), choices=choices_of()).extras


@pytest.mark.parametrize(
    ("folds", "said"),
    [("run", "There are 4 runs for 20 folds.*decode.n_folds.*add runs"),
     ("stimulus", "There are 8 stimuli for 20 folds.*decode.n_folds.*add stimuli")],
)  # fmt: skip
def test_more_folds_than_there_is_to_leave_out_are_refused_by_name(rng, folds, said):
    with pytest.raises(NotEnoughDataError, match=said):
        decode(noise(rng), (), choices=choices_of(folds=folds, n_folds=20))


def test_an_average_of_more_trials_than_there_are_is_told(rng):
    made = noise(rng, n_each=4)
    warned = decode(made, (), choices=choices_of(average=9)).meta["warnings"]
    assert any("decode.average is 9, but in 8 of 8" in text for text in warned)
