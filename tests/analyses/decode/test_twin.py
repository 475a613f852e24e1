"""analyses.decode.twin: a region made from a layer is told by that layer."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from bids_dnn.analyses.decode.choices import Choices
from bids_dnn.analyses.decode.classifiers.choice import Classifier
from bids_dnn.analyses.decode.decoding import decode
from bids_dnn.analyses.decode.network import Trial, TwinChoices, decode_network, tasks_of
from bids_dnn.analyses.decode.twin import (
    COLUMNS,
    conditions_of_stimuli,
    match,
    twin,
)
from tests.factories.responses import make_gram, make_responses, make_roi
from tests.factories.twins import make_layer, make_stimuli

RIDGE = Classifier(kind="ridge")
NAMES = "abcdef"
LAYERS = ("conv1", "conv2", "conv3")


def means_of(rng):
    """Conditions lie on a line in random order, so that pairs lie unequally far apart."""
    places = rng.permutation(np.linspace(0, 2.2, len(NAMES)))
    way = rng.normal(size=20)
    way /= np.linalg.norm(way)
    return {one: 1.6 * place * way for one, place in zip(NAMES, places, strict=True)}


@pytest.fixture(scope="module")
def made():
    """Three layers of different geometry, and for each a region that measures it in four runs."""
    rng = np.random.default_rng(5)
    stimuli = make_stimuli(NAMES, 8)
    layers = {name: make_layer(rng, stimuli, means_of(rng), layer=name) for name in LAYERS}
    n_runs = 4
    blocks = []
    for values, _ in layers.values():
        seen = np.tile(values @ rng.normal(size=(20, 25)), (n_runs, 1))
        blocks.append(seen + 0.4 * seen.std() * rng.normal(size=seen.shape))
    responses = make_responses(
        np.hstack(blocks),
        stimuli=list(stimuli) * n_runs,
        conditions=list(stimuli.values()) * n_runs,
        runs=np.repeat(range(n_runs), len(stimuli)),
    )
    rois = [make_roi(f"of{k}", responses, range(25 * k, 25 * k + 25)) for k in range(3)]
    how = Choices(comparisons=("pairs",), n_permutations=99, seed=0, classifier=RIDGE,
                  folds="stimulus", n_folds=5)  # fmt: skip
    decoded = decode(responses, rois, choices=how)
    told = TwinChoices(
        comparisons=("pairs",), seed=0, snr=(math.inf, 1.0), n_draws=6, n_null_draws=1,
        n_permutations=1, classifier=RIDGE, n_components=None,
    )  # fmt: skip
    grams = [gram for _, gram in layers.values()]
    return decoded, decode_network(grams, stimuli, told), told


def test_a_region_is_reproduced_best_by_the_layer_it_is_made_of(made):
    result = twin(*made)
    assert list(result.table) == list(COLUMNS)
    assert len(result.table) == 3 * 3 * 2
    best = result.table[result.table["best"]].set_index("region")
    assert best["layer"].to_dict() == {"of0": "conv1", "of1": "conv2", "of2": "conv3"}
    assert (best["rho"] > 0.6).all()
    assert (best["ci_low"] < best["rho"]).all()
    assert (best["ci_low"] > 0).all()
    assert (best["p_corrected"] <= 0.05).all()
    assert best["is_named"].tolist() == best["is_decoded"].tolist() == [True, False, True]
    assert set(best["exchanged"]) == {"conditions"}
    np.testing.assert_allclose(best["p_floor"], 1 / 720)
    assert result.extras["regions"]["p_corrected"].between(0, 1).all()
    assert (result.table["n_comparisons"] == 15).all()
    assert result.meta["warnings"] == []
    assert len(result.extras["network"]) == 3 * 2 * 15
    assert len(result.extras["regions"]) == 3 * 15


def test_rho_is_that_of_scipy_on_shares_above_chance(made):
    decoded, trials, told = made
    result = twin(decoded, trials, told)
    row = result.table.iloc[3]
    net = result.extras["network"]
    net = net[(net["layer"] == row["layer"]) & (net["snr"] == row["snr"])]
    own = result.extras["regions"]
    own = own[own["region"] == row["region"]]
    both = own.merge(net, on="comparison", suffixes=("", "_net"))
    shares = [
        ((both[f"score{end}"] - both["chance"]) / (1 - both["chance"])).round(12)
        for end in ("", "_net")
    ]
    assert row["rho"] == pytest.approx(spearmanr(*shares).statistic)


def test_few_comparisons_have_no_rho_and_a_reason(made):
    decoded, trials, told = made
    names = {"a vs b", "a vs c", "b vs c"}
    few = [one for one in trials if one.task.comparison.name in names]
    result = twin(decoded, few, told)
    assert result.table[["rho", "ci_low", "ci_high"]].isna().all(axis=None)
    assert not result.table[["best", "is_named"]].any(axis=None)
    assert result.table["p_corrected"].isna().all()
    assert result.meta["warnings"][-1].startswith("Regions and layers have 3 comparison(s)")


def test_intervals_narrow_with_comparisons_that_agree():
    """With one order in both, rho is one in each sample; where nothing varies, there is none."""
    stimuli = make_stimuli(NAMES, 2)
    how = TwinChoices(comparisons=("pairs",), seed=0, n_permutations=1)
    _, tasks = tasks_of(list(stimuli.values()), list(stimuli), how)
    names = [task.comparison.name for task in tasks]
    scores = np.linspace(0.5, 1, len(names))
    regions = pd.DataFrame({"region": "V1", "comparison": names, "score": scores, "chance": 0.5})
    regions = regions.assign(p_corrected=np.nan, p_fdr=0.01)
    right = np.ones(len(stimuli))
    trials = [
        Trial("net", layer, math.inf, task, np.array([value]), np.zeros(2), right, 3)
        for layer in ("conv1", "flat")
        for task, value in zip(tasks, scores, strict=True)
    ]
    trials[len(tasks) :] = [replace(one, scores=np.array([0.75])) for one in trials[len(tasks) :]]
    table = match(regions, trials, seed=0).set_index("layer")
    np.testing.assert_allclose(table.loc["conv1", ["rho", "ci_low", "ci_high"]].astype(float), 1)
    assert np.isnan(table.loc["flat", "rho"])
    assert table["best"].tolist() == [True, False]
    assert table["is_named"].tolist() == [True, False]
    undecoded = match(regions.assign(p_fdr=0.2), trials, seed=0)
    assert undecoded["best"].tolist() == [True, False]
    assert not undecoded["is_named"].any()


def test_stimuli_of_several_conditions_are_left_out():
    samples = pd.DataFrame(
        {"stimulus": ["a", "b", "a", "", "c"], "condition": ["x", "y", "y", "x", ""]}
    )
    conditions, warnings = conditions_of_stimuli(samples, [])
    assert conditions == {"b": "y"}
    assert warnings[0].startswith("1 stimuli were shown under several conditions, such as 'a'")


def test_stimuli_without_features_are_left_out(rng):
    samples = pd.DataFrame({"stimulus": ["a", "b", "c"], "condition": ["x", "y", "y"]})
    grams = [make_gram(rng.normal(size=(2, 3)), pair) for pair in ("ab", "bc")]
    conditions, warnings = conditions_of_stimuli(samples, grams)
    assert conditions == {"b": "y"}
    assert warnings[0].startswith("2 stimuli have no features, such as 'a'")
