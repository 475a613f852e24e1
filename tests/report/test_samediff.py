"""report.samediff: the page says what was measured, by which network, and how."""

from dataclasses import replace

import numpy as np
import pytest

from bids_dnn.analyses.samediff.choices import FOVEAL, Choices
from bids_dnn.analyses.samediff.fit import same_different
from bids_dnn.report.parts import decimals
from bids_dnn.report.samediff import SameDifferentReport, methods_text, render_same_different
from tests.factories.samediff import corners, material


@pytest.fixture(scope="module")
def result():
    asked = Choices(n_epochs=3, rate=0.05, augment=("flip",))
    return same_different(material(), corners(), asked)


def report(result, **more):
    picture = np.zeros((8, 8, 3), np.uint8)
    network = {"name": "small", "weights": "random (seed 0)", "weights_sha256": "ab"}
    told = {"batch": {"1. same": picture}, "top": {"frozen": {"1. different": picture}}} | more
    return SameDifferentReport(result, network, **told)


@pytest.mark.usefixtures("undrawn")
def test_the_page_tells_the_numbers_and_links_the_tables(result, tmp_path):
    data = report(result, tables={"scores": "desc-samediff_scores.tsv"}, command="typed this")
    text = render_same_different(data, tmp_path)
    whole = result.table.iloc[0]
    assert f"frozen {decimals(whole['accuracy'], 2)} (chance 0.50, p {whole['p']:.2g})" in text
    assert 'href="desc-samediff_scores.tsv"' in text
    assert "typed this" in text
    assert "small has random, untrained weights." in text
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["batch.png", "confusion.png", "curves.png", "scores.png", "top_frozen.png"]
    assert text == render_same_different(data, tmp_path)


@pytest.mark.usefixtures("undrawn")
def test_nothing_is_drawn_of_no_pair(result, tmp_path):
    render_same_different(report(result, batch={}, top={}), tmp_path)
    assert not (tmp_path / "batch.png").exists()


def test_each_stream_and_its_picture_are_told(result):
    told = result.meta["variants"]["frozen"]
    for shown, words in ((FOVEAL["noise"], f"({FOVEAL['noise']}) through a foveal"), ("", None)):
        variants = {"siamese": told | {"fovea_shown": shown, "feedback": bool(shown)}}
        other = replace(result, meta=result.meta | {"variants": variants})
        text = methods_text(report(other))
        assert ("fed back by a convolution" in text) == (words is not None)
        assert words is None or words in text
        assert "{" not in text


@pytest.mark.usefixtures("undrawn")
def test_a_range_test_that_finds_no_rate_is_told(result, tmp_path):
    assert result.meta["variants"]["frozen"]["rate_found"] is None  # it was typed
    for is_found in (True, False):
        told = result.meta["variants"]["frozen"] | {"rate_found": is_found, "rate": 1e-3}
        other = replace(result, meta=result.meta | {"variants": {"frozen": told}})
        text = render_same_different(report(other), tmp_path)
        assert ("frozen: the loss did not fall by 1 %" in text) != is_found


def test_the_methods_text_counts_what_was_done(result):
    text = methods_text(report(result))
    assert "12 to train, 6 to validate, 12 to test" in text
    assert "24 pairs of exemplars in the test" in text
    assert "shown in 2 ways (plain, plain+flip)" in text
    assert "8 learnt; cross-entropy, batches of 8, highest rate 0.05" in text
    assert "range test" not in text


def test_the_methods_text_says_what_was_answered(result):
    told = replace(result, meta=result.meta | {"answer": "category", "classes": ["a", "b", "c"]})
    text = methods_text(report(told))
    assert text.startswith("Of which category two pictures are was learnt with small")
    assert "random exchanges of categories among pairs that show one exemplar twice" in text
    plain = methods_text(report(result))
    assert plain.startswith("Whether two pictures show one exemplar was learnt")
    assert "all exchanges of labels among pairs" in plain


@pytest.mark.usefixtures("undrawn")
def test_the_page_asks_for_the_category(result, tmp_path):
    told = replace(result, meta=result.meta | {"answer": "category", "classes": ["a", "b", "c"]})
    text = render_same_different(report(told), tmp_path)
    assert "Is the category told of exemplars that were not trained on?" in text
    assert "dashed: 0.33." in text
