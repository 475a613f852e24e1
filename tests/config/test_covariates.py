"""config.covariates: which covariates are features of networks."""

import pytest

from bids_dnn.config.covariates import feature_spaces
from bids_dnn.config.schema import Config
from bids_dnn.errors import ConfigError

NETWORKS = {
    "pixels": {"network": "lowlevel:pixels"},
    "scaled": {"network": "lowlevel:gabor", "scale": "train"},
}


def spaces(encode=(), **decode):
    told = {"networks": NETWORKS, "decode": decode, "encode": {"networks": encode}}
    return feature_spaces(Config.model_validate(told))


def test_networks_go_by_their_name_or_by_what_they_are():
    assert spaces(nuisance=["luminance", "pixels"]) == {"pixels": ("pixels", "")}
    made = spaces(nuisance=["lowlevel:pixels"], baseline=["pixels@luminance"])
    assert made == {
        "lowlevel:pixels": ("pixels", ""),
        "pixels@luminance": ("pixels", "luminance"),
    }
    assert spaces() == spaces(nuisance=["response_time"]) == {}


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"nuisance": ["lowlevel:gabors"]}, "decode.nuisance names 'lowlevel:gabors', which is"),
        ({"baseline": ["gabor@energy"]}, "decode.baseline names 'gabor@energy', which is not"),
        ({"baseline": ["pixels"], "encode": ["scaled"]}, "'pixels', which is not among"),
        ({"nuisance": ["scaled"]}, "'scaled', but .networks.scaled. has scale = 'train'"),
    ],
)
def test_networks_that_are_not_there_or_scaled_are_refused(told, words):
    with pytest.raises(ConfigError, match=words):
        spaces(**told)
