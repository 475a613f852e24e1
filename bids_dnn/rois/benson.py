"""Regions by retinotopy, ``benson:RULE``: from what is seen to the places that see it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from bids_dnn.containers.space import HEMISPHERES, Hemisphere, Space, Surface
from bids_dnn.errors import ConfigError, NotEnoughDataError, SpaceError, nearest
from bids_dnn.rois.benson_files import BensonFiles
from bids_dnn.rois.maps import Retinotopy
from bids_dnn.rois.project import on_mesh, project
from bids_dnn.rois.retinotopy import participant_maps
from bids_dnn.rois.template import find_template, read_template_maps
from bids_dnn.rois.visual_field import extrapolated, parse_field, select

AVERAGES = {  # vertices of each hemisphere; the coarser ones are the first of the finer ones
    "fsaverage": 163842,
    "fsaverage6": 40962,
    "fsaverage5": 10242,
    "fsaverage4": 2562,
    "fsaverage3": 642,
}
OPTIONS = ("hemi",)


def benson_places(
    argument: str, space: Space, *, files: BensonFiles, options: Mapping[str, str]
) -> tuple[NDArray[np.bool_], list[str]]:
    """Mark the places of the responses that see a part of the visual field.

    Parameters
    ----------
    argument
        What stands after ``benson:``, such as ``V1@0-2deg``; see `visual_field.parse_field`.
    space
        Of the responses.
    files
        The participant's and the template's.
    options
        ``hemi`` = ``L`` or ``R``: one hemisphere alone.

    Returns
    -------
    places : (n_places,)
    warnings
        A sentence each.

    Raises
    ------
    ConfigError
        If the rule or an option is none.
    NotEnoughDataError
        If no vertex sees it, or none of them lies on a place of the responses.
    SpaceError
        If no way leads to the space of the responses, or meshes do not fit each other.
    MissingInputError, UnreadableError
        If a file is not there or damaged.
    """
    parse_field(argument)  # refused before files are read
    return places_of(argument, maps_for(space, files), space=space, files=files, options=options)


def maps_for(space: Space, files: BensonFiles) -> Retinotopy:
    """Return the maps from which places of the responses are chosen.

    Those of the template itself where the responses lie on ``fsaverage`` or a coarser mesh of
    its family, else those on the participant's own mesh.

    Raises
    ------
    MissingInputError, UnreadableError
        If a file is not there or damaged.
    SpaceError
        If meshes do not fit each other.
    """
    if isinstance(space, Surface) and space.name in AVERAGES:
        return _average_maps(space, files)
    return participant_maps(files)


def places_of(
    argument: str,
    maps: Retinotopy,
    *,
    space: Space,
    files: BensonFiles,
    options: Mapping[str, str],
) -> tuple[NDArray[np.bool_], list[str]]:
    """Do as `benson_places` does, with maps that were made before: for several rules.

    Parameters
    ----------
    argument, space, files, options
        As of `benson_places`.
    maps
        As `maps_for` gives them for this `space`.

    Raises
    ------
    ConfigError, NotEnoughDataError, SpaceError, MissingInputError, UnreadableError
        As `benson_places`.
    """
    rule = parse_field(argument)
    chosen = {h: maps.hemispheres[h] for h in _hemispheres(options)}
    wanted = Retinotopy(chosen, maps.mesh, maps.source)
    marked = select(wanted, rule)
    warnings = extrapolated(wanted, rule, marked)
    if isinstance(space, Surface) and space.name == maps.mesh:
        places = on_mesh(marked, space)
    else:
        places, said = project(marked, space, files=files)
        warnings += said
    if not places.any():
        n_marked = sum(int(one.sum()) for one in marked.values())
        raise NotEnoughDataError(
            f"{n_marked} vertices see benson:{argument}, but none of them lies on a place of "
            f"{space.describe()}.",
            mend="Check that surfaces and responses are of one participant and lie in the space "
            "that their names say.",
        )
    return places, warnings


def _average_maps(space: Surface, files: BensonFiles) -> Retinotopy:
    """Return the template's own maps on an average mesh."""
    n_vertices = AVERAGES[space.name]
    maps = read_template_maps(find_template(files.template))
    for hemisphere, n in zip(HEMISPHERES, space.n_vertices, strict=True):
        n_template = len(maps.hemispheres[hemisphere])
        if n not in (0, n_vertices):
            raise SpaceError(
                f"The {hemisphere} hemisphere of the responses has {n} vertices, {space.name} "
                f"has {n_vertices}.",
                mend="Name the space that the responses lie in.",
            )
        if n_template < n_vertices:
            raise SpaceError(
                f"The template has {n_template} vertices ({maps.source}), {space.name} has "
                f"{n_vertices}. It is a template in another mesh.",
                mend="Give the template on fsaverage (163842 vertices).",
            )
    cut = {h: one.first(n_vertices) for h, one in maps.hemispheres.items()}
    return Retinotopy(cut, space.name, maps.source)


def _hemispheres(options: Mapping[str, str]) -> tuple[Hemisphere, ...]:
    if unknown := sorted(set(options) - set(OPTIONS)):
        raise ConfigError(
            f"benson: has no option {unknown[0]!r}.", mend=nearest(unknown[0], OPTIONS)
        )
    if "hemi" not in options:
        return HEMISPHERES
    if found := tuple(h for h in HEMISPHERES if h == options["hemi"]):
        return found
    raise ConfigError(f"hemi={options['hemi']!r} is no hemisphere.", mend="Type hemi=L or hemi=R.")
