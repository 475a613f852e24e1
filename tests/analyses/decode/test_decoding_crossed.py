"""Cross-decoding: classifiers that are tested on other samples than those that teach."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.svm import SVC

from bids_dnn.analyses.decode.choices import Choices
from bids_dnn.analyses.decode.decoding import decode
from bids_dnn.errors import ConfigError, NotEnoughDataError
from tests.factories.responses import make_patterns, make_responses


def run(responses, *comparisons, n_permutations=99, **other):
    choices = Choices(comparisons=comparisons, n_permutations=n_permutations, seed=0, **other)
    return decode(responses, (), choices=choices)


@pytest.fixture
def shared(rng):
    """Four conditions of two kinds, which share what tells a from b with c from d."""
    made = make_patterns(rng, conditions=tuple("abcd"), n_runs=5, n_each=4, n_units=40, effect=0)
    kind = np.isin(made.samples["condition"], ["a", "c"])
    values = made.values + 0.7 * np.outer(np.where(kind, 1, -1), rng.normal(size=40))
    side = np.where(np.arange(len(values)) % 2, "left", "right")
    return replace(made, values=values.astype(np.float32), samples=made.samples.assign(side=side))


def test_what_conditions_share_is_found_across_them(shared):
    table = run(shared, "a vs b -> c vs d", "a vs b -> d vs c", "a vs c -> b vs d").table
    table = table.set_index("comparison")
    assert table.loc["a vs b -> c vs d", "p"] == 0.01
    assert table.loc["a vs b -> c vs d", "score"] > 0.9
    np.testing.assert_allclose(
        table.loc["a vs b -> d vs c", "score"], 1 - table.loc["a vs b -> c vs d", "score"]
    )
    assert table.loc["a vs c -> b vs d", "p"] > 0.01  # nothing tells a from c
    assert table.loc["a vs b -> c vs d", "n_samples"] == 40


def test_confusion_names_what_was_shown_and_what_was_learnt(shared):
    made = run(shared, "a vs b -> c vs d", n_permutations=1)
    counts = made.extras["confusion"].set_index(["truth", "guess"])["count"]
    assert counts.index.tolist() == [("c", "a"), ("c", "b"), ("d", "a"), ("d", "b")]
    right = counts[("c", "a")] + counts[("d", "b")]
    assert right / counts.sum() == pytest.approx(made.table["score"][0])


def test_the_guesses_are_those_of_scikit_learn(shared):
    responses = replace(shared, scale="zscore")
    text = "a vs b @ side=left -> c vs d @ side=right"
    found = run(responses, text, n_permutations=1).table["score"][0]
    samples, x = responses.samples, responses.values.astype(np.float64)
    is_first = samples["condition"].isin(["a", "c"]).to_numpy()
    teaches = samples["condition"].isin(["a", "b"]) & (samples["side"] == "left")
    tests = samples["condition"].isin(["c", "d"]) & (samples["side"] == "right")
    right = []
    for name in samples["run"].unique():
        own = (samples["run"] == name).to_numpy()
        train, test = teaches.to_numpy() & ~own, tests.to_numpy() & own
        model = SVC(kernel="linear", tol=1e-6).fit(x[train], is_first[train])
        right += list(model.predict(x[test]) == is_first[test])
    np.testing.assert_allclose(found, np.mean(right))


def test_no_run_teaches_and_is_tested(shared):
    """Patterns of a run that tell a from b in that run alone are of no use."""
    rng = np.random.default_rng(1)
    samples = shared.samples
    runs = samples["run"].astype(int).to_numpy()
    sign = np.where(samples["condition"].isin(["a", "c"]), 1, -1)
    values = rng.normal(size=shared.values.shape) + sign[:, None] * rng.normal(size=(5, 40))[runs]
    made = replace(shared, values=values.astype(np.float32))
    assert run(made, "a vs b @ side=left -> @ side=right").table["p"][0] > 0.02


@pytest.mark.slow
@pytest.mark.parametrize(
    "text", ["a vs b -> c vs d", "a vs b @ side=left -> @ side=right", "a vs b @ side=left"]
)
def test_p_keeps_its_level_under_noise(text):
    rng = np.random.default_rng(len(text))
    p = []
    for k in range(80):
        made = make_patterns(rng, conditions=tuple("abcd"), n_runs=3, n_units=8, effect=0)
        side = np.where(np.arange(len(made.values)) % 2, "left", "right")
        made = replace(made, samples=made.samples.assign(side=side))
        choices = Choices(comparisons=(text,), n_permutations=19, seed=k)
        p.append(decode(made, (), choices=choices).table["p"][0])
    for level in (0.05, 0.2, 0.5):
        error = np.sqrt(level * (1 - level) / len(p))
        assert np.mean(np.array(p) <= level + 1e-9) <= level + 3.9 * error


def test_sessions_that_share_no_run_are_crossed(rng):
    made = make_patterns(rng, n_runs=6, n_each=4, n_units=30, effect=1.0)
    session = np.where(made.samples["run"].astype(int) < 3, "1", "2")
    made = replace(made, samples=made.samples.assign(session=session))
    row = run(made, "a vs b @ session=1 -> @ session=2").table.iloc[0]
    assert row["n_runs"] == 3
    assert row["p"] == 0.01


def test_the_family_of_crossed_comparisons_shares_exchanges(shared):
    table = run(shared, "a vs b -> c vs d", "a vs b @ side=left").table
    assert (table["p_corrected"] >= table["p"]).all()
    assert (table["p_corrected"] == 0.01).all()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a vs b @ sied=left", "names 'sied', which is no column"),
        ("a vs b @ side=up", "asks for side=up, which no sample has"),
    ],
)
def test_columns_and_values_that_are_not_there_are_refused(shared, text, words):
    with pytest.raises(ConfigError, match=words):
        run(shared, text)


def test_a_value_that_is_not_there_loses_its_own_comparison(shared):
    alone, both = run(shared, "a vs b"), run(shared, "a vs b @ side=up", "a vs b")
    assert both.table["comparison"].tolist() == ["a vs b"]
    assert both.table["score"].tolist() == alone.table["score"].tolist()
    assert any("asks for side=up, which no" in text for text in both.meta["warnings"])
    with pytest.raises(ConfigError, match="names 'sied', which is no column"):
        run(shared, "a vs b @ sied=left", "a vs b")


def test_no_sample_that_teaches_is_refused(rng):
    made = make_responses(
        rng.normal(size=(8, 4)), conditions=list("ababcdcd"), runs=[1, 1, 2, 2, 1, 1, 2, 2]
    )
    made = replace(made, samples=made.samples.assign(side=list("xxxxyyyy")))
    with pytest.raises(NotEnoughDataError, match="no sample of 'a' is left to train on"):
        run(made, "a vs b @ side=y -> c vs d")


def test_averages_keep_apart_what_is_crossed(shared):
    made = run(shared, "a vs b @ side=left -> @ side=right", average=2)
    assert made.table["n_samples"][0] == 10  # one mean of two trials each, a run and side
    assert made.table["p"][0] < 0.05


def test_whole_numbers_are_values_without_a_point(shared):
    position = np.where(shared.samples["side"] == "left", 1.0, 2.0)
    responses = replace(shared, samples=shared.samples.assign(position=position))
    table = run(responses, "a vs b @position=1 -> @ position=2").table
    assert table["score"][0] == run(shared, "a vs b @ side=left -> @ side=right").table["score"][0]


def test_a_side_that_is_never_tested_is_refused(shared):
    keep = ~((shared.samples["condition"] == "d") & (shared.samples["side"] == "right"))
    with pytest.raises(NotEnoughDataError, match="No sample of the side 'd' is tested"):
        run(shared.select(keep.to_numpy()), "a vs b -> c vs d @ side=right")


def test_what_p_of_cross_decoding_means_is_told(shared):
    crossed = run(shared, "a vs b -> c vs d", "a vs b @ side=left -> @ side=right", "a vs b")
    told = [one for one in crossed.meta["warnings"] if "labels that mean nothing" in one]
    assert len(told) == 1
    assert "'a vs b -> c vs d', 'a vs b @ side=left -> @ side=right' is against" in told[0]
    alone = run(shared, "a vs b", "a vs b @ side=left")
    assert not any("mean nothing" in one for one in alone.meta["warnings"])
