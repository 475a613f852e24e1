"""ingest.condition_means: planted shapes come out, and runs joined equal one large model."""

import numpy as np
import pytest
from scipy.linalg import block_diag

from bids_dnn.errors import NotEnoughDataError
from bids_dnn.ingest.condition_means import (
    Evidence,
    canonical_columns,
    fir_columns,
    project,
    solve_conditions,
)
from bids_dnn.ingest.trials import responses_at

TIMES = 2.0 * np.arange(120)
ALL = np.ones(120, dtype=bool)
KINDS = np.array(["face", "house", "face", "house", "house", "face", "face", "house"])
ONSETS = np.array([4.0, 22, 50, 64, 98, 130, 144, 190])
DRIFT = np.column_stack([np.ones(120), np.linspace(-1, 1, 120)])


def fir(onsets=ONSETS, kinds=KINDS, *, window=(4.0, 8.0), length=20.0, names=("face", "house")):
    return fir_columns(
        onsets,
        kinds,
        names=names,
        frame_times_s=TIMES,
        t_r_s=2.0,
        window_s=window,
        length_s=length,
    )


def evidence(columns, y, *, nuisance=DRIFT, keep=ALL):
    gram, weights, free = project(columns, nuisance, keep=keep)
    return Evidence(gram, weights @ y[keep], free)


def test_a_planted_shape_comes_out_as_the_mean_of_its_window(rng):
    shapes = rng.normal(size=(2, 11, 3))  # condition, delay, unit
    y = DRIFT @ rng.normal(size=(2, 3))
    for onset, kind in zip(ONSETS, KINDS, strict=True):
        start = int(onset // 2)
        y[start : start + 11] += shapes[int(kind == "house")][: 120 - start]
    columns = fir()
    assert columns.matrix.shape == (120, 22)
    found, lost, left = solve_conditions(evidence(columns, y), columns.wanted, where="Run 01")
    np.testing.assert_allclose(found, shapes[:, 2:4].mean(axis=1), atol=1e-9)
    assert not lost.any()
    assert left == 120 - 22 - 2


def test_fir_columns_are_those_of_nilearn():
    import pandas as pd
    from nilearn.glm.first_level import make_first_level_design_matrix

    events = pd.DataFrame({"onset": ONSETS, "duration": 2.0, "trial_type": KINDS})
    expected = make_first_level_design_matrix(
        TIMES, events, hrf_model="fir", fir_delays=list(range(11)), drift_model=None
    )
    found = fir().matrix
    for c, name in enumerate(("face", "house")):
        for k in range(11):
            column = expected[f"{name}_delay_{k}"]
            np.testing.assert_allclose(found[:, c * 11 + k], column, atol=1e-9)


def test_onsets_between_volumes_belong_to_the_delay_they_began():
    columns = fir(np.array([5.0]), np.array(["face"]), names=("face",))
    assert np.flatnonzero(columns.matrix[:, 0]).tolist() == [3]  # 6 s: 1 s after the onset
    assert np.flatnonzero(columns.seen[:, 0]).tolist() == [5, 6]  # middles at 5 and 7 s


def test_canonical_amplitudes_are_found(rng):
    durations = np.full(8, 2.0)
    amplitudes = rng.normal(size=(2, 4))
    columns = canonical_columns(
        ONSETS,
        durations,
        KINDS,
        names=("face", "house"),
        frame_times_s=TIMES,
        hrf="spm + derivative",
    )
    single = responses_at(TIMES, ONSETS, durations, hrf="spm")
    y = single @ amplitudes[(KINDS == "house").astype(int)] + DRIFT @ rng.normal(size=(2, 4))
    found, _, left = solve_conditions(evidence(columns, y), columns.wanted, where="Run 01")
    np.testing.assert_allclose(found, amplitudes, atol=1e-9)
    assert left == 120 - 4 - 2


def test_joined_runs_equal_one_model_with_nuisance_by_run(rng):
    first, second = fir(), fir(ONSETS[::-1] + 6.0, KINDS)
    y = rng.normal(size=(2, 120, 3))
    keep = rng.random(120) > 0.1
    total = evidence(first, y[0]) + evidence(second, y[1], keep=keep)
    found, _, left = solve_conditions(total, first.wanted, where="Session a")
    x = np.column_stack(
        [np.concatenate([first.matrix, second.matrix[keep]]), block_diag(DRIFT, DRIFT[keep])]
    )
    both = np.concatenate([y[0], y[1][keep]])
    amplitudes = np.linalg.lstsq(x, both, rcond=None)[0][:22]
    np.testing.assert_allclose(found, first.wanted @ amplitudes, atol=1e-8)
    assert left == len(x) - 22 - 4


def test_a_filter_goes_over_series_and_design(rng):
    smooth = np.array([np.convolve(row, np.ones(3) / 3, mode="same") for row in np.eye(120)]).T
    columns, y = fir(), rng.normal(size=(120, 2))
    gram, weights, free = project(columns, DRIFT, keep=ALL, low_pass=smooth)
    found, _, _ = solve_conditions(
        Evidence(gram, weights @ y, free), columns.wanted, where="Run 01"
    )
    x = smooth @ np.column_stack([columns.matrix, DRIFT])
    expected = columns.wanted @ np.linalg.lstsq(x, smooth @ y, rcond=None)[0][:22]
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_condition_that_is_not_there_is_lost(rng):
    columns = fir(names=("car", "face", "house"))
    made = evidence(columns, rng.normal(size=(120, 2)))
    _, lost, _ = solve_conditions(made, columns.wanted, where="Run 01")
    assert lost.tolist() == [True, False, False]


def test_conditions_at_one_time_are_lost(rng):
    twice = np.concatenate([ONSETS, ONSETS[KINDS == "face"]])
    columns = fir(twice, [*KINDS, *["car"] * 4], names=("car", "face", "house"), length=8.0)
    made = evidence(columns, rng.normal(size=(120, 2)))
    _, lost, _ = solve_conditions(made, columns.wanted, where="Run 01")
    assert lost.tolist() == [True, True, False]


def test_what_cannot_be_is_refused(rng):
    with pytest.raises(NotEnoughDataError, match=r"its middle 4 to 4\.5 s after an onset.*2 s"):
        fir(window=(4.0, 4.5))
    columns = fir(np.arange(0, 240, 2.0), [f"{i}" for i in range(120)], names=list("abcdef"))
    made = evidence(columns, rng.normal(size=(120, 1)), keep=TIMES < 4)
    with pytest.raises(NotEnoughDataError, match=r"Run 03 has 66 regressors .* for 0 volumes"):
        solve_conditions(made, columns.wanted, where="Run 03")
