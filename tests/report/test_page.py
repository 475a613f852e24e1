"""report.page: a page stands alone, warns first, escapes, and repeats byte for byte."""

from __future__ import annotations

import dataclasses
import re
from html.parser import HTMLParser

import pytest

from bids_dnn.report import page
from tests.factories.reports import (
    make_channel_rois,
    make_cortex_rois,
    make_group,
    make_participant,
    make_surface_participant,
    make_surfaces,
)
from tests.factories.results import make_decode, make_encode

pytestmark = pytest.mark.whole

VOID = {"meta", "img", "source", "br", "hr", "link", "input"}


class Checker(HTMLParser):
    """Keeps ids and links, and refuses tags that do not close in order."""

    def __init__(self):
        super().__init__()
        self.open, self.ids, self.links, self.alts = [], [], [], []

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        if tag not in VOID:
            self.open.append(tag)
        if "id" in found:
            self.ids.append(found["id"])
        if "href" in found:
            self.links.append(found["href"])
        if tag == "img":
            self.alts.append(found["alt"])

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def participant(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    data = make_participant(folder)
    return data, page.render_participant(data, folder / "figures"), folder


@pytest.fixture(scope="module")
def group(tmp_path_factory):
    folder = tmp_path_factory.mktemp("group")
    return page.render_group(make_group(), folder / "figures")


@pytest.fixture
def small(rng):
    result = make_decode(rng)
    table = result.table[result.table["region"] == "V1"]
    return page.ParticipantReport(
        "x<y", {"decode": dataclasses.replace(result, table=table, extras={})}, {}
    )


def check(text):
    checker = Checker()
    checker.feed(text)
    assert checker.open == []
    assert len(checker.ids) == len(set(checker.ids))
    inner = {link[1:] for link in checker.links if link.startswith("#")}
    assert inner <= set(checker.ids)
    return checker


def test_a_participant_page_is_whole(participant):
    _, text, folder = participant
    checker = check(text)
    wanted = {"summary", "input", "regions", "stimuli", "decode", "encode", "methods"}
    assert wanted <= set(checker.ids)
    assert len(checker.alts) == 7
    assert all(len(alt) > 20 for alt in checker.alts)
    assert "sub-01/func/sub-01_desc-decode_scores.tsv" in checker.links
    assert len(text) < page.MOST_BYTES
    names = {path.name for path in (folder / "figures").iterdir()}
    assert "task-objects_space-T1w_encode_layers.png" in names
    assert len(names) == 7


def test_a_page_of_surfaces_is_whole(tmp_path):
    data = make_surface_participant(tmp_path, n_strategies=2)
    text = page.render_participant(data, tmp_path / "figures")
    checker = check(text)
    assert {"regions", "denoising", "decode", "encode"} <= set(checker.ids)
    assert len(checker.alts) == 10
    assert all(len(alt) > 20 for alt in checker.alts)
    names = {path.name for path in (tmp_path / "figures").iterdir()}
    assert "task-objects_space-fsnative_retinotopy.png" in names
    assert "Retinotopic regions were predicted" in text
    assert "Responses of each vertex were z-scored" in text
    assert "task-objects_space-fsnative_encode_maps.png" in names
    assert len(text) < page.MOST_BYTES


@pytest.mark.parametrize("make", [make_cortex_rois, make_channel_rois])
def test_a_page_of_any_kind_of_space(make, rng, tmp_path):
    rois = make()
    data = page.ParticipantReport(
        "01",
        {"encode": make_encode(rng, space=rois[0].space)},
        {},
        rois=rois,
        surfaces=make_surfaces(),
    )
    checker = check(page.render_participant(data, tmp_path))
    assert len(checker.alts) == 4  # regions, heat map, profile, maps


def test_a_page_loads_nothing_from_elsewhere(participant, group):
    for text in (participant[1], group):
        bare = re.sub(r"data:image/png;base64,[A-Za-z0-9+/=]+", "", text)
        assert not re.findall(r'(?:src|srcset)="(?!")[^"]', bare)
        assert "<link" not in bare
        assert "url(" not in bare


def test_random_weights_and_warnings_come_first(participant):
    _, text, _ = participant
    bare = re.sub(r"data:image/png;base64,[A-Za-z0-9+/=]+", "", text)
    places = [
        bare.index(word)
        for word in ("Random weights.", "2 warnings", 'class="numbers"', 'id="input"')
    ]
    assert places == sorted(places)
    assert "A &lt; B &amp; C" in bare


def test_the_summary_names_all_that_ran(participant):
    data, text, _ = participant
    assert "Decoding and encoding in " in text
    assert page._titles({}, ["noise ceilings"]) == "Noise ceilings"
    assert page._titles(data.results, ["denoising"]) == "Decoding, encoding and denoising"
    assert page._titles({}) == "No analysis"


def test_what_found_no_partner_is_named(participant):
    _, text, _ = participant
    for word in ("2 samples showed no known stimulus", "catch", "face/exemplar-09.png", "Run 09"):
        assert word in text


def test_a_group_page_is_whole(group):
    checker = check(group)
    assert {"summary", "decode", "encode", "methods"} <= set(checker.ids)
    assert "6 participants; missing: 99." in group
    assert "95 % t intervals" in group


def test_a_page_with_little_is_rendered_the_same_twice(small, tmp_path):
    one = page.render_participant(small, tmp_path / "a")
    assert one == page.render_participant(small, tmp_path / "b")
    checker = check(one)
    assert "sub-x&lt;y" in one
    assert not {"encode", "regions", "stimuli"} & set(checker.ids)


def test_the_result_itself_knows_of_random_weights(tmp_path, rng):
    text = page.render_participant(
        page.ParticipantReport("01", {"encode": make_encode(rng)}, {}), tmp_path
    )
    assert "Random weights" in text


def test_one_participant_makes_a_group_page(tmp_path):
    text = page.render_group(make_group(1), tmp_path)
    check(text)
    assert "n/a" in text


def test_a_page_that_grows_too_large_leaves_out_dark(small, tmp_path, monkeypatch):
    whole = page.render_participant(small, tmp_path)
    assert "<source" in whole
    monkeypatch.setattr(page, "MOST_BYTES", len(whole) - 1)
    smaller = page.render_participant(small, tmp_path)
    assert len(smaller) < 0.8 * len(whole)
    assert "<source" not in smaller


def test_without_encoding_all_stimuli_that_were_shown_are_counted(tmp_path):
    stimuli = make_participant(tmp_path).stimuli[:4]  # a part, for the contact sheet
    facts = {"source": "fmriprep", "n_stimuli": 80}
    data = page.ParticipantReport("01", {}, {}, facts=facts, stimuli=stimuli)
    text = page.render_participant(data, tmp_path / "figures")
    assert "80 stimuli; no network was run." in text
    assert "4 of 80 stimuli, evenly through the list." in text
