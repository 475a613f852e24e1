"""analyses.decode.classifiers.tensors: torch decides as the compiled code does, on each device."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.svm import SVC

from bids_dnn.analyses.decode.classifiers import tensors
from bids_dnn.analyses.decode.classifiers.batches import decider
from bids_dnn.analyses.decode.classifiers.choice import Classifier
from bids_dnn.analyses.decode.classifiers.decisions import decide
from bids_dnn.analyses.decode.classifiers.pivoting import solve_machines
from bids_dnn.analyses.decode.predict import Learner, predict
from bids_dnn.analyses.decode.prepare import Preparation, linear_gram, patterns_of
from bids_dnn.analyses.decode.searchlight import Labeled, search
from bids_dnn.errors import ConfigError
from bids_dnn.stats.folds import leave_one_out
from bids_dnn.stats.kernels import center_grams
from bids_dnn.stats.neighbours import neighbours
from tests.factories.searchlights import make_grid

KINDS = [
    Classifier(),
    Classifier(c=1e-3),
    Classifier(c=100.0),
    Classifier(is_weighted=True),
    Classifier(kind="svm-rbf"),
    Classifier(kind="lda"),
    Classifier(kind="lda", shrinkage=0.3, is_weighted=True),
    Classifier(kind="ridge"),
    Classifier(kind="ridge", alpha=0),
]


def named(one):
    return f"{one.kind}-{one.c:g}-{one.is_weighted}-{one.alpha:g}"


@pytest.fixture(params=["cpu", "cuda"])
def device(request):
    if request.param == "cuda" and not torch.cuda.is_available():
        pytest.skip("there is no GPU")
    return request.param


def draw(rng, n, k, *, n_first):
    rows = [rng.permutation(np.repeat([1, -1], [n_first, n - n_first])) for _ in range(k)]
    return np.stack(rows, axis=1).astype(np.int8)


@pytest.mark.parametrize("classifier", KINDS, ids=named)
@pytest.mark.parametrize("n_first", [12, 7])
@pytest.mark.parametrize("n_units", [60, 15])
def test_decisions_are_those_of_the_compiled(rng, device, classifier, n_first, n_units):
    x, other = rng.normal(size=(24, n_units)), rng.normal(size=(5, n_units))
    train, cross = x @ x.T, other @ x.T
    if classifier.kind == "svm-rbf":
        train, cross = np.exp(train / 99), np.exp(cross / 99)
    signs = draw(rng, 24, 20, n_first=n_first)
    signs[:3, 7:9] = 0  # samples that are no part of some labelings
    signs[:, 9] = 1  # one class alone
    signs[:, 10] = 0  # none at all
    expected = decide(train, cross, signs, classifier, n_units=n_units)
    found = decide(train, cross, signs, replace(classifier, device=device), n_units=n_units)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)


def test_machines_are_those_of_libsvm_and_most_need_no_cpu(rng, device):
    x = rng.normal(size=(2, 30, 100))
    gram = center_grams(x @ x.mT, x @ x.mT)[0]
    signs = np.stack([draw(rng, 30, 12, n_first=11) for _ in range(2)])
    there = torch.from_numpy(gram).to(device)
    for c in (1e-4, 0.01, 1.0, 100.0):
        dual, intercept, done = tensors.solve_on(there, signs, c)
        assert done.mean() > 0.9
        made = gram @ dual.cpu().numpy() + intercept.cpu().numpy()
        for b, k in np.argwhere(done)[::5]:
            model = SVC(kernel="precomputed", C=c, tol=1e-6).fit(gram[b], signs[b, :, k])
            np.testing.assert_allclose(made[b, :, k], model.decision_function(gram[b]), atol=1e-3)


def test_what_is_not_solved_goes_to_the_cpu(rng, device, monkeypatch):
    """Also where nothing varies, and where no turn is left."""
    x = rng.normal(size=(3, 20, 40))
    x[1] = 1.0
    gram, signs = x @ x.mT, np.stack([draw(rng, 20, 4, n_first=10)] * 3)
    seen = []

    def solved(*args, **kwargs):
        seen.append(args[1].shape)
        return solve_machines(*args, **kwargs)

    monkeypatch.setattr(tensors, "solve_machines", solved)
    how = {"n_units": np.array([40, 40, 40]), "costs": 1.0}
    found = tensors.decide_on(gram, gram, signs, Classifier(device=device), **how)
    assert seen == [(1, 20, 4)]
    monkeypatch.setattr(tensors, "TURNS", 0)
    again = tensors.decide_on(gram, gram, signs, Classifier(device=device), **how)
    assert seen[1:] == [(1, 20, 4)] * 3
    np.testing.assert_allclose(found, again, rtol=0, atol=1e-5)
    train, cross = center_grams(gram, gram)
    dual, intercept = solve_machines(train, signs, 1.0, n_units=40)
    np.testing.assert_allclose(again, cross @ dual + intercept, rtol=0, atol=1e-12)


def test_stacks_may_be_small(rng, device, monkeypatch):
    x = rng.normal(size=(20, 50))
    signs = draw(rng, 20, 9, n_first=10)
    one = Classifier(device=device)
    whole = decide(x @ x.T, x @ x.T, signs, one, n_units=50)
    monkeypatch.setattr(tensors, "AT_ONCE", 3 * 400)
    np.testing.assert_allclose(decide(x @ x.T, x @ x.T, signs, one, n_units=50), whole, atol=1e-9)


@pytest.mark.parametrize("kind", ["svm-linear", "lda", "ridge"])
def test_a_searchlight_tells_the_same(rng, device, kind):
    space = make_grid(radius=6)
    around = neighbours(space, 6.0)
    runs = np.repeat(np.arange(4), 6)
    codes = np.stack([np.tile([0, 0, 1, 1, 2, 2], 4) for _ in range(3)])
    for row in codes[1:]:
        for run in range(4):
            row[runs == run] = rng.permutation(row[runs == run])
    values = rng.normal(size=(24, space.index.size)).astype(np.float32)
    labeled = Labeled(codes, leave_one_out(runs.astype(str).astype(object), what="run"))
    made = [
        search(values, around, labeled, decider(Classifier(kind=kind, device=one)))
        for one in (None, device)
    ]
    np.testing.assert_array_equal(*(one.right for one in made))


@pytest.mark.parametrize("kind", ["svm-linear", "lda", "ridge"])
def test_permutations_are_predicted_alike(rng, device, kind):
    runs = np.repeat(np.arange(4), 6)
    values = rng.normal(size=(24, 80)).astype(np.float32)
    codes = np.stack([np.tile([0, 0, 0, 1, 1, 1], 4) for _ in range(15)])
    for row in codes[1:]:
        for run in range(4):
            row[runs == run] = rng.permutation(row[runs == run])
    folds = leave_one_out(runs.astype(str).astype(object), what="run")
    how, gram = Preparation(), linear_gram(values)
    patterns = [
        patterns_of(values, fold, runs=runs, how=how, nuisance=np.empty((24, 0)), is_scaled=False,
                    gram=gram)
        for fold in folds
    ]  # fmt: skip
    found = [
        predict(patterns, folds, codes, Learner((Classifier(kind=kind, device=one),), how),
                groups=runs, n_classes=2)
        for one in (None, device)
    ]  # fmt: skip
    np.testing.assert_array_equal(*(one.guess for one in found))
    np.testing.assert_allclose(*(one.values for one in found), atol=1e-4)


def test_what_is_made_on_the_cpu_alone_is_refused(rng):
    x = rng.normal(size=(10, 20))
    one = Classifier(kind="logistic", device="cpu")
    with pytest.raises(ConfigError, match=r"'logistic' is decided on the CPU alone.*svm-linear"):
        decide(x @ x.T, x @ x.T, draw(rng, 10, 2, n_first=5), one, n_units=20)
