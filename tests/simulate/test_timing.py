"""simulate.timing: known answers and laws."""

from collections import Counter

import numpy as np
import pytest

from bids_dnn.simulate.timing import (
    T_R_S,
    canonical_hrf,
    cosines,
    plan_runs,
    trial_regressors,
)

CATEGORIES = [kind for kind in "abcd" for _ in range(20)]


@pytest.fixture
def runs(rng):
    return plan_runs(CATEGORIES, rng, n_runs=5)


def test_each_stimulus_is_shown_twice_in_two_runs(runs):
    shown = Counter(int(i) for run in runs for i in run.stimuli)
    assert set(shown.values()) == {2}
    assert len(shown) == 80
    assert all(len(set(run.stimuli.tolist())) == len(run.stimuli) for run in runs)


def test_each_run_has_as_many_of_each_category(runs):
    for run in runs:
        assert set(Counter(CATEGORIES[i] for i in run.stimuli).values()) == {8}


def test_every_trial_has_its_response_within_the_run(runs):
    for run in runs:
        assert run.times_s[-1] - run.onsets_s[-1] > 12
        assert np.diff(run.onsets_s).min() >= 4.5
        assert run.times_s[0] == T_R_S / 2


def test_the_response_peaks_at_five_seconds_and_dips_later():
    t = np.arange(0, 32, 0.01)
    made = canonical_hrf(t)
    assert t[made.argmax()] == pytest.approx(5.0, abs=0.05)
    assert 14 < t[made.argmin()] < 18
    assert canonical_hrf(np.array([-1.0]))[0] == 0


def test_the_regressors_agree_with_those_of_nilearn(runs):
    from nilearn.glm.first_level.hemodynamic_models import compute_regressor

    run = runs[0]
    made = trial_regressors(run)
    for trial in (0, 9, 31):
        event = np.array([[run.onsets_s[trial]], [2.0], [1.0]])
        theirs = compute_regressor(event, "spm", run.times_s, oversampling=50)[0][:, 0]
        assert np.corrcoef(theirs, made[:, trial])[0, 1] > 0.999
    assert made.max() == pytest.approx(1.0, abs=0.05)


def test_cosines_are_orthonormal_and_slow():
    made = cosines(139)
    np.testing.assert_allclose(made.T @ made, np.eye(made.shape[1]), atol=1e-12)
    np.testing.assert_allclose(made.sum(axis=0), 0, atol=1e-10)
    assert made.shape[1] == int(2 * 139 * T_R_S / 128)
