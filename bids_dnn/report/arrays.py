"""Maps of channels, drawn where the electrodes stand: a grid for each array."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bids_dnn.containers.layout import Layout
from bids_dnn.containers.space import Channels
from bids_dnn.report.canvas import WIDTH_IN, drawing, shorten
from bids_dnn.report.palette import LIGHT, Theme
from bids_dnn.report.scales import ColorScale, scale_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = NDArray[np.floating[Any]]
NOTHING = -1  # no channel of the recording in this cell
MOST_SIDE = 32  # electrodes along a side of an array that is drawn as it stands
MOST_SHARED = 4  # units of an electrode that lie side by side in its cell
LARGEST = 4  # highest number over channels of the largest array: beyond, numbers run on
OFF = 0.2  # of the pitch: how far an electrode may stand from its grid
ABREAST = {1: 3, 2: 2}  # maps in a row, for recordings of few arrays
MOST_COLUMNS, FEWEST_COLUMNS = 8, 3  # arrays in a row
BAR_IN, TALLEST_IN = 0.8, 2.4  # room for the color scale, and its greatest height
GAP, TITLE, HEAD = 0.1, 0.2, 0.28  # between arrays, above an array, above a map; in widths


@dataclass(frozen=True, slots=True, eq=False)
class Panel:
    """One array as it is drawn.

    Parameters
    ----------
    title
        Names of array and area.
    cells : (n_rows, n_columns * n_shared) int64
        Channel of the recording (its place in the space) in each cell, the top row first;
        `NOTHING` where there is none. An electrode is as wide as `n_shared` cells, which its
        units share out.
    n_shared : int
        Most units that one electrode has.
    is_placed
        Whether electrodes are where they stand, else in the order of channels.
    """

    title: str
    cells: NDArray[np.int64]
    n_shared: int
    is_placed: bool

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of electrodes."""
        return self.cells.shape[0], self.cells.shape[1] // self.n_shared


def panels_of(space: Channels) -> tuple[Panel, ...]:
    """Return the arrays of a recording, in its order.

    Parameters
    ----------
    space
        Without a layout, all channels are one array in their order; channels of no array are
        one by their area.

    Returns
    -------
    panels
        Electrodes are where they stand, if all of an array have a place, on a regular grid of at
        most `MOST_SIDE` on a side, and no more than `MOST_SHARED` units one place. Else they are
        in the order of channels, row by row, in a square.
    """
    n = space.n_places
    empty = ("",) * n
    none = Layout(empty, empty, np.zeros(n, dtype=np.int64), np.full((n, 2), np.nan))
    layout = none if space.layout is None else space.layout
    of = [array or area for array, area in zip(layout.array, layout.area, strict=True)]
    array = np.array(of, dtype=str)
    most = int(layout.channel.max(initial=0))
    is_within = most <= LARGEST * max(Counter(of).values(), default=0)
    channel = layout.channel if is_within else np.zeros_like(layout.channel)
    made = []
    for name in dict.fromkeys(of):
        own = np.flatnonzero(array == name)
        title = _title(name or space.name, [layout.area[i] for i in own])
        where = _stands(layout.place[own])
        is_placed = where is not None
        rows_columns = _in_order(channel[own], most) if where is None else where
        cells, n_shared = _cells(own, rows_columns)
        made.append(Panel(title, cells, n_shared, is_placed))
    return tuple(made)


def on_panel(panel: Panel, values: Array, space: Channels) -> NDArray[np.float64]:
    """Return the values of a map on the cells of an array.

    Parameters
    ----------
    panel
        Of `panels_of`.
    values : (n_units,)
        In the order of `space`.
    space
        Of the units.

    Returns
    -------
    grid : the shape of ``panel.cells``
        NaN where there is no channel, it was not analyzed, or it has no value.
    """
    whole = np.full(space.n_places + 1, np.nan)  # the last one is that of `NOTHING`
    whole[space.index] = values
    grid: NDArray[np.float64] = whole[panel.cells]
    return grid


def order_text(panels: Sequence[Panel]) -> str:
    """Say how electrodes are laid out, for a caption."""
    n_placed = sum(panel.is_placed for panel in panels)
    in_order = (
        "electrodes are in the order of channels, row by row from the upper left, in a square: "
        "where they stand on the array is not known, or no regular grid"
    )
    if n_placed == len(panels):
        told = "Electrodes are where they stand on the array"
    elif n_placed:
        rest = [panel.title for panel in panels if not panel.is_placed]
        told = f"Electrodes are where they stand on the array; in {', '.join(rest)}, {in_order}"
    else:
        told = in_order.capitalize()
    shared = "; units of one electrode lie side by side in its cell"
    return f"{told}{shared if any(panel.n_shared > 1 for panel in panels) else ''}."


def array_maps(
    maps: Sequence[tuple[str, Array]],
    space: Channels,
    *,
    label: str,
    names: Sequence[str] = (),
    is_signed: bool = False,
    theme: Theme = LIGHT,
) -> bytes:
    """Draw maps of channels, a grid for each array, on one color scale.

    Parameters
    ----------
    maps
        Title and values (n_units,) of each.
    space
        Of the units.
    label
        Of the color scale, with unit.
    names
        Where values are numbers of categories, from 1: their names. Each has a color of its own,
        with a legend where they are at most `scales.MOST_NAMED`, else a bar.
    theme
        Light or dark.

    Returns
    -------
    png
        Hatched: a channel without a value. Gray: no channel of the recording. Values under zero
        have the color of zero.
    """
    sheet = _Sheet(panels_of(space), len(maps))
    scale = scale_of([values for _, values in maps], names, is_signed=is_signed)
    with drawing(WIDTH_IN, sheet.height_in + scale.legend_in, theme) as (figure, stream):
        axes = figure.subplots()
        axes.set(xlim=(0, WIDTH_IN * sheet.inch), ylim=(-sheet.height, 0))
        axes.set_autoscale_on(False)
        axes.set_aspect("equal")
        axes.set_axis_off()
        image: Any = None
        for number, (title, values) in enumerate(maps):
            sheet.head(axes, number, title)
            for panel, corner in sheet.places(number):
                grid = on_panel(panel, values, space)
                axes.text(corner[0], corner[1] + 0.03, shorten(panel.title, sheet.most_letters),
                          fontsize=7, va="bottom", in_layout=False)  # fmt: skip
                box = (corner[0], corner[1], sheet.cell)
                image = _draw(axes, panel, grid, box=box, scale=scale, theme=theme)
        if scale.names:
            scale.add_legend(figure)
        else:
            bar = axes.inset_axes(sheet.bar(), transform=axes.transData)
            figure.colorbar(image, cax=bar, label=label, ticks=scale.ticks)
    return stream.getvalue()


# --- where electrodes are drawn


def _title(array: str, areas: Sequence[str]) -> str:
    named = list(dict.fromkeys(area for area in areas if area and area != array))
    told = f"{len(named)} areas" if len(named) > 2 else " and ".join(named)
    return f"{array}, {told}" if told else array


def _stands(place: NDArray[np.float64]) -> NDArray[np.int64] | None:
    """Return row and column (n, 2) of electrodes on a regular grid, None where there is none."""
    if not np.isfinite(place).all():
        return None
    down, right = _steps(-place[:, 1]), _steps(place[:, 0])
    if down is None or right is None:
        return None
    found = np.column_stack([down, right])
    cells, counts = np.unique(found, axis=0, return_counts=True)
    is_alone = len(np.unique(place, axis=0)) == len(cells)  # one electrode in a cell
    return found if is_alone and counts.max() <= MOST_SHARED else None


def _steps(along: NDArray[np.float64]) -> NDArray[np.int64] | None:
    """Return the place of each electrode (n,) along a side, in steps of the pitch."""
    reach = float(np.ptp(along))
    if reach <= 1e-6 * max(1.0, float(np.abs(along).max())):
        return np.zeros(len(along), dtype=np.int64)
    rising = np.sort(along)
    ends = np.flatnonzero(np.diff(rising) > reach / (2 * MOST_SIDE)) + 1  # less is jitter
    lines = np.array([part.mean() for part in np.split(rising, ends)])
    gaps = np.diff(lines)
    pitch = float(gaps[gaps < 1.5 * gaps.min()].mean())
    steps = (along - lines[0]) / pitch
    whole: NDArray[np.int64] = np.rint(steps).astype(np.int64)
    is_regular = (np.abs(steps - whole) <= OFF).all() and whole.max() < MOST_SIDE
    is_full = 2 * np.unique(whole).size > whole.max()  # half of the lines hold an electrode
    return whole if is_regular and is_full else None


def _in_order(channel: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """Return row and column (n, 2) of channels in a square, by number where each has its own."""
    is_numbered = (channel > 0).all() and np.unique(channel).size == channel.size
    order = channel - 1 if is_numbered else np.arange(len(channel))
    side = math.isqrt((most if is_numbered else len(channel)) - 1) + 1
    return np.column_stack(np.divmod(order, side))


def _cells(
    channels: NDArray[np.intp], rows_columns: NDArray[np.int64]
) -> tuple[NDArray[np.int64], int]:
    """Return the channel in each cell, and how many cells an electrode has."""
    n_rows, n_columns = (rows_columns.max(axis=0) + 1).tolist()
    held: dict[tuple[int, int], list[int]] = {}
    for channel, (row, column) in zip(channels.tolist(), rows_columns.tolist(), strict=True):
        held.setdefault((row, column), []).append(channel)
    n_shared = max(len(units) for units in held.values())
    cells = np.full((n_rows, n_columns * n_shared), NOTHING, dtype=np.int64)
    for (row, column), units in held.items():
        shared = [units[part * len(units) // n_shared] for part in range(n_shared)]
        cells[row, column * n_shared : (column + 1) * n_shared] = shared
    return cells, n_shared


class _Sheet:
    """Maps below each other, or abreast where there are few arrays; an array is one wide."""

    def __init__(self, panels: Sequence[Panel], n_maps: int) -> None:
        self.panels = panels
        self.abreast = min(ABREAST.get(len(panels), 1), n_maps)
        self.per_line = min(len(panels), MOST_COLUMNS)
        self.n_columns = max(self.per_line * self.abreast, FEWEST_COLUMNS)
        side = max(max(panel.shape) for panel in panels)
        self.cell = 1 / side  # one size for all arrays
        lines = [
            panels[first : first + self.per_line] for first in range(0, len(panels), self.per_line)
        ]
        self.tall = [max(panel.shape[0] for panel in line) * self.cell for line in lines]
        self.head_height = HEAD * self.n_columns / MOST_COLUMNS
        self.title_height = TITLE * self.n_columns / MOST_COLUMNS
        self.block = self.head_height + sum(self.tall) + len(lines) * (self.title_height + GAP)
        self.height = -(-n_maps // self.abreast) * self.block
        self.inch = self.n_columns * (1 + GAP) / (WIDTH_IN - BAR_IN)  # in widths of an array

    @property
    def most_letters(self) -> int:
        return max(8, 128 // self.n_columns)

    @property
    def height_in(self) -> float:
        return self.height / self.inch + 0.1

    def bar(self) -> tuple[float, float, float, float]:
        """Return left, bottom, width and height of the color scale, beside the first map."""
        above = self.head_height + self.title_height
        tall = min(self.height - above - GAP, TALLEST_IN * self.inch)
        left = self.per_line * self.abreast * (1 + GAP)
        return left, -above - tall, 0.14 * self.inch, tall

    def _corner(self, number: int) -> tuple[float, float]:
        line, column = divmod(number, self.abreast)
        return column * self.per_line * (1 + GAP), -line * self.block - self.head_height

    def head(self, axes: Axes, number: int, title: str) -> None:
        left, top = self._corner(number)
        axes.text(left, top, shorten(title, 100 // self.abreast), fontsize=8.5,
                  fontweight="bold", va="bottom", in_layout=False)  # fmt: skip

    def places(self, number: int) -> Iterator[tuple[Panel, tuple[float, float]]]:
        """Return each array of a map, and its upper left corner."""
        left, top = self._corner(number)
        for place, panel in enumerate(self.panels):
            line, column = divmod(place, self.per_line)
            above = sum(self.tall[:line]) + line * (self.title_height + GAP) + self.title_height
            yield panel, (left + column * (1 + GAP), top - above)


# --- colors


def _draw(
    axes: Axes,
    panel: Panel,
    grid: NDArray[np.float64],
    *,
    box: tuple[float, float, float],
    scale: ColorScale,
    theme: Theme,
) -> Any:
    """Draw an array with its upper left corner and electrodes of the width in `box`."""
    from matplotlib.colors import ListedColormap
    from matplotlib.patches import Rectangle

    left, top, cell = box
    n_rows, n_columns = panel.shape
    right, bottom = left + n_columns * cell, top - n_rows * cell
    how: dict[str, Any] = {
        "extent": (left, right, bottom, top), "interpolation": "nearest", "in_layout": False,
    }  # fmt: skip
    is_none = panel.cells == NOTHING
    band = ListedColormap([theme.band])
    axes.imshow(np.ma.masked_array(np.ones(grid.shape), ~is_none), cmap=band, **how)
    image = axes.imshow(np.ma.masked_invalid(grid), zorder=2, **scale.ends, **how)
    wide = cell / panel.n_shared
    for row, column in np.argwhere(np.isnan(grid) & ~is_none):
        at = (left + column * wide, top - (row + 1) * cell)
        axes.add_patch(
            Rectangle(at, wide, cell, facecolor="none", edgecolor=theme.faint, hatch="//////",
                      lw=0, zorder=1, in_layout=False)
        )  # fmt: skip
    line: dict[str, Any] = {"colors": theme.paper, "lw": 0.7, "zorder": 3, "in_layout": False}
    axes.vlines(left + cell * np.arange(n_columns + 1), bottom, top, **line)
    axes.hlines(top - cell * np.arange(n_rows + 1), left, right, **line)
    return image
