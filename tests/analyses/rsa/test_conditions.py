"""analyses.rsa.conditions: numpy's correlations of mean patterns, laws, what has none."""

from dataclasses import replace

import numpy as np

from bids_dnn.analyses.rsa.conditions import condition_rdms
from bids_dnn.containers.shared import SharedPatterns
from tests.factories.responses import make_patterns


def make(**changes):
    responses = make_patterns(
        np.random.default_rng(4), n_runs=3, conditions=("a", "b", "c"), n_units=12
    )
    return SharedPatterns(
        replace(responses, **changes), {"V1": np.arange(8), "V4": np.arange(6, 12)}
    )


def by_hand(shared, region):
    told = shared.responses
    parts = []
    for name in sorted(set(told.samples["condition"])):
        own = told.samples["condition"] == name
        runs = [
            told.values[(own & (told.samples["run"] == run)).to_numpy()].mean(axis=0)
            for run in sorted(set(told.samples.loc[own, "run"]))
        ]
        parts.append(np.mean(runs, axis=0)[shared.regions[region]])
    return 1 - np.corrcoef(np.asarray(parts, dtype=float))


def test_values_are_one_minus_the_correlation_of_means():
    shared = make()
    made = condition_rdms(shared)
    assert list(made) == ["V1", "V4"]
    for region, rdm in made.items():
        assert rdm.stimuli == tuple(sorted(set(shared.responses.samples["condition"])))
        expected = by_hand(shared, region)
        np.testing.assert_allclose(rdm.matrix(), expected, atol=1e-6)


def test_the_order_of_rows_does_not_matter():
    shared = make()
    turned = SharedPatterns(
        shared.responses.select(np.arange(len(shared.responses.samples))[::-1]), shared.regions
    )
    for region, rdm in condition_rdms(shared).items():
        np.testing.assert_allclose(condition_rdms(turned)[region].values, rdm.values, rtol=1e-9)


def test_units_that_were_not_measured_are_left_out():
    shared = make()
    values = shared.responses.values.copy()
    values[0, 2] = np.nan
    holed = condition_rdms(make(values=values))
    regions = {"V1": np.array([0, 1, 3, 4, 5, 6, 7])}
    without = condition_rdms(SharedPatterns(shared.responses, regions))
    np.testing.assert_array_equal(holed["V1"].values, without["V1"].values)


def test_one_condition_or_one_unit_makes_none():
    shared = make()
    one = shared.responses.samples.assign(condition="a")
    assert condition_rdms(make(samples=one)) == {}
    assert condition_rdms(SharedPatterns(shared.responses, {"V1": np.array([3])})) == {}
