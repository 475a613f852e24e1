"""analyses.encode.averages: filters planted in training pictures are found, tests are not seen."""

from dataclasses import replace

import numpy as np
import pytest

from bids_dnn.analyses.encode.averages import COLUMNS, MOST_UNITS, averages_of
from bids_dnn.analyses.encode.choices import Choices
from bids_dnn.analyses.encode.data import prepare
from bids_dnn.analyses.encode.fit import encode
from bids_dnn.containers.pictures import GreyPictures
from bids_dnn.errors import MissingInputError
from tests.factories.responses import make_gram, make_responses, make_roi

N, SIDE = 400, 6
CHOICES = Choices(
    n_folds=4, n_inner=2, alphas=None, select="gcv", ceiling="ncsnr", floor=0.0,
    n_permutations=9, seed=0,
)  # fmt: skip


def make(rng, *, n_units=3):
    """Units that see one pixel each, of white noise."""
    stimuli = [f"s{k:03}" for k in range(N)]
    values = rng.integers(0, 256, (N, SIDE, SIDE), dtype=np.uint8)
    places = [(k % SIDE, (2 * k) % SIDE) for k in range(n_units)]
    told = np.stack([values[:, row, column] for row, column in places], axis=1)
    responses = make_responses(told / 50.0, stimuli=stimuli)
    order = rng.permutation(N)  # pictures come in any order
    shown = GreyPictures(tuple(stimuli[k] for k in order), values[order], "net")
    return responses, shown, places


def data_of(responses, *, regions=None, **other):
    regions = regions or {"V1": range(responses.values.shape[1])}
    rois = [make_roi(name, responses, units) for name, units in regions.items()]
    return prepare(responses, rois, replace(CHOICES, **other))


def test_the_pixel_that_a_unit_sees_is_found(rng):
    responses, shown, places = make(rng)
    made = averages_of(data_of(responses, regions={"V1": [0, 2], "V4": [1]}), shown)
    table, kept = made.tables["triggered"], made.arrays["triggered"]
    assert table["region"].tolist() == ["V1", "V1", "V4"]
    assert table["unit"].tolist() == [0, 2, 1]
    assert set(table) - set(made.columns["triggered"]) == {"region"}
    assert set(COLUMNS) < set(table)
    assert (table["n_images"] == N).all()
    for unit, z in zip(table["unit"], kept.values["z"], strict=True):
        assert np.unravel_index(np.argmax(z), z.shape) == places[unit]
        assert z.max() == pytest.approx(np.sqrt(N - 1), rel=1e-5)  # r of 1
    np.testing.assert_allclose(table["z_high"], np.sqrt(N - 1), rtol=1e-5)
    peak = kept.values["average"].max(axis=(1, 2))
    np.testing.assert_allclose(peak, 256 / np.sqrt(12), rtol=0.1)  # the SD of a pixel


def test_pictures_that_test_do_not_count(rng):
    responses, shown, _ = make(rng)
    split = {f"s{k:03}": "train" if k < 300 else "test" for k in range(N)}
    first = averages_of(data_of(responses, split=split), shown)
    other = responses.values.copy()
    other[300:] = rng.normal(size=other[300:].shape)
    second = averages_of(data_of(replace(responses, values=other), split=split), shown)
    assert (first.tables["triggered"]["n_images"] == 300).all()
    for name, values in first.arrays["triggered"].values.items():
        np.testing.assert_array_equal(values, second.arrays["triggered"].values[name])


def test_of_many_units_some_are_taken_evenly(rng):
    responses, shown, _ = make(rng, n_units=60)
    told = averages_of(data_of(responses), shown).tables["triggered"]["unit"].to_numpy()
    assert len(told) == MOST_UNITS
    assert (told[0], told[-1]) == (0, 59)
    assert set(np.diff(told)) == {2, 3}


def test_a_picture_that_lacks_is_named(rng):
    responses, shown, _ = make(rng)
    fewer = GreyPictures(shown.stimuli[1:], shown.values[1:], "net")
    with pytest.raises(MissingInputError, match=shown.stimuli[0]):
        averages_of(data_of(responses), fewer)


def test_they_come_with_the_result(rng):
    responses, shown, _ = make(rng)
    grams = [make_gram(rng.normal(size=(N, 5)), [f"s{k:03}" for k in range(N)])]
    rois = [make_roi("V1", responses, range(3))]
    result = encode(responses, rois, grams, choices=CHOICES, pictures=shown)
    assert result.arrays["triggered"].values["z"].shape == (3, SIDE, SIDE)
    assert "z_high" in result.extra_columns["triggered"]
    assert not encode(responses, rois, grams, choices=CHOICES).arrays
