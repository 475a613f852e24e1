"""workflows.steps.encode.choices_of: each key of [encode] reaches the field that it is for."""

from __future__ import annotations

import dataclasses
import tomllib

import pytest

from bids_dnn.analyses.encode.choices import Choices, UnitChoice
from bids_dnn.config.schema import EncodeConfig
from bids_dnn.workflows.steps.encode import choices_of

KEYS = [  # each with another value than by default
    ("folds = { stimulus = 7 }", "n_folds", 7),
    ("folds = { inner = 3 }", "n_inner", 3),
    ("alphas = [0.1, 10.0]", "alphas", (0.1, 10.0)),
    ('select = "loo"', "select", "loo"),
    ('ceiling = "ncsnr"', "ceiling", "ncsnr"),
    ('ceiling = "fev"', "ceiling", "fev"),
    ("floor = 0.25", "floor", 0.25),
    ("permutations = 17", "n_permutations", 17),
    ('nuisance = ["light", "speed"]', "nuisance", ("light", "speed")),
    ('estimator = ["pls", "cadena"]', "estimators", ("pls", "cadena")),
    ('spaces = "network"', "spaces", "network"),
    ("candidates = 11", "n_candidates", 11),
    ("partition = true", "is_partitioned", True),
    ("settings = 3", "n_settings", 3),
    ('loss = "poisson"', "loss", "poisson"),
    ("pls_scale = true", "pls_scale", True),
    ("stimulus_deg = 8.5", "stimulus_deg", 8.5),
    ("units = { top = 40 }", "units", UnitChoice(top=40)),
    ("units = { above = 0.2 }", "units", UnitChoice(above=0.2)),
]
GIVEN = {"seed", "split"}  # what is no key of [encode]


def choices(text, **given):
    settings = EncodeConfig.model_validate(tomllib.loads(text)).model_dump(mode="json")
    return choices_of(settings, **({"seed": 0, "split": None} | given))


@pytest.mark.parametrize(("text", "field", "value"), KEYS)
def test_a_key_reaches_its_field_and_no_other(text, field, value):
    made, plain = choices(text), choices("")
    assert getattr(made, field) == value
    assert getattr(plain, field) != value
    assert dataclasses.replace(made, **{field: getattr(plain, field)}) == plain


def test_every_field_has_a_key():
    fields = {one.name for one in dataclasses.fields(Choices)}
    assert fields - GIVEN == {field for _, field, _ in KEYS}


def test_seed_and_split_are_given():
    made = choices("", seed=5, split={"a.png": "train", "b.png": "test"})
    assert (made.seed, made.split) == (5, {"a.png": "train", "b.png": "test"})
