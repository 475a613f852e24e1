"""ingest.trials: amplitudes that were put in come out."""

import numpy as np
import pytest
from scipy import stats

from bids_dnn.errors import NotEnoughDataError
from bids_dnn.ingest.trials import design_trials, responses_at, solve_trials

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


def double_gamma(times_s, duration_s):
    """SPM's response to a box, integrated in closed form; its peak on a fine grid is 1."""

    def respond(t):
        if duration_s == 0:
            return stats.gamma.pdf(t, 6) - 0.167 * stats.gamma.pdf(t, 16)
        parts = [stats.gamma.cdf(t, k) - stats.gamma.cdf(t - duration_s, k) for k in (6, 16)]
        return parts[0] - 0.167 * parts[1]

    return respond(times_s) / respond(np.arange(0, 60, 0.005)).max()


@pytest.mark.parametrize("duration", [0.0, 0.5, 2.0, 10.0])
def test_regressors_agree_with_the_double_gamma(duration):
    made = design([60.3], durations=duration)
    expected = double_gamma(TIMES - 60.3, duration)
    expected[TIMES > 60.3 + 31] = made.matrix[TIMES > 60.3 + 31, 0]  # its tail is cut at 32 s
    np.testing.assert_allclose(made.matrix[:, 0], expected, atol=2e-3)


@pytest.mark.parametrize("hrf", ["spm", "glover"])
@pytest.mark.parametrize("t_r", [1.0, 2.0])
@pytest.mark.parametrize("duration", [0.0, 0.5, 2.0, 10.0])
def test_the_peak_is_1_whatever_duration_and_repetition_time(hrf, t_r, duration):
    onsets = 10 + 40.02 * np.arange(100)  # every part of a volume
    times = t_r * np.arange(round(4100 / t_r))
    found = responses_at(times, onsets, np.full(100, duration), hrf=hrf).max(axis=0)
    assert found.max() == pytest.approx(1, abs=1e-3)
    assert found.min() > 0.85  # what falls between two volumes


@pytest.mark.parametrize("t_r", [1.0, 2.0])
def test_one_percent_gives_an_amplitude_of_one(t_r):
    onsets, durations = np.array([10.0, 51.3, 92.7, 130.0]), np.array([0.0, 0.5, 2.0, 10.0])
    times = t_r * np.arange(round(190 / t_r))
    parts = [double_gamma(times - o, d) for o, d in zip(onsets, durations, strict=True)]
    made = design_trials(
        onsets, durations, frame_times_s=times, hrf="spm", confounds=NONE[:0], high_pass_hz=None
    )
    solver = solve_trials(made, keep=np.ones(len(times), dtype=bool), run="01")
    np.testing.assert_allclose(solver.weights @ np.sum(parts, axis=0), 1, atol=0.005)


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


def test_a_late_trial_is_hardly_estimated_and_takes_no_weight(rng):
    made = design([*np.arange(5, 165, 16), 196.9])
    solver = solve_trials(made, keep=ALL, run="01")
    assert solver.estimated.tolist() == [True] * 10 + [False]
    assert 9 < solver.variance_ratio[10] < np.inf
    assert solver.weights.shape == (10, 100)
    np.testing.assert_allclose(solver.weights @ made.matrix[:, 10], 0, atol=1e-10)


def test_trials_of_volumes_that_were_left_out_are_not_estimated():
    made = design([10.0, 60.0, 62.5, 110.0, 150.0], high_pass_hz=None)
    keep = ~((TIMES > 59) & (TIMES < 98))  # longer than the response
    solver = solve_trials(made, keep=keep, run="01")
    assert np.isinf(solver.variance_ratio[[1, 2]]).all()
    assert solver.estimated.tolist() == [True, False, False, True, True]
    expected = solve_trials(design([10.0, 110.0, 150.0], high_pass_hz=None), keep=keep, run="01")
    np.testing.assert_allclose(solver.weights, expected.weights, atol=1e-8)
    assert solver.degrees_of_freedom == expected.degrees_of_freedom


def test_two_trials_before_the_last_volume_alone_are_not_collinear():
    solver = solve_trials(design([*np.arange(5, 165, 16), 196.6, 196.8]), keep=ALL, run="01")
    assert solver.estimated.tolist() == [True] * 10 + [False, False]


@pytest.mark.parametrize("before_end_s", [2.0, 3.5, 4.0])
def test_a_late_trial_that_its_own_derivatives_hide_is_not_refused(before_end_s):
    times = 2.0 * np.arange(120)
    onsets = np.append(np.arange(4.0, 210.0, 8.0), times[-1] - before_end_s)
    design = design_trials(
        onsets,
        np.ones(len(onsets)),
        frame_times_s=times,
        hrf="spm + derivative + dispersion",
        confounds=np.zeros((120, 0)),
        high_pass_hz=0.008,
    )
    estimated = solve_trials(design, keep=np.ones(120, dtype=bool), run="01").estimated
    assert estimated[:-1].all()
    assert not estimated[-1]
