"""report.decoders: what is said of decoding, by its settings."""

from typing import get_args

import pytest

from bids_dnn.analyses.decode.classifiers.choice import Kind
from bids_dnn.config.decode import DecodeConfig
from bids_dnn.report.decoders import METRICS, decoded_how, decoding_text
from bids_dnn.report.estimators import CITE
from bids_dnn.report.references import REFERENCES


def text_of(**told):
    return decoding_text(DecodeConfig(**told).model_dump(mode="json"), units="voxels")


@pytest.mark.parametrize("kind", get_args(Kind))
def test_each_classifier_has_words_of_its_own(kind):
    text = text_of(classifier=kind)
    others = [text_of(classifier=one) for one in get_args(Kind) if one != kind]
    assert text not in others
    assert all(key in REFERENCES for group in CITE.findall(text) for key in keys_of(group))


def keys_of(group):
    return [part.strip().removeprefix("@") for part in group.strip("[]").split(";")]


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"folds": "stimulus", "n_folds": 4}, "leaving out one of 4 groups of each stimulus"),
        ({"folds": "session"}, "leaving one session out"),
        ({"folds": "stimulus"}, "of the samples of each stimulus together"),
        ({"average": 3}, "means of 3 trials"),
        ({"nuisance": ["rt"]}, "rt was regressed out of the responses"),
        ({"nuisance": ["rt", "pixels"]}, "rt, pixels were regressed out"),
        ({"baseline": ["pixels"]}, "decoded from pixels alone, by the same classifier and folds"),
        ({"balance": "subsample"}, "As many trials of each side"),
        ({"balance": "weights"}, "weighted to count alike"),
        ({"standardize": "train"}, "divided by their SD over the training samples"),
        (
            {"blank": True},
            "The mean pattern of each run, over all samples of the comparison in it",
        ),
        ({"anova": 20}, "the 20 voxels were kept"),
        ({"targets": ["rt"]}, "Numbers (rt) were predicted from the same voxels"),
        ({"targets": ["rt"], "alpha": 3}, "by ridge regression (penalty 3 times"),
        ({"targets": ["rt"], "regressor": "svr"}, "support vector regression (C = 1, epsilon"),
        (
            {"targets": ["rt"], "regressor": "svr", "search": {"c": (0.1, 1.0)}},
            "support vector regression (C of inner folds, epsilon",
        ),
        ({"whiten": True}, "whitened by the shrunk covariance"),
        ({"pca": 5}, "5 principal components"),
        (
            {"search": {"c": (0.1, 1.0)}},
            "Inner folds of the training samples chose c",
        ),
        ({"search": {"c": (0.1, 1.0)}}, "machine (C of inner folds"),
        (
            {"classifier": "svm-rbf", "search": {"gamma": (0.1, 1.0)}},
            "radial basis functions (C = 1, gamma of inner folds)",
        ),
        ({"interval": "bootstrap"}, "bootstrap intervals over what folds left out"),
        ({"classifier": "ridge", "alpha": 0}, "least-squares classification"),
        ({"classifier": "lda", "shrinkage": 0.3}, "scaled identity by 0.3"),
    ],
)
def test_each_setting_is_told(told, words):
    assert words in text_of(**told)
    assert words not in text_of()


def test_what_is_exchanged_is_told():
    assert "labels of trials within runs, all samples of a trial together" in text_of()


def test_how_p_is_corrected_is_told():
    assert "maximum statistic" not in text_of(correct=("fdr",))
    assert "false discovery rate" not in text_of(correct=("max",))


def test_below_pictures_nothing_is_cited():
    text = decoded_how(DecodeConfig().model_dump(mode="json"), units="voxels")
    assert "@" not in text
    assert "linear support vector machine" in text


def test_every_metric_has_a_name():
    told = DecodeConfig.model_json_schema()["properties"]["metric"]["enum"]
    assert set(told) - {"auto"} == set(METRICS)


def test_features_of_pictures_are_told_as_components():
    told = DecodeConfig(nuisance=["pixels"], components=4).model_dump(mode="json")
    text = decoding_text(told | {"feature_spaces": ["pixels"]}, units="voxels")
    assert "The features of pictures (pixels) went in as at most 4 principal components" in text
    assert "principal components" not in decoding_text(told, units="voxels")
