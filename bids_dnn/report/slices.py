"""Regions and maps on slices over the anatomy, and the contact sheet of the stimuli."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bids_dnn.containers.roi import Roi
from bids_dnn.containers.space import Grid
from bids_dnn.report.canvas import WIDTH_IN, drawing, shorten
from bids_dnn.report.palette import LIGHT, Theme
from bids_dnn.report.scales import scale_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = NDArray[np.floating[Any]]
Background = tuple[Array, Array]
Box = tuple[slice, slice]
N_SLICES = 7
FINE_MM = 1.0  # wanted side of a background sample
GAP = 0.06  # between slices, in widths of a slice
MOST_STIMULI = 24


@dataclass(frozen=True, slots=True, eq=False)
class Backdrop:
    """The anatomy on the slices of a grid.

    Parameters
    ----------
    volume : (x * finer, y * finer, z) float32
        From black 0 to white 1.
    finer : int
        Samples along a voxel's side.
    words
        What it is, where that is not the participant's own anatomy.
    """

    volume: NDArray[np.float32]
    finer: int
    words: str = ""

    def slab(self, box: Box, z: int) -> NDArray[np.float32]:
        """Return what lies behind these voxels of slice `z`."""
        x, y = (slice(part.start * self.finer, part.stop * self.finer) for part in box)
        return self.volume[x, y, z]

    def fits(self, grid: Grid) -> bool:
        """Tell whether it was made for this grid."""
        width, depth, height = grid.shape
        return self.volume.shape == (width * self.finer, depth * self.finer, height)


def make_backdrop(background: Background, grid: Grid, words: str = "") -> Backdrop:
    """Sample a volume on the slices of a grid of the same space.

    Parameters
    ----------
    background
        Volume (x, y, z) and its affine (4, 4).
    grid
        Of the units; its slices are kept, within a slice the samples are finer.
    words
        What the volume is, where that is not the participant's own anatomy.
    """
    from scipy import ndimage

    volume = np.nan_to_num(np.asarray(background[0], dtype=np.float32))
    zooms = np.linalg.norm(grid.affine[:3, :3], axis=0)
    finer = int(np.clip(round(float(zooms[0] / FINE_MM)), 1, 4))
    steps = (np.arange(finer) + 0.5) / finer - 0.5
    x = (np.arange(grid.shape[0])[:, None] + steps).ravel()
    y = (np.arange(grid.shape[1])[:, None] + steps).ravel()
    there = np.linalg.inv(background[1]) @ grid.affine  # voxel of the grid -> of the background
    made = np.empty((x.size, y.size, grid.shape[2]), dtype=np.float32)
    for z in range(grid.shape[2]):
        places = np.stack(np.broadcast_arrays(x[:, None], y[None, :], float(z), 1.0))
        at = np.einsum("ab,bxy->axy", there, places)[:3]
        made[:, :, z] = ndimage.map_coordinates(volume, at, order=1)
    bright = made[made > 0]
    top = float(np.percentile(bright, 99)) if bright.size else 1.0
    return Backdrop(np.clip(made / top, 0, 1), finer, words)


def region_slices(
    rois: Sequence[Roi],
    colors: Mapping[str, str],
    *,
    backdrop: Backdrop | None,
    theme: Theme = LIGHT,
) -> bytes:
    """Draw regions on axial slices through all of them, over the anatomy.

    Parameters
    ----------
    rois
        All on one grid.
    colors
        Of each region.
    backdrop
        The anatomy on that grid; None = none.
    theme
        Light or dark.

    Returns
    -------
    png
        Where two regions overlap, the smaller one is on top.
    """
    grids = [(roi.name, roi.space) for roi in rois if isinstance(roi.space, Grid)]
    grid = grids[0][1]
    grids.sort(key=lambda named: -len(named[1]))
    volumes = [(name, _volume(np.ones(len(space)), space)) for name, space in grids]
    inside = np.zeros(grid.shape, dtype=bool)
    for _, volume in volumes:
        inside |= np.isfinite(volume)
    sheet = _Sheet(grid, cuts(inside), _whole(grid, backdrop), 1)
    with drawing(WIDTH_IN, sheet.height_in + 0.3, theme) as (figure, stream):
        axes = _frame(figure, sheet)
        for column in range(len(sheet.cuts)):
            sheet.anatomy(axes, 0, column, backdrop, theme)
            for name, volume in volumes:
                sheet.overlay(axes, volume, (0, column), **_single(colors[name]))
        _legend(figure, colors, [roi.name for roi in rois])
    return stream.getvalue()


def map_slices(
    maps: Sequence[tuple[str, Array]],
    space: Grid,
    *,
    backdrop: Backdrop | None,
    label: str,
    names: Sequence[str] = (),
    is_signed: bool = False,
    theme: Theme = LIGHT,
) -> bytes:
    """Draw maps on axial slices through all that is drawn, over the anatomy, on one color scale.

    Parameters
    ----------
    maps
        Title and values (n_units,) of each; NaN is not drawn.
    space
        Of the units; the picture is cut to their surroundings.
    backdrop
        The anatomy on the grid of `space`; None = none.
    label
        Of the color scale, with unit.
    names
        Where values are numbers of categories, from 1: their names; see `scales.scale_of`.
    is_signed
        Values below zero have colors of their own.
    theme
        Light or dark.

    Returns
    -------
    png
        Values under zero have the color of zero, but where they are signed.
    """
    inside = np.isfinite(_volume(np.ones(len(space)), space))
    drawn = np.zeros(space.shape, dtype=np.bool_)
    for _, values in maps:
        drawn |= np.isfinite(_volume(values, space))
    scale = scale_of([values for _, values in maps], names, is_signed=is_signed)
    through = cuts(drawn if drawn.any() else inside)
    sheet = _Sheet(space, through, _around(inside), len(maps), is_titled=True)
    image: Any = None
    with drawing(WIDTH_IN, sheet.height_in + scale.legend_in, theme) as (figure, stream):
        axes = _frame(figure, sheet)
        for row, (title, values) in enumerate(maps):
            volume = _volume(values, space)
            sheet.title(axes, row, title)
            for column in range(len(sheet.cuts)):
                sheet.anatomy(axes, row, column, backdrop, theme)
                image = sheet.overlay(axes, volume, (row, column), **scale.ends)
        if scale.names:
            scale.add_legend(figure)
        else:
            figure.colorbar(image, ax=axes, label=label, **scale.beside)
    return stream.getvalue()


def overlap_matrix(rois: Sequence[Roi]) -> NDArray[np.int64]:
    """Return how many units each two regions share, (n_regions, n_regions).

    The diagonal holds their sizes. All lie on one space.
    """
    return np.array(
        [[np.intersect1d(a.space.index, b.space.index).size for b in rois] for a in rois],
        dtype=np.int64,
    )


def contact_sheet(
    stimuli: Sequence[tuple[str, Path]],
    words: Mapping[str, str] | None = None,
    *,
    theme: Theme = LIGHT,
) -> bytes:
    """Draw up to 24 stimuli, evenly spaced through the list, with their names.

    Parameters
    ----------
    stimuli
        Id and file of each; a file that cannot be read leaves an empty frame.
    words
        What else is said of a stimulus, below its name.
    theme
        Light or dark.
    """
    from matplotlib.patches import Rectangle

    shown = evenly(list(stimuli), MOST_STIMULI)
    columns = max(6, min(8, len(shown)))
    lines = -(-len(shown) // columns)
    said, step = words or {}, 1.5 if words else 1.2
    with drawing(WIDTH_IN, lines * step * WIDTH_IN / columns, theme) as (figure, stream):
        axes = figure.subplots()
        for place, (name, path) in enumerate(shown):
            left, top = float(place % columns), -step * (place // columns)
            picture = _thumbnail(path)
            if picture is not None:
                height, width = (
                    side / max(picture.shape[:2]) * 0.46 for side in picture.shape[:2]
                )
                extent = (left + 0.5 - width, left + 0.5 + width, top - 0.5 - height,
                          top - 0.5 + height)  # fmt: skip
                axes.imshow(picture, extent=extent, interpolation="antialiased")
            axes.add_patch(Rectangle((left + 0.04, top - 0.96), 0.92, 0.92, fill=False,
                                     edgecolor=theme.faint, lw=0.6))  # fmt: skip
            axes.text(left + 0.5, top - 0.99, shorten(_stem(name), 19), ha="center", va="top",
                      fontsize=6.5, in_layout=False)  # fmt: skip
            axes.text(left + 0.5, top - 1.14, said.get(name, ""), ha="center", va="top",
                      fontsize=6.5, fontweight="bold", in_layout=False)  # fmt: skip
        axes.set(xlim=(0, columns), ylim=(-step * lines, 0), aspect="auto")
        axes.set_axis_off()
    return stream.getvalue()


def evenly(items: list[Any], most: int) -> list[Any]:
    """Return at most this many items, evenly spaced, the first and last among them.

    Examples
    --------
    >>> evenly(list(range(10)), 4)
    [0, 3, 6, 9]
    """
    if len(items) <= most:
        return items
    return [items[round(place)] for place in np.linspace(0, len(items) - 1, most)]


def cuts(inside: NDArray[np.bool_]) -> list[int]:
    """Return the slices to show: evenly spaced through those that hold a voxel."""
    return evenly(np.flatnonzero(inside.any(axis=(0, 1))).tolist(), N_SLICES)


class _Sheet:
    """Slices side by side, in rows, on one pair of axes; a slice is one unit wide."""

    def __init__(
        self, grid: Grid, cuts: list[int], box: Box, n_rows: int, *, is_titled: bool = False
    ) -> None:
        self.grid, self.cuts, self.box = grid, cuts, box
        zooms = np.linalg.norm(grid.affine[:3, :3], axis=0)
        sides = [(part.stop - part.start) * z for part, z in zip(box, zooms, strict=False)]
        self.tall = float(sides[1] / sides[0])  # height of a slice over its width
        self.titled = 0.3 if is_titled else 0.0
        self.step = self.tall + 0.2 + self.titled
        self.n_rows = n_rows
        self.width = N_SLICES * (1 + GAP)

    @property
    def height_in(self) -> float:
        return self.n_rows * self.step * WIDTH_IN * 0.92 / self.width + 0.1

    def extent(self, row: int, column: int) -> tuple[float, float, float, float]:
        left, bottom = column * (1 + GAP), -(row + 1) * self.step
        return left, left + 1, bottom, bottom + self.tall

    def anatomy(
        self, axes: Axes, row: int, column: int, backdrop: Backdrop | None, theme: Theme
    ) -> None:
        z = self.cuts[column]
        left, _, _, top = self.extent(row, column)
        slab = np.full((1, 1), 0.5)
        if backdrop is not None and backdrop.fits(self.grid):
            slab = backdrop.slab(self.box, z).astype(float)
        gray = {"cmap": "gray", "vmin": 0.0, "vmax": 1.0, "interpolation": "bilinear"}
        self._show(axes, slab, (row, column), **gray)
        middle = [(part.start + part.stop) / 2 for part in self.box]
        height = (self.grid.affine @ [*middle, z, 1])[2]
        axes.text(left + 0.5, top + 0.02, f"z = {height:.0f} mm", ha="center", va="bottom",
                  fontsize=6.5, color=theme.ink, in_layout=False)  # fmt: skip

    def overlay(self, axes: Axes, volume: Array, place: tuple[int, int], **colors: Any) -> Any:
        slab = np.ma.masked_invalid(volume[(*self.box, self.cuts[place[1]])])
        return self._show(axes, slab, place, interpolation="nearest", **colors)

    def title(self, axes: Axes, row: int, text: str) -> None:
        left, _, _, top = self.extent(row, 0)
        axes.text(left, top + 0.2, text, fontsize=8.5, fontweight="bold", va="bottom",
                  in_layout=False)  # fmt: skip

    def _show(self, axes: Axes, slab: Any, place: tuple[int, int], **how: Any) -> Any:
        # The left side of the brain is on the left, whichever way the grid runs.
        turned = slab[::-1] if self.grid.affine[0, 0] < 0 else slab
        return axes.imshow(
            turned.T,
            origin="lower",
            extent=self.extent(*place),
            in_layout=False,
            **how,
        )


def _frame(figure: Figure, sheet: _Sheet) -> Axes:
    axes = figure.subplots()
    axes.set(xlim=(0, sheet.width), ylim=(-sheet.n_rows * sheet.step, 0))
    axes.set_autoscale_on(False)
    axes.set_axis_off()
    return axes


def _single(color: str) -> dict[str, Any]:
    from matplotlib.colors import ListedColormap

    return {"cmap": ListedColormap([color]), "vmin": 0.0, "vmax": 1.0}


def _whole(grid: Grid, backdrop: Backdrop | None) -> Box:
    """Return the box of the head, or of the whole grid where there is no anatomy."""
    full = (slice(0, grid.shape[0]), slice(0, grid.shape[1]))
    if backdrop is None or not backdrop.fits(grid):
        return full
    seen = backdrop.volume[:: backdrop.finer, :: backdrop.finer] > 0.1
    return _around(seen, margin=1) if seen.any() else full


def _around(inside: NDArray[np.bool_], margin: int = 0) -> Box:
    """Return the box of what is inside, with a fifth of its size around it."""
    parts = []
    for axis, others in ((0, (1, 2)), (1, (0, 2))):
        places = np.flatnonzero(inside.any(axis=others))
        more = margin or 2 + (places[-1] - places[0]) // 5
        parts.append(slice(max(0, int(places[0] - more)),
                           min(inside.shape[axis], int(places[-1] + more + 1))))  # fmt: skip
    return parts[0], parts[1]


def _volume(values: Array, space: Grid) -> Array:
    flat = np.full(int(np.prod(space.shape)), np.nan)
    flat[space.index] = values
    return flat.reshape(space.shape)


def _thumbnail(path: Path, side_px: int = 160) -> NDArray[np.uint8] | None:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as picture:
            small = picture.convert("RGB")
            small.thumbnail((side_px, side_px))
            return np.asarray(small, dtype=np.uint8)
    except (OSError, UnidentifiedImageError):
        return None


def _stem(name: str) -> str:
    return name.rsplit(".", 1)[0] if "." in name.rsplit("/", 1)[-1] else name


def _legend(figure: Figure, colors: Mapping[str, str], names: Sequence[str]) -> None:
    from matplotlib.patches import Patch

    handles = [Patch(color=colors[name], label=name) for name in names]
    figure.legend(
        handles=handles, loc="outside lower center", ncols=min(8, len(names)), fontsize=8
    )
