"""workflows.besides: seeds, and the settings that results depend on beside their own."""

from pathlib import Path
from types import SimpleNamespace

from bids_dnn.config.schema import Config
from bids_dnn.ingest.records import Anatomy, Subject
from bids_dnn.workflows.besides import own_of, seed_of


def own(analysis, *, subject=None, **told):
    scene = SimpleNamespace(config=Config.model_validate(told), inputs=SimpleNamespace(of=list))
    subject = subject or Subject("01", "fmriprep", "objects", "T1w")
    return own_of(scene, analysis, subject, {"a": "train"})


def test_each_analysis_depends_on_what_it_uses():
    assert own("encode") == {"split": {"a": "train"}}
    assert own("decode") == own("ceiling") == {}
    units = {"decode": {"units": {"top": 5}}}
    assert set(own("decode", **units)) == {"scored"}
    assert own("twin", **units)["scored"] == own("decode", **units)["scored"]
    assert own("ceiling", **units) == {}


def test_the_twin_decodes_regions_as_decoding_does():
    made = own("twin", decode={"c": 3.0}, run={"random_seed": 7})
    assert made["decode"]["c"] == 3.0
    assert made["decode_seed"] == seed_of(7, "01", "decode") != seed_of(7, "01", "twin")
    assert "scored" not in made


def test_the_searchlight_decodes_as_decoding_does_along_the_meshes_there_are():
    made = own("searchlight", decode={"c": 3.0})
    assert (made["decode"]["c"], made["meshes"], made["inputs"]) == (3.0, {}, [])
    files = {"L_midthickness": Path("l.gii"), "R_midthickness": Path("r.gii")}
    native = Subject("01", "fmriprep", "objects", "fsnative", anatomy=Anatomy(None, files))
    made = own("searchlight", subject=native)
    assert made["meshes"] == {"L": "l.gii", "R": "r.gii"}
    assert made["inputs"] == [Path("l.gii"), Path("r.gii")]
