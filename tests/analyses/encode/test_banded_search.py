"""analyses.encode.banded_search: himalaya, exact leave-one-out, generalized cross-validation."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from bids_dnn.analyses.encode.banded_search import draw_weights, groups, search_weights, teach
from bids_dnn.analyses.encode.solvers import choose_alpha, cross_validate
from bids_dnn.errors import ConfigError, ShapeError
from bids_dnn.stats.folds import Fold, by_stimulus
from bids_dnn.stats.kernels import principal

ALPHAS = np.logspace(-2, 3, 11)


def make(rng, *, n=40, n_targets=9):
    xs = [rng.normal(size=(n, p)) * 10.0**k + 2.0 for k, p in enumerate((5, 15, 60))]
    y = xs[0] @ rng.normal(size=(5, n_targets)) * rng.random(n_targets) ** 3
    y += xs[2] @ rng.normal(size=(60, n_targets)) / 500
    y += 2 * rng.normal(size=y.shape) + 5.0
    spaces = teach([x @ x.T for x in xs], np.ones(n, dtype=bool), (0, 0, 0))
    return xs, y, spaces, by_stimulus([f"{k:03}" for k in range(n)], 4, rng)


def scaled(xs, weights):
    """Return features of which ridge is the kernel ridge on the mixture."""
    return np.hstack(
        [np.sqrt(w / x.var(axis=0).sum()) * x for w, x in zip(weights, xs, strict=True)]
    )


def losses(xs, y, candidates, of_ridge):
    """Return the loss (n_candidates, n_alphas, n_targets) that a function of features gives."""
    return np.array([[of_ridge(scaled(xs, w), y, a) for a in ALPHAS] for w in candidates])


def by_inner(folds):
    def loss(x, y, alpha):
        return np.mean(
            [
                ((Ridge(alpha).fit(x[f.train], y[f.train]).predict(x[f.test]) - y[f.test]) ** 2)
                .mean(axis=0)
                for f in folds
            ],
            axis=0,
        )  # fmt: skip

    return loss


def by_leaving_out(x, y, alpha):
    off = []
    for k in range(len(x)):
        rest = np.arange(len(x)) != k
        off.append(y[k] - Ridge(alpha).fit(x[rest], y[rest]).predict(x[[k]])[0])
    return np.mean(np.square(off), axis=0)


def by_trace(x, y, alpha):
    x0, y0 = x - x.mean(axis=0), y - y.mean(axis=0)
    hat = x0 @ np.linalg.solve(x0.T @ x0 + alpha * np.eye(x.shape[1]), x0.T) + 1 / len(x)
    free = np.trace(np.eye(len(x)) - hat) / len(x)
    n = len(x)  # with the mean in the hat matrix: (n - 1) / n times the error without it
    return ((y0 - hat @ y0) ** 2).mean(axis=0) / free**2 * (n - 1) / n


def agrees(found, expected):
    flat = expected.reshape(-1, expected.shape[-1])
    np.testing.assert_allclose(found.loss, flat.min(axis=0), rtol=1e-4)
    chosen = expected[found.candidate, found.penalty, np.arange(expected.shape[-1])]
    np.testing.assert_allclose(chosen, flat.min(axis=0), rtol=1e-4)
    assert len(set(found.candidate)) > 1


@pytest.mark.parametrize("reach", [0, 3])
def test_inner_folds_are_those_of_primal_ridge(rng, reach):
    xs, y, spaces, folds = make(rng)
    candidates = draw_weights(3, 7, rng)
    found = search_weights(spaces, y, candidates, splits=folds, alphas=ALPHAS, reach=reach)
    agrees(found, losses(xs, y, candidates, by_inner(folds)))


@pytest.mark.parametrize(("select", "of_ridge"), [("loo", by_leaving_out), ("gcv", by_trace)])
def test_selection_from_one_spectrum_is_the_definition(rng, select, of_ridge):
    xs, y, spaces, _ = make(rng, n=18)
    candidates = draw_weights(3, 4, rng)
    found = search_weights(spaces, y, candidates, splits=[], alphas=ALPHAS, select=select)
    agrees(found, losses(xs, y, candidates, of_ridge))


def test_one_candidate_is_the_choice_of_ridge(rng):
    _, y, spaces, folds = make(rng)
    weights = np.array([[0.2, 0.3, 0.5]])
    found = search_weights(spaces, y, weights, splits=folds, alphas=ALPHAS)
    loss = cross_validate(np.tensordot(weights[0], spaces.grams, 1), y, folds=folds, alphas=ALPHAS)
    np.testing.assert_array_equal(ALPHAS[found.penalty], choose_alpha(loss, ALPHAS))
    np.testing.assert_allclose(found.loss, loss.min(axis=0), rtol=1e-5)


def test_a_short_reach_loses_nothing_to_speak_of(rng):
    _, y, spaces, folds = make(rng, n=60, n_targets=200)
    candidates = draw_weights(3, 30, rng)
    alphas = np.logspace(-4, 4, 20)
    whole, near = (
        search_weights(spaces, y, candidates, splits=folds, alphas=alphas, reach=reach)
        for reach in (0, 3)
    )
    assert (near.loss >= whole.loss * (1 - 1e-6)).all()
    assert (near.loss / whole.loss - 1).mean() < 1e-3
    assert (near.candidate == whole.candidate).mean() > 0.95


def test_components_are_learnt_in_each_split(rng):
    xs, y, _, folds = make(rng)
    everything = np.ones(len(y), dtype=bool)
    spaces = teach([xs[2] @ xs[2].T], everything, (4,))
    found = search_weights(spaces, y, np.ones((1, 1)), splits=folds, alphas=ALPHAS)
    gram = xs[2] @ xs[2].T / xs[2].var(axis=0).sum()
    loss = cross_validate(gram, y, folds=folds, alphas=ALPHAS, n_components=4)
    np.testing.assert_allclose(found.loss, loss.min(axis=0), rtol=1e-5)
    np.testing.assert_allclose(
        spaces.seen_by(folds[0])[0], principal(gram, folds[0].train, 4), atol=1e-10
    )
    assert spaces.seen_by(folds[0]) is spaces.seen_by(folds[0])  # learnt once


def test_a_scale_is_the_variance_of_training_features(rng):
    xs, _, _, folds = make(rng)
    train = folds[0].train
    spaces = teach([xs[1] @ xs[1].T, np.full((40, 40), 7.3)], train, (0, 0))
    np.testing.assert_allclose(spaces.scales, [xs[1][train].var(axis=0).sum(), np.inf])
    assert not spaces.grams[1].any()


def test_equal_losses_give_the_first_candidate_and_the_largest_penalty(rng):
    y = rng.normal(size=(20, 3))
    spaces = teach([np.ones((20, 20))] * 2, np.ones(20, dtype=bool), (0, 0))
    folds = [Fold("1", np.arange(20) < 10, np.arange(20) >= 10)]
    found = search_weights(spaces, y, draw_weights(2, 5, rng), splits=folds, alphas=ALPHAS)
    assert found.candidate.tolist() == [0, 0, 0]
    assert found.penalty.tolist() == [10, 10, 10]


def test_weights_lie_on_the_simplex_and_begin_with_what_is_known(rng):
    made = draw_weights(4, 30, rng)
    assert made.shape == (30, 4)
    np.testing.assert_allclose(made.sum(axis=1), 1)
    np.testing.assert_array_equal(made[:5], np.vstack([np.full(4, 0.25), np.eye(4)]))
    np.testing.assert_array_equal(made[:20], draw_weights(4, 20, np.random.default_rng(0)))
    assert draw_weights(1, 30, rng).tolist() == [[1.0]]


def test_a_low_concentration_gives_sparse_weights(rng):
    sparse, even = (
        draw_weights(4, 400, rng, concentrations=(c,))[5:].max(axis=1).mean() for c in (0.1, 10.0)
    )
    assert sparse > 0.7 > 0.5 > even


def test_groups_hold_each_place_once(rng):
    labels = rng.integers(5, size=50)
    made = dict(groups(labels))
    assert sorted(np.concatenate(list(made.values())).tolist()) == list(range(50))
    assert all((labels[places] == label).all() for label, places in made.items())


def test_wrong_draws_and_candidates_are_refused(rng):
    with pytest.raises(ConfigError, match="0 feature spaces"):
        draw_weights(0, 5, rng)
    with pytest.raises(ConfigError, match=r"concentrations \[0.0\]"):
        draw_weights(2, 5, rng, concentrations=[0.0])
    _, y, spaces, folds = make(rng)
    with pytest.raises(ShapeError, match=r"\(1, 2\), for 3 spaces"):
        search_weights(spaces, y, np.full((1, 2), 0.5), splits=folds, alphas=ALPHAS)
