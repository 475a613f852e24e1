"""workflows.asked: which analyses need networks."""

import pytest

from bids_dnn.config.schema import Config
from bids_dnn.workflows.asked import EVERY, any_uses_features, asked, estimators, networks_of

CHOSEN = {"units": {"top": 500}}


@pytest.mark.parametrize(
    ("analysis", "decode", "expected"),
    [
        ([], {}, True),  # all that the data allow, encoding among them
        (["decode"], {}, False),
        (["decode"], CHOSEN, True),
        (["encode"], {}, True),
        (["ceiling", "denoise"], CHOSEN, False),
    ],
)
def test_networks_are_needed_by_what_is_asked_for(analysis, decode, expected):
    config = Config.model_validate({"run": {"analysis": analysis}, "decode": decode})
    assert any_uses_features(config) is expected
    assert asked(config) == (tuple(analysis) or EVERY)


def test_networks_that_are_covariates_are_needed_alone():
    networks = {"pixels": {"network": "lowlevel:pixels"}, "alexnet": {"network": "alexnet"}}
    told = {"networks": networks, "decode": {"baseline": ["lowlevel:pixels", "pixels", "rt"]}}
    config = Config.model_validate(told | {"run": {"analysis": ["decode"]}})
    assert any_uses_features(config)
    assert networks_of(config, "decode") == ("pixels",)
    assert networks_of(config, "twin") == networks_of(config, "encode") == ()
    config = Config.model_validate(told | {"twin": {"networks": ["alexnet"]}})
    assert networks_of(config, "twin") == ("alexnet",)  # which has no baseline
    nuisance = told | {"decode": {"nuisance": ["pixels"]}, "twin": {"networks": ["alexnet"]}}
    assert networks_of(Config.model_validate(nuisance), "twin") == ("alexnet", "pixels")
    config = Config.model_validate(told | {"decode": told["decode"] | CHOSEN})
    assert networks_of(config, "decode") == ()  # units are chosen by all


def test_estimators_are_those_of_encoding_where_it_is_asked_for():
    told = {"encode": {"estimator": ["pls", "cadena"]}}
    assert estimators(Config.model_validate(told)) == ("pls", "cadena")
    alone = Config.model_validate(told | {"run": {"analysis": ["decode"]}, "decode": CHOSEN})
    assert estimators(alone) == ()


def test_twin_and_searchlight_are_done_only_where_they_are_named():
    assert not {"twin", "searchlight"} & set(asked(Config()))
    config = Config.model_validate({"run": {"analysis": ["twin"]}})
    assert asked(config) == ("twin",)
    assert any_uses_features(config)
