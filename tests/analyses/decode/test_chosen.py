"""analyses.decode.chosen: units that training runs choose, and what is decoded from them."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.svm import SVC

from bids_dnn.analyses.decode.choices import Choices
from bids_dnn.analyses.decode.chosen import choose_by_run
from bids_dnn.analyses.decode.decoding import decode
from bids_dnn.analyses.encode.choices import UnitChoice
from bids_dnn.analyses.encode.unit_learner import Learning, unit_learner
from bids_dnn.errors import ConfigError, LeakageError, ShapeError
from bids_dnn.stats.folds import leave_one_out
from bids_dnn.stats.regions import region_units
from tests.factories.chosen import make_followers
from tests.factories.responses import make_patterns, make_roi


def choices_of(*, n_permutations=19, seed=0, comparisons=("all",), **other):
    return Choices(comparisons=comparisons, n_permutations=n_permutations, seed=seed, **other)


def learner_of(made, rule, **other):
    how = Learning(rule=rule, n_inner=3, **other)
    return unit_learner(made.responses, made.rois, made.grams, how)


def test_units_that_carry_the_classes_are_chosen_and_decode_better(rng):
    made = make_followers(rng, noise=3.0, signal=2.0)
    choose = learner_of(made, UnitChoice(top=20))
    some = decode(made.responses, made.rois, choices=choices_of(), choose=choose)
    whole = decode(made.responses, made.rois, choices=choices_of())
    (share,) = some.maps
    assert (share.stat, share.values.shape, len(some.space)) == ("chosen", (200,), 200)
    found, all_units = (one.table.set_index("region") for one in (some, whole))
    assert found.loc["whole", "score"] >= all_units.loc["whole", "score"]
    assert found.loc["whole", "p"] == 1 / 20
    assert (found["n_units"] == 20).all()
    choice = some.extras["choice"]
    assert choice["run"].tolist() == ["0", "1", "2", "3"] * 2
    assert (choice["n_chosen"] == 20).all()
    assert choice.groupby("region")["n_units"].first().to_dict() == {"whole": 200, "noise": 180}


def test_the_share_of_folds_tells_who_carries_the_signal(rng):
    made = make_followers(rng, noise=0.7, n_images=48)
    made.rois = made.rois[:1]
    choose = learner_of(made, UnitChoice(top=20))
    (share,) = decode(made.responses, made.rois, choices=choices_of(), choose=choose).maps
    assert share.values[:20].mean() > 0.95
    assert share.values[20:].mean() < 0.01


def test_scores_are_those_of_scikit_learn_on_the_chosen_units(rng):
    """With a learner of any kind: here units that vary most in the training samples."""
    responses = replace(make_patterns(rng, n_runs=4, n_each=3, n_units=40), scale="zscore")
    rois = [make_roi("all", responses, range(40))]

    def choose(train):
        spread = responses.values[train].std(axis=0)
        return [spread >= np.sort(spread)[-7 - int(train[0])]]  # 8 units, 7 without the first run

    made = decode(responses, rois, choices=choices_of(), choose=choose)
    runs, truth = (responses.samples[k].to_numpy() for k in ("run", "condition"))
    right = 0
    for run in np.unique(runs):
        train = runs != run
        x = responses.values[:, choose(train)[0]].astype(float)
        right += (SVC(kernel="linear").fit(x[train], truth[train]).predict(x[~train])
                  == truth[~train]).sum()  # fmt: skip
    np.testing.assert_allclose(made.table["score"], right / len(truth))
    assert made.table["n_units"].tolist() == [8]
    assert made.extras["choice"]["n_chosen"].tolist() == [7, 8, 8, 8]


@pytest.mark.parametrize("nuisance", [(), ("motion",)])
def test_a_choice_of_all_units_changes_nothing(rng, nuisance):
    responses = make_patterns(rng, conditions=("a", "b", "c"), effect=0.5)
    samples = responses.samples.assign(motion=rng.normal(size=len(responses.samples)))
    responses = replace(responses, samples=samples)
    rois = [make_roi("low", responses, range(8)), make_roi("high", responses, range(5, 20))]
    choices = choices_of(comparisons=("pairs", "all"), nuisance=nuisance)
    whole = decode(responses, rois, choices=choices)
    every = decode(
        responses, rois, choices=choices,
        choose=lambda _: [np.ones(8, dtype=bool), np.ones(15, dtype=bool)],
    )  # fmt: skip
    assert every.table.equals(whole.table)
    assert every.extras["confusion"].equals(whole.extras["confusion"])
    np.testing.assert_array_equal(every.maps[0].values, np.ones(20))


def test_responses_of_the_run_that_is_left_out_do_not_choose(rng):
    made = make_followers(rng, n_units=60, noise=2.0)
    made.rois = made.rois[:1]
    asked = []

    def told(responses):
        made.responses = responses
        choose = learner_of(made, UnitChoice(top=10))

        def spied(train):
            asked.append(train)
            return choose(train)

        return decode(responses, made.rois, choices=choices_of(), choose=spied), choose

    _, before = told(made.responses)
    runs = made.responses.samples["run"].to_numpy()
    for train, run in zip(asked[:4], "0123", strict=True):
        np.testing.assert_array_equal(train, runs != run)
    values = made.responses.values.copy()
    values[runs == "2"] = rng.normal(size=values[runs == "2"].shape) * 50
    _, after = told(replace(made.responses, values=values))
    np.testing.assert_array_equal(before(runs != "2")[0], after(runs != "2")[0])
    assert (before(runs != "1")[0] != after(runs != "1")[0]).any()


def test_p_is_uniform_under_noise_though_layers_tell_the_classes(rng):
    """Pictures say which class they are of, so that the choice could lean to the labels."""
    p = []
    for k in range(80):
        made = make_followers(rng, n_units=40, n_signal=0, n_runs=3, n_images=12)
        made.grams = made.grams[1:]
        made.rois = made.rois[:1]
        choose = learner_of(made, UnitChoice(top=5))
        found = decode(made.responses, made.rois, choices=choices_of(seed=k), choose=choose)
        p.append(found.table["p"][0])
    for level, ties in ((0.05, 0.02), (0.2, 0.04), (0.5, 0.06)):  # ties of accuracies push p up
        error = np.sqrt(level * (1 - level) / len(p))
        share = np.mean(np.array(p) <= level + 1e-9)
        assert -4 * error - ties < share - level < 4 * error


def test_a_region_without_a_unit_in_a_fold_costs_no_other(rng):
    made = make_followers(rng, noise=0.3)
    choose = learner_of(made, UnitChoice(above=0.85))
    result = decode(
        made.responses, made.rois, choices=choices_of(comparisons=("all", "a vs b")), choose=choose
    )
    table = result.table.set_index("region")
    assert (table.loc["whole", "score"] == 1).all()
    assert (table.loc["whole", "p_corrected"] == 1 / 20).all()
    lacking = table.loc["noise", ["score", "ci_low", "ci_high", "p", "p_corrected"]]
    assert lacking.isna().all(axis=None)
    assert set(result.extras["confusion"]["region"]) == {"whole"}
    (told,) = [text for text in result.meta["warnings"] if "decode.units" in text]
    assert told.startswith("noise: decode.units chose none of 180 units where run '0' is left")
    assert "(4 of 4 runs)" in told


def test_a_learner_of_other_regions_is_refused(rng):
    made = make_followers(rng, n_units=40)
    with pytest.raises(ShapeError, match=r"shapes \[\(40,\)\].*\[40, 20\] units"):
        decode(
            made.responses, made.rois, choices=choices_of(),
            choose=lambda _: [np.ones(40, dtype=bool)],
        )  # fmt: skip


def test_a_choice_by_samples_that_a_fold_tests_is_refused(rng):
    """As where folds are named otherwise than the runs that they leave out."""
    made = make_followers(rng, n_units=40)
    runs = made.responses.samples["run"].to_numpy(dtype=object)
    folds = [replace(one, name="1") for one in leave_one_out(runs, what="run")[:1]]
    with pytest.raises(LeakageError, match="units of fold '1' were chosen on"):
        choose_by_run(
            lambda _: [np.ones(40, dtype=bool)],
            made.responses,
            region_units(made.responses, []),
            folds,
            runs=runs,
        )


def test_units_cannot_be_chosen_where_something_else_than_a_run_is_left_out(rng):
    made = make_followers(rng, n_units=40)
    learner = learner_of(made, UnitChoice(top=20))
    with pytest.raises(ConfigError, match="leaves 2 groups of run out in 2 folds"):
        decode(made.responses, made.rois, choices=choices_of(n_folds=2), choose=learner)
