"""The section on the regions: where they lie, how large they are, what they share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bids_dnn.containers.roi import Roi
from bids_dnn.containers.space import Channels, Grayordinates, Grid, Surface
from bids_dnn.report import slices, surfaces
from bids_dnn.report.canvas import WIDTH_IN, drawing, shorten
from bids_dnn.report.palette import LIGHT, Theme
from bids_dnn.report.parts import (
    Picture,
    Section,
    Table,
    counted,
    listed,
    many,
    picture,
    table_of,
    units,
)
from bids_dnn.report.raster import Brain
from bids_dnn.report.slices import Backdrop
from bids_dnn.report.surfaces import Retinotopy
from bids_dnn.report.visual_field import FITTED_DEG

MOST_SQUARE = 12  # regions above which only the pairs that overlap are listed


def region_section(
    rois: Sequence[Roi],
    colors: Mapping[str, str],
    backdrop: Backdrop | None,
    *,
    brain: Brain | None = None,
    retinotopy: Retinotopy | None = None,
) -> Section:
    """Return the section on the regions: slices or surfaces, sizes, overlaps, retinotopy.

    Parameters
    ----------
    rois
        All on one space, of any kind.
    colors
        Of each region.
    backdrop
        The anatomy on the grid of voxels; None = none.
    brain
        The participant's surfaces; None = none.
    retinotopy : (n_vertices,) of each hemisphere
        ``angle``, ``eccentricity`` and ``area`` on these surfaces; None = not known.
    """
    shared = slices.overlap_matrix(rois)
    pairs = np.argwhere(np.triu(shared, 1) > 0)
    tables = [sizes_table(rois)]
    if pairs.size:
        tables.append(overlap_table(rois, shared, pairs))
    pictures = _pictures(rois, colors, backdrop, brain)
    if brain is not None and retinotopy and surfaces.fits_retinotopy(brain, retinotopy):
        pictures.append(_retinotopy_picture(retinotopy, brain))
    return Section(
        "regions",
        "Regions",
        "Where are the regions, how large, and do they overlap?",
        region_answer(rois, shared, pairs),
        tuple(pictures),
        tuple(tables),
        how=_how(rois, brain),
    )


def _pictures(
    rois: Sequence[Roi], colors: Mapping[str, str], backdrop: Backdrop | None, brain: Brain | None
) -> list[Picture]:
    space = rois[0].space
    said = f"{counted(len(rois), 'region')} in color: {listed([roi.name for roi in rois])}."
    if isinstance(space, Grid):
        where = "axial slices over the anatomy" if backdrop else "axial slices (no anatomy found)"
        return [
            picture(
                "regions",
                lambda theme: slices.region_slices(rois, colors, backdrop=backdrop, theme=theme),
                alt=f"Axial slices with {said}",
                caption=f"Regions on {where}, left side of the brain on the left; where two "
                "overlap, the smaller one is on top.",
            )
        ]
    if brain is not None and surfaces.fits(brain, space):
        return [
            picture(
                "regions",
                lambda theme: surfaces.region_brains(rois, colors, brain=brain, theme=theme),
                alt=f"Both hemispheres from four sides with {said}",
                caption="Regions on the surfaces, sulci in darker gray; where two overlap, the "
                "smaller one is on top and the outline of the other is still drawn. Posterior "
                "views have the left side of the brain on the left.",
            )
        ]
    if isinstance(space, Channels):
        return [
            picture(
                "regions",
                lambda theme: region_counts(rois, colors, theme=theme),
                alt=f"Bars of the number of channels in {said}",
                caption=f"Channels of each region, of {space.n_places:,} in the recording.",
            )
        ]
    return []


def _retinotopy_picture(retinotopy: Retinotopy, brain: Brain) -> Picture:
    least, most = FITTED_DEG
    return picture(
        "retinotopy",
        lambda theme: surfaces.retinotopy_brains(retinotopy, brain=brain, theme=theme),
        alt="Both hemispheres from the medial and posterior side, colored by polar angle and by "
        "eccentricity, with the visual field in the same colors as the legend.",
        caption="What each vertex of the visual areas sees, as the template predicts: each "
        "hemisphere sees the opposite half of the field; what lies above is lighter in color. "
        "Dark lines are borders between areas. Eccentricity is on a logarithmic scale. Below "
        f"{least:g}° and above {most:g}° the template extrapolates.",
    )


def _how(rois: Sequence[Roi], brain: Brain | None) -> str:
    space = rois[0].space
    if isinstance(space, Grid | Channels) or surfaces.fits(brain, space):
        return ""
    if brain is None:
        return "No inflated surfaces of this space were found, so the regions are not drawn."
    found = ", ".join(f"{h} {n:,}" for h, n in brain.n_vertices.items())
    return (
        f"The regions lie in {space.describe()}, the surfaces found have another mesh ({found} "
        "vertices), so the regions are not drawn."
    )


def region_answer(rois: Sequence[Roi], shared: NDArray[np.int64], pairs: NDArray[Any]) -> str:
    """Return how large the regions are and which overlap, in a sentence or two."""
    unit = rois[0].space.unit
    sizes = [f"{roi.name} ({units(len(roi.space), unit)})" for roi in rois]
    text = f"{counted(len(rois), 'region')} in space {rois[0].space.name}: {listed(sizes)}."
    if not pairs.size:
        return text + (" No two overlap." if len(rois) > 1 else "")
    named = [f"{rois[i].name} and {rois[j].name} share {shared[i, j]:,}" for i, j in pairs]
    return f"{text} Overlaps: {listed(named, 6)}."


def sizes_table(rois: Sequence[Roi]) -> Table:
    """Return one row a region: how many units, where they lie, what it comes from."""
    plural = many(rois[0].space.unit)
    columns: dict[str, list[Any]] = {
        "region": [roi.name for roi in rois],
        plural: [len(roi.space) for roi in rois],
        "before": [roi.n_before for roi in rois],
        **_places(rois),
        "source": [shortened(roi.source) for roi in rois],
    }
    words = {
        plural: f"{plural.capitalize()} that were analyzed.",
        "before": "Of the region before those without data were left out.",
        "left": "In the left hemisphere.",
        "right": "In the right hemisphere.",
        "source": "File or rule that the region comes from.",
    }
    return table_of(pd.DataFrame(columns), words, caption="One row a region.")


def shortened(source: str) -> str:
    """Return where a region comes from: a file's name, or the rule as it was typed.

    Examples
    --------
    >>> shortened("bids:masks:sub-01/V1.nii.gz"), shortened("benson:V1@0-2deg")
    ('V1.nii.gz', 'benson:V1@0-2deg')
    """
    is_path = source.startswith(("/", "bids:", "file:"))
    return Path(source).name if is_path else source


def _places(rois: Sequence[Roi]) -> dict[str, list[Any]]:
    space = rois[0].space
    if isinstance(space, Grid):
        side = abs(float(np.linalg.det(space.affine[:3, :3])))
        return {"volume (mm³)": [len(roi.space) * side for roi in rois]}
    if isinstance(space, Surface | Grayordinates):
        counts = [
            [
                int(roi.space.in_hemisphere(h).sum())
                if isinstance(roi.space, Surface)
                else len(roi.space.cortex(h)[0])
                for h in ("L", "R")
            ]
            for roi in rois
            if isinstance(roi.space, Surface | Grayordinates)
        ]
        found = {"left": [n[0] for n in counts], "right": [n[1] for n in counts]}
        rest = [len(roi.space) - sum(n) for roi, n in zip(rois, counts, strict=True)]
        return found | ({"subcortical": rest} if any(rest) else {})
    return {}


def overlap_table(rois: Sequence[Roi], shared: NDArray[np.int64], pairs: NDArray[Any]) -> Table:
    """Return what regions share: a square of names where few, else one row a pair."""
    named = [roi.name for roi in rois]
    plural = many(rois[0].space.unit)
    if len(rois) <= MOST_SQUARE:
        frame = pd.DataFrame(shared, columns=named)
        frame.insert(0, "region", named)
        return table_of(frame, {}, caption=f"{plural.capitalize()} that two regions share.")
    rows = [
        (named[i], named[j], int(shared[i, j]), shared[i, j] / shared[i, i],
         shared[i, j] / shared[j, j])
        for i, j in pairs
    ]  # fmt: skip
    frame = pd.DataFrame(rows, columns=["region", "and", "shared", "of the first", "of the other"])
    words = {
        "shared": f"{plural.capitalize()} that lie in both.",
        "of the first": "Share of the first region.",
        "of the other": "Share of the other region.",
    }
    return table_of(frame, words, caption="One row a pair of regions that overlap.")


def region_counts(
    rois: Sequence[Roi], colors: Mapping[str, str], *, theme: Theme = LIGHT
) -> bytes:
    """Draw how many units each region has, as bars.

    Parameters
    ----------
    rois
        On any kind of space.
    colors
        Of each region.
    theme
        Light or dark.
    """
    sizes = [len(roi.space) for roi in rois]
    with drawing(WIDTH_IN, 0.6 + 0.3 * len(rois), theme) as (figure, stream):
        axes = figure.subplots()
        axes.barh(range(len(rois)), sizes, height=0.68, color=[colors[r.name] for r in rois])
        for place, size in enumerate(sizes):
            axes.text(size, place, f" {size:,}", va="center", fontsize=8, in_layout=False)
        axes.set_yticks(range(len(rois)), [shorten(roi.name) for roi in rois])
        axes.set(ylim=(len(rois) - 0.4, -0.6), xlim=(0, 1.1 * max(sizes)))
        axes.set_xlabel(many(rois[0].space.unit))
        axes.tick_params(length=0)
        axes.set_axisbelow(True)
        axes.grid(axis="x", color=theme.band, lw=0.8)
    return stream.getvalue()
