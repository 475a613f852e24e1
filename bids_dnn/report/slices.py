"""Regions and maps on slices over the anatomy, and the contact sheet of the stimuli."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bids_dnn.containers.roi import Roi
from bids_dnn.containers.space import Space
from bids_dnn.report.canvas import WIDTH_IN, drawing, shorten
from bids_dnn.report.palette import LIGHT, SCALE, Theme

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = NDArray[np.float64]
Background = tuple[Array, Array]
N_SLICES = 7
FINER = 3  # background samples along a voxel's side
MOST_STIMULI = 24


def region_slices(
    rois: Sequence[Roi],
    colors: Mapping[str, str],
    *,
    background: Background | None,
    theme: Theme = LIGHT,
) -> bytes:
    """Draw regions on axial slices through all of them, over the anatomy.

    Parameters
    ----------
    rois
        All on one grid.
    colors
        Of each region.
    background
        Volume (x, y, z) and its affine (4, 4), on any grid of the same space; None = none.
    theme
        Light or dark.

    Returns
    -------
    png
        Where two regions overlap, the one named later is on top.
    """
    grid = rois[0].space
    volumes = {roi.name: _volume(np.ones(len(roi.space)), roi.space) for roi in rois}
    inside = np.asarray(np.isfinite(np.stack(list(volumes.values()))).any(axis=0))
    with drawing(WIDTH_IN, 1.75, theme) as (figure, stream):
        panels = figure.subplots(1, N_SLICES, squeeze=False)[0]
        for axes, z in zip(panels, _cuts(inside), strict=False):
            _anatomy(axes, grid, z, background=background, theme=theme)
            for name, volume in volumes.items():
                _overlay(axes, volume[:, :, z], colors=colors[name])
        _hide(panels, len(_cuts(inside)))
        _legend(figure, colors, [roi.name for roi in rois])
    return stream.getvalue()


def map_slices(
    maps: Sequence[tuple[str, Array]],
    space: Space,
    *,
    background: Background | None,
    label: str,
    theme: Theme = LIGHT,
) -> bytes:
    """Draw maps on axial slices through all units, over the anatomy, on one color scale.

    Parameters
    ----------
    maps
        Title and values (n_units,) of each; NaN is not drawn.
    space
        Of the units.
    background
        Volume (x, y, z) and its affine (4, 4), on any grid of the same space; None = none.
    label
        Of the color scale, with unit.
    theme
        Light or dark.

    Returns
    -------
    png
        Values under zero have the color of zero.
    """
    volumes = [_volume(values, space) for _, values in maps]
    inside = np.isfinite(_volume(np.ones(len(space)), space))
    known = np.concatenate([values[np.isfinite(values)] for _, values in maps])
    top = max(float(np.percentile(known, 99.5)), 0.05) if known.size else 1.0
    scale = {"vmin": 0.0, "vmax": top, "cmap": SCALE}
    image = None
    with drawing(WIDTH_IN, 1.45 * len(maps) + 0.1, theme) as (figure, stream):
        panels = figure.subplots(len(maps), N_SLICES, squeeze=False)
        for line, volume, (title, _) in zip(panels, volumes, maps, strict=True):
            for axes, z in zip(line, _cuts(inside), strict=False):
                _anatomy(axes, space, z, background=background, theme=theme)
                image = _overlay(axes, volume[:, :, z], scale=scale)
            line[0].text(0, 1.2, title, transform=line[0].transAxes, fontsize=9,
                         fontweight="bold", va="bottom")  # fmt: skip
            _hide(line, len(_cuts(inside)))
        if image is not None:
            figure.colorbar(image, ax=panels, label=label, fraction=0.03, pad=0.02)
    return stream.getvalue()


def overlap_matrix(rois: Sequence[Roi]) -> NDArray[np.int64]:
    """Return how many voxels each two regions share, (n_regions, n_regions).

    The diagonal holds their sizes. All lie on one grid.
    """
    return np.array(
        [[np.intersect1d(a.space.index, b.space.index).size for b in rois] for a in rois],
        dtype=np.int64,
    )


def contact_sheet(stimuli: Sequence[tuple[str, Path]], *, theme: Theme = LIGHT) -> bytes:
    """Draw up to 24 stimuli, evenly spaced through the list, with their names.

    Parameters
    ----------
    stimuli
        Id and file of each; a file that cannot be read leaves an empty frame.
    theme
        Light or dark.
    """
    shown = evenly(list(stimuli), MOST_STIMULI)
    columns = min(8, len(shown))
    lines = -(-len(shown) // columns)
    side = WIDTH_IN / columns
    with drawing(WIDTH_IN, lines * (side + 0.22), theme) as (figure, stream):
        panels = figure.subplots(lines, columns, squeeze=False)
        for axes, (name, path) in zip(panels.flat, shown, strict=False):
            picture = _thumbnail(path)
            if picture is not None:
                axes.imshow(picture, interpolation="nearest")
            axes.set_xlabel(shorten(Path(name).name, 17), fontsize=7)
            axes.set(xticks=[], yticks=[])
            for spine in axes.spines.values():
                spine.set(visible=True, color=theme.faint)
        _hide(panels.flat, len(shown))
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


def _thumbnail(path: Path, side_px: int = 160) -> NDArray[np.uint8] | None:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as picture:
            small = picture.convert("RGB")
            small.thumbnail((side_px, side_px))
            return np.asarray(small, dtype=np.uint8)
    except (OSError, UnidentifiedImageError):
        return None


def _volume(values: NDArray[np.floating[Any]], space: Space) -> Array:
    flat = np.full(int(np.prod(space.shape)), np.nan)
    flat[space.index] = values
    return flat.reshape(space.shape)


def _cuts(inside: NDArray[np.bool_]) -> list[int]:
    """Return the slices to show: evenly spaced through those that hold a voxel."""
    return evenly(np.flatnonzero(inside.any(axis=(0, 1))).tolist(), N_SLICES)


def _anatomy(
    axes: Axes, grid: Space, z: int, *, background: Background | None, theme: Theme
) -> None:
    width, depth = grid.shape[:2]
    extent = (-0.5, width - 0.5, -0.5, depth - 0.5)
    if background is None:
        empty = np.full((depth, width), 0.5)
        axes.imshow(empty, cmap="gray", vmin=0, vmax=1, extent=extent, origin="lower")
    else:
        volume, affine = background
        slab = _sampled(volume, affine, grid, z)
        top = float(np.percentile(volume[volume > 0], 99)) if (volume > 0).any() else 1.0
        axes.imshow(slab.T, cmap="gray", vmin=0, vmax=top, extent=extent, origin="lower",
                    interpolation="bilinear")  # fmt: skip
    height = (grid.affine @ [width / 2, depth / 2, z, 1])[2]
    axes.set_title(f"z = {height:.0f} mm", fontsize=7, pad=2, color=theme.ink)
    axes.set_axis_off()
    if grid.affine[0, 0] < 0:  # show the right side of the brain on the right
        axes.set_xlim(width - 0.5, -0.5)
    zooms = np.linalg.norm(grid.affine[:3, :3], axis=0)
    axes.set_aspect(float(zooms[1] / zooms[0]))


def _sampled(volume: Array, affine: Array, grid: Space, z: int) -> Array:
    """Return the background on slice `z` of the grid, `FINER` samples along a voxel's side."""
    from scipy import ndimage

    steps = (np.arange(FINER) + 0.5) / FINER - 0.5
    x = (np.arange(grid.shape[0])[:, None] + steps).ravel()
    y = (np.arange(grid.shape[1])[:, None] + steps).ravel()
    places = np.stack(np.broadcast_arrays(x[:, None], y[None, :], float(z), 1.0))
    there = np.linalg.inv(affine) @ grid.affine  # voxel of the grid -> voxel of the background
    at = np.einsum("ab,bxy->axy", there, places)[:3]
    sampled: Array = ndimage.map_coordinates(np.nan_to_num(volume), at, order=1)
    return sampled


def _overlay(
    axes: Axes, slab: Array, *, colors: str | None = None, scale: dict[str, Any] | None = None
) -> Any:
    from matplotlib.colors import ListedColormap

    shown = np.ma.masked_invalid(slab.T)
    width, depth = slab.shape
    look: dict[str, Any] = {"vmin": 0, "vmax": 1, "cmap": ListedColormap([colors or "none"])}
    return axes.imshow(
        shown,
        origin="lower",
        extent=(-0.5, width - 0.5, -0.5, depth - 0.5),
        interpolation="nearest",
        alpha=0.85,
        **(scale or look),
    )


def _legend(figure: Any, colors: Mapping[str, str], names: Sequence[str]) -> None:
    from matplotlib.patches import Patch

    handles = [Patch(color=colors[name], label=name) for name in names]
    figure.legend(
        handles=handles, loc="outside lower center", ncols=min(8, len(names)), fontsize=8
    )


def _hide(panels: Any, n_used: int) -> None:
    for axes in list(panels)[n_used:]:
        axes.set_visible(False)
