"""report.methods: what ran is told, what did not run is not, every citation exists."""

from __future__ import annotations

import re

import pytest

from bids_dnn.errors import ConfigError
from bids_dnn.report import methods
from bids_dnn.report.references import REFERENCES
from tests.factories.reports import NETWORK, RAN

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


@pytest.mark.parametrize("model", ["lsa", "block", "volumes"])
@pytest.mark.parametrize("ceiling", ["split-half", "ncsnr"])
def test_every_citation_exists(model, ceiling):
    ran = ALL | {"responses": {"model": model, "delay_s": 5.0, "confounds": "compcor"}}
    ran |= {"encode": ALL["encode"] | {"ceiling": ceiling}}
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
