"""Maps of scores, drawn where their units lie: on slices, surfaces or electrode arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bids_dnn.containers.space import Channels, Grid, Space
from bids_dnn.report import arrays, glass, slices, surfaces
from bids_dnn.report.parts import Picture, counted, picture
from bids_dnn.report.raster import Brain
from bids_dnn.report.slices import Backdrop

LABEL = "Pearson's r"
MOST_UNPLACED = 1024  # channels without arrays that are drawn


def map_pictures(
    name: str,
    maps: Sequence[tuple[str, NDArray[np.floating[Any]]]],
    space: Space,
    behind: tuple[Backdrop | None, Brain | None],
    *,
    label: str = LABEL,
    what: str = "Maps of the best layers",
    names: Sequence[str] = (),
    is_signed: bool = False,
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
    names
        Where values are numbers of categories, from 1: their names.
    is_signed
        Values below zero have colors of their own.
    """
    how: dict[str, Any] = {"label": label, "names": names, "is_signed": is_signed}
    if isinstance(space, Channels):
        return _on_arrays(name, maps, space, what=what, how=how)
    backdrop, brain = behind
    titles = ", ".join(title for title, _ in maps)
    ends = "" if names or is_signed else "values below zero have the color of zero, "
    if isinstance(space, Grid):
        return [
            picture(
                name,
                lambda theme: slices.map_slices(
                    maps, space, backdrop=backdrop, theme=theme, **how
                ),
                alt=f"Axial slices with maps of {titles}.",
                caption=f"{what} on axial slices around the regions, left side of the brain on "
                f"the left; {ends}no color: not measured.",
            )
        ]
    if brain is None or not surfaces.fits(brain, space):
        return []
    return [
        picture(
            name,
            lambda theme: surfaces.map_brains(maps, space, brain=brain, theme=theme, **how),
            alt=f"Both hemispheres with maps of {titles}.",
            caption=f"{what} on the surfaces; {ends}gray: not measured, sulci darker.",
        )
    ]


def found_pictures(
    name: str,
    maps: Sequence[tuple[str, NDArray[np.floating[Any]]]],
    space: Space,
    brain: Brain | None,
    *,
    label: str = LABEL,
    what: str,
) -> list[Picture]:
    """Return a picture of where something was found: through a glass brain, or on surfaces.

    Parameters
    ----------
    name
        Of the picture, such as ``encode_found``.
    maps
        Title and values (n_units,) of each; NaN where nothing was found, which is not drawn.
    space
        Of the units.
    brain
        The sampled surfaces; None = none.
    label
        Of the color scale, with unit.
    what
        What is drawn, for the caption.
    """
    titles = ", ".join(title for title, _ in maps)
    if isinstance(space, Grid):
        return [
            picture(
                name,
                lambda theme: glass.glass_brains(maps, space, label=label, theme=theme),
                alt=f"Glass brains from the right, from behind and from above, with {titles}.",
                caption=f"{what}, seen through the brain from the right, from behind and from "
                "above: the highest value along each line of sight. Outline: what was measured.",
            )
        ]
    if isinstance(space, Channels) or brain is None or not surfaces.fits(brain, space):
        return []
    return [
        picture(
            name,
            lambda theme: surfaces.map_brains(maps, space, brain=brain, label=label, theme=theme),
            alt=f"Both hemispheres with {titles}.",
            caption=f"{what}, on the surfaces; sulci darker.",
        )
    ]


def _on_arrays(
    name: str,
    maps: Sequence[tuple[str, NDArray[np.floating[Any]]]],
    space: Channels,
    *,
    what: str,
    how: dict[str, Any],
) -> list[Picture]:
    if space.layout is None and space.n_places > MOST_UNPLACED:
        return []
    panels = arrays.panels_of(space)
    titles = ", ".join(title for title, _ in maps)
    has_negative = any((values < 0).any() for _, values in maps)
    is_hidden = has_negative and not how["is_signed"]
    below = " Values below zero have the color of zero." if is_hidden else ""
    return [
        picture(
            name,
            lambda theme: arrays.array_maps(maps, space, theme=theme, **how),
            alt=f"{counted(len(panels), 'grid')} of channels with maps of {titles}.",
            caption=f"{what}, a grid for each array. {arrays.order_text(panels)}{below} Hatched: "
            "a channel without a value; gray: no channel of the recording.",
        )
    ]
