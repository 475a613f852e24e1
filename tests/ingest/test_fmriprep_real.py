"""ingest.fmriprep on the data of Haxby et al. (2001): categories are told apart as published."""

import pytest
from sklearn.model_selection import LeaveOneGroupOut, cross_val_score
from sklearn.svm import SVC

from bids_dnn.ingest.fmriprep import read_responses
from bids_dnn.ingest.inventory import take_inventory
from tests.factories.haxby import haxby_tree


@pytest.fixture(scope="module")
def haxby(real_data, tmp_path_factory):
    home = tmp_path_factory.mktemp("haxby")
    return {
        onsets: haxby_tree(real_data, home / onsets, onsets=onsets) for onsets in ("labels", "hrf")
    }


@pytest.mark.real
@pytest.mark.parametrize(
    ("onsets", "model", "standardize", "low", "high"),
    [
        ("labels", "volumes", "rest", 0.551, 0.591),
        ("labels", "block", "rest", 0.709, 0.749),
        ("hrf", "lsa", "none", 0.70, 1.0),
        ("hrf", "lsa", "run", 0.78, 1.0),
        ("hrf", "lss", "run", 0.67, 1.0),
        ("hrf", "lss-by-condition", "run", 0.78, 1.0),
        ("hrf", "conditions", "run", 0.78, 1.0),
    ],
)
def test_haxby_categories_are_told_apart(haxby, onsets, model, standardize, low, high):
    found = read_responses(
        take_inventory(haxby[onsets]).participants[0],
        model=model,
        hrf="spm",
        high_pass_hz=1 / 128,
        confounds="none",
        standardize=standardize,
        detrend="linear",
        rest=("rest",),
        delay_s=0.0,
    )
    responses = found.responses
    assert responses.values.shape == (864 if model == "volumes" else 96, 530)
    accuracy = cross_val_score(
        SVC(kernel="linear", C=1),
        responses.values,
        responses.samples["condition"],
        groups=responses.samples["run"],
        cv=LeaveOneGroupOut(),
    ).mean()
    assert low <= accuracy <= high
