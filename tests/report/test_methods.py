"""report.methods: what ran is told, what did not run is not, every citation exists."""

from __future__ import annotations

import re
from typing import get_args

import pytest

from bids_dnn.config.schema import Estimator, Source
from bids_dnn.containers.readout import READOUTS
from bids_dnn.errors import ConfigError
from bids_dnn.report import methods, sources
from bids_dnn.report.references import REFERENCES
from bids_dnn.report.sources import SOURCES
from bids_dnn.rois.rule import KINDS
from tests.factories.reports import NETWORK, RAN

REGIONS = [{"name": kind, "rule": f"{kind}:x"} for kind in KINDS if kind != "file"]
ALL = RAN | {"networks": [NETWORK], "group": {"tests": ["sign-flip", "t"], "correct": "fdr"}}


def test_only_what_ran_is_told():
    text = " ".join(methods.sentences({"source": "spm", "decode": {"c": 2.0, "permutations": 50}}))
    assert "SPM" in text
    assert "C = 2" in text
    assert "50 times" in text
    assert "fMRIPrep" not in text
    assert "ridge" not in text


@pytest.mark.parametrize(
    ("source", "responses", "is_scaled"),
    [
        ("spm", {}, True),
        ("spm", {"standardize": "run"}, False),
        ("fmriprep", {"model": "lsa", "standardize": "none"}, True),
        ("fmriprep", {"model": "lsa", "standardize": "run"}, False),
        ("fmriprep", {"model": "volumes", "standardize": "none"}, False),
    ],
)
def test_a_cost_that_is_scaled_is_told(source, responses, is_scaled):
    ran = {"source": source, "responses": responses, "decode": {"c": 1.0}}
    assert ("as for voxels of unit variance" in " ".join(methods.sentences(ran))) == is_scaled


def test_random_weights_are_told_and_trained_ones_cited():
    random = methods.sentences({"networks": [NETWORK]})[-1]
    trained = methods.sentences({"networks": [NETWORK | {"weights": "alexnet.pth"}]})[-1]
    own = methods.sentences(
        {"networks": [{"name": "mine", "weights": "w.pt", "reference": "Me (2026)"}]}
    )[-1]
    assert "RANDOM" in random
    assert "@krizhevsky2014" in trained
    assert "mine (Me (2026))" in own


@pytest.mark.parametrize("scale", ["psc", "zscore"])
def test_the_scale_of_the_responses_decides_where_it_is_known(scale):
    ran = {
        "source": "nsd",
        "responses": {"standardize": "none"},
        "scale": scale,
        "decode": {"c": 1},
    }
    is_scaled = "as for voxels of unit variance" in " ".join(methods.sentences(ran))
    assert is_scaled == (scale == "psc")


@pytest.mark.parametrize("source", get_args(Source)[1:])
def test_every_source_has_its_words_and_works(source):
    text = methods.sentences({"source": source, "responses": {}})[1]
    assert len(text) > 40
    assert methods.references(methods.cited([text])) or source == "table"
    assert source in SOURCES


def test_each_model_of_trials_is_told_apart():
    models = ("lsa", "lss", "lss-by-condition", "fir", "block", "volumes", "glmsingle")
    told = {
        model: methods.sentences({"source": "fmriprep", "responses": {"model": model}})[1]
        for model in models
    }
    assert len(set(told.values())) == len(models)
    assert "@mumford2012" in told["lss"]
    assert "@turner2012" in told["lss-by-condition"]
    assert "@prince2022" in told["glmsingle"]
    window = {"model": "fir", "fir_window_s": [3.0, 9.0], "low_pass_hz": 0.152}
    fir = methods.sentences({"source": "fmriprep", "responses": window})[1]
    assert "from 3 to 9 s" in fir
    assert "0.152 Hz" in fir


def test_confounds_are_told_by_their_tokens():
    text = sources.denoise_text("24-HMP_8-Phys_10-aCompCor_SpikeReg_cosine")
    for word in ("24 head-motion", "squares", "@behzadi2007", "@power2014", "(cosines) were"):
        assert word in text
    assert sources.denoise_text("else") == "confounds were regressed out"


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("benson:V1@0-2deg", ["@benson2014", "(V1)"]),
        ("benson:V1 | wang15:V1v", ["@benson2014", "@wang2015"]),
        ("(localizer:face-house,task=loc & aparc:fusiform)", ["@fedorenko2010", "@desikan2006"]),
        ("atlas:Schaefer:Vis", ["@ciric2022"]),
        ("/data/masks/V1_mask.nii.gz@T1w", ["masks that were given"]),
        ("mask:V1", ["masks that were given"]),
        ("bids:atlas:sub-01/V1.nii.gz", ["masks that were given"]),
        ("area:V4", ["the data set itself names"]),
    ],
)
def test_regions_are_told_by_their_rules(rule, words):
    text = methods.sentences({"regions": [{"name": "V1", "rule": rule}]})[1]
    assert all(word in text for word in words)
    assert methods.references(methods.cited([text])) is not None


@pytest.mark.parametrize("model", ["lsa", "lss", "lss-by-condition", "fir", "block", "glmsingle"])
@pytest.mark.parametrize("ceiling", ["split-half", "ncsnr", "fev"])
@pytest.mark.parametrize("hrf", ["spm", "glover"])
def test_every_citation_exists(model, ceiling, hrf):
    ran = ALL | {"responses": {"model": model, "delay_s": 5.0, "confounds": "compcor", "hrf": hrf}}
    ran |= {"encode": ALL["encode"] | {"ceiling": ceiling}, "regions": REGIONS}
    keys = methods.cited(methods.sentences(ran))
    assert keys
    assert [work.key for work in methods.references(keys)] == keys


def test_every_reference_has_a_link_and_a_year():
    for key, work in REFERENCES.items():
        assert key == work.key
        assert re.fullmatch(r"10\.\d{4,}/\S+", work.doi) or work.url.startswith("https://")
        assert str(work.year) in work.text()
        assert work.bibtex().count("{") == work.bibtex().count("}")


def test_references_refuse_an_unknown_key():
    with pytest.raises(ConfigError, match=r"'haxby2002'.*'haxby2001'"):
        methods.references(["haxby2002"])


def test_boilerplate_holds_the_same_works_in_each_form():
    made = methods.boilerplate(ALL)
    keys = methods.cited(methods.sentences(ALL))
    assert set(made) == {"md", "html", "bib"}
    assert re.findall(r"@\w+{(\w+),", made["bib"]) == keys
    assert re.findall(r'<li id="ref-(\w+)"', made["html"]) == keys
    assert made["html"].count("<a href") >= len(keys)


def test_html_in_names_is_escaped():
    ran = {"networks": [{"name": "<b>net</b>", "weights": "w.pt"}]}
    assert "<b>" not in methods.boilerplate(ran)["html"]


def encode_text(*estimators, split=False, layers=("a", "b"), **more):
    told = RAN["encode"] | {"estimator": estimators, "folds": {"split": split}} | more
    ran = {"encode": told, "networks": [NETWORK | {"layers": list(layers)}]}
    return methods.sentences(ran)[-1]


MERGED, EXCHANGED = "twice their mean", "est stimuli were exchanged within folds"
BEFORE = "exchanged among the stimuli of a fold before the fit"


@pytest.mark.parametrize("name", [name for name in get_args(Estimator) if name != "ridge"])
def test_other_estimators_are_not_told_as_ridge(name):
    text = encode_text(name)
    for words in ("Ridge regression", "took the layer", "rotations", BEFORE):
        assert words not in text
    assert f"T{EXCHANGED}" in text
    assert MERGED in text
    assert MERGED not in encode_text(name, split=True)
    assert "Test stimuli were exchanged (1000 times)" in encode_text(name, split=True)
    assert "tested by the t test of their correlation in each fold" in text
    assert "tested by the t test of their correlation, with" in encode_text(name, split=True)


def test_scaling_is_told_where_partial_least_squares_did_it():
    words = "on inner folds; features and responses were divided by their standard deviation"
    assert words in encode_text("ridge", "pls", pls_scale=True)
    assert "standard deviation" not in encode_text("pls") + encode_text("ridge", pls_scale=True)


@pytest.mark.parametrize("name", READOUTS)
def test_the_loss_of_readouts_is_told(name):
    assert "by the squared error of standardized responses; penalties" in encode_text(name)
    assert "by the log-likelihood of counts under the Poisson" in encode_text(name, loss="poisson")
    assert "Poisson" not in encode_text("ridge", loss="poisson")


def test_ridge_merges_folds_only_where_layers_were_chosen():
    several, one = encode_text("ridge"), encode_text("ridge", layers=("a",))
    for text in (several, one):
        assert "Ridge regression" in text
        assert BEFORE in text
        assert "rotations" in text
    for words in (EXCHANGED, MERGED, "took the layer", "others by the t test"):
        assert words in several
        assert words not in one
    assert MERGED in encode_text("ridge", "banded", layers=("a",))
    assert "{" not in encode_text(*get_args(Estimator))
