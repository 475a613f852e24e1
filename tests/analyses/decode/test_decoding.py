"""analyses.decode.decoding: planted effects, noise, scikit-learn, refusals."""

from dataclasses import replace
from itertools import product

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import LeaveOneGroupOut, cross_val_predict
from sklearn.svm import SVC

from bids_dnn.analyses.decode.choices import Choices
from bids_dnn.analyses.decode.classifiers.choice import Classifier
from bids_dnn.analyses.decode.decoding import decode
from bids_dnn.errors import ConfigError, NotEnoughDataError
from tests.factories.responses import make_patterns, make_responses, make_roi


def run(responses, rois=(), *, comparisons=("pairs", "all"), n_permutations=20, seed=0, c=1.0):
    how = Classifier(c=c)
    choices = Choices(
        comparisons=comparisons, classifier=how, n_permutations=n_permutations, seed=seed
    )
    return decode(responses, rois, choices=choices)


@pytest.fixture
def planted(rng):
    """Three conditions in the first 20 units, noise in the last 20."""
    responses = make_patterns(rng, conditions=("a", "b", "c"), n_units=40, effect=0.8)
    values = responses.values.copy()
    values[:, 20:] = rng.normal(size=(len(values), 20))
    responses = replace(responses, values=values)
    rois = [make_roi("signal", responses, range(20)), make_roi("noise", responses, range(20, 40))]
    return responses, rois


def test_a_planted_effect_is_found_and_noise_is_not(planted):
    table = run(*planted, n_permutations=200).table.set_index(["region", "comparison"])
    assert (table.loc["signal", "p_corrected"] < 0.05).all()
    assert (table.loc["noise", "p_corrected"] > 0.05).all()
    assert table.loc[("signal", "all"), "chance"] == 1 / 3
    assert (table.loc["signal", "ci_low"] > table.loc["signal", "chance"]).all()
    assert (table["p_corrected"] >= table["p"]).all()
    assert (table["p"] >= table["p_floor"]).all()


def test_scores_and_confusion_are_those_of_scikit_learn(planted):
    responses, rois = planted
    responses = replace(responses, scale="zscore")  # the cost is taken as it is
    result = run(responses, rois, comparisons=("all",), n_permutations=1)
    assert result.meta["c_unit"] == "1"
    truth = responses.samples["condition"].to_numpy()
    for name, units in (("signal", slice(20)), ("noise", slice(20, 40))):
        guess = cross_val_predict(
            SVC(kernel="linear"),
            responses.values[:, units].astype(np.float64),
            truth,
            groups=responses.samples["run"],
            cv=LeaveOneGroupOut(),
        )
        row = result.table.set_index("region").loc[name]
        np.testing.assert_allclose(row["score"], np.mean(guess == truth))
        confusion = result.extras["confusion"]
        found = confusion[confusion["region"] == name].pivot(
            index="truth", columns="guess", values="count"
        )
        pd.testing.assert_frame_equal(
            found, pd.crosstab(truth, guess), check_names=False, check_dtype=False
        )


@pytest.mark.parametrize("scale", ["psc", "beta"])
def test_the_unit_of_responses_does_not_matter(planted, scale):
    responses, rois = planted
    responses = replace(responses, scale=scale)
    louder = replace(responses, values=20 * responses.values)
    once, again = run(responses, rois), run(louder, rois)
    pd.testing.assert_frame_equal(again.table, once.table)
    pd.testing.assert_frame_equal(again.extras["confusion"], once.extras["confusion"])
    assert "centered training Gram matrix" in once.meta["c_unit"]


def assert_level(p, level, *, ties=0.0):
    """Bound the share of p up to `level` on both sides; ties of accuracies push p up."""
    error = np.sqrt(level * (1 - level) / len(p))
    assert -3.5 * error - ties < np.mean(np.array(p) <= level + 1e-9) - level < 3.5 * error


def test_p_is_uniform_under_noise(rng):
    p = []
    for k in range(200):
        responses = make_patterns(rng, n_runs=3, n_each=8, n_units=6, effect=0.0)
        p.append(run(responses, comparisons=("all",), n_permutations=19, seed=k).table["p"][0])
    assert_level(p, 0.2, ties=0.04)


@pytest.mark.parametrize("n_runs", [3, 8])
def test_the_interval_holds_chance_under_noise(rng, n_runs):
    inside = []
    for k in range(150):
        responses = make_patterns(rng, n_runs=n_runs, n_each=4, n_units=20, effect=0.0)
        row = run(responses, comparisons=("all",), n_permutations=1, seed=k).table.iloc[0]
        inside.append(row["ci_low"] <= row["chance"] <= row["ci_high"])
    assert np.mean(inside) >= 0.9 - np.sqrt(0.9 * 0.1 / len(inside))


def make_blocks(rng, *, memory, n_runs=4, n_volumes=5, n_units=40):
    """Make blocks of two conditions in noise that lasts over volumes, without an effect."""
    parts = []
    for run_id in range(n_runs):
        noise = rng.normal(size=(4, n_volumes, n_units))
        for t in range(1, n_volumes):
            noise[:, t] = memory * noise[:, t - 1] + np.sqrt(1 - memory**2) * noise[:, t]
        parts.append((noise.reshape(-1, n_units), rng.permutation(list("aabb")), run_id))
    responses = make_responses(
        np.concatenate([noise for noise, _, _ in parts]),
        conditions=np.concatenate([np.repeat(order, n_volumes) for _, order, _ in parts]),
        runs=np.repeat([run_id for *_, run_id in parts], 4 * n_volumes),
    )
    trial = np.tile(np.repeat(np.arange(4), n_volumes), n_runs)
    return replace(responses, samples=responses.samples.assign(trial=trial))


def test_p_is_uniform_where_noise_lasts_over_the_volumes_of_a_block(rng):
    p = []
    for k in range(120):  # volumes exchanged one by one: 0.31 and 0.41 instead
        responses = make_blocks(rng, memory=0.95)
        p.append(run(responses, comparisons=("all",), n_permutations=19, seed=k).table["p"][0])
    assert_level(p, 0.05)
    assert_level(p, 0.2, ties=0.04)


def test_labelings_are_counted_over_trials(rng):
    responses = make_blocks(rng, memory=0.5, n_runs=3, n_volumes=2)
    row = run(responses, comparisons=("all",), n_permutations=1000).table.iloc[0]
    assert row["n_permutations"] == 6**3 / 2
    assert row["p_floor"] == 2 / 6**3
    assert row["n_samples"] == 24


def test_the_same_seed_gives_the_same_table(planted):
    once, again = run(*planted, seed=3), run(*planted, seed=3)
    pd.testing.assert_frame_equal(once.table, again.table)
    assert not once.table["p"].equals(run(*planted, seed=4).table["p"])


def test_a_comparison_does_not_depend_on_the_others(planted):
    columns = ["region", "comparison", "score", "ci_low", "ci_high", "p"]
    whole = run(*planted).table[columns]
    alone = run(*planted, comparisons=("c vs a",)).table[columns]
    part = whole[whole["comparison"] == "a vs c"].reset_index(drop=True)
    pd.testing.assert_frame_equal(part, alone)


def test_few_labelings_are_enumerated_and_their_floor_is_told(rng):
    responses = make_patterns(rng, n_runs=4, n_each=1, effect=5.0)
    result = run(responses, n_permutations=1000)
    row = result.table.iloc[0]
    assert (row["n_permutations"], row["p_floor"], row["p"]) == (8, 1 / 8, 1 / 8)
    assert row["p_corrected"] >= 1 / 8
    assert result.meta["enumerated"] == ["a vs b"]
    assert any("8 distinct labelings" in line for line in result.meta["warnings"])


def test_few_permutations_are_told_once_and_not_taken_for_few_labelings(planted):
    warnings = run(*planted, n_permutations=5).meta["warnings"]
    told = [line for line in warnings if "cannot fall" in line]
    assert told == [
        "Only 5 permutations were drawn: p cannot fall below 0.167 "
        "('a vs b', 'a vs c', 'b vs c' ...)."
    ]


def test_sides_of_other_sizes_are_scored_balanced(planted):
    responses, rois = planted
    result = run(responses, rois, comparisons=("x:a+b vs c", "a vs b"))
    assert result.table["metric"].tolist() == ["balanced_accuracy", "accuracy"] * 2
    assert result.table["chance"].tolist() == [0.5] * 4
    counts = result.extras["confusion"].query("region == 'signal' and comparison == 'c vs x'")
    right = counts[counts["truth"] == counts["guess"]].set_index("truth")["count"]
    of = counts.groupby("truth")["count"].sum()
    np.testing.assert_allclose(result.table["score"][0], (right / of).mean())


def test_two_runs_have_no_interval(rng):
    table = run(make_patterns(rng, n_runs=2)).table
    assert table[["ci_low", "ci_high"]].isna().all(axis=None)


def test_a_condition_may_be_missing_in_a_run(planted):
    responses, rois = planted
    samples = responses.samples
    keep = ~((samples["condition"] == "c") & (samples["run"] == "0")).to_numpy()
    table = run(responses.select(keep), rois).table.set_index(["region", "comparison"])
    assert table.loc[("signal", "all"), "n_samples"] == keep.sum()
    assert table.loc[("signal", "all"), "metric"] == "balanced_accuracy"


def test_samples_without_condition_and_units_without_values_are_left_out(planted):
    responses, rois = planted
    values, samples = responses.values.copy(), responses.samples.copy()
    values[0, 3] = np.nan
    samples.loc[:1, "condition"] = ""
    result = run(replace(responses, values=values, samples=samples), rois)
    assert result.meta["units_left_out"] == {"signal": 1, "noise": 0}
    assert result.meta["samples_without_condition"] == 2
    assert result.meta["conditions"] == ["a", "b", "c"]
    assert result.table["n_units"].tolist() == [19] * 4 + [20] * 4


def test_stimuli_of_several_runs_are_told(rng):
    responses = make_patterns(rng, n_each=1)
    samples = responses.samples.assign(stimulus=["x.png", "y.png"] + ["x.png", ""] * 4)
    result = run(replace(responses, samples=samples))
    assert result.meta["warnings"][0].startswith("1 of 2 stimuli occur")


def test_progress_names_each_comparison(planted):
    told = []
    choices = Choices(comparisons=("all", "a vs b"), n_permutations=1, seed=0)
    decode(*planted, choices=choices, progress=told.append)
    assert told == [
        f"decode {name} in {region.name} ({k} of 4)"
        for k, (region, name) in enumerate(product(planted[1], ("all", "a vs b")), start=1)
    ]


def test_one_run_is_refused(rng):
    with pytest.raises(NotEnoughDataError, match="one run"):
        run(make_patterns(rng, n_runs=1))


def test_a_comparison_that_cannot_be_made_costs_no_other(rng):
    responses = make_responses(
        rng.normal(size=(13, 4)),
        conditions=list("abcab" + "abab" + "abab"),
        runs=[1] * 5 + [2] * 4 + [3] * 4,
    )
    made = run(responses, comparisons=("pairs", "all", "a vs d"))
    assert made.table["comparison"].tolist() == ["a vs b"]
    alone = run(responses, comparisons=("a vs b",))
    assert made.table["score"].item() == alone.table["score"].item()
    told = "\n".join(made.meta["warnings"])
    for name in ("a vs c", "b vs c", "all"):
        assert f"{name!r} was not decoded. Without run '1' no sample of 'c' is left" in told
    assert "'a vs d' was not decoded. The comparison 'a vs d' names the condition 'd'" in told


def test_conditions_that_runs_do_not_share_are_told_apart_by_exchanging_runs(rng):
    signal = rng.normal(size=12)
    labels = np.repeat(np.tile([0, 1], 5), 4)
    runs = np.repeat(np.arange(10), 4)
    for effect, low, high in ((1.0, 0, 0.011), (0.0, 0.011, 1)):
        values = effect * np.outer(labels, signal) + rng.normal(size=(40, 12))
        values += 0.5 * rng.normal(size=(10, 12))[runs]
        made = run(
            make_responses(values, conditions=np.array(["a", "b"])[labels], runs=runs),
            comparisons=("a vs b",),
            n_permutations=200,
        )
        assert made.table["n_permutations"].item() == 126  # 10 over 5, up to the swap of both
        assert low <= made.table["p"].item() <= high
        assert any("Whole runs are exchanged for p" in one for one in made.meta["warnings"])


def test_a_condition_of_one_run_is_refused(rng):
    responses = make_responses(
        rng.normal(size=(6, 4)), conditions=list("abcabb"), runs=[1, 1, 1, 2, 2, 2]
    )
    with pytest.raises(NotEnoughDataError, match="Without run '1' no sample of 'c'"):
        run(responses, comparisons=("all",))


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"n_permutations": 0}, "n_permutations is 0; it must be at least 1"),
        ({"n_permutations": 5, "average": 0}, "average is 0"),
        ({"n_permutations": 5, "n_folds": 1}, "n_folds is 1; it must be at least 2"),
        ({"n_permutations": 5, "correct": ()}, "correct names no way"),
        ({"n_permutations": 5, "search": {"gamma": (1.0,)}}, "search names 'gamma'"),
    ],
)
def test_settings_that_cannot_be_are_refused(told, words):
    with pytest.raises(ConfigError, match=words):
        Choices(comparisons=("all",), seed=0, **told)


def disturb(responses, values, nuisance):
    samples = responses.samples.assign(response_time=nuisance)
    return replace(responses, values=values.astype(np.float32), samples=samples)


def test_nuisance_is_regressed_out_within_folds(rng):
    responses = make_patterns(rng, n_runs=8, n_each=3, n_units=30, effect=0.0)
    label = (responses.samples["condition"] == "a").to_numpy()
    nuisance = label + 0.5 * rng.normal(size=len(label))  # slower in one condition
    values = responses.values + np.outer(nuisance, rng.normal(size=30))
    disturbed = disturb(responses, values, nuisance)

    def score(**other):
        choices = Choices(comparisons=("a vs b",), n_permutations=20, seed=0, **other)
        made = decode(disturbed, (), choices=choices)
        return made.table["score"].iloc[0], made.meta["nuisance"]

    assert score()[0] > 0.75  # slowness alone tells them apart
    cleaned, names = score(nuisance=("response_time",))
    assert cleaned < 0.75  # chance 0.5, 48 samples: SE 0.07
    assert names == ["response_time"]


def test_nuisance_equals_a_regression_in_each_fold(rng):
    responses = make_patterns(rng, n_runs=4, n_each=3, n_units=10, effect=1.0)
    nuisance = rng.normal(size=len(responses.samples))
    values = responses.values + np.outer(nuisance, rng.normal(size=10))
    disturbed = replace(disturb(responses, values, nuisance), scale="zscore")
    choices = Choices(
        comparisons=("a vs b",), n_permutations=1, seed=0, nuisance=("response_time",)
    )
    made = decode(disturbed, (), choices=choices)
    runs, truth = (disturbed.samples[k].to_numpy() for k in ("run", "condition"))
    right = 0
    for run_left in np.unique(runs):
        train = runs != run_left
        slopes = LinearRegression().fit(nuisance[train, None], disturbed.values[train])
        clean = disturbed.values - slopes.predict(nuisance[:, None])
        guess = SVC(kernel="linear").fit(clean[train], truth[train]).predict(clean[~train])
        right += (guess == truth[~train]).sum()
    np.testing.assert_allclose(made.table["score"], right / len(truth))
