"""The App on pictures that are none, too large, or of another kind, and how they are shown."""

from html import unescape

import numpy as np
import pytest
from PIL import Image

from bids_dnn.derivatives.portrait import portrait_path, read_portrait
from tests.factories.pictures import PICTURES
from tests.factories.sources import check

pytestmark = pytest.mark.whole
SHOWN = """
[networks.there]
network = "tiny.py:build"
transform = ["place(x=2, y=1, size=4, field=10)"]

[networks.noisy]
network = "tiny.py:build"
transform = ["squash", "noise(snr=0.5, seed=3)"]

[networks.warped]
network = "tiny.py:build"
transform = ["retinawarp(density=10)"]
"""


@pytest.mark.parametrize("content", [b"no picture", b""])
def test_a_file_that_is_no_picture_is_named(app, tree, content):
    raw, given = tree
    (raw / "stimuli" / PICTURES[2]).write_bytes(content)
    said = app(raw, *given, analysis="encode", expect=1)
    check(" ".join(said.split()), PICTURES[2], "picture")


def test_pictures_of_other_kinds_are_shown(app, tree):
    raw, given = tree
    kinds = {0: ("CMYK", "JPEG"), 1: ("P", "PNG"), 2: ("RGBA", "PNG"), 3: ("I;16", "PNG")}
    for k, (mode, form) in kinds.items():
        Image.new(mode, (1 if k == 2 else 9, 1 if k == 2 else 7)).save(
            raw / "stimuli" / PICTURES[k], format=form
        )
    (found,) = app(raw, *given, analysis="encode").values()
    assert np.isfinite(found["score"]).any()


@pytest.mark.parametrize(("limit", "expect"), [(63, 1), (64, 0)])
def test_the_limit_of_pixels_holds_in_a_run(app, tree, limit, expect):
    raw, given = tree  # pictures of 8 x 8
    said = app(raw, *given, "--max-pixels", limit, analysis="encode", expect=expect)
    if expect:
        check(" ".join(said.split()), PICTURES[0], "--max-pixels")


def test_placement_noise_and_warp_are_shown_in_the_report(app, tree, tmp_path):
    raw, given = tree
    app(raw, *given, analysis="encode", more=SHOWN)
    page = (tmp_path / "out" / "sub-01.html").read_text()
    check(
        page,
        "transformed by place(x=2, y=1, size=4, field=10, background=128), to 8 x 8 pixels",
        "transformed by squash(), then noise(snr=0.5, channels=separate, seed=3, draw=0), to 8 x",
        "transformed by retinawarp(density=10, x=0, y=0, fill=0",
        "tiny: Pictures were squashed to 8 x 8 pixels",
    )
    figures = tmp_path / "out" / "sub-01" / "figures"
    for name, word in (("there", "place"), ("noisy", "noise"), ("warped", "retinawarp")):
        portrait = read_portrait(portrait_path(tmp_path / "out", name))
        first, *_, last = portrait.examples.values()
        assert any(step.startswith(word) for step in portrait.examples), [*portrait.examples]
        assert not np.array_equal(first, last)
        assert list(figures.glob(f"*_network-{name}_transforms.png"))


def test_one_picture_under_two_names_stands_in_the_report(app, tree, tmp_path):
    raw, given = tree
    for other in (PICTURES[1], PICTURES[5]):
        (raw / "stimuli" / other).write_bytes((raw / "stimuli" / PICTURES[0]).read_bytes())
    app(raw, *given, analysis="encode")
    page = unescape((tmp_path / "out" / "sub-01.html").read_text())
    check(page, *(f"'{name}'" for name in (PICTURES[0], PICTURES[1], PICTURES[5])))
