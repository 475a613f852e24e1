"""analyses.decode.pattern_maps: units that carry an effect, not those that cancel noise."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.svm import SVC

from bids_dnn.analyses.decode.choices import Choices
from bids_dnn.analyses.decode.classifiers.choice import Classifier
from bids_dnn.analyses.decode.decoding import decode
from tests.factories.responses import make_patterns, make_roi


@pytest.fixture
def suppressed(rng):
    """One unit with an effect and noise, one with the same noise alone: a suppressor."""
    made = make_patterns(rng, n_runs=5, n_each=10, n_units=4, effect=0.0)
    sign = np.where(made.samples["condition"] == "a", 1.0, -1.0)
    noise = 3 * rng.normal(size=len(sign))
    values = 0.2 * rng.normal(size=(len(sign), 4))
    values[:, 0] += sign + noise
    values[:, 1] += noise
    return replace(made, values=values.astype(np.float32), scale="zscore")


def maps_of(responses, rois=(), **other):
    told = {"comparisons": ("a vs b",), "n_permutations": 1, "seed": 0, "has_patterns": True}
    return decode(responses, rois, choices=Choices(**told | other))


def test_a_unit_that_only_cancels_noise_has_no_pattern(suppressed):
    made = maps_of(suppressed, classifier=Classifier(kind="lda", shrinkage=0.01))
    (found,) = made.maps
    assert found.stat == "pattern"
    assert found.values[0] > 0.7  # the effect is 1, half the difference of the means
    assert np.abs(found.values[2:]).max() < 0.2
    assert abs(found.values[1]) < 0.5 < made.table["score"][0]


def test_the_pattern_is_the_covariance_with_the_decision(suppressed):
    (found,) = maps_of(suppressed).maps
    x = suppressed.values.astype(np.float64)
    runs, truth = (suppressed.samples[name].to_numpy() for name in ("run", "condition"))
    expected = []
    for run in np.unique(runs):
        train = runs != run
        model = SVC(kernel="linear", tol=1e-6).fit(x[train], truth[train] == "a")
        told = model.decision_function(x[train])
        expected.append(np.cov(x[train].T, told, bias=True)[-1, :-1] / told.std())
    np.testing.assert_allclose(found.values, np.mean(expected, axis=0), rtol=1e-3, atol=1e-4)


def test_each_region_and_pair_has_a_map_and_others_are_nan(rng):
    responses = make_patterns(rng, conditions=("a", "b", "c"), n_units=6)
    rois = [make_roi("V1", responses, range(4)), make_roi("V2", responses, range(3, 6))]
    made = maps_of(responses, rois, comparisons=("pairs", "all"))
    assert [one.model for one in made.maps] == [
        f"{region}+{pair}" for region in ("V1", "V2") for pair in ("avsb", "avsc", "bvsc")
    ]
    assert np.isnan(made.maps[0].values).tolist() == [False] * 4 + [True] * 2
    assert np.isnan(made.maps[3].values).tolist() == [True] * 3 + [False] * 3


def test_radial_basis_functions_have_no_pattern(rng):
    choices = {"classifier": Classifier(kind="svm-rbf")}
    made = maps_of(make_patterns(rng, n_units=6), **choices)
    assert made.maps == ()
    assert any("svm-rbf has no pattern" in text for text in made.meta["warnings"])


def test_labels_that_letters_and_digits_do_not_tell_apart_are_numbered(rng):
    made = make_patterns(rng, conditions=("face_1", "face1", "b"), n_units=6)
    labels = [one.model for one in maps_of(made, comparisons=("pairs",)).maps]
    assert len(set(labels)) == 3
