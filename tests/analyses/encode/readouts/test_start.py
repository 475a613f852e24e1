"""analyses.encode.readouts.start: ridge in closed form, sums, products."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge

from bids_dnn.analyses.encode.readouts import start as module
from bids_dnn.analyses.encode.readouts.descent import columns_of
from bids_dnn.analyses.encode.readouts.forms import Setting
from bids_dnn.analyses.encode.readouts.start import (
    RIDGES,
    best_of_grid,
    covariance,
    first_product,
    squared_error,
    start,
    sums_of,
)
from tests.factories.feature_maps import planted
from tests.factories.readouts import problem_of


def sums(rng, *, n=60, d=5, n_units=3, share=1.0):
    z = torch.tensor(rng.normal(size=(n_units, n, d)) + 1)
    t = torch.tensor(rng.normal(size=(n, n_units)))
    known = torch.tensor(rng.random((n, n_units)) < share)
    return z, t, known, sums_of(z, t, known)


def test_the_error_from_sums_is_the_error(rng):
    z, t, known, made = sums(rng, share=0.8)
    w, bias = torch.tensor(rng.normal(size=(3, 5))), torch.tensor(rng.normal(size=3))
    guess = torch.einsum("uns,us->nu", z, w) + bias
    expected = ((guess - t) ** 2 * known).sum(dim=0)
    np.testing.assert_allclose(squared_error(made, w, bias), expected)


def test_the_best_of_the_grid_is_scikit_learns(rng):
    z, t, known, made = sums(rng, share=0.8)
    t = t + torch.einsum("uns,us->nu", z, torch.tensor(rng.normal(size=(3, 5))))
    made = sums_of(z, t, known)
    other = sums(rng, n=40)
    held = sums_of(other[0], other[1], other[2])
    solution, bias = best_of_grid(made, held, rough=None, smooths=())
    for unit in range(3):
        rows = known[:, unit].numpy()
        x, y = z[unit].numpy()[rows], t[:, unit].numpy()[rows]
        scale = ((x - x.mean(axis=0)) ** 2).sum() / 5
        peers = [Ridge(alpha=a * scale).fit(x, y) for a in RIDGES]
        errors = [
            ((p.predict(other[0][unit]) - other[1][:, unit].numpy()) ** 2).sum() for p in peers
        ]
        best = peers[int(np.argmin(errors))]
        np.testing.assert_allclose(solution[unit], best.coef_, rtol=1e-8)
        np.testing.assert_allclose(bias[unit], best.intercept_, rtol=1e-8)


def test_the_first_product_is_the_first_pair_of_singular_vectors(rng):
    maps = torch.tensor(rng.normal(size=(4, 5, 3, 6)))
    maps += 4 * torch.einsum("uc,hw->uchw", torch.ones(4, 5), torch.ones(3, 6))  # a gap
    mask, vector = first_product(maps)
    for unit in range(4):
        u, s, v = np.linalg.svd(maps[unit].flatten(1))
        np.testing.assert_allclose(
            np.outer(vector[unit], mask[unit]), s[0] * np.outer(u[:, 0], v[0]), atol=1e-6
        )
    assert (mask.sum(dim=(1, 2)) > 0).all()


def test_the_covariance_is_that_of_responses_and_maps(rng):
    world = planted(rng, n=60, side=4, n_units=3)
    y = world.responses.copy()
    y[rng.random(y.shape) < 0.2] = np.nan
    problem = problem_of(world.maps, y, "cadena", batch_size=16)
    made = covariance(problem)
    seen = problem.maps(problem.train).double().numpy()
    for unit in range(3):
        rows = np.isfinite(y[problem.train, unit])
        own, x = problem.truth[problem.train, unit].numpy()[rows], seen[rows]
        expected = np.einsum("n,nchw->chw", own, x - x.mean(axis=0)) / rows.sum()
        np.testing.assert_allclose(made[unit], expected, atol=1e-5)


@pytest.mark.parametrize("kind", ["bashivan", "cadena", "factorized"])
def test_the_ridge_start_is_better_than_that_of_covariance_and_both_than_nothing(rng, kind):
    world = planted(rng, n=300, sd=1.5)
    losses = {}
    for name in ("covariance", "ridge"):
        problem = problem_of(
            world.maps, world.responses, kind, start=name, is_rectified=True, batch_size=64
        )
        losses[name] = columns_of(problem, start(problem), (Setting(),)).loss.mean()
    assert losses["ridge"] < losses["covariance"] < 1
    # noise of half the signal's SD: 0.25 / 1.25 of the variance cannot be told
    assert losses["ridge"] < 0.5


def test_the_vector_is_the_best_one_for_its_mask(rng):
    world = planted(rng, n=120, side=5, n_units=2)
    problem = problem_of(world.maps, world.responses, "bashivan")
    made = start(problem)
    seen = problem.maps(np.arange(120)).double().numpy()
    pooled = np.einsum("nchw,uhw->unc", seen, made["mask"].double().abs().numpy())
    for unit in range(2):
        x, y = pooled[unit], problem.truth[:, unit].double().numpy()
        own = x[problem.train]
        scale = ((own - own.mean(axis=0)) ** 2).sum() / 6
        fits = [Ridge(alpha=a * scale).fit(own, y[problem.train]) for a in RIDGES]
        best = min(fits, key=lambda f: ((f.predict(x[problem.held]) - y[problem.held]) ** 2).sum())
        np.testing.assert_allclose(
            made["vector"][unit] * problem.gain, best.coef_, rtol=1e-3, atol=1e-6
        )
        np.testing.assert_allclose(made["bias"][unit], best.intercept_, rtol=1e-3)


def test_large_maps_start_with_the_mask_of_covariance(rng, monkeypatch):
    world = planted(rng, n=80, side=5, n_units=2)
    problem = problem_of(world.maps, world.responses, "factorized")
    monkeypatch.setattr(module, "MOST_CELLS", 24)
    mask, _ = first_product(covariance(problem))
    made = start(problem)["mask"]
    np.testing.assert_allclose(made / made.norm(dim=(1, 2), keepdim=True), mask, atol=1e-6)


def test_a_mask_of_sizes_can_move_everywhere(rng):
    world = planted(rng, n=80, side=5, n_units=2)
    made = start(problem_of(world.maps, world.responses, "bashivan"))["mask"]
    assert (made > 0).all()
    np.testing.assert_allclose(made.square().mean(dim=(1, 2)), 1, rtol=1e-5)
