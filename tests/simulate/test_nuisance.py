"""simulate.nuisance: known answers and laws."""

import numpy as np
import pytest

from bids_dnn.simulate.nuisance import (
    background,
    colored,
    derivative,
    displacement,
    disturb,
    error_of_mean,
)
from bids_dnn.simulate.timing import cosines


def test_noise_has_variance_one_and_remembers_one_step(rng):
    made = colored(rng, (400, 500), memory=0.3)
    # 200,000 values: the standard error of both figures is below 0.004
    assert made.var() == pytest.approx(1, abs=0.015)
    assert (made[1:] * made[:-1]).mean() == pytest.approx(0.3, abs=0.015)
    assert made[0].var() == pytest.approx(1, abs=0.25)


def test_the_background_is_explained_by_the_confound_table(rng):
    nuisance = disturb(130, rng)
    made = background(nuisance, 40, rng)
    known = np.hstack([nuisance.signals, cosines(130), np.ones((130, 1))])
    left = made - known @ np.linalg.lstsq(known, made, rcond=None)[0]
    np.testing.assert_allclose(left, 0, atol=1e-9)
    assert made.std() > 0.5


def test_framewise_displacement_of_known_steps():
    motion = np.zeros((3, 6))
    motion[1:, 0] = 0.5
    motion[2, 3] = 0.01
    np.testing.assert_allclose(displacement(motion), [0, 0.5, 0.5])


def test_a_derivative_begins_with_nothing():
    np.testing.assert_array_equal(derivative(np.array([[1.0], [4.0], [2.0]])), [[0], [3], [-2]])


def test_the_error_of_betas_is_what_is_drawn(rng):
    design = np.hstack([rng.normal(size=(60, 4)), np.ones((60, 1))])
    drawn = colored(rng, (60, 20_000), memory=0.3)
    betas = (np.linalg.pinv(design) @ drawn)[:4]
    # 20,000 draws: the relative standard error of a variance is 1 %
    assert error_of_mean([design], 4) == pytest.approx(betas.var(axis=1).mean() / 2, rel=0.05)
