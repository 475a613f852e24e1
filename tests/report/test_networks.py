"""report.networks: each network has its section; what is not there is said in words."""

from __future__ import annotations

import dataclasses
import math

import pytest

from bids_dnn.containers.portrait import NetworkFacts
from bids_dnn.report import networks, page
from bids_dnn.report.parts import Picture
from tests.factories.portraits import make_facts, make_portrait, make_reader
from tests.factories.reports import make_stimuli

WHAT = ("filters", "labels", "transforms", "activations", "dimensionality", "rdms")


@pytest.fixture
def _undrawn(monkeypatch):
    """Leave the drawing to the tests of network_figures."""

    def blank(name, draw, *, alt, caption):
        return Picture(name, alt, caption, b"", b"")

    monkeypatch.setattr(networks, "picture", blank)


undrawn = pytest.mark.usefixtures("_undrawn")


@pytest.fixture
def whole(tmp_path):
    stimuli = make_stimuli(tmp_path, 5)
    labels = {name: ("tabby cat", 0.5) for name, _ in stimuli}
    return make_portrait(labels=labels), stimuli


def names(section):
    return [one.name.rpartition("_")[2] for one in section.pictures]


def told(section):
    return [text for _, texts in section.notes for text in texts]


@undrawn
def test_a_network_with_everything_shows_it(whole):
    section = networks.network_section(*whole, link="stimuli/x.tsv")
    assert names(section) == list(WHAT)
    assert told(section) == []
    assert all(len(one.alt) > 20 for one in section.pictures)
    assert "first 20 of 64 filters" in section.pictures[0].caption
    assert "shown them as transformed" in section.pictures[1].caption
    assert "face (6), house (6)" in section.pictures[-1].caption
    assert section.tables[-1].link == "stimuli/x.tsv"
    assert "2.0 in features.0 to 4.0 in features.2" in section.answer.replace("2.000", "2.0")
    assert "most often tabby cat (5)" in section.answer


@undrawn
def test_a_network_that_reads_says_so():
    section = networks.network_section(make_reader())
    assert names(section) == ["dimensionality", "rdms"]
    assert 'reads captions. It read "a dog on a lawn".' in told(section)[0]
    assert "Filters:" not in section.how
    assert "pixels" not in section.answer


@undrawn
def test_ready_made_features_say_so():
    facts = NetworkFacts("mine", network="features:x.npy", modality="")
    section = networks.network_section(dataclasses.replace(make_reader(), facts=facts, caption=""))
    assert "came ready-made" in told(section)[0]
    assert len(told(section)) == 1


@undrawn
@pytest.mark.parametrize(
    ("changes", "words", "missing"),
    [
        ({"filters": None}, "no convolution over 3 colors", "filters"),
        ({"labels": {}}, "no head with named classes", "labels"),
        ({"activations": {}}, "no layer that was asked for puts out maps", "activations"),
        ({"examples": {}}, "nothing else was done", "transforms"),
        ({"rdms": {}}, "12 stimuli are too few", "rdms"),
        ({"dimensionality": {"fc": 3.0}}, "known of 1 layer only", "dimensionality"),
        ({"dimensionality": {"a": math.nan, "b": 1.0}}, "of 1 layer only", "dimensionality"),
    ],
)
def test_what_is_missing_is_said_in_words(whole, changes, words, missing):
    portrait, stimuli = whole
    section = networks.network_section(dataclasses.replace(portrait, **changes), stimuli)
    assert names(section) == [one for one in WHAT if one != missing]
    assert len(told(section)) == 1
    assert words in told(section)[0]


@undrawn
def test_what_does_not_vary_is_named():
    one = make_portrait()
    ranks = one.rdms["features.0"].copy()
    ranks[0, 1:] = ranks[1:, 0] = math.nan
    section = networks.network_section(
        dataclasses.replace(
            one,
            rdms={"features.0": ranks},
            dimensionality={"a": 1.0, "b": 2.0, "head": math.nan},
        )
    )
    assert "Not known of what does not vary: head." in section.pictures[-2].caption
    assert "Gray: a pattern that is the mean" in section.pictures[-1].caption


@undrawn
def test_labels_without_pictures_are_a_table():
    section = networks.network_section(make_portrait())
    assert "labels" not in names(section)
    assert "not at hand" in told(section)[0]
    assert len(section.tables[-1].rows) == 12


def test_thousands_of_stimuli_stay_a_small_table():
    table = networks.labels_table(make_portrait(n_stimuli=5000))
    assert len(table.rows) == networks.MOST_ROWS
    assert "200 of 5,000 stimuli" in table.caption


def test_the_card_links_its_doi_and_leaves_out_what_is_not_known():
    rows = {row[0].text: row[1] for row in networks.card_table(make_facts()).rows}
    assert rows["DOI"].link == "https://doi.org/10.48550/arXiv.1404.5997"
    assert rows["input"].text == "224 x 224 pixels"
    assert rows["SHA-256 of the weights"].text == "0123456789abcdef" * 4
    assert rows["normalization"].text == "mean 0.485, 0.456, 0.406; SD 0.229, 0.224, 0.225"
    few = {row[0].text: row[1].text for row in networks.card_table(NetworkFacts("net")).rows}
    assert few == {"network": "net", "kind of input": "pictures", "license": "not known"}


def test_layers_are_listed_with_shape_and_features():
    table = networks.layers_table(make_portrait())
    assert [cell.text for cell in table.rows[1]] == [
        "features.1", "Conv2d", "8 x 12 x 12", "1,152", "before", "3.000",
    ]  # fmt: skip


@undrawn
def test_of_many_networks_the_first_have_pictures():
    many = [make_portrait(f"net{i}") for i in range(networks.MOST_PORTRAITS + 1)]
    last = networks.network_sections(many)[-1]
    assert names(last) == ["dimensionality", "rdms"]
    assert "first 6 networks" in told(last)[0]


def test_a_page_shows_its_networks(tmp_path, whole):
    portrait, stimuli = whole
    data = page.ParticipantReport(
        "01", {}, {"source": "fmriprep"}, stimuli=stimuli, portraits=(portrait,),
        tables={"network:alexnet": "stimuli/network-alexnet_predictions.tsv"},
    )  # fmt: skip
    text = page.render_participant(data, tmp_path / "figures")
    assert 'id="network-alexnet"' in text
    assert 'href="https://doi.org/10.48550/arXiv.1404.5997"' in text
    assert 'href="stimuli/network-alexnet_predictions.tsv"' in text
    assert "squashed to 224 x 224 pixels" in text
    assert len(list((tmp_path / "figures").glob("network-alexnet_*.png"))) == len(WHAT)
    assert len(text) < page.MOST_BYTES
