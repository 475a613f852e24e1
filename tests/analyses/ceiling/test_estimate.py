"""analyses.ceiling.estimate: simulated reliability, what repeats, refusals."""

from dataclasses import replace

import numpy as np

from bids_dnn.analyses.ceiling.estimate import estimate_ceilings
from tests.factories.responses import make_responses, make_roi


def make(rng, *, n=100, n_repeats=3, n_units=40):
    """Let the first half of the units answer with a signal of variance 1 in noise of 1."""
    stimuli = [f"s{k:03}" for k in range(n)] * n_repeats
    signal = np.hstack([rng.normal(size=(n, n_units // 2)), np.zeros((n, n_units // 2))])
    values = np.tile(signal, (n_repeats, 1)) + rng.normal(size=(n * n_repeats, n_units))
    responses = make_responses(values, stimuli=stimuli)
    rois = [
        make_roi("signal", responses, range(n_units // 2)),
        make_roi("noise", responses, range(n_units // 2, n_units)),
    ]
    return responses, rois


def test_reliability_is_that_of_the_simulation(rng):
    result = estimate_ceilings(*make(rng), seed=0)
    table = result.table.set_index(["region", "method"])
    expected = 1 / (1 + 1 / 3)
    for method in ("ncsnr", "split-half", "fev"):
        row = table.loc[("signal", method)]
        assert abs(row["score"] - expected) < 0.03  # SE of the mean over 20 units: 0.008
        np.testing.assert_allclose(row["ceiling"], np.sqrt(row["score"]))
        assert abs(table.loc[("noise", method), "score"]) < 0.1  # SE 0.025
    assert abs(table.loc[("signal", "ncsnr"), "score_single"] - 0.5) < 0.03
    assert abs(table.loc[("signal", "fev"), "score_single"] - 0.5) < 0.03
    assert np.isnan(table.loc[("signal", "split-half"), "score_single"])
    assert set(result.table["item"]) == {"stimulus"}
    assert (result.table["n_repeats"] == 3).all()
    maps = {one.stat: one.values for one in result.maps}
    assert set(maps) == {"ncsnr", "noiseceiling", "splithalf", "fev"}
    assert abs(maps["ncsnr"][:20].mean() - 1) < 0.05


def test_conditions_repeat_where_no_stimulus_is_known(rng):
    responses, rois = make(rng)
    samples = responses.samples.assign(condition=responses.samples["stimulus"], stimulus="")
    by_condition = estimate_ceilings(replace(responses, samples=samples), rois, seed=0)
    assert set(by_condition.table["item"]) == {"condition"}
    known = estimate_ceilings(responses, rois, seed=0)
    np.testing.assert_array_equal(by_condition.table["score"], known.table["score"])


def test_the_order_of_regions_and_denoised_estimates(rng):
    responses, rois = make(rng)
    made = estimate_ceilings(replace(responses, independence="none"), rois[::-1], seed=0)
    assert list(made.table["region"].unique()) == ["noise", "signal"]
    assert "Repeats are not independent" in made.meta["warnings"][0]


def test_without_repeats_there_is_none(rng):
    responses, rois = make(rng, n_repeats=1)
    made = estimate_ceilings(responses, rois, seed=0)
    assert made.table[["score", "ceiling", "score_single"]].isna().all(axis=None)
    assert (made.table["n_repeated_items"] == 0).all()
    assert all(np.isnan(one.values).all() for one in made.maps)
    assert "none of the 100 stimulus names repeats" in made.meta["warnings"][0]
