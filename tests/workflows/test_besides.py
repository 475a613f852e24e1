"""workflows.besides: the seed and the settings by which regions are decoded beside networks."""

from types import SimpleNamespace

from bids_dnn.config.schema import Config
from bids_dnn.workflows.besides import own_of, seed_of


def own(analysis, **told):
    scene = SimpleNamespace(config=Config.model_validate(told))
    return own_of(scene, analysis, "01", {"a": "train"})


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
