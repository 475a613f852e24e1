"""report.cards: what is said of networks, and the works that their cards name."""

from __future__ import annotations

import pytest

from bids_dnn.containers.portrait import NetworkFacts
from bids_dnn.features.models.cards_papers import PAPERS
from bids_dnn.features.models.references import CLIP_PAPERS
from bids_dnn.report import cards, methods
from bids_dnn.report.references import REFERENCES
from tests.factories.portraits import TRANSFORMS, make_facts


def told(**changes):
    return cards.described(make_facts(**changes))


def test_the_methods_tell_how_a_network_was_fed():
    text = cards.networks_text([told()])
    for words in (
        "alexnet [@krizhevsky2017; @krizhevsky2014]",
        "squashed to 224 x 224 pixels, whatever their shape (bilinear interpolation)",
        f"transformed by {TRANSFORMS[0]}, then {TRANSFORMS[1]}",
        "normalized by channel (mean 0.485, 0.456, 0.406; SD 0.229, 0.224, 0.225)",
        "The layers were features.0, features.1, features.2, before the nonlinearity",
        "in float32 without TF32",
        "file alexnet-owt-7be5be79.pth, SHA-256 beginning with 0123456789ab, license BSD",
    ):
        assert words in text


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"resize": "center-crop"}, "cropped to the central square"),
        ({"resize": "pad"}, "padded with mid grey"),
        (
            {"resize": ""},
            f"then {TRANSFORMS[1]}, to 224 x 224 pixels (bilinear interpolation), and",
        ),
        (
            {"mean": (0, 0, 0), "sd": (1, 1, 1), "transforms": ()},
            "interpolation), left in [0, 1].",
        ),
        ({"modality": "text", "size_px": 0}, "It read the captions of the stimuli."),
        ({"weights": "random (seed 0)"}, "with RANDOM, untrained weights [@krizhevsky2017"),
    ],
)
def test_the_methods_tell_what_differs(changes, words):
    assert words in cards.networks_text([told(**changes)])


def test_several_networks_are_told_one_by_one():
    text = cards.networks_text([told(name="one"), told(name="two", resize="pad")])
    assert "one: Pictures were squashed" in text
    assert "two: Pictures were resized" in text


def test_features_made_elsewhere_were_not_run_here():
    text = cards.networks_text([{"name": "mine", "network": "features:mine.npy"}])
    assert text.startswith("Features of mine had been made elsewhere")
    assert "PyTorch" not in text
    both = cards.networks_text([told(), {"name": "mine", "network": "features:mine.npy"}])
    assert "layers of alexnet [" in both
    assert "Features of mine had been" in both


def test_a_reader_is_told_with_its_captions_and_layers():
    text = cards.networks_text([told(modality="text", size_px=0, captions="git-base-coco")])
    assert "It read the captions of the stimuli (git-base-coco)." in text
    assert "The layers were features.0" in text
    assert "SHA-256" in text


def test_a_network_of_which_little_is_known_is_told_in_one_sentence():
    text = cards.networks_text([{"name": "mine", "weights": "w.pt", "reference": "Me (2026)"}])
    assert text.count(". ") == 0
    assert "mine (Me (2026))" in text
    assert cards.networks_text([]) == ""


@pytest.mark.parametrize(
    ("reference", "doi", "expected"),
    [
        (
            "He et al. (2016), Deep residual learning for image recognition, CVPR, "
            "doi:10.1109/CVPR.2016.90, as trained by torchvision.",
            "10.1109/CVPR.2016.90",
            {"he2016": ("He and others", "Deep residual learning for image recognition", "CVPR")},
        ),
        (
            "B-32 (tag) of open_clip: Simonyan & Zisserman (2015), On depth, width and size, ICLR",
            "10.1/x",
            {"simonyan2015": ("Simonyan and Zisserman", "On depth, width and size", "ICLR")},
        ),
        (
            "Doe (2020), A, Nature, doi:10.1234/a, trained on (Roe et al. (2021), B, PNAS 1:2, "
            "doi:10.1234/b).",
            "10.1234/b",
            {"doe2020": ("Doe", "A", "Nature"), "roe2021": ("Roe and others", "B", "PNAS 1:2")},
        ),
        (
            "Öz et al. (2022), Nets, arXiv:2201.1",
            "10.48550/arXiv.2201.1",
            {"oz2022": ("Öz and others", "Nets", "arXiv:2201.1")},
        ),
        (
            "resnet18, arXiv:2110.00476, as trained.",
            "10.48550/arXiv.2110.00476",
            {"net": ("", "The network net", "arXiv:2110.00476")},
        ),
        ("Me (2026), no DOI.", "", {}),
        ("", "", {}),
    ],
)
def test_works_are_read_from_cards(reference, doi, expected):
    works = cards.works_of([{"name": "net", "reference": reference, "doi": doi}])
    assert {k: (w.authors, w.title, w.place) for k, w in works.items()} == expected
    assert all(work.link.startswith("https://doi.org/10.") for work in works.values())


PUBLISHED = [(one.line("as trained by X"), one.doi) for one in PAPERS.values()]
PUBLISHED += [
    (f"net (tag) of clip: {one.text}", one.doi) for one in CLIP_PAPERS.values() if one.doi
]


@pytest.mark.parametrize(("line", "doi"), PUBLISHED, ids=[doi for _, doi in PUBLISHED])
def test_the_works_of_our_own_cards_are_read(line, doi):
    works = cards.works_of([{"name": "net", "reference": line, "doi": doi}])
    main = next(work for work in works.values() if work.doi == doi)
    assert main.authors
    assert 1985 <= main.year <= 2026
    assert len(main.title) > 15
    assert "(" not in main.title
    assert "doi:" not in main.place
    assert str(main.year) in main.key


def test_a_work_of_the_table_is_taken_from_there():
    works = cards.works_of([told(), told(name="again")])
    assert works == {"krizhevsky2014": REFERENCES["krizhevsky2014"]}


def test_two_works_of_one_year_have_two_keys():
    lines = (("Haxby (2001), Nets", "10.1/a"), ("Haxby (2001), Others", "10.1/b"))
    works = cards.works_of([{"name": "n", "reference": line, "doi": d} for line, d in lines])
    assert list(works) == ["haxby2001a", "haxby2001b"]  # the table has another haxby2001


def test_cited_cards_stand_in_every_form_of_the_methods():
    one = {"name": "net", "reference": "Doe et al. (2024), A net, CVPR", "doi": "10.1234/a"}
    made = methods.boilerplate({"networks": [one]})
    assert "net [@doe2024]" in made["md"]
    assert "https://doi.org/10.1234/a" in made["md"]
    assert '<li id="ref-doe2024">' in made["html"]
    assert "@misc{doe2024,\n  author = {Doe and others}" in made["bib"]
    nameless = methods.boilerplate({"networks": [{"name": "net", "doi": "10.1234/b"}]})
    entry = "@misc{net,\n  title = {{The network net}},\n  doi = {10.1234/b},\n}"
    assert entry in nameless["bib"]


def test_facts_without_content_are_left_out():
    assert cards.described(NetworkFacts("net")) == {"name": "net", "modality": "image"}
