"""analyses.ceiling.profiles: means by hand, laws, what estimate_ceilings leaves."""

import numpy as np
import pandas as pd
import pytest

from bids_dnn.analyses.ceiling.estimate import estimate_ceilings
from bids_dnn.analyses.ceiling.profiles import COLUMNS, response_profiles
from bids_dnn.errors import NotEnoughDataError
from tests.factories.responses import make_responses, make_roi


def make(rng):
    stimuli = ["b", "a", "c", "a", "b", "a"]
    return rng.normal(size=(6, 5)), stimuli, {"V1": np.array([0, 1]), "V4": np.array([3])}


def test_means_are_those_of_a_table(rng):
    values, stimuli, regions = make(rng)
    made = response_profiles(values, stimuli, regions)
    assert list(made) == list(COLUMNS)
    assert made["stimulus"].tolist() == ["a", "b", "c"] * 2
    assert made["n_repeats"].tolist() == [3, 2, 1] * 2
    for region, columns in regions.items():
        by_hand = pd.Series(values[:, columns].mean(axis=1)).groupby(stimuli).mean()
        own = made[made["region"] == region]
        np.testing.assert_allclose(own["response"], by_hand)


def test_the_order_of_samples_does_not_matter(rng):
    values, stimuli, regions = make(rng)
    turned = response_profiles(values[::-1], stimuli[::-1], regions)
    pd.testing.assert_frame_equal(turned, response_profiles(values, stimuli, regions))


def test_a_region_without_units_is_refused(rng):
    values, stimuli, _ = make(rng)
    with pytest.raises(NotEnoughDataError, match="1 of 1 regions"):
        response_profiles(values, stimuli, {"V1": np.array([], dtype=int)})


def test_ceilings_leave_them_also_where_nothing_repeats(rng):
    values, stimuli, _ = make(rng)
    responses = make_responses(values, stimuli=[*stimuli[:5], ""])
    made = estimate_ceilings(responses, [make_roi("V1", responses, [1, 4])], seed=0)
    profiles = made.extras["profiles"]
    assert profiles["n_repeats"].tolist() == [2, 2, 1]
    np.testing.assert_allclose(
        profiles["response"].iloc[2], responses.values[2, [1, 4]].mean(), rtol=1e-6
    )
    assert made.extra_columns["profiles"] == COLUMNS
