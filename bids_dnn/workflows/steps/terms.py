"""One term of a region's rule -> the places that it marks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bids_dnn.containers.roi import Roi
from bids_dnn.containers.space import Hemisphere, Space
from bids_dnn.errors import ConfigError, nearest
from bids_dnn.rois.atlas_files import AtlasFiles
from bids_dnn.rois.atlases import atlas_places
from bids_dnn.rois.benson import maps_for, places_of
from bids_dnn.rois.build import Resolve, mask_of
from bids_dnn.rois.define import mask_places, sphere_places
from bids_dnn.rois.grammar import parse
from bids_dnn.rois.maps import Retinotopy
from bids_dnn.rois.rule import Term
from bids_dnn.workflows.regions import ATLASES, benson_files, key_of
from bids_dnn.workflows.steps.localizer import localizer_places

Mask = NDArray[np.bool_]
SIDES: dict[str, Hemisphere] = {"L": "L", "R": "R"}


def resolver(
    terms: Mapping[str, Mapping[str, Any]], *, measured: Space, own: Sequence[Roi]
) -> Resolve:
    """Return a function that marks the places of each term.

    Parameters
    ----------
    terms
        What the plan found for each term, by `key_of`.
    measured
        Space of the responses, with its measured units.
    own
        Regions that the data themselves name.
    """
    retinotopy: list[Retinotopy] = []  # made once for all terms

    def resolve(term: Term) -> tuple[Mask, list[str]]:
        told = terms[key_of(term)]
        if term.kind in ATLASES:
            side = SIDES.get(term.options.get("hemi", ""))
            files = AtlasFiles.from_json(told["atlas"])
            return atlas_places(files, told["labels"], measured, side=side)
        if term.kind == "benson":
            found = benson_files(told["benson"])
            if not retinotopy:
                retinotopy.append(maps_for(measured, found))
            maps, options = retinotopy[0], term.options
            return places_of(term.argument, maps, space=measured, files=found, options=options)
        if term.kind == "area" or told.get("is_area"):
            return _own(term, own, measured), []
        if term.kind == "sphere":
            return sphere_places(term.argument, measured), []
        if term.kind == "localizer":
            within = None
            warnings: list[str] = []
            if "within" in term.options:
                within, warnings = mask_of(parse(term.options["within"]), measured, resolve)
            mask, said = localizer_places(term, told, measured=measured, within=within)
            return mask, [*warnings, *said]
        return mask_places(Path(told["path"]), mask_space=told["space"], space=measured)

    return resolve


def _own(term: Term, own: Sequence[Roi], measured: Space) -> Mask:
    named = {roi.name: roi for roi in own}
    if term.argument not in named:
        raise ConfigError(
            f"The data name no area {term.argument!r}, but: {', '.join(named) or 'none'}.",
            mend=nearest(term.argument, named),
        )
    mask = np.zeros(measured.n_places, dtype=np.bool_)
    mask[named[term.argument].space.index] = True
    return mask
