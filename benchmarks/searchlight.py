"""A searchlight, one run left out in turn; the peer is nilearn's, with scikit-learn in it."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import nibabel as nib
import numpy as np
from nilearn.decoding import SearchLight
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import Ridge
from sklearn.model_selection import LeaveOneGroupOut
from sklearn.svm import SVC

from benchmarks import Device, Row, Size, time_both
from bids_dnn import backend
from bids_dnn.analyses.decode.classifiers.batches import decider
from bids_dnn.analyses.decode.classifiers.choice import Classifier
from bids_dnn.analyses.decode.searchlight import Labeled, Means, search
from bids_dnn.containers.space import Grid
from bids_dnn.stats.folds import leave_one_run_out
from bids_dnn.stats.neighbours import neighbours

Codes = NDArray[np.intp]
Scores = NDArray[np.floating[Any]]
Image: Any = nib.Nifti1Image
SIDE = {"small": 14, "full": 22}  # voxels: 512 and 4,096 whole spheres
PEER_SPHERES = {"small": 40, "full": 150}
FEW = 4  # spheres: what the peer takes for them is taken for its start
REPEATS = {"small": 2, "full": 2}
N_RUNS, N_EACH = 8, 4  # 64 samples of two classes
VOXEL_MM, RADIUS_MM = 3.0, 9.0  # 123 voxels
CLOSE = 1e-3  # decisions nearer to zero may fall either way
SHRINKAGE = 0.5


class RidgeSign(ClassifierMixin, BaseEstimator):
    """The sign of a ridge regression whose penalty is the mean diagonal of the training Gram."""

    def fit(self, x: NDArray[np.float64], y: Codes) -> RidgeSign:
        """Learn weights."""
        self.classes_ = np.array([0, 1])
        spread = ((x - x.mean(axis=0)) ** 2).sum() / len(x)
        self.model_ = Ridge(alpha=spread, solver="cholesky").fit(x, np.where(y == 0, 1.0, -1.0))
        return self

    def decision_function(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return values above zero for class 1, as scikit-learn does."""
        made: NDArray[np.float64] = -self.model_.predict(x)
        return made

    def predict(self, x: NDArray[np.float64]) -> Codes:
        """Return classes."""
        made: Codes = (self.decision_function(x) > 0).astype(np.intp)
        return made


CLASSIFIERS: dict[str, tuple[Classifier, Any, float]] = {  # ours, the peer's, the ratio aimed at
    "svm": (Classifier(), SVC(kernel="linear", tol=1e-6), 40.0),
    "lda": (
        Classifier(kind="lda", shrinkage=SHRINKAGE),
        LinearDiscriminantAnalysis(solver="lsqr", shrinkage=SHRINKAGE),
        100.0,
    ),
    "ridge": (Classifier(kind="ridge"), RidgeSign(), 100.0),
}


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """Responses in a cube, of whose whole spheres some are given to the peer."""

    values: NDArray[np.float32]  # (n_samples, n_voxels)
    space: Grid
    labels: Codes
    runs: Codes
    inner: NDArray[np.int64]  # voxels whose spheres are whole
    some: NDArray[np.int64]  # of these, those around which the peer classifies
    n_threads: int
    device: Device = "cpu"


def make_case(side: int, n_some: int, *, n_threads: int, device: Device = "cpu") -> Case:
    """Make smooth patterns with a weak mean of each class."""
    rng = np.random.default_rng(0)
    labels = np.tile(np.repeat([0, 1], N_EACH), N_RUNS).astype(np.intp)
    shape = (side, side, side)
    smooth = gaussian_filter(rng.normal(size=(len(labels), *shape)), (0, 1.5, 1.5, 1.5))
    values = smooth / smooth.std() + rng.normal(size=smooth.shape)
    values += 0.1 * np.where(labels, 1, -1)[:, None, None, None] * rng.normal(size=shape)
    affine = np.diag([VOXEL_MM, VOXEL_MM, VOXEL_MM, 1.0])
    space = Grid("T1w", shape, affine, np.arange(side**3))
    reach = int(RADIUS_MM / VOXEL_MM)
    place = np.indices(shape).reshape(3, -1)
    inner = np.flatnonzero(((place >= reach) & (place < side - reach)).all(axis=0))
    some = np.sort(rng.permutation(inner)[:n_some])
    runs = np.repeat(np.arange(N_RUNS), 2 * N_EACH)
    flat = values.reshape(len(labels), -1).astype(np.float32)
    return Case(flat, space, labels, runs, inner, some, n_threads, device)


def ours(case: Case, name: str, *, is_whole: bool = True) -> Scores:
    """Return the accuracy in each whole sphere, or the peer's; spheres are found anew."""
    centers = case.inner if is_whole else case.some
    around = neighbours(case.space, RADIUS_MM, centers=centers)
    folds = leave_one_run_out(case.runs.astype(str).astype(object))
    means = Means(n_threads=case.n_threads)
    labeled = Labeled(case.labels[None], folds)
    there = None if case.device == "cpu" else case.device
    decide = decider(replace(CLASSIFIERS[name][0], device=there))
    found: Scores = search(case.values, around, labeled, decide, means=means).scores()[0]
    return found


def peer(case: Case, name: str) -> Scores:
    """Return the accuracy around the peer's voxels."""
    chosen = np.zeros(case.space.n_places, dtype=np.int8)
    chosen[case.some] = 1
    shape, affine = case.space.shape, case.space.affine
    light = SearchLight(
        mask_img=Image(np.ones(shape, dtype=np.int8), affine),
        process_mask_img=Image(chosen.reshape(shape), affine),
        radius=RADIUS_MM,
        estimator=CLASSIFIERS[name][1],
        n_jobs=case.n_threads,
        cv=LeaveOneGroupOut(),
        scoring="accuracy",
    )
    image = Image(case.values.T.reshape(*shape, -1), affine)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # nilearn warns of every estimator
        light.fit(image, case.labels, groups=case.runs)
    found: Scores = light.scores_.ravel()[case.some]
    return found


def n_close(case: Case, name: str) -> Codes:
    """Count the peer's decisions around each of its voxels that are next to zero."""
    around = neighbours(case.space, RADIUS_MM, centers=case.some)
    counts = np.zeros(len(case.some), dtype=np.intp)
    for place in range(len(case.some)):
        x = case.values[:, around.of(place)].astype(np.float64)
        for train, test in LeaveOneGroupOut().split(x, groups=case.runs):
            model = CLASSIFIERS[name][1].fit(x[train], case.labels[train])
            counts[place] += (np.abs(model.decision_function(x[test])) < CLOSE).sum()
    return counts


def check(case: Case, name: str) -> None:
    """Compare accuracies around the peer's voxels.

    Raises
    ------
    ArithmeticError
        If one differs by more samples than have decisions next to zero.
    """
    apart = np.abs(ours(case, name, is_whole=False) - peer(case, name)) * len(case.labels)
    wrong = apart > n_close(case, name) + 1e-3
    if wrong.any():
        raise ArithmeticError(
            f"searchlight: {name} differs from its peer in {wrong.sum()} of {len(wrong)} spheres."
        )


def run(size: Size, device: Device) -> list[Row]:
    """Compare answers, then times: ours of all spheres, the peer's of some, scaled to all."""
    case = make_case(SIDE[size], PEER_SPHERES[size], n_threads=backend.cores(), device=device)
    few = replace(case, some=case.some[:FEW])
    n_all, n_more = len(case.inner), len(case.some) - FEW
    rows = []
    for name, (_, _, target) in CLASSIFIERS.items():
        check(case, name)
        start_s, peer_s = time_both(
            partial(peer, few, name), partial(peer, case, name), n_repeats=REPEATS[size]
        )
        ours_s, _ = time_both(partial(ours, case, name), int, n_repeats=REPEATS[size])
        label = f"searchlight[{name},{n_all}-spheres]"
        rows.append(Row(label, ours_s, (peer_s - start_s) * n_all / n_more, target))
    return rows
