"""Patterns that are kept to be looked at: of the best model, in SDs of the measured responses."""

from dataclasses import replace

import numpy as np
import pytest

from bids_dnn.analyses.encode.choices import Choices
from bids_dnn.analyses.encode.data import prepare
from bids_dnn.analyses.encode.model import Model
from bids_dnn.analyses.encode.patterns import N_IMAGES, N_UNITS, PATTERNS, Patterns
from tests.factories.responses import make_responses, make_roi

N = 40


@pytest.fixture
def data(rng):
    stimuli = [f"s{k:02}" for k in range(N)]
    responses = make_responses(rng.normal(size=(N, 8), loc=5), stimuli=stimuli)
    rois = [make_roi("V1", responses, range(5)), make_roi("V4", responses, range(3, 8))]
    choices = Choices(
        n_folds=4, n_inner=2, alphas=None, select="gcv", ceiling="ncsnr", floor=0.0,
        n_permutations=9, seed=0,
    )  # fmt: skip
    return prepare(responses, rois, choices)


def model_of(data, guess, *, layer="conv1", estimator="ridge"):
    columns = np.arange(data.truth.shape[1])
    return Model(estimator, "net", layer, guess.astype(np.float32), columns, ())


def test_a_perfect_model_predicts_what_was_measured(data):
    made = Patterns(data)
    model = model_of(data, data.truth - 5)  # a constant is none of the pattern
    for place, (_, columns) in enumerate(data.regions):
        made.offer(model, place, columns, 1.0)
    table = made.table()
    assert list(table) == list(PATTERNS)
    assert len(table) == 2 * N_IMAGES * 5
    np.testing.assert_allclose(table["predicted"], table["measured"], atol=1e-5)
    first = table[(table["region"] == "V4") & (table["unit"] == 3)]
    column = data.truth[:, 3].astype(np.float64)
    rows = [data.stimuli.index(name) for name in first["stimulus"]]
    expected = (column[rows] - column.mean()) / column.std()
    np.testing.assert_allclose(first["measured"], expected, rtol=1e-5)


def test_the_best_model_of_each_estimator_is_kept(data, rng):
    made = Patterns(data)
    region, columns = data.regions[0]
    for layer, score in (("a", 0.1), ("b", 0.4), ("c", 0.3), ("d", np.nan)):
        guess = rng.normal(size=data.truth.shape)
        made.offer(model_of(data, guess, layer=layer), 0, columns, score)
    made.offer(model_of(data, guess, layer="c", estimator="pls"), 0, columns, -0.2)
    kept = made.table()[["region", "estimator", "layer"]].drop_duplicates()
    assert kept.values.tolist() == [[region.name, "ridge", "b"], [region.name, "pls", "c"]]


def test_of_many_pictures_and_units_some_are_kept(rng):
    stimuli = [f"s{k:02}" for k in range(N)]
    responses = make_responses(rng.normal(size=(N, N_UNITS + 50)), stimuli=stimuli)
    choices = Choices(
        n_folds=4, n_inner=2, alphas=None, select="gcv", ceiling="ncsnr", floor=0.0,
        n_permutations=9, seed=0,
        split={name: "train" if k % 2 else "test" for k, name in enumerate(stimuli)},
    )  # fmt: skip
    data = prepare(responses, [], choices)
    made = Patterns(data)
    guess = np.where(data.tested()[:, None], data.truth, np.nan)
    made.offer(model_of(data, guess), 0, data.regions[0][1], 1.0)
    table = made.table()
    assert table["unit"].nunique() == N_UNITS
    assert set(table["unit"]) >= {0, N_UNITS + 49}
    assert table["stimulus"].nunique() == N_IMAGES
    assert {int(name[1:]) % 2 for name in table["stimulus"]} == {0}  # test images alone
    np.testing.assert_allclose(table["predicted"], table["measured"], atol=1e-5)


def test_a_unit_that_does_not_vary_has_no_pattern(data):
    truth = data.truth.copy()
    truth[:, 1] = 2.0
    still = replace(data, truth=truth)
    made = Patterns(still)
    made.offer(model_of(still, truth), 0, still.regions[0][1], 1.0)
    table = made.table()
    is_still = table["unit"] == 1
    assert table.loc[is_still, ["measured", "predicted"]].isna().all(axis=None)
    assert table.loc[~is_still, ["measured", "predicted"]].notna().all(axis=None)


def test_without_a_score_there_is_no_row(data):
    made = Patterns(data)
    made.offer(model_of(data, data.truth), 0, data.regions[0][1], float("nan"))
    assert made.table().empty
    assert list(made.table()) == list(PATTERNS)
