"""Regions, maps and retinotopy on inflated surfaces."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bids_dnn.containers.roi import Roi
from bids_dnn.containers.space import HEMISPHERES, Grayordinates, Hemisphere, Space, Surface
from bids_dnn.report import visual_field
from bids_dnn.report.canvas import WIDTH_IN, drawing
from bids_dnn.report.palette import LIGHT, Theme
from bids_dnn.report.raster import FINER, Array, Brain, Raster, Side, montage, pixels
from bids_dnn.report.scales import scale_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Retinotopy = Mapping[str, Mapping[Hemisphere, Array]]
Cell = tuple[Hemisphere, Side]
Paint = Callable[[Hemisphere, Raster], NDArray[np.float64]]
ALL_SIDES: tuple[tuple[Cell, ...], ...] = (
    (("L", "lateral"), ("L", "medial"), ("R", "medial"), ("R", "lateral")),
    (("L", "ventral"), ("L", "posterior"), ("R", "posterior"), ("R", "ventral")),
)
ONE_ROW: tuple[Cell, ...] = (
    ("L", "lateral"), ("L", "medial"), ("L", "ventral"),
    ("R", "ventral"), ("R", "medial"), ("R", "lateral"),
)  # fmt: skip
VISUAL_ROW: tuple[Cell, ...] = (
    ("L", "medial"), ("L", "posterior"), ("R", "posterior"), ("R", "medial"),
)  # fmt: skip
WORDS = {"L": "left", "R": "right"}
GYRUS, SULCUS, FLAT = 0.80, 0.62, 0.74  # grays of the folding
INK = 0.1  # gray of borders between visual areas


def vertex_values(
    values: NDArray[Any], space: Space, hemisphere: Hemisphere, n_vertices: int
) -> NDArray[np.float64]:
    """Return values of units (n_units,) on the mesh of one hemisphere, (n_vertices,).

    NaN where a vertex is no unit; all NaN where units are no vertices.
    """
    mesh = np.full(n_vertices, np.nan)
    match space:
        case Surface():
            mesh[space.vertices(hemisphere)] = values[space.in_hemisphere(hemisphere)]
        case Grayordinates():
            units, vertices, _ = space.cortex(hemisphere)
            mesh[vertices] = values[units]
    return mesh


def fits(brain: Brain | None, space: Space | None) -> bool:
    """Tell whether the units of a space lie on the meshes that were sampled."""
    if brain is None:
        return False
    match space:
        case Surface():
            sizes = dict(zip(HEMISPHERES, space.n_vertices, strict=True))
        case Grayordinates():
            sizes = {h: space.cortex(h)[2] for h in HEMISPHERES}
        case _:
            return False
    return any(sizes.values()) and all(brain.n_vertices.get(h) == n for h, n in sizes.items() if n)


def region_brains(
    rois: Sequence[Roi], colors: Mapping[str, str], *, brain: Brain, theme: Theme = LIGHT
) -> bytes:
    """Draw regions on both hemispheres from all sides.

    Parameters
    ----------
    rois
        On the meshes of `brain`.
    colors
        Of each region.
    brain
        The sampled meshes.
    theme
        Light or dark.

    Returns
    -------
    png
        Smaller regions lie on top of larger ones; each keeps its outline.
    """
    layers = sorted(rois, key=lambda roi: -len(roi.space))
    marked = {
        (roi.name, h): np.isfinite(
            vertex_values(np.ones(len(roi.space)), roi.space, h, brain.n_vertices[h])
        )
        for roi in rois
        for h in brain.n_vertices
    }

    def paint(hemisphere: Hemisphere, raster: Raster) -> NDArray[np.float64]:
        own = folds(brain, hemisphere)
        for roi in layers:
            own[marked[roi.name, hemisphere]] = _rgb(colors[roi.name])
        drawn = own[np.maximum(raster.vertex, 0)]
        for roi in layers:
            drawn[raster.borders(marked[roi.name, hemisphere])] = 0.7 * _rgb(colors[roi.name])
        return drawn

    with drawing(WIDTH_IN, height_in(brain, ALL_SIDES) + 0.35, theme) as (figure, stream):
        _frame(figure.subplots(), brain, ALL_SIDES, paint)
        _legend(figure, [(roi.name, colors[roi.name]) for roi in rois])
    return stream.getvalue()


def map_brains(
    maps: Sequence[tuple[str, Array]],
    space: Space,
    *,
    brain: Brain,
    label: str,
    names: Sequence[str] = (),
    is_signed: bool = False,
    theme: Theme = LIGHT,
) -> bytes:
    """Draw maps on both hemispheres, a row each, on one color scale.

    Parameters
    ----------
    maps
        Title and values (n_units,) of each; NaN is not drawn.
    space
        Of the units, on the meshes of `brain`.
    brain
        The sampled meshes.
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
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    scale = scale_of([values for _, values in maps], names, is_signed=is_signed)

    def painter(values: Array) -> Paint:
        def paint(hemisphere: Hemisphere, raster: Raster) -> NDArray[np.float64]:
            del raster
            own = folds(brain, hemisphere)
            mesh = vertex_values(values, space, hemisphere, brain.n_vertices[hemisphere])
            there = np.isfinite(mesh)
            own[there] = scale.rgb(mesh[there])
            return own

        return paint

    wide = 1.0 if scale.names else 0.9  # what a scale beside the maps leaves
    height = len(maps) * (wide * height_in(brain, (ONE_ROW,)) + 0.3)
    with drawing(WIDTH_IN, height + scale.legend_in, theme) as (figure, stream):
        panels = figure.subplots(len(maps), 1, squeeze=False)[:, 0]
        for axes, (title, values) in zip(panels, maps, strict=True):
            _frame(axes, brain, (ONE_ROW,), painter(values))
            axes.set_title(title, loc="left", fontsize=8.5, fontweight="bold")
        if scale.names:
            scale.add_legend(figure)
        else:
            bar = ScalarMappable(Normalize(scale.low, scale.high), scale.cmap)
            told = label if len(maps) > 1 else fill(label, 14)  # one row is not high
            figure.colorbar(bar, ax=list(panels), label=told, **scale.beside)
    return stream.getvalue()


def retinotopy_brains(retinotopy: Retinotopy, *, brain: Brain, theme: Theme = LIGHT) -> bytes:
    """Draw polar angle and eccentricity of the visual areas, with the visual field as legend.

    Parameters
    ----------
    retinotopy : (n_vertices,) of each hemisphere
        ``angle`` and ``eccentricity`` in degrees, ``area`` (0 = outside).
    brain
        The sampled meshes.
    theme
        Light or dark.

    Returns
    -------
    png
        Dark lines are borders between areas; outside them the folding is seen.
    """
    kinds = (
        ("Polar angle", "angle", visual_field.angle_colors),
        ("Eccentricity", "eccentricity", visual_field.eccentricity_colors),
    )

    def painter(name: str, color_of: Callable[[Array], NDArray[np.float64]]) -> Paint:
        def paint(hemisphere: Hemisphere, raster: Raster) -> NDArray[np.float64]:
            own = folds(brain, hemisphere)
            values = np.asarray(retinotopy[name][hemisphere], dtype=np.float64)
            area = np.rint(np.nan_to_num(retinotopy["area"][hemisphere])).astype(np.int64)
            there = (area > 0) & np.isfinite(values)
            own[there] = color_of(values[there])
            drawn = own[np.maximum(raster.vertex, 0)]
            drawn[raster.borders(area)] = INK
            return drawn

        return paint

    height = 2 * max(0.8 * height_in(brain, (VISUAL_ROW,)) + 0.3, 1.9)
    with drawing(WIDTH_IN, height, theme) as (figure, stream):
        panels = figure.subplots(2, 2, width_ratios=[4.2, 1])
        legends = visual_field.wheel()
        for row, (title, name, color_of) in enumerate(kinds):
            _frame(panels[row, 0], brain, (VISUAL_ROW,), painter(name, color_of))
            panels[row, 0].set_title(title, loc="left", fontsize=9, fontweight="bold")
            _field(panels[row, 1], legends[row], theme, with_rings=name == "eccentricity")
    return stream.getvalue()


def fits_retinotopy(brain: Brain | None, retinotopy: Retinotopy | None) -> bool:
    """Tell whether the three maps are there, on the meshes that were sampled."""
    if brain is None or not retinotopy:
        return False
    return all(
        len(retinotopy.get(name, {}).get(h, ())) == n
        for name in ("angle", "eccentricity", "area")
        for h, n in brain.n_vertices.items()
    )


def folds(brain: Brain, hemisphere: Hemisphere) -> NDArray[np.float64]:
    """Return the gray of each vertex, (n_vertices, 3): sulci are darker."""
    curvature = brain.curvature[hemisphere]
    if curvature is None:
        return np.full((brain.n_vertices[hemisphere], 3), FLAT)
    gray = np.where(np.asarray(curvature) > 0, SULCUS, GYRUS)
    return np.repeat(gray[:, None], 3, axis=1)


def height_in(brain: Brain, rows: Sequence[Sequence[Cell]]) -> float:
    """Return how tall pictures in rows are, in inches, where they take the whole width."""
    empty = [
        [np.zeros((*(-(-n // FINER) for n in brain.rasters[cell].vertex.shape), 4))
         for cell in row if cell in brain.rasters]
        for row in rows
    ]  # fmt: skip
    canvas, _ = montage([row for row in empty if row])
    height, width = canvas.shape[:2]
    return float(WIDTH_IN * height / width)


def _frame(axes: Axes, brain: Brain, rows: Sequence[Sequence[Cell]], paint: Paint) -> None:
    cells = [[cell for cell in row if cell in brain.rasters] for row in rows]
    cells = [row for row in cells if row]
    canvas, tops = montage(
        [[pixels(brain.rasters[cell], paint(cell[0], brain.rasters[cell])) for cell in row]
         for row in cells]
    )  # fmt: skip
    axes.imshow(canvas, interpolation="antialiased")
    for row, places in zip(cells, tops, strict=True):
        for (hemisphere, side), (x, y) in zip(row, places, strict=True):
            axes.text(x, y - 4, f"{WORDS[hemisphere]}, {side}", ha="center", va="bottom",
                      fontsize=7, in_layout=False)  # fmt: skip
    axes.set_axis_off()


def _field(axes: Axes, picture: NDArray[np.float64], theme: Theme, *, with_rings: bool) -> None:
    """Draw the visual field as a legend."""
    from matplotlib.patches import Circle

    axes.imshow(picture, extent=(-1, 1, -1, 1), interpolation="antialiased")
    axes.axvline(0, color=theme.paper, lw=0.8)
    axes.axhline(0, color=theme.paper, lw=0.8)
    if with_rings:
        for ring in visual_field.RINGS_DEG:
            radius = float(visual_field.radius_of(np.array(float(ring))))
            axes.add_patch(Circle((0, 0), radius, fill=False, color=theme.paper, lw=0.7))
            axes.text(radius, 0, f"{ring}", fontsize=5.5, ha="center", va="center",
                      color="#1d2126", bbox={"boxstyle": "round,pad=0.15",
                                             "facecolor": "#ffffffdd", "lw": 0})  # fmt: skip
        axes.set_title("distance from gaze (°)", fontsize=7, fontweight="normal")
    else:
        axes.set_title("visual field", fontsize=7)
    for x, text in ((-1.06, "left"), (1.06, "right")):
        axes.text(x, 0, text, fontsize=6.5, ha="right" if x < 0 else "left", va="center",
                  rotation=90)  # fmt: skip
    axes.set(xlim=(-1.3, 1.3), ylim=(-1.1, 1.1), aspect="equal")
    axes.set_axis_off()


def _rgb(color: str) -> NDArray[np.float64]:
    return np.array([int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)])


def _legend(figure: Figure, names: Sequence[tuple[str, str]]) -> None:
    from matplotlib.patches import Patch

    handles = [Patch(color=color, label=name) for name, color in names]
    figure.legend(
        handles=handles, loc="outside lower center", ncols=min(8, len(names)), fontsize=8
    )
