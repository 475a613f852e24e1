"""analyses.decode.targets: numbers of samples predicted from patterns."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge
from sklearn.svm import SVR

from bids_dnn.analyses.decode.choices import Choices
from bids_dnn.analyses.decode.classifiers.choice import Classifier
from bids_dnn.analyses.decode.decoding import decode
from bids_dnn.analyses.decode.prepare import Preparation
from bids_dnn.errors import ConfigError, NotEnoughDataError
from tests.factories.responses import make_patterns, make_roi


@pytest.fixture
def responses(rng):
    """Patterns that follow `rt` in part, of runs with levels of their own."""
    made = make_patterns(rng, n_runs=5, n_each=8, n_units=20, effect=0.0)
    n = len(made.samples)
    rt = rng.normal(size=n) + 3 * made.samples["run"].astype(float).to_numpy()
    values = made.values + 0.4 * np.outer(rt - rt.mean(), rng.normal(size=20))
    samples = made.samples.assign(rt=rt, noise=rng.normal(size=n))
    return replace(made, values=values.astype(np.float32), samples=samples, scale="zscore")


def table_of(responses, *targets, n_permutations=49, **other):
    choices = Choices(
        comparisons=("all",), n_permutations=n_permutations, seed=0, targets=targets, **other
    )
    return decode(responses, (), choices=choices).extras["targets"]


def test_a_number_that_patterns_follow_is_predicted_and_noise_is_not(responses):
    table = table_of(responses, "rt", "noise").set_index("target")
    assert table.loc["rt", "p_corrected"] == table.loc["rt", "p"] == 0.02
    assert table.loc["rt", "ci_low"] > 0
    assert table.loc["noise", "p"] > 0.02
    assert (table["p_fdr"] >= table["p"]).all()


@pytest.mark.parametrize("regressor", ["ridge", "svr"])
def test_predictions_are_those_of_scikit_learn(responses, regressor):
    classifier = Classifier(alpha=0.5, c=0.2)
    row = table_of(
        responses, "rt", n_permutations=2, regressor=regressor, classifier=classifier
    ).iloc[0]
    x, y = responses.values.astype(np.float64), responses.samples["rt"].to_numpy()
    runs = responses.samples["run"].to_numpy()
    r = []
    for run in np.unique(runs):
        train = runs != run
        if regressor == "ridge":
            size = ((x[train] - x[train].mean(axis=0)) ** 2).sum() / train.sum()
            model = Ridge(0.5 * size).fit(x[train], y[train])
        else:
            spread = y[train].std()
            model = SVR(kernel="linear", C=0.2).fit(
                x[train], (y[train] - y[train].mean()) / spread
            )
        r.append(np.corrcoef(model.predict(x[~train]), y[~train])[0, 1])
    np.testing.assert_allclose(row["score"], np.mean(r), atol=2e-3 if regressor == "svr" else 1e-9)


@pytest.mark.parametrize("regressor", ["ridge", "svr"])
def test_inner_folds_choose_the_penalty_as_by_hand(responses, regressor):
    name, kind, tried = (
        ("alpha", "ridge", (1e-3, 0.3, 30.0))
        if regressor == "ridge"
        else ("c", "svm-linear", (1e-5, 1e-3, 0.1))
    )
    choices = Choices(
        comparisons=("all",), n_permutations=2, seed=0, targets=("rt",), regressor=regressor,
        classifier=Classifier(kind=kind), search={name: tried},
    )  # fmt: skip
    made = decode(responses, (), choices=choices)
    x, y = responses.values.astype(np.float64), responses.samples["rt"].to_numpy()
    runs = responses.samples["run"].to_numpy()

    def predicted(train, test, penalty):
        if regressor == "ridge":
            size = ((x[train] - x[train].mean(axis=0)) ** 2).sum() / train.sum()
            return Ridge(penalty * size).fit(x[train], y[train]).predict(x[test])
        spread, mean = y[train].std(), y[train].mean()
        model = SVR(kernel="linear", C=penalty).fit(x[train], (y[train] - mean) / spread)
        return model.predict(x[test])

    r, chosen = [], {}
    for run in np.unique(runs):
        inner = {
            penalty: np.mean(
                [
                    np.corrcoef(
                        predicted((runs != run) & (runs != one), runs == one, penalty),
                        y[runs == one],
                    )[0, 1]
                    for one in np.unique(runs[runs != run])
                ]
            )
            for penalty in tried
        }
        chosen[run] = max(inner, key=inner.__getitem__)
        told = predicted(runs != run, runs == run, chosen[run])
        r.append(np.corrcoef(told, y[runs == run])[0, 1])
    rows = made.extras["parameters"]
    own = rows[(rows["comparison"] == "rt") & (rows["parameter"] == name)]
    assert own.set_index("run")["value"].to_dict() == chosen
    found = made.extras["targets"]["score"][0]
    np.testing.assert_allclose(found, np.mean(r), atol=2e-3 if regressor == "svr" else 1e-9)


def test_a_search_that_the_regressor_does_not_have_is_told(responses):
    choices = Choices(
        comparisons=("all",), n_permutations=2, seed=0, targets=("rt",), search={"c": (0.1, 1.0)}
    )
    made = decode(responses, (), choices=choices)
    words = "decode.search chooses c of the classifier, which ridge does not have"
    assert sum(words in one for one in made.meta["warnings"]) == 1
    assert set(made.extras["parameters"]["comparison"]) == {"all"}


def test_a_penalty_needs_a_third_run(rng):
    made = make_patterns(rng, n_runs=2, n_each=8)
    made = replace(made, samples=made.samples.assign(rt=rng.normal(size=len(made.samples))))
    choices = Choices(
        comparisons=("all",), n_permutations=2, seed=0, targets=("rt",),
        classifier=Classifier(kind="ridge"), search={"alpha": (0.1, 1.0)},
    )  # fmt: skip
    with pytest.raises(NotEnoughDataError, match="in inner folds"):
        decode(made, (), choices=choices)


def test_intervals_are_those_asked_for_and_within_one(responses):
    t, boot = (
        table_of(responses, "rt", n_permutations=2, interval=one).iloc[0]
        for one in ("t", "bootstrap")
    )
    assert t["ci_high"] == 1 or t["ci_high"] - t["score"] == pytest.approx(
        t["score"] - t["ci_low"]
    )
    assert -1 <= boot["ci_low"] < boot["score"] < boot["ci_high"] <= 1
    assert boot["ci_high"] - boot["score"] != pytest.approx(boot["score"] - boot["ci_low"])
    few = replace(responses, values=responses.values[:32], samples=responses.samples[:32])
    assert np.isnan(table_of(few, "rt", n_permutations=2, interval="bootstrap")["ci_low"][0])
    x = np.linspace(-1, 1, 80)[:, None] * np.ones(20)  # each fold but for little is perfect
    y = np.where(np.arange(80) < 16, x[::-1, 0], x[:, 0])
    near = replace(responses, values=x.astype(np.float32), samples=responses.samples.assign(rt=y))
    assert table_of(near, "rt", n_permutations=2)["ci_high"][0] == 1


def test_samples_without_a_number_are_left_out_and_told(responses):
    samples = responses.samples.copy()
    samples.loc[:3, "rt"] = np.nan
    choices = Choices(comparisons=("all",), n_permutations=5, seed=0, targets=("rt",))
    made = decode(replace(responses, samples=samples), (), choices=choices)
    assert made.extras["targets"]["n_samples"][0] == 76
    assert "4 of 80 samples have no rt, and are left out." in made.meta["warnings"]


@pytest.mark.slow
def test_p_keeps_its_level_under_noise():
    rng = np.random.default_rng(2)
    p = []
    for k in range(100):
        made = make_patterns(rng, n_runs=3, n_each=4, n_units=6, effect=0.0)
        level = made.samples["run"].astype(float).to_numpy()
        values = (made.values + level[:, None]).astype(np.float32)  # runs differ in both
        samples = made.samples.assign(rt=level + rng.normal(size=len(level)))
        made = replace(made, values=values, samples=samples)
        choices = Choices(comparisons=("all",), n_permutations=19, seed=k, targets=("rt",))
        p.append(decode(made, (), choices=choices).extras["targets"]["p"][0])
    for at in (0.05, 0.2, 0.5):
        error = np.sqrt(at * (1 - at) / len(p))
        assert np.mean(np.array(p) <= at + 1e-9) <= at + 3.9 * error


def test_what_is_no_column_or_does_not_vary_is_refused(responses):
    with pytest.raises(ConfigError, match="'rtt' is not in the sample table"):
        table_of(responses, "rtt")
    flat = replace(responses, samples=responses.samples.assign(rt=1.0))
    with pytest.raises(NotEnoughDataError, match="of 1 different values"):
        table_of(flat, "rt")


def test_patterns_are_prepared_as_those_that_are_decoded(responses):
    classifier = Classifier(alpha=0.5)
    how = {"n_permutations": 2, "classifier": classifier}
    row = table_of(responses, "rt", preparation=Preparation(is_blank=True, pca=6), **how).iloc[0]
    y, runs = responses.samples["rt"].to_numpy(), responses.samples["run"].to_numpy()
    x = responses.values.astype(np.float64)
    for run in np.unique(runs):
        x[runs == run] -= x[runs == run].mean(axis=0)
    r = []
    for run in np.unique(runs):
        train = runs != run
        part = PCA(6).fit(x[train])
        own, other = part.transform(x[train]), part.transform(x[~train])
        size = ((own - own.mean(axis=0)) ** 2).sum() / train.sum()
        r.append(np.corrcoef(Ridge(0.5 * size).fit(own, y[train]).predict(other), y[~train])[0, 1])
    assert row["score"] == pytest.approx(np.mean(r), abs=1e-6)


def test_what_needs_sides_is_told_not_to_be_done(responses):
    choices = Choices(
        comparisons=("all",),
        n_permutations=2,
        seed=0,
        targets=("rt", "noise"),
        preparation=Preparation(anova=5),
    )
    told = decode(responses, (), choices=choices).meta["warnings"]
    assert sum("anova and whiten are learnt from sides" in one for one in told) == 1


def shown_often(rng, *, effect, n_stimuli=20, n_runs=4):
    """Each stimulus once in each run, with a luminance that patterns follow."""
    made = make_patterns(rng, n_runs=n_runs, n_each=n_stimuli // 2, effect=0.0)
    number = np.tile(np.arange(n_stimuli), n_runs)
    luminance = rng.normal(size=n_stimuli)[number]
    own = rng.normal(size=(n_stimuli, made.values.shape[1]))[number]  # of each stimulus alone
    values = made.values + own + effect * np.outer(luminance, rng.normal(size=own.shape[1]))
    samples = made.samples.assign(
        stimulus=[f"s{k}" for k in number], repeat=0, luminance=luminance
    )
    return replace(made, values=values.astype(np.float32), samples=samples, scale="zscore")


def test_numbers_of_stimuli_that_folds_leave_out_are_exchanged_among_stimuli(rng):
    how = {"folds": "stimulus", "n_folds": 5, "n_permutations": 99}
    row = table_of(shown_often(rng, effect=2.0), "luminance", **how).iloc[0]
    assert row["p"] == row["p_floor"] == 0.01
    assert row["score"] > 0.5


def test_p_of_numbers_of_stimuli_is_uniform_where_patterns_do_not_follow_them(rng):
    how = {"folds": "stimulus", "n_folds": 5, "n_permutations": 19}
    p = [
        table_of(shown_often(rng, effect=0.0), "luminance", **how).iloc[0]["p"] for _ in range(80)
    ]
    # binomial, 80 draws: P(at most 0.25 + 4 SD of .048) and P(at least 0.25 - 4 SD), over 0.9999
    assert 0.06 < np.mean(np.array(p) <= 0.25) < 0.44


def test_the_floor_of_p_counts_exchanges_that_differ(rng):
    responses = make_patterns(rng, n_runs=3, n_each=1, effect=0.0)
    samples = responses.samples.assign(level=np.tile([1.0, 2.0], 3))
    made = decode(
        replace(responses, samples=samples),
        (),
        choices=Choices(comparisons=("all",), n_permutations=99, seed=0, targets=("level",)),
    )
    assert made.extras["targets"]["p_floor"].item() == 1 / 8
    assert any("in 8 way(s): p cannot fall below 0.125" in one for one in made.meta["warnings"])


def test_exchanges_that_leave_nothing_to_correlate_do_not_undo_the_correction(rng):
    n_stimuli, n_runs = 6, 4
    made = make_patterns(rng, n_runs=n_runs, n_each=n_stimuli // 2, effect=0.0)
    number = np.tile(np.arange(n_stimuli), n_runs)
    samples = made.samples.assign(
        stimulus=[f"s{k}" for k in number], repeat=0, rare=(number < 2).astype(float)
    )
    rois = [make_roi(f"r{k}", made, range(5 * k, 5 * k + 5)) for k in range(4)]
    choices = Choices(
        comparisons=("all",),
        n_permutations=200,
        seed=0,
        targets=("rare",),
        folds="stimulus",
        n_folds=3,
    )
    table = decode(replace(made, samples=samples), rois, choices=choices).extras["targets"]
    assert (table["p_corrected"] >= table["p"]).all()
    assert (table["p_corrected"] > table["p"]).any()
