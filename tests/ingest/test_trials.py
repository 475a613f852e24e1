"""ingest.trials: amplitudes that were put in come out."""

import numpy as np
import pytest

from bids_dnn.errors import NotEnoughDataError
from bids_dnn.ingest.trials import design_trials, solve_trials

TIMES = 1.0 + 2.0 * np.arange(100)
ALL = np.ones(100, dtype=bool)
NONE = np.zeros((100, 0))


def design(onsets, *, confounds=NONE, high_pass_hz=0.01, durations=2.0, hrf="spm"):
    return design_trials(
        np.asarray(onsets, dtype=float),
        np.full(len(onsets), durations),
        frame_times_s=TIMES,
        hrf=hrf,
        confounds=confounds,
        high_pass_hz=high_pass_hz,
    )


@pytest.mark.parametrize("hrf", ["spm", "glover"])
def test_planted_amplitudes_are_found(rng, hrf):
    confounds = rng.normal(size=(100, 3))
    made = design(np.arange(5, 165, 16), confounds=confounds, hrf=hrf)
    assert made.n_trials == 10
    amplitudes = rng.normal(size=(made.matrix.shape[1], 4))
    solver = solve_trials(made, keep=ALL, run="01")
    np.testing.assert_allclose(
        solver.weights @ (made.matrix @ amplitudes), amplitudes[:10], atol=1e-8
    )
    assert solver.degrees_of_freedom == 100 - made.matrix.shape[1]


def test_weights_agree_with_least_squares(rng):
    made = design(np.arange(5, 165, 16))
    y = rng.normal(size=(100, 6))
    keep = rng.random(100) > 0.1
    expected = np.linalg.lstsq(made.matrix[keep], y[keep], rcond=None)[0][:10]
    solver = solve_trials(made, keep=keep, run="01")
    np.testing.assert_allclose(solver.weights @ y[keep], expected, atol=1e-8)


def test_regressors_agree_with_nilearn():
    from nilearn.glm.first_level import compute_regressor

    made = design([10.0, 60.0])
    expected, _ = compute_regressor(np.array([[60.0], [2.0], [1.0]]), "spm", TIMES)
    np.testing.assert_allclose(made.matrix[:, 1], expected[:, 0], atol=1e-10)


def test_start_time_moves_the_response(rng):
    """A volume taken later sees a later part of the same response."""
    late = design_trials(
        np.array([10.0]),
        np.array([2.0]),
        frame_times_s=TIMES + 4,
        hrf="spm",
        confounds=NONE,
        high_pass_hz=None,
    )
    early = design([10.0], high_pass_hz=None)
    np.testing.assert_allclose(late.matrix[:-2, 0], early.matrix[2:, 0], atol=1e-4)


def test_drift_is_left_out_where_told():
    assert design([10.0], high_pass_hz=None).matrix.shape[1] == 2
    assert design([10.0], high_pass_hz=0.01).matrix.shape[1] == 6  # 4 cosines


def test_inflation_agrees_with_its_definition(rng):
    made = design([10.0, 13.0, 90.0], high_pass_hz=None)
    x = made.matrix
    solver = solve_trials(made, keep=ALL, run="01")
    for i in range(3):
        others = np.delete(x, i, axis=1)
        left = x[:, i] - others @ np.linalg.lstsq(others, x[:, i], rcond=None)[0]
        r2 = 1 - left @ left / ((x[:, i] - x[:, i].mean()) ** 2).sum()
        np.testing.assert_allclose(solver.inflation[i], 1 / (1 - r2), rtol=1e-6)
    assert solver.inflation[0] > 1.5 * solver.inflation[2]


def test_events_beyond_the_run_have_no_column():
    made = design([10.0, 198.5, 500.0])
    assert made.inside.tolist() == [True, False, False]
    assert made.n_trials == 1


def test_more_regressors_than_volumes_are_refused(rng):
    made = design([10.0, 60.0], confounds=rng.normal(size=(100, 95)))
    with pytest.raises(NotEnoughDataError, match=r"Run 07 has 100 volumes for 102 regressors"):
        solve_trials(made, keep=ALL, run="07")


def test_trials_at_one_time_are_refused():
    with pytest.raises(NotEnoughDataError, match=r"of 3 in run 01 cannot be told apart"):
        solve_trials(design([10.0, 10.0, 60.0]), keep=ALL, run="01")
