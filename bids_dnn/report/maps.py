"""Maps of scores, drawn where their units lie: on slices or on surfaces."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bids_dnn.containers.space import Grid, Space
from bids_dnn.report import slices, surfaces
from bids_dnn.report.parts import Picture, picture
from bids_dnn.report.raster import Brain
from bids_dnn.report.slices import Backdrop

LABEL = "Pearson's r"


def map_pictures(
    name: str,
    maps: Sequence[tuple[str, NDArray[np.floating[Any]]]],
    space: Space,
    behind: tuple[Backdrop | None, Brain | None],
    *,
    label: str = LABEL,
    what: str = "Maps of the best layers",
) -> list[Picture]:
    """Return a picture of maps, none where there is nothing to draw them on.

    Parameters
    ----------
    name
        Of the picture, such as ``encode_maps``.
    maps
        Title and values (n_units,) of each.
    space
        Of the units.
    behind
        The anatomy on the grid, and the sampled surfaces; None = none.
    label
        Of the color scale, with unit.
    what
        What is drawn, for the caption.
    """
    backdrop, brain = behind
    titles = ", ".join(title for title, _ in maps)
    if isinstance(space, Grid):
        return [
            picture(
                name,
                lambda theme: slices.map_slices(
                    maps, space, backdrop=backdrop, label=label, theme=theme
                ),
                alt=f"Axial slices with maps of {titles}.",
                caption=f"{what} on axial slices around the regions, left side of the brain on "
                "the left; values below zero have the color of zero, no color: not measured.",
            )
        ]
    if brain is None or not surfaces.fits(brain, space):
        return []
    return [
        picture(
            name,
            lambda theme: surfaces.map_brains(maps, space, brain=brain, label=label, theme=theme),
            alt=f"Both hemispheres with maps of {titles}.",
            caption=f"{what} on the surfaces; values below zero have the color of zero, gray: "
            "not measured, sulci darker.",
        )
    ]
