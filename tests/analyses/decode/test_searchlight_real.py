"""analyses.decode.searchlight on the whole brain of Haxby et al. (2001), beside nilearn."""

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import LeaveOneGroupOut
from sklearn.svm import SVC

from bids_dnn import imaging
from bids_dnn.analyses.decode.classifiers.batches import decider
from bids_dnn.analyses.decode.classifiers.choice import Classifier
from bids_dnn.analyses.decode.searchlight import Labeled, search
from bids_dnn.stats.folds import leave_one_run_out
from bids_dnn.stats.neighbours import neighbours

pytestmark = pytest.mark.real
RADIUS_MM = 50.0  # two voxels of 25 mm
N_RUNS = 12


by_machines = decider(Classifier())


@pytest.fixture(scope="module")
def haxby(real_data):
    """Faces and houses: blocks averaged, each run detrended and z-scored on its rest."""
    folder = real_data / "haxby2001"
    space = imaging.space_of_mask(
        folder / "sub001" / "masks" / "25mm" / "brain.nii.gz", name="T1w"
    )
    attributes = folder / "joined" / "attributes_literal.txt"
    told = pd.read_csv(attributes, sep=" ", names=["label", "run"])
    parts = []
    for number in range(N_RUNS):
        path = folder / "sub001" / "BOLD" / f"task001_run{number + 1:03d}" / "bold_25mm.nii.gz"
        bold = imaging.read_units(path, space).astype(np.float64)
        labels = told["label"][told["run"] == number].to_numpy()
        ramp = np.vander(np.arange(len(bold)), 2)
        bold -= ramp @ np.linalg.lstsq(ramp, bold)[0]
        rest = bold[labels == "rest"]
        bold = (bold - rest.mean(axis=0)) / rest.std(axis=0)
        parts += [
            bold[labels == name].reshape(3, 3, -1).mean(axis=1) for name in ("face", "house")
        ]
    values = np.concatenate(parts).astype(np.float32)
    labels = np.tile(np.repeat([0, 1], 3), N_RUNS).astype(np.intp)
    return space, values, labels, np.repeat(np.arange(N_RUNS), 6)


@pytest.mark.filterwarnings("ignore:Use a custom estimator:UserWarning")
def test_haxby_spheres_are_told_apart_as_nilearn_does(haxby):
    from nilearn.decoding import SearchLight

    space, values, labels, runs = haxby
    around = neighbours(space, RADIUS_MM)
    folds = leave_one_run_out(runs.astype(str).astype(object))
    found = search(values, around, Labeled(labels[None], folds), by_machines).scores()[0]
    assert len(found) == 129
    some = np.arange(0, 129, 8)
    inside = np.zeros(space.n_places, dtype=np.int8)
    inside[space.index] = 1
    chosen = np.zeros_like(inside)
    chosen[space.index[some]] = 1
    whole = np.zeros((space.n_places, len(values)), dtype=np.float32)
    whole[space.index] = values.T
    peer = SearchLight(
        mask_img=nib.Nifti1Image(inside.reshape(space.shape), space.affine),
        process_mask_img=nib.Nifti1Image(chosen.reshape(space.shape), space.affine),
        radius=RADIUS_MM,
        estimator=SVC(kernel="linear", tol=1e-6),
        cv=LeaveOneGroupOut(),
        scoring="accuracy",
    ).fit(nib.Nifti1Image(whole.reshape(*space.shape, -1), space.affine), labels, groups=runs)
    expected = peer.scores_.ravel()[space.index[some]]
    n_close = np.zeros(len(some))
    for place, center in enumerate(some):
        x = values[:, around.of(center)].astype(float)
        for train, test in LeaveOneGroupOut().split(x, groups=runs):
            model = SVC(kernel="linear", tol=1e-6).fit(x[train], labels[train])
            n_close[place] += (np.abs(model.decision_function(x[test])) < 1e-3).sum()
    assert (np.abs(found[some] - expected) * len(labels) <= n_close + 1e-3).all()
    assert n_close.sum() <= 3


def test_haxby_faces_and_houses_are_told_apart_most_in_the_back_of_the_brain(haxby):
    space, values, labels, runs = haxby
    folds = leave_one_run_out(runs.astype(str).astype(object))
    around = neighbours(space, RADIUS_MM)
    found = search(values, around, Labeled(labels[None], folds), by_machines).scores()[0]
    y = np.unravel_index(space.index, space.shape)[1]
    assert found.max() > 0.85
    assert found[y <= np.median(y)].mean() > found[y > np.median(y)].mean() + 0.05
