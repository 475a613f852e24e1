"""simulate.truth: components and noise come out as planted."""

import numpy as np
import pytest

from bids_dnn.features.models import card_of
from bids_dnn.simulate.truth import N_VOXELS, PLAN, components, mix, noise_for, truth_table


@pytest.mark.parametrize("weighting", ["equal", "variance"])
def test_components_are_those_of_a_singular_value_decomposition(rng, weighting):
    x = rng.normal(size=(12, 30))
    u, s, _ = np.linalg.svd(x - x.mean(axis=0), full_matrices=False)
    made = components(x @ x.T, n_components=3, weighting=weighting)
    expected = u[:, :3] * (1 if weighting == "equal" else s[:3] / s[0]) * np.sqrt(12)
    signs = np.sign((made * expected).sum(axis=0))
    np.testing.assert_allclose(made, expected * signs, atol=1e-4)


def test_components_do_not_see_an_offset_or_a_scale(rng):
    x = rng.normal(size=(12, 30))
    other = 3 * (x + rng.normal(size=30))
    np.testing.assert_allclose(
        components(x @ x.T, n_components=4, weighting="variance"),
        components(other @ other.T, n_components=4, weighting="variance"),
        atol=2e-4,
    )


def test_voxels_are_in_units_of_their_standard_deviation(rng):
    made = mix(rng.normal(size=(80, 10)), rng)
    assert made.shape == (80, N_VOXELS)
    np.testing.assert_allclose(made.std(axis=0), 1)
    np.testing.assert_allclose(made.mean(axis=0), 0, atol=1e-12)


@pytest.mark.parametrize("ceiling", [0.5, 0.9])
def test_the_noise_gives_the_ceiling(rng, ceiling):
    noise = noise_for(ceiling, 0.4) * np.sqrt(0.4)
    truth = rng.normal(size=200_000)
    seen = truth + noise * rng.normal(size=truth.size)
    # the standard error of r over 200,000 draws is below 0.002
    assert np.corrcoef(truth, seen)[0, 1] == pytest.approx(ceiling, abs=0.01)


def test_planted_layers_are_three_apart_and_of_at_most_ten_components():
    order = card_of("alexnet").layers
    places = [order.index(plan.layer) for plan in PLAN if plan.layer]
    assert min(np.diff(places)) >= 3
    assert max(plan.n_components for plan in PLAN) <= 10
    assert [plan.layer for plan in PLAN].count("") == 1


def test_the_table_has_a_row_for_each_participant_and_region():
    rows = truth_table(["01", "02"])
    assert len(rows) == 2 * len(PLAN)
    assert rows[0]["weights"] == "random (seed 0)"
    assert rows[-1]["layer"] == "n/a"
