"""Pictures of what a network is and does, each as the bytes of a PNG.

The same input gives the same bytes.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bids_dnn.containers.portrait import Maps
from bids_dnn.report.canvas import WIDTH_IN, drawing, shorten
from bids_dnn.report.palette import LIGHT, OKABE_ITO, SCALE, Theme
from bids_dnn.report.slices import evenly

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = NDArray[np.floating[Any]]
FILTER_COLUMNS = 12
MOST_MAP_LAYERS = 8
MOST_RDMS = 18
MOST_LABELS = 40  # names of layers below a chart
MOST_BORDERS = 12  # categories that lines can part
SHADES = 31  # steps of the ranks that are drawn: more would make large files
GAP = 0.08  # between pictures, in their width
Box = tuple[float, float, float, float]  # left, right, bottom, top


def tiles_of(filters: Array) -> NDArray[np.float64]:
    """Return kernels as colors: each z-scored over its own values, plus 0.5, cut to [0, 1].

    Parameters
    ----------
    filters : (n, height, width, 3)

    Returns
    -------
    tiles : (n, height, width, 3), in [0, 1]
        Mid grey where a kernel does not vary.

    Examples
    --------
    >>> tiles_of(np.array([[[[-1.0, 1.0, 0.0]]]])).round(2).tolist()
    [[[[0.0, 1.0, 0.5]]]]
    """
    wide = np.asarray(filters, dtype=np.float64)
    mean, sd = (of(wide, axis=(1, 2, 3), keepdims=True) for of in (np.mean, np.std))
    made: NDArray[np.float64] = np.clip((wide - mean) / np.where(sd > 0, sd, 1) + 0.5, 0, 1)
    return made


def draw_filters(filters: Array, *, theme: Theme = LIGHT) -> bytes:
    """Draw kernels as tiles, each with its number.

    Parameters
    ----------
    filters : (n, height, width, 3)
    theme
        Light or dark.
    """
    tiles = tiles_of(filters)
    columns = min(FILTER_COLUMNS, len(tiles))
    lines = -(-len(tiles) // columns)
    step = 1.24
    unit = WIDTH_IN / FILTER_COLUMNS
    with drawing(WIDTH_IN, step * lines * unit + 0.05, theme) as (figure, stream):
        axes = _sheet(figure, (FILTER_COLUMNS, step * lines))
        for place, tile in enumerate(tiles):
            left, top = float(place % columns), -step * (place // columns)
            _put(axes, tile, (left + 0.04, left + 0.96, top - step + 0.02, top - step + 0.94))
            axes.text(left + 0.5, top - step + 0.96, str(place), ha="center", va="bottom",
                      fontsize=6, in_layout=False)  # fmt: skip
    return stream.getvalue()


def draw_activations(
    activations: Mapping[str, Maps],
    picture: NDArray[np.uint8] | None,
    *,
    theme: Theme = LIGHT,
) -> bytes:
    """Draw a few maps of each layer, a row a layer, beside the picture they answer.

    Parameters
    ----------
    activations
        By layer; at most `MOST_MAP_LAYERS` are drawn, evenly from the first to the last.
    picture : (height, width, 3)
        As the network was shown it; None = not at hand.
    theme
        Light or dark.

    Returns
    -------
    png
        Each map from its own lowest to its own highest value.
    """
    import matplotlib as mpl

    layers = evenly(list(activations), MOST_MAP_LAYERS)
    n_columns = max(len(activations[layer].values) for layer in layers)
    first = 0.0 if picture is None else 1.7
    step, wide = 1.26, first + n_columns
    lines = max(len(layers), 2 if picture is not None else 1)
    unit = WIDTH_IN / max(wide, 8.0)
    colors = mpl.colormaps[SCALE]
    with drawing(WIDTH_IN, step * lines * unit, theme) as (figure, stream):
        axes = _sheet(figure, (max(wide, 8.0), step * lines))
        if picture is not None:
            _fit(axes, picture, (0.0, 1.5, -0.22 - 1.5, -0.22))
            axes.text(0, -0.16, "shown", ha="left", va="bottom", fontsize=7, in_layout=False)
        for row, layer in enumerate(layers):
            maps, top = activations[layer], -step * row
            axes.text(first, top - 0.16, _row_title(layer, maps), ha="left", va="bottom",
                      fontsize=7, in_layout=False)  # fmt: skip
            for column, values in enumerate(maps.values):
                left = first + column
                low, high = float(values.min()), float(values.max())
                scaled = (values - low) / (high - low if high > low else 1.0)
                place = (left, left + 1 - GAP, top - 0.22 - 1 + GAP, top - 0.22)
                _fit(axes, colors(scaled)[..., :3], place)
    return stream.getvalue()


def _row_title(layer: str, maps: Maps) -> str:
    numbers = ", ".join(map(str, maps.channels))
    return f"{shorten(layer, 40)}: channels {numbers} of {maps.n_all}"


def draw_examples(examples: Mapping[str, NDArray[np.uint8]], *, theme: Theme = LIGHT) -> bytes:
    """Draw a stimulus as resized alone and after each transform, in order.

    Parameters
    ----------
    examples : (height, width, 3) each
        By what was done.
    theme
        Light or dark.
    """
    columns = min(max(len(examples), 4), 5)
    lines = -(-len(examples) // columns)
    said = {name: textwrap.wrap(name, 112 // columns)[:6] for name in examples}
    words = 0.028 * columns * max(len(rows) for rows in said.values())
    step = 1 + words + 0.04
    with drawing(WIDTH_IN, step * lines * WIDTH_IN / columns, theme) as (figure, stream):
        axes = _sheet(figure, (float(columns), step * lines))
        for place, (name, picture) in enumerate(examples.items()):
            left, top = float(place % columns), -step * (place // columns)
            _fit(axes, picture, (left + 0.02, left + 0.98, top - 0.98, top - 0.02))
            axes.text(left + 0.02, top - 1.0, "\n".join(said[name]), ha="left", va="top",
                      fontsize=7.5, in_layout=False)  # fmt: skip
    return stream.getvalue()


def draw_dimensionality(spread: Mapping[str, float], *, theme: Theme = LIGHT) -> bytes:
    """Draw the effective dimensionality from layer to layer.

    Parameters
    ----------
    spread
        By layer; NaN is left out of the line.
    theme
        Light or dark.
    """
    values = np.array(list(spread.values()), dtype=np.float64)
    places = np.arange(len(values))
    named = places[:: -(-len(places) // MOST_LABELS)]
    with drawing(WIDTH_IN, 2.9, theme) as (figure, stream):
        axes = figure.subplots()
        axes.plot(places, values, color=OKABE_ITO[0], lw=1.8, marker="o",
                  ms=5 if len(values) <= MOST_LABELS else 2.5, markerfacecolor=theme.paper,
                  markeredgewidth=1.6)  # fmt: skip
        top = float(np.nanmax(values)) if np.isfinite(values).any() else 1.0
        axes.set_ylim(0, max(1.12 * top, 1.0))
        axes.set_xlim(-0.5, len(values) - 0.5)
        names = [shorten(list(spread)[i], 24) for i in named]
        axes.set_xticks(named, names, rotation=35 if len(named) <= 16 else 90, fontsize=8,
                        ha="right" if len(named) <= 16 else "center",
                        rotation_mode="anchor" if len(named) <= 16 else "default")  # fmt: skip
        axes.set_ylabel("effective dimensionality")
        axes.set_xlabel("layer, from first to last")
        axes.tick_params(length=0)
        axes.set_axisbelow(True)
        axes.grid(axis="y", color=theme.band, lw=0.8)
    return stream.getvalue()


def draw_rdms(
    rdms: Mapping[str, Array], categories: Sequence[str] = (), *, theme: Theme = LIGHT
) -> bytes:
    """Draw how unlike stimuli are to each layer, one square a layer.

    Parameters
    ----------
    rdms : (n, n) each, in [0, 1]
        Ranks; NaN has the color of frames. At most `MOST_RDMS` are drawn, evenly.
    categories : n
        Of the rows; lines part them where they are few.
    theme
        Light or dark.
    """
    import matplotlib as mpl

    layers = evenly(list(rdms), MOST_RDMS)
    columns = min(6, max(4, len(layers)))
    lines = -(-len(layers) // columns)
    step, wide = 1.17, columns + 0.45
    colors = mpl.colormaps[SCALE].with_extremes(bad=theme.faint)
    with drawing(WIDTH_IN, step * lines * WIDTH_IN / wide, theme) as (figure, stream):
        axes = _sheet(figure, (wide, step * lines))
        for place, layer in enumerate(layers):
            left, bottom = float(place % columns), step * (-1 - place // columns) + 0.02
            box = (left, left + 1 - GAP, bottom, bottom + 1 - GAP)
            steps = np.round(np.ma.masked_invalid(rdms[layer]) * SHADES) / SHADES
            _put(axes, colors(steps)[..., :3], box)
            for at in _borders(categories):
                across, down = box[0] + at * (1 - GAP), box[3] - at * (1 - GAP)
                axes.plot([across, across], box[2:], color=theme.paper, lw=0.7)
                axes.plot(box[:2], [down, down], color=theme.paper, lw=0.7)
            axes.text(left, box[3] + 0.02, shorten(layer, 22), ha="left", va="bottom",
                      fontsize=7, in_layout=False)  # fmt: skip
        right = min(columns, len(layers))
        _scale(axes, colors, (right + 0.02, right + 0.1, -step + 0.02, -step + 0.94))
    return stream.getvalue()


def _scale(axes: Axes, colors: Any, box: Box) -> None:
    """Draw the colors of ranks, from the most alike pair (below) to the least alike one."""
    _put(axes, colors(np.linspace(1, 0, SHADES + 1))[:, None, :3], box)
    for at, align, text in ((box[3], "top", "least\nalike"), (box[2], "bottom", "most\nalike")):
        axes.text(box[1] + 0.03, at, text, ha="left", va=align, fontsize=7, in_layout=False)


def _borders(categories: Sequence[str]) -> list[float]:
    """Return where the category changes, as shares of all rows; none where they are many."""
    changes = [
        i / len(categories)
        for i in range(1, len(categories))
        if categories[i] != categories[i - 1]
    ]
    return changes if len(changes) < MOST_BORDERS else []


def _sheet(figure: Figure, size: tuple[float, float]) -> Axes:
    """Return axes without a frame, `size` units wide and high, the origin at the upper left."""
    axes = figure.subplots()
    axes.set_axis_off()
    axes.set(xlim=(0, size[0]), ylim=(-size[1], 0), aspect="auto", autoscale_on=False)
    return axes


def _put(axes: Axes, picture: NDArray[Any], box: Box) -> None:
    """Draw a picture over the whole of a box, its pixels as squares."""
    axes.imshow(picture, extent=box, interpolation="nearest",
                aspect=axes.get_aspect())  # fmt: skip


def _fit(axes: Axes, picture: NDArray[Any], box: Box) -> None:
    """Draw a picture into the upper left of a box, its sides in proportion."""
    left, right, bottom, top = box
    scale = min((right - left) / picture.shape[1], (top - bottom) / picture.shape[0])
    right, bottom = left + scale * picture.shape[1], top - scale * picture.shape[0]
    axes.imshow(picture, extent=(left, right, bottom, top), interpolation="antialiased",
                aspect="auto")  # fmt: skip
