"""report.samediff_figures: the same bytes twice, on light and dark paper."""

import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from bids_dnn.report.palette import THEMES
from bids_dnn.report.samediff_figures import draw_curves, draw_rates

pytestmark = pytest.mark.whole


def curves(*variants, parts=("train", "validation")):
    rows = [
        (variant, epoch, part, 0.7 - 0.1 * epoch, 0.5 + 0.1 * epoch)
        for variant in variants
        for epoch in range(4)
        for part in parts
    ]
    return pd.DataFrame(rows, columns=["variant", "epoch", "split", "loss", "accuracy"])


def rates():
    rate = np.geomspace(1e-7, 1, 20)
    loss = 1 - 0.5 * np.exp(-(np.log10(rate) ** 2))
    return pd.DataFrame({"variant": "frozen", "rate": rate, "loss": loss, "smoothed": loss})


DRAW = {
    "curves": lambda theme: draw_curves(curves("frozen"), theme=theme),
    "rates": lambda theme: draw_rates(rates(), {"frozen": 1e-3}, theme=theme),
}


def pixels(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


@pytest.mark.parametrize("what", list(DRAW))
def test_each_figure_is_drawn_the_same_twice_on_its_paper(what):
    for theme in THEMES:
        png = DRAW[what](theme)
        assert png == DRAW[what](theme)
        paper = tuple(int(theme.paper[i : i + 2], 16) for i in (1, 3, 5))
        seen = pixels(png)
        assert tuple(seen[-1, -1]) == paper
        assert (seen != paper).any()


def test_each_variant_has_a_row():
    one, two = (pixels(draw_curves(curves(*names))) for names in (("a",), ("a", "b")))
    assert two.shape[0] > 1.7 * one.shape[0]


def test_without_validation_there_is_one_line():
    both, alone = (
        {tuple(c) for c in pixels(draw_curves(curves("a", parts=parts))).reshape(-1, 3).tolist()}
        for parts in (("train", "validation"), ("train",))
    )
    orange = (0xE6, 0x9F, 0x00)
    assert orange in both
    assert orange not in alone


def test_a_loss_that_is_no_number_is_drawn():
    broken = curves("a")
    broken.loc[3:, "loss"] = np.nan
    assert draw_curves(broken)
