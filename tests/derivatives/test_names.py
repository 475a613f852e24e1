"""derivatives.names: the order of entities, refusals, and silence of the validator's words."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bids_dnn.derivatives import names
from bids_dnn.errors import ConfigError

ORDER = (
    *("sub", "task", "hemi", "space", "atlas", "den", "label", "model", "stat", "desc"),
    "network",
    "layer",
)


@pytest.mark.parametrize(
    ("kind", "entities", "expected"),
    [
        (
            "scores",
            {"participant": "01", "task": "objects", "space": "T1w", "analysis": "decode"},
            "sub-01/func/sub-01_task-objects_space-T1w_desc-decode_scores.tsv",
        ),
        (
            "scores",
            {"participant": "01", "task": "", "space": "T1w", "analysis": "decode",
             "extra": "confusion"},
            "sub-01/func/sub-01_space-T1w_desc-decodeConfusion_scores.tsv",
        ),
        (
            "statmap",
            {"participant": "a", "task": "x", "space": "MNI152NLin2009cAsym", "model": "net1",
             "stat": "pearson", "analysis": "encode"},
            "sub-a/func/sub-a_task-x_space-MNI152NLin2009cAsym_model-net1_stat-pearson_"
            "desc-encode_statmap.nii.gz",
        ),
        (
            "region",
            {"participant": "01", "space": "T1w", "region": "FFA"},
            "sub-01/anat/sub-01_space-T1w_label-FFA_mask.nii.gz",
        ),
        (
            "group_scores",
            {"task": "x", "space": "T1w", "analysis": "encode"},
            "group/task-x_space-T1w_desc-encode_scores.tsv",
        ),
        (
            "group_scores",
            {"space": "T1w", "analysis": "encode"},
            "group/space-T1w_desc-encode_scores.tsv",
        ),
        ("log", {"run": "20260101-120000_1", "file": "config.toml"},
         "logs/20260101-120000_1/config.toml"),
    ],
)  # fmt: skip
def test_path_of_gives_known_names(kind, entities, expected):
    assert names.path_of(Path("out"), kind, **entities) == Path("out", expected)


@pytest.mark.parametrize("kind", sorted(names.TEMPLATES))
def test_entities_stand_in_bids_order(kind):
    name = names.TEMPLATES[kind].rsplit("/", 1)[-1]
    keys = re.findall(r"(\w+?)-\{", name.replace("_", " "))
    assert keys == sorted(keys, key=ORDER.index)


def test_label_of_holds_letters_and_digits_only():
    assert names.label_of("my_net/v2", "conv.1") == "myNetV2Conv1"


def test_entities_of_undoes_path_of():
    path = names.path_of(
        Path(), "statmap", participant="01", task="x", space="T1w", model="m", stat="r",
        analysis="encode",
    )  # fmt: skip
    assert names.entities_of(path) == {
        "participant": "01", "task": "x", "space": "T1w", "model": "m", "stat": "r",
        "desc": "encode", "suffix": "statmap",
    }  # fmt: skip


def test_uri_takes_the_innermost_data_set():
    roots = {"raw": Path("/d"), "fmriprep": Path("/d/derivatives/fmriprep"), "": Path("/out")}
    assert names.uri(Path("/d/derivatives/fmriprep/a"), roots) == "bids:fmriprep:a"
    assert names.uri(Path("/d/sub-01/b"), roots) == "bids:raw:sub-01/b"
    assert names.uri(Path("/out/c"), roots) == "bids::c"
    assert names.uri(Path("/else/e f"), roots) == "file:///else/e%20f"


@pytest.mark.parametrize(
    ("kind", "entities", "match"),
    [
        ("score", {}, "'score'.*Did you mean 'scores'"),
        ("scores", {"participant": "01", "analysis": "decode"}, r"\['space'\]"),
        ("region", {"participant": "01", "space": "T1w", "region": "F_A"}, "'F_A'.*'FA'"),
        ("report", {"participant": "../x"}, r"'\.\./x'"),
        ("log", {"run": "../x", "file": "a"}, r"'\.\./x'"),
    ],
)
def test_path_of_refuses(kind, entities, match):
    with pytest.raises(ConfigError, match=match):
        names.path_of(Path(), kind, **entities)
