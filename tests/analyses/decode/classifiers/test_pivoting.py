"""analyses.decode.classifiers.pivoting: libsvm's decisions, the optimum's conditions, edges."""

import numpy as np
import pytest
from sklearn.svm import SVC

from bids_dnn.analyses.decode.classifiers import pivoting
from bids_dnn.analyses.decode.classifiers.pivoting import solve_machines

N_TRAIN, N_TEST = 40, 12


def make_case(rng, n_units, *, signal=0.2, scale=1.0, n_problems=3, is_run_centered=False):
    """Smooth patterns of several problems, their classes, without their mean."""
    n = N_TRAIN + N_TEST
    signs = np.tile([1.0, -1.0], n // 2)
    x = rng.normal(size=(n_problems, n, n_units))
    x += rng.normal(size=(n_problems, n, 3)) @ rng.normal(size=(n_problems, 3, n_units))
    x += signal * signs[:, None] * rng.normal(size=(n_problems, 1, n_units))
    if is_run_centered:
        runs = x.reshape(n_problems, n // 4, 4, n_units)
        runs -= runs.mean(axis=2, keepdims=True)
    return scale * (x - x.mean(axis=1, keepdims=True)), signs


def decisions_of(x, signs, c, n_units=None):
    """Of the test samples, by us and by scikit-learn, each (n_problems, n_test)."""
    train, test = x[:, :N_TRAIN], x[:, N_TRAIN:]
    told = np.broadcast_to(signs[:N_TRAIN, None], (len(x), N_TRAIN, 1))
    dual, intercept = solve_machines(train @ train.mT, told, c, n_units=n_units)
    found = (test @ train.mT @ dual + intercept)[..., 0]
    expected = [
        SVC(kernel="linear", C=c, tol=1e-6).fit(a, signs[:N_TRAIN]).decision_function(b)
        for a, b in zip(train, test, strict=True)
    ]
    return found, np.array(expected)


@pytest.mark.parametrize("is_run_centered", [False, True])
@pytest.mark.parametrize(
    ("n_units", "scale", "c"),
    [
        (120, 1.0, 1.0),  # more units than samples
        (120, 0.1, 1.0),  # many support vectors at the cost
        (120, 0.02, 1.0),  # all of them
        (120, 30.0, 1.0),  # none
        (45, 1.0, 1.0),
        (20, 0.3, 1.0),  # fewer units than samples
        (5, 1.0, 0.1),
        (2, 1.0, 1.0),
        (1, 0.5, 1.0),
        (60, 1.0, 0.03),
    ],
)
def test_decisions_are_those_of_libsvm(rng, n_units, scale, c, is_run_centered):
    x, signs = make_case(rng, n_units, scale=scale, is_run_centered=is_run_centered)
    for told in (n_units, None):
        found, expected = decisions_of(x, signs, c, told)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)


def test_each_cost_holds_and_samples_without_class_are_no_part(rng):
    x, signs = make_case(rng, 30, n_problems=2)
    x, n = x[:, :N_TRAIN], N_TRAIN
    told = np.stack([signs[:n], np.where(rng.random(n) < 0.6, rng.permutation(signs[:n]), 0)], 1)
    cost = rng.uniform(0.01, 0.3, size=(n, 2))
    dual, intercept = solve_machines(x @ x.mT, np.broadcast_to(told, (2, n, 2)), cost)
    for b, k in np.ndindex(2, 2):
        own = told[:, k] != 0
        model = SVC(kernel="linear", C=1.0, tol=1e-6)
        model.fit(x[b, own], told[own, k], sample_weight=cost[own, k])
        found = x[b] @ x[b].T @ dual[b, :, k] + intercept[b, 0, k]
        np.testing.assert_allclose(found, model.decision_function(x[b]), rtol=0, atol=1e-4)
        assert (dual[b, ~own, k] == 0).all()
        assert (dual[b, :, k] * told[:, k] <= cost[:, k] * (1 + 1e-6)).all()


@pytest.mark.parametrize("n_units", [8, 35, 60, 200])
@pytest.mark.parametrize("c", [1e-5, 1e-3, 0.03, 0.3])
def test_many_labelings_are_decided_as_by_libsvm(rng, n_units, c):
    x, _ = make_case(rng, n_units, n_problems=1)
    x[0, 20:30] = x[0, :10]  # duplicates, of other classes under some labelings
    train, test = x[0, :N_TRAIN], x[0, N_TRAIN:]
    told = np.array([rng.permutation(np.repeat([1.0, -1.0], [26, 14])) for _ in range(10)]).T
    dual, intercept = solve_machines((train @ train.T)[None], told[None], c, n_units=n_units)
    found = test @ train.T @ dual[0] + intercept[0]
    for k, own in enumerate(told.T):
        model = SVC(kernel="linear", C=c, tol=1e-6).fit(train, own)
        np.testing.assert_allclose(found[:, k], model.decision_function(test), rtol=0, atol=1e-4)


@pytest.mark.parametrize(("n", "n_units", "c"), [(44, 30, 1e4), (88, 25, 3.0), (88, 60, 100.0)])
def test_what_can_just_be_told_apart_or_not_is_solved_without_libsvm(
    rng, monkeypatch, n, n_units, c
):
    monkeypatch.setattr(pivoting, "by_libsvm", lambda *_: pytest.fail("handed to libsvm"))
    x = rng.normal(size=(n, n_units))
    x -= x.mean(axis=0)
    signs = np.array([rng.permutation(np.tile([1.0, -1.0], n // 2)) for _ in range(100)]).T
    dual, intercept = solve_machines((x @ x.T)[None], signs[None], c, n_units=n_units)
    length, margin = signs * dual[0], signs * (x @ x.T @ dual[0] + intercept[0])
    scale = np.maximum(length.max(axis=0), 1)
    assert (np.abs(dual.sum(axis=1)) < 1e-6 * scale).all()
    assert (length > -1e-6 * scale).all()
    assert length.max() < c * (1 + 1e-6)
    assert (margin[length < 1e-7 * c] > 1 - 1e-5).all()
    assert (margin[length > c * (1 - 1e-7)] < 1 + 1e-5).all()
    free = (length > 1e-7 * c) & (length < c * (1 - 1e-7))
    np.testing.assert_allclose(margin[free], 1, atol=1e-4)


@pytest.mark.parametrize("factor", [1e-6, 1e6])
def test_the_unit_of_patterns_does_not_matter(rng, factor):
    x, signs = make_case(rng, 60)
    told = np.broadcast_to(signs[:, None], (3, len(signs), 1))
    dual, intercept = solve_machines(x @ x.mT, told, 1.0)
    again, moved = solve_machines(factor * (x @ x.mT), told, 1.0 / factor)
    np.testing.assert_allclose(factor * again, dual, rtol=0, atol=1e-6)
    np.testing.assert_allclose(moved, intercept, rtol=0, atol=1e-6)


@pytest.mark.parametrize("n_units", [8, 70])
def test_the_dual_fulfills_the_conditions_of_the_optimum(rng, n_units):
    x, signs = make_case(rng, n_units, n_problems=4)
    gram = x @ x.mT
    n = gram.shape[1]
    dual, intercept = solve_machines(gram, np.broadcast_to(signs[:, None], (4, n, 1)), 0.2)
    length = signs * dual[..., 0]
    margin = signs * (gram @ dual + intercept)[..., 0]
    np.testing.assert_allclose(dual.sum(axis=1), 0, atol=1e-6)
    assert length.min() > -1e-6
    assert length.max() < 0.2 + 1e-6
    assert (margin[length < 1e-9] > 1 - 1e-5).all()
    assert (margin[length > 0.2 - 1e-9] < 1 + 1e-5).all()
    free = (length > 1e-6) & (length < 0.2 - 1e-6)
    np.testing.assert_allclose(margin[free], 1, atol=1e-5)


def test_a_machine_knows_nothing_of_the_others_and_of_the_order_of_samples(rng):
    x, signs = make_case(rng, 50)
    gram, n = x @ x.mT, x.shape[1]
    told = np.stack([signs, rng.permutation(signs)], axis=1)
    dual, intercept = solve_machines(gram, np.broadcast_to(told, (3, n, 2)), 1.0)
    alone, own = solve_machines(gram[2:], told[None, :, 1:], 1.0)
    np.testing.assert_array_equal(dual[2:, :, 1:], alone)
    turned = rng.permutation(n)
    again, moved = solve_machines(gram[2:][:, turned][:, :, turned], told[None, turned, 1:], 1.0)
    np.testing.assert_allclose(again, alone[:, turned], atol=1e-7)
    np.testing.assert_allclose([own, moved], [intercept[2:, :, 1:]] * 2, atol=1e-6)


def test_classes_that_change_names_change_signs(rng):
    x, signs = make_case(rng, 15)
    told = np.broadcast_to(signs[:, None], (3, len(signs), 1))
    dual, intercept = solve_machines(x @ x.mT, told, 0.5)
    turned, moved = solve_machines(x @ x.mT, -told, 0.5)
    np.testing.assert_allclose(turned, -dual, atol=1e-5)
    np.testing.assert_allclose(moved, -intercept, atol=1e-5)


def test_two_samples_have_the_margin_between_them():
    gram = np.array([[[4.0, -4.0], [-4.0, 4.0]]])  # at 2 and -2
    dual, intercept = solve_machines(gram, np.array([[[1.0], [-1.0]]]), 10.0)
    np.testing.assert_allclose(dual[0, :, 0], [0.125, -0.125])
    np.testing.assert_allclose(intercept, 0, atol=1e-9)


def test_what_does_not_vary_and_what_has_one_class_is_answered_too(rng):
    signs = np.array([1.0, 1.0, 1.0, -1.0])[None, :, None]
    dual, intercept = solve_machines(np.full((1, 4, 4), 7.0), signs, 1.0)
    model = SVC(kernel="precomputed").fit(np.full((4, 4), 7.0), signs[0, :, 0])
    np.testing.assert_allclose(7 * dual.sum() + intercept, model.decision_function([[7.0] * 4])[0])
    told = np.stack([np.ones(4), -np.ones(4), np.zeros(4)], axis=1)[None]
    dual, intercept = solve_machines(np.eye(4)[None], told, 1.0)
    assert intercept.ravel().tolist() == [1.0, -1.0, 0.0]
    assert not dual.any()


def test_what_the_turns_leave_is_handed_to_libsvm(rng, monkeypatch):
    x, signs = make_case(rng, 25, scale=0.4)
    told = np.stack([signs, np.where(rng.random(len(signs)) < 0.8, signs, 0)], axis=1)
    told = np.broadcast_to(told, (3, *told.shape))
    cost = rng.uniform(0.1, 1.0, size=(1, len(signs), 1))
    found = solve_machines(x @ x.mT, told, cost)

    def leave(*given):
        given[-1][:] = True

    monkeypatch.setattr(pivoting, "_solve_all", leave)
    expected = solve_machines(x @ x.mT, told, cost)
    for here, there in zip(found, expected, strict=True):
        np.testing.assert_allclose(
            x @ x.mT @ here if here.shape[1] > 1 else here,
            x @ x.mT @ there if there.shape[1] > 1 else there,
            atol=1e-4,
        )
