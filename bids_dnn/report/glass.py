"""Maps of voxels as seen through a brain of glass: the highest value along each line of sight."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bids_dnn.containers.space import Grid
from bids_dnn.report.canvas import WIDTH_IN, drawing
from bids_dnn.report.palette import LIGHT, Theme
from bids_dnn.report.scales import ColorScale, scale_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = NDArray[np.floating[Any]]
Ends = tuple[float, float, float, float]
GAP_MM, MARGIN_MM = 14.0, 6.0
FINER = 6  # samples along a side of a voxel, for the outline
SHARE = 0.88  # of the width, beside the color scale
TITLE_IN, BELOW_IN = 0.32, 0.2
# Of each view: the axis that is looked along, to the right, and up (x, y, z of RAS); its ends.
VIEWS = ((0, 1, 2, "back", "front"), (1, 0, 2, "L", "R"), (2, 0, 1, "L", "R"))


@dataclass(frozen=True, slots=True, eq=False)
class _Head:
    """A grid whose axes run to the right, to the front and up."""

    order: tuple[int, int, int]  # which axis of the grid runs along x, y and z
    flipped: tuple[bool, bool, bool]
    zooms: NDArray[np.float64]  # mm, of x, y and z
    inside: NDArray[np.bool_]
    box: tuple[slice, slice, slice]

    @property
    def sizes(self) -> NDArray[np.float64]:
        """Sides of what is drawn, in mm."""
        return np.array([part.stop - part.start for part in self.box]) * self.zooms

    def turn(self, volume: NDArray[Any]) -> NDArray[Any]:
        """Return a volume of the grid in these axes, cut to what is drawn."""
        made = volume.transpose(self.order)
        steps = tuple(slice(None, None, -1 if is_flipped else 1) for is_flipped in self.flipped)
        turned: NDArray[Any] = made[steps][self.box]
        return turned


def glass_brains(
    maps: Sequence[tuple[str, Array]],
    space: Grid,
    *,
    label: str,
    is_signed: bool = False,
    theme: Theme = LIGHT,
) -> bytes:
    """Draw maps from the right, from behind and from above, a row each, on one color scale.

    Parameters
    ----------
    maps
        Title and values (n_units,) of each; NaN is not drawn.
    space
        Of the units, whose outline is drawn.
    label
        Of the color scale, with unit.
    is_signed
        Values below zero have colors of their own, and the value furthest from zero is seen.
    theme
        Light or dark.

    Returns
    -------
    png
        The left side of the brain is on the left from behind and from above.
    """
    head = _head(space)
    scale = scale_of([values for _, values in maps], is_signed=is_signed)
    x_mm, y_mm, z_mm = head.sizes
    width_mm = y_mm + 2 * x_mm + 4 * GAP_MM
    inch = SHARE * WIDTH_IN / width_mm  # of a mm
    tall = max(y_mm, z_mm) * inch
    with drawing(WIDTH_IN, len(maps) * (tall + TITLE_IN + BELOW_IN), theme) as (figure, stream):
        panels = figure.subplots(len(maps), 1, squeeze=False)[:, 0]
        for axes, (title, values) in zip(panels, maps, strict=True):
            _row(axes, head, _volume(values, space), (scale, theme, is_signed))
            axes.set_title(title, loc="left", fontsize=8.5, fontweight="bold")
        from matplotlib.cm import ScalarMappable
        from matplotlib.colors import Normalize

        bar = ScalarMappable(Normalize(scale.low, scale.high), scale.cmap)
        figure.colorbar(bar, ax=list(panels), label=label, panchor=False, **scale.beside)
    return stream.getvalue()


def projected(volume: Array, axis: int, *, is_signed: bool = False) -> NDArray[np.float64]:
    """Return the highest value along an axis, or the one furthest from zero; NaN = none.

    Examples
    --------
    >>> projected(np.array([[1.0, -3.0], [np.nan, np.nan]]), 1)
    array([ 1., nan])
    >>> projected(np.array([[1.0, -3.0], [np.nan, 2.0]]), 1, is_signed=True)
    array([-3.,  2.])
    """
    highest: NDArray[np.float64] = np.fmax.reduce(volume, axis=axis)
    if not is_signed:
        return highest
    lowest: NDArray[np.float64] = np.fmin.reduce(volume, axis=axis)
    return np.where(-lowest > highest, lowest, highest)


def _row(axes: Axes, head: _Head, volume: Array, look: tuple[ColorScale, Theme, bool]) -> None:
    scale, theme, is_signed = look
    turned = head.turn(volume)
    inside = head.turn(head.inside)
    left, tallest = 0.0, float(max(head.sizes[1:]))
    for along, right, up, first, last in VIEWS:
        width, height = float(head.sizes[right]), float(head.sizes[up])
        bottom = (tallest - height) / 2
        extent: Ends = (left, left + width, bottom, bottom + height)
        _outline(axes, np.any(inside, axis=along).T, extent, theme)
        seen = projected(turned, along, is_signed=is_signed).T
        axes.imshow(np.ma.masked_invalid(seen), origin="lower", extent=extent,
                    interpolation="nearest", in_layout=False, **scale.ends)  # fmt: skip
        for x, text, side in ((left, first, "left"), (left + width, last, "right")):
            axes.text(x, bottom - 1, text, ha=side, va="top", fontsize=6.5, in_layout=False)
        left += width + GAP_MM
    axes.set(xlim=(-1, left - GAP_MM + 1), ylim=(-MARGIN_MM, tallest + 1), aspect="equal")
    axes.set_anchor("W")
    axes.set_axis_off()


def _outline(axes: Axes, seen: Any, extent: Ends, theme: Theme) -> None:
    """Draw where there is brain (rows, columns): a band, and its edge along the voxels."""
    left, right, bottom, top = extent
    finer = np.pad(np.repeat(np.repeat(seen, FINER, axis=0), FINER, axis=1).astype(float), 1)
    rows, columns = finer.shape
    x = left + (np.arange(columns) - 0.5) * (right - left) / (columns - 2)
    y = bottom + (np.arange(rows) - 0.5) * (top - bottom) / (rows - 2)
    axes.contourf(x, y, finer, levels=[0.5, 1.5], colors=[theme.band], zorder=-1)
    axes.contour(x, y, finer, levels=[0.5], colors=theme.ink, linewidths=0.7)


def _head(space: Grid) -> _Head:
    turn = space.affine[:3, :3]
    order: list[int] = []
    for world in range(3):  # the axis of the grid that runs along it most
        strength = np.abs(turn[world] / np.linalg.norm(turn, axis=0))
        strength[order] = -1
        order.append(int(np.argmax(strength)))
    flipped = tuple(bool(turn[world, axis] < 0) for world, axis in enumerate(order))
    zooms = np.linalg.norm(turn, axis=0)[order]
    inside = np.zeros(space.n_places, dtype=bool)
    inside[space.index] = True
    inside = inside.reshape(space.shape)
    whole = _Head((order[0], order[1], order[2]), (flipped[0], flipped[1], flipped[2]), zooms,
                  inside, (slice(None), slice(None), slice(None)))  # fmt: skip
    seen = whole.turn(inside)
    box = []
    for axis in range(3):
        others = tuple(one for one in range(3) if one != axis)
        places = np.flatnonzero(seen.any(axis=others))
        box.append(slice(int(places[0]), int(places[-1]) + 1))
    return _Head(whole.order, whole.flipped, zooms, inside, (box[0], box[1], box[2]))


def _volume(values: Array, space: Grid) -> NDArray[np.float64]:
    flat = np.full(space.n_places, np.nan)
    flat[space.index] = values
    return flat.reshape(space.shape)
