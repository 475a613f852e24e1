"""Looking at figures: what stands in a legend, which pixels show a place, which color it has."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image


def pixels(png):
    """Return the pixels (height, width, 3) of a picture."""
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


def bytes_of(color):
    """Return a color of matplotlib as three numbers up to 255."""
    from matplotlib.colors import to_rgb

    return np.round(255 * np.array(to_rgb(color))).astype(int)


def box_of(figure, axes, corners, png):
    """Return the pixels (height, width, 3) between two corners (x, y) in data coordinates."""
    shown = pixels(png)
    points = axes.transData.transform(np.asarray(corners, dtype=float))
    share = figure.transFigure.inverted().transform(points)
    columns = np.sort(share[:, 0]) * shown.shape[1]
    rows = np.sort(1 - share[:, 1]) * shown.shape[0]
    (top, bottom), (left, right) = np.round(rows).astype(int), np.round(columns).astype(int)
    return shown[top : max(bottom, top + 1), left : max(right, left + 1)]


def share_of(part, color, *, within=6):
    """Return the share of pixels that have a color, nearly."""
    return float((np.abs(part - bytes_of(color)).max(axis=-1) <= within).mean())


def legend_of(figure):
    """Return the color (three numbers up to 255) of each name in the legend of a figure."""
    (legend,) = figure.legends
    names = [one.get_text() for one in legend.get_texts()]
    colors = [tuple(bytes_of(one.get_facecolor())) for one in legend.get_patches()]
    assert len(set(names)) == len(names)
    return dict(zip(names, colors, strict=True))


def is_whole(figure, words):
    """Tell whether a text of a drawn figure is there once, and no edge cuts letters off."""
    from matplotlib.text import Text

    (text,) = [one for one in figure.findobj(Text) if one.get_text() == words]
    box, whole = text.get_window_extent().extents, figure.bbox.extents
    room = 1.5  # pixels of a line that hold no letter
    return (box[:2] + room >= whole[:2]).all() and (box[2:] - room <= whole[2:]).all()
