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

Titled = tuple[str, NDArray[np.floating[Any]]]
LABEL = "Pearson's r"
MOST_UNPLACED = 1024  # channels without arrays that are drawn


def map_pictures(
    name: str,
    maps: Sequence[Titled],
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
        The anatomy on the grid, and the sampled surfaces; None = none. Over a template, values
        that are not above zero are left clear, so that the anatomy is seen.
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
    ends = "" if names or is_signed else "values below zero have the color of zero, "
    if isinstance(space, Grid):
        clear = "not measured"
        if _is_over_template(backdrop, space) and not (names or is_signed):
            maps = [(title, np.where(values > 0, values, np.nan)) for title, values in maps]
            ends, clear = "", "not above zero, or not measured"
        return [
            _slices(name, maps, space, backdrop, how, what=what, ends=f"{ends}no color: {clear}.")
        ]
    if brain is None or not surfaces.fits(brain, space):
        return []
    return [
        picture(
            name,
            lambda theme: surfaces.map_brains(maps, space, brain=brain, theme=theme, **how),
            alt=f"Both hemispheres with maps of {_titles(maps)}.",
            caption=f"{what} on the surfaces; {ends}gray: not measured, sulci darker.",
        )
    ]


def found_pictures(
    name: str,
    maps: Sequence[Titled],
    space: Space,
    behind: tuple[Backdrop | None, Brain | None],
    *,
    label: str = LABEL,
    what: str,
    is_signed: bool = False,
) -> list[Picture]:
    """Return pictures of where something was found.

    Parameters
    ----------
    name
        Of the picture, such as ``encode_found``.
    maps
        Title and values (n_units,) of each; NaN where nothing was found, which is not drawn.
    space
        Of the units.
    behind
        The anatomy on the grid, and the sampled surfaces; None = none.
    label
        Of the color scale, with unit.
    what
        What is drawn, for the caption.
    is_signed
        Values below zero have colors of their own.

    Returns
    -------
    pictures
        Of voxels a glass brain and, where there is a template and something was found, slices
        through that over it (``NAME_slices``); of vertices the surfaces.
    """
    how: dict[str, Any] = {"label": label, "is_signed": is_signed}
    backdrop, brain = behind
    titles = _titles(maps)
    if isinstance(space, Grid):
        seen = "the value furthest from zero" if is_signed else "the highest value"
        made = [
            picture(
                name,
                lambda theme: glass.glass_brains(maps, space, theme=theme, **how),
                alt=f"Glass brains from the right, from behind and from above, with {titles}.",
                caption=f"{what}, seen through the brain from the right, from behind and from "
                f"above: {seen} along each line of sight. Outline: what was measured.",
            )
        ]
        is_found = any(np.isfinite(values).any() for _, values in maps)
        if is_found and _is_over_template(backdrop, space):
            ends = "no color: nothing found."
            made.append(
                _slices(f"{name}_slices", maps, space, backdrop, how, what=what, ends=ends)
            )
        return made
    if isinstance(space, Channels) or brain is None or not surfaces.fits(brain, space):
        return []
    return [
        picture(
            name,
            lambda theme: surfaces.map_brains(maps, space, brain=brain, theme=theme, **how),
            alt=f"Both hemispheres with {titles}.",
            caption=f"{what}, on the surfaces; sulci darker.",
        )
    ]


def _slices(
    name: str,
    maps: Sequence[Titled],
    space: Grid,
    backdrop: Backdrop | None,
    how: dict[str, Any],
    *,
    what: str,
    ends: str,
) -> Picture:
    over = ""
    if backdrop is not None and _is_over_template(backdrop, space):
        over = f" over {backdrop.words}"
    return picture(
        name,
        lambda theme: slices.map_slices(maps, space, backdrop=backdrop, theme=theme, **how),
        alt=f"Axial slices with maps of {_titles(maps)}.",
        caption=f"{what}, on axial slices{over}, left side of the brain on the left; {ends}",
    )


def _is_over_template(backdrop: Backdrop | None, space: Grid) -> bool:
    """Tell whether slices lie over what is nobody's own anatomy."""
    return backdrop is not None and bool(backdrop.words) and backdrop.fits(space)


def _titles(maps: Sequence[Titled]) -> str:
    return ", ".join(title for title, _ in maps)


def _on_arrays(
    name: str,
    maps: Sequence[Titled],
    space: Channels,
    *,
    what: str,
    how: dict[str, Any],
) -> list[Picture]:
    if space.layout is None and space.n_places > MOST_UNPLACED:
        return []
    panels = arrays.panels_of(space)
    has_negative = any((values < 0).any() for _, values in maps)
    is_hidden = has_negative and not how["is_signed"]
    below = " Values below zero have the color of zero." if is_hidden else ""
    return [
        picture(
            name,
            lambda theme: arrays.array_maps(maps, space, theme=theme, **how),
            alt=f"{counted(len(panels), 'grid')} of channels with maps of {_titles(maps)}.",
            caption=f"{what}, a grid for each array. {arrays.order_text(panels)}{below} Hatched: "
            "a channel without a value; gray: no channel of the recording.",
        )
    ]
