"""analyses.decode.searchlight: nilearn's accuracies, votes, labelings, dead units, bounds."""

import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import LeaveOneGroupOut, cross_val_score
from sklearn.svm import SVC

from bids_dnn.analyses.decode.classifiers.batches import decider
from bids_dnn.analyses.decode.classifiers.choice import Classifier
from bids_dnn.analyses.decode.searchlight import Labeled, Lights, Means, bytes_of, search
from bids_dnn.containers.space import Grid
from bids_dnn.errors import NotEnoughDataError, ShapeError
from bids_dnn.stats.folds import Fold, leave_one_run_out
from bids_dnn.stats.neighbours import Neighbours, neighbours

AFFINE = np.diag([3.0, 3.0, 3.0, 1.0])
RADIUS_MM = 6.1
SHAPE = (6, 5, 4)
RUNS = np.repeat(np.arange(4), 6)


by_machines = decider(Classifier())


def make_case(rng, *, n_classes=2, signal=0.5):
    labels = np.tile(np.arange(n_classes), len(RUNS) // n_classes)
    n_units = int(np.prod(SHAPE))
    means = np.zeros((n_classes, n_units))
    means[:, : n_units // 2] = signal * rng.normal(size=(n_classes, n_units // 2))
    values = 5 + means[labels] + rng.normal(size=(len(RUNS), n_units))
    space = Grid("T1w", SHAPE, AFFINE, np.arange(n_units))
    return values.astype(np.float32), space, labels.astype(np.intp)


def labeled(*codes, runs=RUNS):
    return Labeled(np.stack(codes), leave_one_run_out(runs.astype(str).astype(object)))


def one_by_one(values, around, labels, *, c=1.0):
    """Fold by fold and sphere by sphere with scikit-learn: guesses, and what hangs by a thread."""
    guess = np.zeros((len(around), len(labels)), dtype=int)
    is_close = np.zeros_like(guess, dtype=bool)
    for center in range(len(around)):
        x = values[:, around.of(center)].astype(float)
        for train, test in LeaveOneGroupOut().split(x, groups=RUNS):
            model = SVC(kernel="linear", C=c, tol=1e-6, decision_function_shape="ovo")
            model.fit(x[train], labels[train])
            guess[center, test] = model.predict(x[test])
            told = np.abs(model.decision_function(x[test])).reshape(len(test), -1)
            is_close[center, test] = (told < 1e-3).any(axis=1)
    return guess, is_close


@pytest.mark.parametrize("n_classes", [2, 3])
def test_scores_are_those_of_one_classifier_after_another(rng, n_classes):
    values, space, labels = make_case(rng, n_classes=n_classes)
    around = neighbours(space, RADIUS_MM)
    found = search(values, around, labeled(labels), by_machines)
    guess, is_close = one_by_one(values, around, labels)
    expected = (guess == labels).mean(axis=1)
    apart = np.abs(found.scores()[0] - expected) * len(labels)
    assert (apart <= is_close.sum(axis=1) + 1e-4).all()
    assert (apart < 1e-4).mean() > 0.9
    assert found.scores()[0][:20].mean() > found.scores()[0][-20:].mean()


@pytest.mark.filterwarnings("ignore:Use a custom estimator:UserWarning")
def test_scores_are_those_of_nilearn(rng):
    import nibabel as nib
    from nilearn.decoding import SearchLight

    values, space, labels = make_case(rng)
    image = nib.Nifti1Image(values.T.reshape(*SHAPE, -1), AFFINE)
    mask = nib.Nifti1Image(np.ones(SHAPE, dtype=np.int8), AFFINE)
    peer = SearchLight(
        mask_img=mask,
        radius=RADIUS_MM,
        estimator=SVC(kernel="linear", tol=1e-6),
        cv=LeaveOneGroupOut(),
        scoring="accuracy",
    ).fit(image, labels, groups=RUNS)
    around = neighbours(space, RADIUS_MM)
    found = search(values, around, labeled(labels), by_machines).scores()[0]
    is_close = one_by_one(values, around, labels)[1].any(axis=1)
    assert is_close.mean() < 0.1
    np.testing.assert_allclose(found[~is_close], peer.scores_.ravel()[~is_close], atol=1e-6)


def test_each_labeling_has_the_counts_that_it_has_alone(rng):
    values, space, labels = make_case(rng)
    drawn = [rng.permuted(labels.reshape(4, 6), axis=1).ravel() for _ in range(5)]
    around = neighbours(space, RADIUS_MM, centers=np.arange(0, 120, 7))
    found = search(values, around, labeled(labels, *drawn), by_machines)
    assert found.right.dtype == np.uint8
    assert found.right.shape == (6, 2, len(around))
    for row, codes in enumerate([labels, *drawn]):
        alone = search(values, around, labeled(codes), by_machines)
        np.testing.assert_array_equal(found.right[row], alone.right[0])
    np.testing.assert_array_equal(found.scores(slice(1, None)), found.scores()[1:])


def test_neither_memory_nor_threads_nor_the_other_centers_alter_the_answer(rng):
    values, space, labels = make_case(rng)
    every = neighbours(space, RADIUS_MM)
    seen = []
    plain = search(
        values, every, labeled(labels), by_machines, progress=lambda *told: seen.append(told)
    )
    assert seen == [(32, 120), (64, 120), (96, 120), (120, 120)]
    tight = Means(memory_gb=3 * bytes_of(24, int(every.sizes.max()), 1) / 1e9, n_threads=2)
    seen.clear()
    again = search(
        values,
        every,
        labeled(labels),
        by_machines,
        means=tight,
        progress=lambda *told: seen.append(told),
    )
    np.testing.assert_array_equal(plain.right, again.right)
    assert seen[-1] == (120, 120)
    assert len(seen) == 120
    few = neighbours(space, RADIUS_MM, centers=np.array([60, 3]))
    part = search(values, few, labeled(labels), by_machines)
    np.testing.assert_array_equal(part.right, plain.right[:, :, [60, 3]])


def test_the_unit_of_scaled_responses_does_not_matter(rng):
    values, space, labels = make_case(rng)
    around = neighbours(space, RADIUS_MM)
    once = search(values, around, labeled(labels), by_machines, is_scaled=True)
    again = search(1e-3 * values, around, labeled(labels), by_machines, is_scaled=True)
    assert (once.right != again.right).mean() < 0.01  # decisions that are zero but for rounding
    x = values[:, around.of(50)].astype(float)
    right = 0
    for train, test in LeaveOneGroupOut().split(x, groups=RUNS):
        spread = x[train].var(axis=0).mean()
        model = SVC(kernel="linear", C=1 / spread, tol=1e-6).fit(x[train], labels[train])
        right += (model.predict(x[test]) == labels[test]).sum()
    assert once.right[0, :, 50].sum() == right


def test_units_that_are_not_measured_or_do_not_vary_are_as_if_not_there(rng):
    values, space, labels = make_case(rng)
    values[2, 7] = np.nan
    values[:, 9] = 123.0
    gone = np.delete(np.arange(120), [7, 9])
    found = search(values, neighbours(space, RADIUS_MM), labeled(labels), by_machines)
    rest = search(
        values[:, gone], neighbours(space.select(gone), RADIUS_MM), labeled(labels), by_machines
    )
    np.testing.assert_array_equal(found.right[:, :, gone], rest.right)
    dead = search(
        np.full_like(values, 4.0), neighbours(space, RADIUS_MM), labeled(labels), by_machines
    )
    assert np.isnan(dead.scores()).all()
    assert not dead.n_units.any()


def test_samples_without_class_teach_nothing_and_are_not_tested(rng):
    values, space, labels = make_case(rng)
    around = neighbours(space, RADIUS_MM, centers=np.arange(40, 60))
    codes = labels.copy()
    codes[[0, 3, 10]] = -1
    kept = np.flatnonzero(codes >= 0)
    found = search(values, around, labeled(codes), by_machines)
    own = labeled(labels[kept], runs=RUNS[kept])
    expected = search(values[kept], around, own, by_machines)
    np.testing.assert_array_equal(found.right, expected.right)
    np.testing.assert_array_equal(found.n_tested, expected.n_tested)


def test_scores_are_the_mean_over_classes():
    right = np.array([[[4, 0], [1, 2]]], dtype=np.uint8)
    found = Lights(right, n_tested=np.array([[8, 2]]), n_units=np.array([5, 0]))
    np.testing.assert_array_equal(found.scores(), [[0.5, np.nan]])
    np.testing.assert_array_equal(found.scores(is_balanced=False), [[0.5, np.nan]])
    found = Lights(right[:, :, ::-1], n_tested=np.array([[8, 2]]), n_units=np.array([5, 5]))
    np.testing.assert_allclose(found.scores(is_balanced=False), [[0.2, 0.5]])
    np.testing.assert_allclose(found.scores(), [[0.5, 0.5]])


def test_samples_that_teach_may_have_other_labels_than_those_that_are_tested(rng):
    values, space, labels = make_case(rng)
    around = neighbours(space, RADIUS_MM, centers=np.arange(0, 120, 9))
    folds = leave_one_run_out(RUNS.astype(str).astype(object))
    plain = search(values, around, Labeled(labels[None], folds), by_machines)
    turned = Labeled(labels[None], folds, taught=1 - labels[None])
    found = search(values, around, turned, by_machines)
    # trained on the opposite, what was right is wrong, but for decisions at zero
    apart = np.abs(found.right.astype(int) + plain.right - plain.n_tested[:, :, None])
    assert (apart > 0).mean() < 0.05


def test_many_samples_are_counted_in_two_bytes(rng):
    labels = np.tile([0, 1], 260)
    values = rng.normal(size=(520, 2)).astype(np.float32)
    runs = np.repeat([0, 1], 260)
    around = Neighbours(np.array([0, 2]), np.array([0, 1], dtype=np.int32))

    def first(sights, signs):
        return np.ones((len(sights.gram), len(sights.tested), signs.shape[1]))

    found = search(values, around, labeled(labels, runs=runs), first)
    assert found.right.dtype == np.uint16
    assert found.right.ravel().tolist() == [260, 0]


def test_pure_noise_is_told_at_chance(rng):
    values = rng.normal(size=(24, 120)).astype(np.float32)
    space = Grid("T1w", SHAPE, AFFINE, np.arange(120))
    labels = np.tile([0, 1], 12)
    drawn = [rng.permuted(labels.reshape(4, 6), axis=1).ravel() for _ in range(60)]
    found = search(
        values, neighbours(space, RADIUS_MM), labeled(labels, *drawn), by_machines
    ).scores(slice(1, None))
    # labelings are exchangeable: their mean scores deviate by SD / sqrt(60)
    means = found.mean(axis=1)
    assert abs(means.mean() - 0.5) < 4.5 * means.std() / np.sqrt(60)


def test_what_does_not_fit_is_refused():
    fold = Fold("a", np.array([True, False]), np.array([False, True]))
    with pytest.raises(ShapeError, match="3 samples, fold 'a' is of 2"):
        Labeled(np.array([[0, 1, 1]]), [fold])
    with pytest.raises(NotEnoughDataError, match="There is 1 class"):
        Labeled(np.array([[0, 0]]), [fold])


@pytest.mark.parametrize(
    ("classifier", "peer"),
    [
        (
            Classifier(kind="lda", shrinkage=0.5),
            LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.5),
        ),
        (Classifier(kind="logistic", c=0.7), LogisticRegression(C=0.7, tol=1e-9, max_iter=1000)),
    ],
    ids=["lda", "logistic"],
)
def test_other_classifiers_are_those_of_sklearn(rng, classifier, peer):
    values, space, labels = make_case(rng)
    around = neighbours(space, RADIUS_MM, centers=np.arange(0, 120, 5))
    found = search(values, around, labeled(labels), decider(classifier)).scores()[0]
    for center in range(len(around)):
        x = values[:, around.of(center)].astype(float)
        expected = cross_val_score(peer, x, labels, groups=RUNS, cv=LeaveOneGroupOut())
        assert found[center] == pytest.approx(expected.mean(), abs=1e-6)


def test_several_weighted_classes_are_those_of_sklearn(rng):
    values, space, _ = make_case(rng)
    labels = np.tile([0, 1, 1, 2, 2, 2], 4)
    around = neighbours(space, RADIUS_MM, centers=np.arange(0, 120, 7))
    how = Classifier(is_weighted=True)
    found = search(values, around, labeled(labels), decider(how)).scores(is_balanced=False)[0]
    model = SVC(kernel="linear", tol=1e-8, class_weight="balanced")
    for center in range(len(around)):
        x = values[:, around.of(center)].astype(float)
        expected = cross_val_score(model, x, labels, groups=RUNS, cv=LeaveOneGroupOut())
        assert found[center] == pytest.approx(expected.mean(), abs=1e-6)
