"""analyses.decode.classifiers.sharing: many labelings at once are solved as each alone."""

import numpy as np
import pytest

from bids_dnn.analyses.decode.classifiers import pivoting
from bids_dnn.analyses.decode.classifiers.pivoting import solve_machines
from bids_dnn.analyses.decode.classifiers.sharing import solve_shared

N_LABELINGS = 20


def make_case(rng, n_units, *, scale, is_run_centered, n=40):
    x = rng.normal(size=(n, n_units)) + rng.normal(size=(n, 3)) @ rng.normal(size=(3, n_units))
    if is_run_centered:
        x -= x.reshape(-1, 4, n_units).mean(axis=1).repeat(4, axis=0)
    x = scale * (x - x.mean(axis=0))
    signs = np.tile([1.0, -1.0], n // 2)
    runs = signs.reshape(-1, 4)
    drawn = [rng.permuted(runs, axis=1).ravel() for _ in range(N_LABELINGS)]
    return x @ x.T, np.array(drawn)


@pytest.mark.parametrize("is_run_centered", [False, True])
@pytest.mark.parametrize(
    ("n_units", "scale", "c"), [(120, 1.0, 1.0), (120, 0.3, 1.0), (60, 3.0, 0.5), (45, 1.0, 1.0)]
)
def test_duals_fulfill_the_conditions_of_the_optimum(rng, n_units, scale, c, is_run_centered):
    gram, signs = make_case(rng, n_units, scale=scale, is_run_centered=is_run_centered)
    n = len(gram)
    dual, intercept = np.zeros((n, N_LABELINGS)), np.zeros(N_LABELINGS)
    left = np.ones(N_LABELINGS, dtype=bool)
    states = np.ones(signs.shape, dtype=np.int8)
    solve_shared(gram, signs, np.full(signs.shape, c), 1e-9, dual, intercept, left, states)
    is_bound = 2 * (states != 0).sum(axis=1) > n  # then others go on
    assert not left.all()
    assert (left & ~is_bound).mean() < 0.5
    margin = (signs.T * (gram @ dual + intercept))[:, ~left]
    length = (signs.T * dual)[:, ~left]
    size = np.trace(gram) / n
    np.testing.assert_allclose(size * dual.sum(axis=0), 0, atol=1e-4)
    assert length.min() > -1e-6 / size
    assert length.max() < c + 1e-6 / size
    assert (margin[length < 1e-6 * c] > 1 - 1e-5).all()
    assert (margin[length > c * (1 - 1e-6)] < 1 + 1e-5).all()
    free = (length > 1e-6 * c) & (length < c * (1 - 1e-6))
    np.testing.assert_allclose(margin[free], 1, atol=1e-5)


@pytest.mark.parametrize("scale", [0.01, 0.2, 1.0])
@pytest.mark.parametrize("n_units", [10, 38, 100])
def test_all_labelings_are_solved_as_each_alone(rng, n_units, scale):
    gram, signs = make_case(rng, n_units, scale=scale, is_run_centered=True)
    cost = rng.uniform(0.2, 1.0, size=(1, len(gram), 1))
    many = solve_machines(gram[None], signs.T[None], cost, n_units=n_units)
    for k in range(N_LABELINGS):
        one = solve_machines(gram[None], signs[k][None, :, None], cost, n_units=n_units)
        np.testing.assert_allclose(
            gram @ many[0][0, :, k] + many[1][0, 0, k],
            gram @ one[0][0, :, 0] + one[1][0, 0, 0],
            rtol=0,
            atol=1e-4,
        )


def test_labelings_without_some_samples_are_solved_one_by_one(rng, monkeypatch):
    gram, signs = make_case(rng, 60, scale=1.0, is_run_centered=False)
    signs[3, :5] = 0
    signs[4] = 1
    found = solve_machines(gram[None], signs.T[None], 1.0)
    alone = solve_machines(gram[None], signs[[3]].T[None], 1.0)
    np.testing.assert_array_equal(found[0][..., 3], alone[0][..., 0])
    assert found[1][0, 0, 4] == 1.0
    assert pivoting.MANY < N_LABELINGS


def test_at_low_costs_all_is_left_to_others(rng):
    gram, signs = make_case(rng, 60, scale=1.0, is_run_centered=False)
    room, left = (np.zeros(signs.T.shape), np.zeros(len(signs))), np.ones(len(signs), dtype=bool)
    states = np.ones(signs.shape, dtype=np.int8)
    solve_shared(gram, signs, np.full(signs.shape, 1e-3), 1e-9, *room, left, states)
    assert left.all()
    assert not states.any()


def test_what_does_not_vary_is_left():
    left = np.ones(3, dtype=bool)
    signs = np.tile([1.0, -1.0], (3, 2))
    room = np.zeros((4, 3)), np.zeros(3)
    states = np.zeros(signs.shape, dtype=np.int8)
    solve_shared(np.full((4, 4), 2.0), signs, np.ones((3, 4)), 1e-9, *room, left, states)
    assert left.all()
