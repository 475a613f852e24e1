"""ingest.lss: the closed form equals a regression for each trial."""

import numpy as np
import pandas as pd
import pytest

from bids_dnn.errors import NotEnoughDataError
from bids_dnn.ingest.lss import basis, solve_separately
from bids_dnn.ingest.trials import design_trials

TIMES = 1.0 + 2.0 * np.arange(100)
ALL = np.ones(100, dtype=bool)
ONSETS = np.arange(5, 165, 6.5)
KINDS = np.array(["face", "house", "car"])[np.arange(len(ONSETS)) % 3]
NONE = np.zeros((100, 0))
ONE = np.array(["all"] * len(ONSETS))


def design(onsets=ONSETS, *, confounds=NONE, hrf="spm", high_pass_hz=0.01):
    return design_trials(
        np.asarray(onsets, dtype=float),
        np.full(len(onsets), 2.0),
        frame_times_s=TIMES,
        hrf=hrf,
        confounds=confounds,
        high_pass_hz=high_pass_hz,
    )


def one_by_one(made, y, *, groups, keep=ALL):
    """A least-squares fit for each trial, as published."""
    n, parts = made.n_trials, made.n_parts
    x = made.matrix[keep]
    own = [x[:, p * n : (p + 1) * n] for p in range(parts)]
    found = []
    for i in range(n):
        others = [
            part[:, [j for j in range(n) if j != i and groups[j] == name]].sum(axis=1)
            for part in own
            for name in dict.fromkeys(groups)
        ]
        model = np.column_stack([*(part[:, i] for part in own), *others, x[:, parts * n :]])
        found.append(np.linalg.lstsq(model, y[keep], rcond=None)[0][0])
    return np.array(found)


@pytest.mark.parametrize("hrf", ["spm", "glover + derivative", "spm + derivative + dispersion"])
@pytest.mark.parametrize("groups", [ONE, KINDS], ids=["all", "conditions"])
def test_closed_form_equals_a_regression_for_each_trial(rng, groups, hrf):
    made = design(confounds=rng.normal(size=(100, 4)), hrf=hrf)
    y = rng.normal(size=(100, 5))
    keep = rng.random(100) > 0.1
    solver = solve_separately(made, groups=groups, keep=keep, run="01")
    expected = one_by_one(made, y, groups=groups, keep=keep)
    assert solver.estimated.all()
    np.testing.assert_allclose(solver.weights @ y[keep], expected, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("groups", [ONE, KINDS], ids=["all", "conditions"])
def test_closed_form_equals_nilearn(rng, groups):
    from nilearn.glm.first_level import run_glm

    made = design(high_pass_hz=None)
    y = rng.normal(size=(100, 3))
    solver = solve_separately(made, groups=groups, keep=ALL, run="01")
    for i in (0, 7, len(ONSETS) - 1):
        others = [
            made.canonical[:, (groups == g) & (np.arange(len(ONSETS)) != i)].sum(axis=1)
            for g in np.unique(groups)
        ]
        model = np.column_stack([made.canonical[:, i], *others, np.ones(100)])
        labels, fitted = run_glm(y, model, noise_model="ols")
        np.testing.assert_allclose(solver.weights[i] @ y, fitted[labels[0]].theta[0], atol=1e-8)


@pytest.mark.filterwarnings("ignore:.*Generation of a mask has been requested")
def test_first_level_model_of_nilearn_agrees(rng):
    import nibabel as nib
    from nilearn.glm.first_level import FirstLevelModel

    made = design()
    y = rng.normal(100, 1, size=(100, 2))
    solver = solve_separately(made, groups=ONE, keep=ALL, run="01")
    others = np.delete(made.canonical, 3, axis=1).sum(axis=1)
    columns = np.column_stack([made.canonical[:, 3], others, made.matrix[:, made.n_trials :]])
    names = ["own", "others", *(f"rest{i}" for i in range(columns.shape[1] - 2))]
    model = FirstLevelModel(
        noise_model="ols",
        mask_img=nib.Nifti1Image(np.ones((2, 1, 1), np.uint8), np.eye(4)),
        signal_scaling=False,
    )
    image = nib.Nifti1Image(y.T.reshape(2, 1, 1, 100), np.eye(4))
    model.fit(image, design_matrices=pd.DataFrame(columns, columns=names))
    found = model.compute_contrast("own", output_type="effect_size")
    expected = np.asarray(found.dataobj).ravel()
    np.testing.assert_allclose(solver.weights[3] @ y, expected, rtol=1e-5, atol=1e-5)


def test_weights_answer_to_their_own_trial_alone(rng):
    confounds = rng.normal(size=(100, 3))
    made = design(confounds=confounds, hrf="spm + derivative")
    solver = solve_separately(made, groups=KINDS, keep=ALL, run="01")
    n = made.n_trials
    np.testing.assert_allclose((solver.weights * made.canonical.T).sum(axis=1), 1, atol=1e-9)
    own_slope = made.matrix[:, n : 2 * n]
    np.testing.assert_allclose((solver.weights * own_slope.T).sum(axis=1), 0, atol=1e-9)
    np.testing.assert_allclose(solver.weights @ made.matrix[:, 2 * n :], 0, atol=1e-9)


def test_a_trial_alone_in_its_condition_is_fitted_beside_the_others(rng):
    groups = np.array(["odd", *KINDS[1:]])
    made = design()
    y = rng.normal(size=(100, 4))
    solver = solve_separately(made, groups=groups, keep=ALL, run="01")
    expected = one_by_one(made, y, groups=groups)
    np.testing.assert_allclose(solver.weights @ y, expected, atol=1e-6)


def test_each_trial_its_own_condition_is_least_squares_all(rng):
    made = design()
    y = rng.normal(size=(100, 4))
    own = [str(i) for i in range(made.n_trials)]
    solver = solve_separately(made, groups=own, keep=ALL, run="01")
    expected = np.linalg.lstsq(made.matrix, y, rcond=None)[0][: made.n_trials]
    np.testing.assert_allclose(solver.weights @ y, expected, atol=1e-6)


def test_more_trials_than_volumes_are_no_hindrance(rng):
    made = design(np.arange(2, 180, 1.3))
    assert made.n_trials > 100
    y = rng.normal(size=(100, 2))
    groups = ["all"] * made.n_trials
    solver = solve_separately(made, groups=groups, keep=ALL, run="01")
    expected = one_by_one(made, y, groups=groups)[solver.estimated]
    np.testing.assert_allclose(solver.weights @ y, expected, atol=1e-6)
    assert solver.degrees_of_freedom == 100 - 6 - 1  # constant, 4 cosines, others, and the trial


def test_a_filter_goes_over_series_and_design(rng):
    made = design()
    y = rng.normal(size=(100, 3))
    smooth = np.array([np.convolve(row, np.ones(3) / 3, mode="same") for row in np.eye(100)]).T
    solver = solve_separately(made, groups=ONE, keep=ALL, run="01", low_pass=smooth)
    n = made.n_trials
    x = smooth @ made.matrix
    others = x[:, 1:n].sum(axis=1)
    model = np.column_stack([x[:, 0], others, x[:, n:]])
    expected = np.linalg.lstsq(model, smooth @ y, rcond=None)[0][0]
    np.testing.assert_allclose(solver.weights[0] @ y, expected, atol=1e-8)


def test_trials_that_are_hardly_seen_have_no_weights():
    made = design([10.0, 60.0, 62.5, 110.0, 150.0, 196.9], high_pass_hz=None)
    keep = ~((TIMES > 59) & (TIMES < 98))
    solver = solve_separately(made, groups=["x"] * 6, keep=keep, run="01")
    assert solver.estimated.tolist() == [True, False, False, True, True, False]


def test_trials_at_one_time_are_refused():
    with pytest.raises(NotEnoughDataError, match=r"Trial 2 of 3 in run 01 cannot be told apart"):
        solve_separately(design([10, 10, 60]), groups=["x"] * 3, keep=ALL, run="01")


def test_more_nuisance_than_volumes_is_refused(rng):
    made = design(confounds=rng.normal(size=(100, 95)))
    with pytest.raises(NotEnoughDataError, match=r"Run 07 has 100 volumes for 102 regressors in"):
        solve_separately(made, groups=ONE, keep=ALL, run="07")


def test_a_basis_spans_its_columns_whatever_their_unit(rng):
    x = rng.normal(size=(20, 3)) * [1e6, 1, 1e-6]
    found = basis(np.column_stack([x, x[:, 0] + 1e6 * x[:, 1], np.zeros(20)]))
    assert found.shape == (20, 3)
    np.testing.assert_allclose(found @ (found.T @ x), x, rtol=1e-6)
