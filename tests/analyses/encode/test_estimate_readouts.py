"""analyses.encode.estimate_readouts, through the door: planted fields, refusals, no leak."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from bids_dnn.analyses.encode.choices import Choices
from bids_dnn.analyses.encode.estimate_readouts import divergence_warnings
from bids_dnn.analyses.encode.fit import encode
from bids_dnn.analyses.encode.readouts.forms import PENALTIES
from bids_dnn.analyses.encode.readouts.search import draw_settings
from bids_dnn.containers.features import FeatureValues, ShownMaps
from bids_dnn.containers.readout import READOUTS
from bids_dnn.errors import ConfigError, UnreadableError
from tests.factories.responses import make_gram, make_responses, make_roi

SETTINGS = {
    "n_folds": 3,
    "n_inner": 2,
    "alphas": None,
    "select": "auto",
    "ceiling": "ncsnr",
    "floor": 0.0,
    "n_permutations": 49,
    "seed": 0,
    "n_settings": 2,
    "stimulus_deg": 8.0,
}
PLACES = ((1, 1), (1, 5), (5, 3), (3, 3))  # row, column of each unit's field, on 7 x 7 cells


def make(rng, *, n=240, noise=0.3):
    """Units that see one small place of the maps, each a mixture of channels."""
    stimuli = [f"s{k:03}.png" for k in range(n)]
    maps = rng.normal(size=(n, 5, 7, 7)).astype(np.float32)
    rows, columns = np.mgrid[:7, :7]
    masks = np.stack([np.exp(-((rows - r) ** 2 + (columns - c) ** 2) / 1.5) for r, c in PLACES])
    vectors = rng.normal(size=(len(PLACES), 5))
    signal = np.einsum("nchw,uhw,uc->nu", np.maximum(maps, 0), masks, vectors)
    signal = (signal - signal.mean(axis=0)) / signal.std(axis=0)
    values = signal + noise * rng.normal(size=signal.shape)
    responses = make_responses(values, stimuli=stimuli)
    grams = [make_gram(maps.reshape(n, -1), stimuli, layer="conv")]
    found = FeatureValues(tuple(stimuli), "net", "conv", maps, {}, 70)
    return responses, [make_roi("V4", responses, range(len(PLACES)))], grams, found


def run(given, kind, **other):
    responses, rois, grams, maps = given
    choices = Choices(**(SETTINGS | {"estimators": (kind,)} | other))
    return encode(responses, rois, grams, choices=choices, features=[maps])


@pytest.mark.parametrize("kind", READOUTS)
def test_planted_fields_are_found_and_predict(kind):
    result = run(make(np.random.default_rng(1)), kind)
    row = result.table[result.table["target"] == "units"].iloc[0]
    assert row["estimator"] == kind
    # the units cut features at zero, as bashivan does; the full weights of cadena are many
    assert row["score"] > {"bashivan": 0.8, "cadena": 0.6, "factorized": 0.6}[kind]
    assert row["p"] <= 0.05
    fields = result.extras[f"fields{kind}"]
    assert (fields["measured_in"] == "deg").all()
    cell = 8 / 7
    x = [(c - 3) * cell for _, c in PLACES]
    y = [(3 - r) * cell for r, _ in PLACES]  # up is above zero
    np.testing.assert_allclose(fields["x"], x, atol=0.5 * cell)
    np.testing.assert_allclose(fields["y"], y, atol=0.5 * cell)
    x_px = [10 * c + 4.5 for _, c in PLACES]  # of 70 pixels; 0 to 9 are the first cell
    y_px = [10 * r + 4.5 for r, _ in PLACES]
    np.testing.assert_allclose(fields["x_px"], x_px, atol=5)
    np.testing.assert_allclose(fields["y_px"], y_px, atol=5)
    np.testing.assert_allclose(fields["size_px"], fields["size"] * 70 / 8)
    told = result.extra_columns[f"fields{kind}"]
    assert "upper left pixel" in told["x_px"]
    assert set(fields.columns) - set(told) == {"region", "network", "layer"}
    stats = {(one.stat, one.model) for one in result.maps}
    assert ("fieldx", f"net+conv+{kind}") in stats
    assert ("pearson", f"net+conv+{kind}") in stats


def test_test_images_do_not_reach_the_readout(rng):
    responses, rois, grams, maps = make(rng, n=120)
    stimuli = list(maps.stimuli)
    split = dict.fromkeys(stimuli[:90], "train") | dict.fromkeys(stimuli[90:], "test")
    other = responses.values.copy()
    other[90:] *= 0.5  # the same r, unless the model saw them
    scores = [
        run(
            (replace(responses, values=values), rois, grams, maps), "factorized", split=split
        ).table["score"]
        for values in (responses.values, other)
    ]
    np.testing.assert_allclose(scores[0], scores[1], rtol=1e-5)


def look(pictures):
    """Make three maps of 7 x 7 of pictures of 14 x 14."""
    shown = pictures.permute(0, 3, 1, 2).float() / 255
    return torch.nn.functional.avg_pool2d(shown, 2)


@pytest.mark.parametrize("kind", ["kept", "anew"])
def test_the_order_of_the_maps_does_not_matter(rng, kind):
    n = 60
    responses, rois, grams, maps = make(rng, n=n)
    order = rng.permutation(n)
    mixed = tuple(maps.stimuli[k] for k in order)
    if kind == "kept":
        given = maps, replace(maps, stimuli=mixed, values=maps.values[order])
    else:
        pictures = rng.integers(0, 256, (n, 14, 14, 3), dtype=np.uint8)
        given = (
            ShownMaps(maps.stimuli, "net", "conv", pictures, look),
            ShownMaps(mixed, "net", "conv", pictures[order], look),
        )
    once, again = (run((responses, rois, grams, one), "factorized") for one in given)
    assert once.table["score"].notna().all()
    pd.testing.assert_frame_equal(once.table, again.table, rtol=1e-3, atol=1e-4)
    name = "fieldsfactorized"
    pd.testing.assert_frame_equal(once.extras[name], again.extras[name], rtol=1e-3, atol=1e-3)


def test_a_unit_that_never_varies_has_no_score(rng):
    responses, rois, grams, maps = make(rng, n=60)
    values = responses.values.copy()
    values[:, 2] = 0.1
    result = run((replace(responses, values=values), rois, grams, maps), "factorized")
    row = result.table[result.table["target"] == "units"].iloc[0]
    assert row["n_units"] == len(PLACES) - 1
    assert np.isfinite(row["score"])
    (r,) = [one.values for one in result.maps if one.stat == "pearson"]
    assert np.flatnonzero(np.isnan(r)).tolist() == [2]


def test_counts_are_predicted_by_the_loss_for_them(rng):
    responses, rois, grams, maps = make(rng)
    rate = np.exp(1 + 0.8 * responses.values)
    counts = replace(responses, values=rng.poisson(rate).astype(np.float32))
    found = {
        loss: run((counts, rois, grams, maps), "factorized", loss=loss)
        for loss in ("gaussian", "poisson")
    }
    scores = {
        loss: result.table.set_index("target")["score"]["units"] for loss, result in found.items()
    }
    assert scores["poisson"] > max(0.4, scores["gaussian"])
    assert {name: one.meta["readout_loss"] for name, one in found.items()} == {
        name: name for name in found
    }
    with pytest.raises(UnreadableError, match=r"the Poisson loss takes counts.*Gaussian loss"):
        run((responses, rois, grams, maps), "factorized", loss="poisson")


def test_without_maps_it_is_refused(rng):
    responses, rois, grams, maps = make(rng, n=40)
    choices = Choices(**(SETTINGS | {"estimators": ("cadena",)}))
    flat = replace(maps, values=maps.values.reshape(40, -1))
    for given in ((), (flat,)):
        with pytest.raises(ConfigError, match=r"'cadena', but none of the layers puts out maps"):
            encode(responses, rois, grams, choices=choices, features=given)


@pytest.mark.parametrize("kind", READOUTS)
def test_the_setting_of_each_unit_is_told_with_its_loss(rng, kind):
    responses, rois, grams, maps = make(rng, n=96)
    values = responses.values.copy()
    values[:, 3] = 1.0  # is not fitted
    given = (replace(responses, values=values), [*rois, replace(rois[0], name="again")])
    result = run((*given, grams, maps), kind, n_settings=4)
    table = result.extras[f"settings{kind}"]
    told = result.extra_columns[f"settings{kind}"]
    assert set(table.columns) - set(told) == {"region", "network", "layer"}
    assert set(told) == {
        "unit", "fold", "setting", *PENALTIES, "rate", "loss", "is_diverged"
    }  # fmt: skip
    counts = table.groupby(["region", "unit"])["fold"].nunique()
    assert (counts == 3).all()
    fitted = table[table["unit"] != 3]
    assert fitted["loss"].between(0, 1.5).all()
    drawn = draw_settings(kind, 4, np.random.default_rng([0, 7]))
    for row in fitted.itertuples():
        one = drawn[row.setting]
        for name in (*PENALTIES, "rate"):
            assert getattr(row, name) == getattr(one, name)
    if kind == "cadena":
        assert fitted["sparse"].max() > 0
    assert not table["is_diverged"].any()
    flat = table[table["unit"] == 3]
    assert flat.drop(columns=["is_diverged"]).isna().any(axis=1).all()


def test_training_that_ends_in_no_number_is_told_of():
    table = pd.DataFrame(
        {"network": "net", "layer": ["conv1", "conv2"] * 3, "is_diverged": [False] * 6}
    )
    assert divergence_warnings("cadena", table) == []
    bad = table.assign(is_diverged=[False, True] * 2 + [False] * 2)
    (told,) = divergence_warnings("cadena", bad)
    assert "cadena ended in a loss that is no number for 2 of 6 units and folds" in told
    assert "conv2 of net" in told
