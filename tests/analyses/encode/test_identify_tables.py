"""analyses.encode.identify_tables, through the door: p in folds, and curves over set sizes."""

from dataclasses import replace

import numpy as np
import pytest

from bids_dnn.analyses.encode import identify_tables as module
from bids_dnn.analyses.encode.choices import Choices
from bids_dnn.analyses.encode.fit import encode
from tests.factories.responses import make_gram, make_responses, make_roi

CHOICES = Choices(
    n_folds=4,
    n_inner=3,
    alphas=None,
    select="gcv",
    ceiling="ncsnr",
    floor=0.0,
    n_permutations=49,
    seed=0,
    estimators=("ridge", "pls"),
)


def run(rng, *, n_units=20, signal=1.0, nuisance=()):
    """One layer that predicts, one of noise."""
    stimuli = [f"s{k:03}" for k in range(48)]
    features, noise = rng.normal(size=(2, 48, 6))
    values = signal * features @ rng.normal(size=(6, n_units)) + rng.normal(size=(48, n_units))
    responses = make_responses(values, stimuli=stimuli)
    responses.samples["rt"] = rng.normal(size=48)
    grams = [make_gram(x, stimuli, layer=name) for x, name in ((features, "on"), (noise, "off"))]
    choices = CHOICES if not nuisance else replace(CHOICES, nuisance=nuisance)
    return encode(responses, [make_roi("V1", responses, range(n_units))], grams, choices=choices)


def p_of(result):
    table = result.extras["identification"]
    return table.set_index(["estimator", "layer"])["p"]


def test_p_in_several_folds_is_exact_for_ridge_and_merged_for_others(rng):
    p = p_of(run(rng))
    assert p["ridge", "on"] == pytest.approx(1 / 50)
    assert p["pls", "on"] == pytest.approx(2 / 50)
    assert p["ridge", "chosen layer"] == pytest.approx(2 / 50)
    assert p["ridge", "off"] > 0.05
    assert p.notna().all()


def test_p_is_merged_where_exchanges_before_the_fit_are_not_exact_or_cost_too_much(
    rng, monkeypatch
):
    assert p_of(run(rng, nuisance=("rt",)))["ridge", "on"] == pytest.approx(2 / 50)
    monkeypatch.setattr(module, "MOST_CROSSED", 47)
    assert p_of(run(rng))["ridge", "on"] == pytest.approx(2 / 50)


def test_shares_go_down_with_the_number_of_candidates(rng):
    result = run(rng, signal=0.5)
    table = result.extras["candidates"]
    identified = result.extras["identification"].set_index(["estimator", "layer"])
    assert set(table.columns) == set(result.extra_columns["candidates"])
    for key, rows in table.groupby(["estimator", "layer"]):
        assert rows["n_candidates"].tolist() == list(module.SIZES)
        assert rows["extrapolated"].tolist() == [size > 12 for size in module.SIZES]
        np.testing.assert_allclose(rows["chance"], 1 / rows["n_candidates"])
        # of two candidates, the right one wins as often as it beats another
        np.testing.assert_allclose(rows["proportion"].iloc[0], identified.loc[key, "mean_rank"])
    rows = table[(table["estimator"] == "ridge") & (table["layer"] == "on")]
    assert (np.diff(rows["proportion"]) < 0).all()


def test_two_units_are_no_pattern(rng):
    result = run(rng, n_units=2)
    assert "candidates" not in result.extras
    assert (result.extras["identification"]["n_images"] == 0).all()
    assert p_of(result).isna().all()
