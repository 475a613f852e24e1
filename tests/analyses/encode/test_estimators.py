"""analyses.encode.estimators, through the door: what each leaves, and what it must not do."""

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest

from bids_dnn.analyses.encode.banded import grid_of
from bids_dnn.analyses.encode.banded_search import teach
from bids_dnn.analyses.encode.choices import Choices
from bids_dnn.analyses.encode.estimators import ESTIMATORS as ALL_ESTIMATORS
from bids_dnn.analyses.encode.fit import encode
from bids_dnn.analyses.encode.model import Model
from bids_dnn.config.schema import Estimator
from bids_dnn.containers.readout import READOUTS
from bids_dnn.errors import ConfigError, UnreadableError
from tests.factories.responses import make_gram, make_responses, make_roi

ESTIMATORS = ("ridge", "pls", "banded")  # on Gram matrices; readouts have a file of their own
SETTINGS = {
    "n_folds": 4,
    "n_inner": 3,
    "alphas": None,
    "select": "auto",
    "ceiling": "ncsnr",
    "floor": 0.0,
    "n_permutations": 49,
    "seed": 0,
    "n_candidates": 8,
}


def make(rng, *, n=80, n_units=24, n_repeats=3):
    """Two layers; the first half of the units follows the first, the second half the second."""
    stimuli = [f"s{k:03}.png" for k in range(n)]
    features = [rng.normal(size=(n, p)) for p in (8, 12)]
    half = n_units // 2
    signal = np.hstack([x @ rng.normal(size=(x.shape[1], half)) for x in features])
    signal /= signal.std(axis=0)
    values = np.tile(signal, (n_repeats, 1))
    values = values + rng.normal(size=values.shape)
    responses = make_responses(
        values, stimuli=stimuli * n_repeats, runs=np.repeat(np.arange(n_repeats), n)
    )
    grams = [make_gram(x, stimuli, layer=f"conv{k}") for k, x in enumerate(features)]
    rois = [
        make_roi("first", responses, range(half)),
        make_roi("both", responses, range(n_units)),
    ]
    return responses, rois, grams


def run(given, *estimators, **other):
    choices = Choices(**(SETTINGS | {"estimators": estimators} | other))
    return encode(*given, choices=choices)


def rows_of(result, estimator, *, target="units"):
    table = result.table
    keep = (table["estimator"] == estimator) & (table["target"] == target)
    return table[keep].set_index(["region", "layer"])


@pytest.fixture(scope="module")
def made():
    given = make(np.random.default_rng(3))
    return given, run(given, *ESTIMATORS, is_partitioned=True)


def test_every_estimator_scores_each_region_and_target(made):
    _, result = made
    counts = result.table.groupby(["estimator", "target", "region"]).size()
    assert set(counts.loc["ridge"]) == {3}  # two layers, and the one that units chose
    assert set(counts.loc["pls"]) == {2}
    assert set(counts.loc["banded"]) == {1}
    assert result.table["score"].notna().all()
    assert result.table["estimator"].drop_duplicates().tolist() == list(ESTIMATORS)


def test_each_finds_the_layer_that_was_planted(made):
    _, result = made
    for name in ("ridge", "pls"):
        rows = rows_of(result, name)
        assert rows.loc[("first", "conv0"), "best"]
        assert rows.loc[("first", "conv0"), "score"] > 0.7
        assert rows.loc[("first", "conv0"), "p_corrected"] <= 0.05
        assert abs(rows.loc[("first", "conv1"), "score"]) < 0.3
    chosen = rows_of(result, "ridge").xs("chosen layer", level="layer")
    assert chosen.loc["both", "score"] > rows_of(result, "ridge").loc[("both", "conv0"), "score"]
    banded = rows_of(result, "banded")
    assert banded.loc[("both", "all spaces"), "score"] > chosen.loc["both", "score"] - 0.03


def test_single_units_are_tested_whatever_predicts_them(made):
    _, result = made
    maps = {(one.stat, one.model): one for one in result.maps}
    for name, layer, label in (
        ("ridge", "conv0", "net+conv0"),
        ("ridge", "chosen layer", "chosenlayer"),
        ("pls", "conv0", "net+conv0+pls"),
        ("banded", "all spaces", "allspaces+banded"),
    ):
        share = rows_of(result, name).loc[("first", layer), "above_chance"]
        assert share > 0.9, label
        q = maps["q", label].values[: len(maps["q", label].values) // 2]
        np.testing.assert_allclose((q <= 0.05).mean(), share)
        word = "rotation" if label == "net+conv0" else "t test"
        assert word in maps["p", label].description
        assert rows_of(result, name, target="mean")["above_chance"].isna().all()
    for name in ("ridge", "pls"):  # the other layer tells nothing of these units
        assert rows_of(result, name).loc[("first", "conv1"), "above_chance"] < 0.2


def test_components_are_those_of_the_region_alone(made):
    given, result = made
    responses, _, grams = given
    data_rows = rows_of(result, "pls")
    alone = run((responses, given[1][:1], grams[:1]), "pls")
    np.testing.assert_allclose(
        rows_of(alone, "pls").loc[("first", "conv0"), "score"],
        data_rows.loc[("first", "conv0"), "score"],
        rtol=1e-5,
    )
    table = result.extras["components"]
    assert set(table["target"]) == {"units", "mean"}
    assert (table["n_components"] >= 1).all()
    assert (table["n_components"] <= table["most"]).all()


def test_spaces_bring_what_was_planted_and_add_up(made):
    _, result = made
    table = result.extras["spaces"].set_index(["region", "target", "space"]).sort_index()
    first = table.loc[("first", "units")]
    assert first.loc["net conv0", "r2"] > 0.5
    assert abs(first.loc["net conv1", "r2"]) < 0.05
    assert first.loc["net conv0", "weight"] > 0.7
    np.testing.assert_allclose(first["weight"].sum(), 1)
    for region in ("first", "both"):
        whole = rows_of(result, "banded").loc[(region, "all spaces"), "r2"]
        np.testing.assert_allclose(table.loc[(region, "units"), "r2"].sum(), whole, atol=1e-6)
        parts = result.extras["partition"].set_index(["region", "target"])["r2"].sort_index()
        np.testing.assert_allclose(parts.loc[(region, "units")].sum(), whole, atol=1e-6)


def test_maps_of_each_estimator_have_labels_of_their_own(made):
    _, result = made
    labels = [(one.stat, one.model) for one in result.maps]
    assert len(labels) == len(set(labels))
    assert ("pearson", "net+conv0") in labels
    assert ("pearson", "net+conv0+pls") in labels
    assert ("pearson", "allspaces+banded") in labels
    assert ("pearson", "chosenlayer") in labels
    assert ("layer", "") in labels
    assert ("rsquaredunique", "netconv0+banded") in labels


def test_images_are_identified_from_patterns(made):
    _, result = made
    table = result.extras["identification"].set_index(["region", "estimator", "layer"])
    right = table.loc[("first", "ridge", "conv0")]
    assert right["mean_rank_low"] > 0.8
    assert right["top1_low"] > right["top1_chance"]
    wrong = table.loc[("first", "ridge", "conv1")]
    assert wrong["mean_rank_low"] < 0.65
    assert right["n_candidates"] == 20


@pytest.mark.parametrize("name", ESTIMATORS)
def test_of_a_given_split_only_test_images_are_scored(rng, name):
    responses, rois, grams = make(rng, n=60)
    stimuli = sorted(set(responses.samples["stimulus"]))
    split = dict.fromkeys(stimuli[:40], "train") | dict.fromkeys(stimuli[40:], "test")
    result = run((responses, rois[:1], grams), name, split=split)
    rows = rows_of(result, name)
    assert (rows["n_stimuli"] == 20).all()
    assert (rows["n_folds"] == 1).all()
    assert rows["score"].max() > 0.6
    best = rows[rows["score"] == rows["score"].max()].iloc[0]
    assert best["ci_low"] < best["score"] < best["ci_high"]
    assert best["p"] == pytest.approx(0.02)
    found = result.extras["identification"]
    assert found["p"].notna().all()  # one set of test images: exchanges are exact
    assert result.meta["folds"] == "split given"


@pytest.mark.parametrize("name", ESTIMATORS)
def test_responses_to_test_images_do_not_reach_the_model(rng, name):
    """Other test responses change scores, but no prediction: seen by the maps of a fold."""
    responses, rois, grams = make(rng, n=48, n_repeats=1)
    stimuli = sorted(set(responses.samples["stimulus"]))
    split = dict.fromkeys(stimuli[:32], "train") | dict.fromkeys(stimuli[32:], "test")
    is_test = responses.samples["stimulus"].map(split).eq("test").to_numpy()
    taken = []
    for values in (responses.values, np.where(is_test[:, None], 0.5, 1) * responses.values):
        other = replace(responses, values=values.astype(np.float32))
        result = run((other, rois[:1], grams), name, split=split)
        taken.append(rows_of(result, name)["score"].to_numpy())
    # test responses scaled by a constant: r is the same unless the model saw them
    np.testing.assert_allclose(taken[0], taken[1], rtol=1e-4)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_a_unit_that_never_varies_has_no_score_and_changes_no_other(rng, name):
    responses, rois, grams = make(rng, n=48)
    values = responses.values.copy()
    values[:, 3] = 0.1
    found = run((replace(responses, values=values), rois[:1], grams), name)
    others = np.array([k for k in range(12) if k != 3])
    without = run((responses, [make_roi("first", responses, others)], grams), name)
    for target in ("units", "mean"):
        one, two = (rows_of(result, name, target=target) for result in (found, without))
        np.testing.assert_allclose(one["score"], two["score"], rtol=1e-4)
        np.testing.assert_allclose(one["r2"], two["r2"], atol=1e-4)
        assert one["n_units"].tolist() == two["n_units"].tolist()
    maps = [one for one in found.maps if one.stat == "pearson"]
    assert maps
    for one in maps:
        assert np.flatnonzero(np.isnan(one.values)).tolist() == [3]


@pytest.mark.parametrize("name", ESTIMATORS)
def test_infinite_responses_are_refused_with_their_unit(rng, name):
    responses, rois, grams = make(rng, n=48)
    values = responses.values.copy()
    values[7, 5] = np.inf
    with pytest.raises(UnreadableError, match=r"unit 5 to sample 7 is infinite.*'first'"):
        run((replace(responses, values=values), rois, grams), name)


def test_nuisance_and_components_reach_every_estimator(rng):
    responses, rois, grams = make(rng, n=48)
    nuisance = rng.normal(size=len(responses.samples))
    values = responses.values + 4 * np.outer(nuisance, rng.normal(size=24)).astype(np.float32)
    samples = responses.samples.assign(motion=nuisance)
    disturbed = replace(responses, values=values, samples=samples)
    grams = [replace(one, n_components=6) for one in grams]
    plainly = run((disturbed, rois[:1], grams), *ESTIMATORS)
    cleaned = run((disturbed, rois[:1], grams), *ESTIMATORS, nuisance=("motion",))
    for name, layer in (("ridge", "conv0"), ("pls", "conv0"), ("banded", "all spaces")):
        cell = ("first", layer)
        gain = (
            rows_of(cleaned, name).loc[cell, "score"] - rows_of(plainly, name).loc[cell, "score"]
        )
        assert gain > 0.05, name


def test_banded_ridge_tries_the_penalties_that_kept_components_ask_for(rng):
    grams = [one.gram for one in make(rng, n=48)[2]]
    train = np.arange(48) % 4 > 0
    whole, kept = (grid_of(teach(grams, train, (n, n))) for n in (0, 2))
    # the first two components have the larger variances, and leave fewer dimensions to shrink
    assert kept.min() > whole.min()
    assert kept.max() <= whole.max()
    assert set(kept.round(9)) <= set(whole.round(9))


def test_a_network_can_be_one_space(rng):
    responses, rois, grams = make(rng, n=48)
    other = replace(grams[1], network="other")
    result = run((responses, rois[:1], [*grams, other]), "banded", spaces="network")
    assert result.extras["spaces"]["space"].unique().tolist() == ["net", "other"]
    assert result.meta["spaces"] == ["net", "other"]


def test_one_space_and_too_many_parts_are_refused(rng):
    responses, rois, grams = make(rng, n=48)
    with pytest.raises(ConfigError, match=r"there is one: net conv0.*Name another layer"):
        run((responses, rois[:1], grams[:1]), "banded")
    many = [replace(grams[0], layer=f"conv{k}") for k in range(5)]
    with pytest.raises(ConfigError, match=r"5 feature spaces share; 4 can be"):
        run((responses, rois[:1], many), "banded", is_partitioned=True)


def test_every_estimator_has_a_door():
    assert tuple(ALL_ESTIMATORS) == (*ESTIMATORS, *READOUTS) == get_args(Estimator)


def test_an_estimator_that_does_not_exist_is_refused(rng):
    with pytest.raises(ConfigError, match=r"'rigde'.*ridge"):
        run(make(rng, n=48), "rigde")


def test_units_of_two_regions_are_mapped_once():
    model = Model("pls", "net", "conv", np.zeros((3, 5)), np.array([0, 1, 1, 2, 3]), ())
    assert model.of_units(3).tolist() == [0, 1, 3]
    assert model.label() == "net+conv+pls"
