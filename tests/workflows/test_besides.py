"""workflows.besides: seeds, and the settings that results depend on beside their own."""

from pathlib import Path
from types import SimpleNamespace

from bids_dnn.config.schema import Config
from bids_dnn.ingest.records import Anatomy, Subject
from bids_dnn.workflows.besides import own_of, seed_of

HASHED = SimpleNamespace(sha256=lambda path: f"hash of {path}")


def own(analysis, *, subject=None, **told):
    scene = SimpleNamespace(config=Config.model_validate(told), inputs=HASHED)
    subject = subject or Subject("01", "fmriprep", "objects", "T1w")
    return own_of(scene, analysis, subject, {"a": "train"})


def test_each_analysis_depends_on_what_it_uses():
    assert own("encode") == {"split": {"a": "train"}}
    assert own("decode") == own("ceiling") == {}
    units = {"decode": {"units": {"top": 5}}}
    assert set(own("decode", **units)) == {"scored"}
    assert own("twin", **units)["scored"] == own("decode", **units)["scored"]
    assert own("ceiling", **units) == {}


def test_networks_that_are_covariates_are_told():
    told = {"networks": {"pixels": {"network": "lowlevel:pixels"}}}
    told["decode"] = {"nuisance": ["pixels@luminance", "rt"]}
    expected = {"feature_spaces": {"pixels@luminance": ["pixels", "luminance"]}}
    assert own("decode", **told) == expected
    assert own("twin", **told).items() >= expected.items()
    assert own("ceiling", **told) == {}
    told["decode"] = {"baseline": ["pixels"]}
    assert own("decode", **told) == {"feature_spaces": {"pixels": ["pixels", ""]}}
    assert "feature_spaces" not in own("twin", **told)


def test_the_twin_decodes_regions_as_decoding_does():
    made = own("twin", decode={"c": 3.0}, run={"random_seed": 7})
    assert made["decode"]["c"] == 3.0
    assert made["decode_seed"] == seed_of(7, "01", "decode") != seed_of(7, "01", "twin")
    assert "scored" not in made


def test_the_searchlight_decodes_as_decoding_does_along_the_meshes_there_are():
    made = own("searchlight", decode={"c": 3.0}, run={"random_seed": 7})
    assert (made["decode"]["c"], made["meshes"], made["run_seed"]) == (3.0, {}, 7)
    files = {"L_midthickness": Path("l.gii"), "R_midthickness": Path("r.gii")}
    native = Subject("01", "fmriprep", "objects", "fsnative", anatomy=Anatomy(None, files))
    made = own("searchlight", subject=native)
    assert made["meshes"] == {"L": "hash of l.gii", "R": "hash of r.gii"}


def test_what_is_told_of_regions_alone_does_not_move_a_searchlight():
    alone = {"share": True, "permutations": 7, "targets": ["rt"], "units": {"top": 5}}
    assert own("searchlight", decode=alone) == own("searchlight")
    assert own("searchlight", decode={"folds": "session"}) != own("searchlight")
