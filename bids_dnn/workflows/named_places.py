"""Names of places in a common space: of an atlas, or of the regions of participants."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bids_dnn.containers.space import Space
from bids_dnn.derivatives import read
from bids_dnn.derivatives.places import read_places
from bids_dnn.errors import SpaceError
from bids_dnn.rois.atlas_files import AtlasFiles, atlas_at
from bids_dnn.rois.atlases import atlas_names

HALF = 0.5  # of those who have a region: a place belongs to it where so many have it there


@dataclass(frozen=True, slots=True)
class NamedPlaces:
    """Where names of places are read.

    Parameters
    ----------
    atlas
        None = none is given, or it is of another space.
    regions
        Files of each participant's mask, by the name of the region; not looked at where there
        is an atlas.
    warnings
        Sentences.
    """

    atlas: AtlasFiles | None
    regions: Mapping[str, tuple[tuple[Path, ...], ...]]
    warnings: tuple[str, ...] = ()

    def paths(self) -> tuple[Path, ...]:
        """Return every file that is read."""
        if self.atlas is not None:
            table = () if self.atlas.table is None else (self.atlas.table,)
            return (*self.atlas.images, *table)
        return tuple(path for own in self.regions.values() for files in own for path in files)

    def to_json(self) -> dict[str, Any]:
        """Return plain values; `from_json` makes the same of them again."""
        return {
            "atlas": None if self.atlas is None else self.atlas.to_json(),
            "regions": {
                name: [[str(path) for path in files] for files in own]
                for name, own in self.regions.items()
            },
            "warnings": list(self.warnings),
        }

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> NamedPlaces:
        """Return what `to_json` turned into plain values."""
        regions = {
            name: tuple(tuple(map(Path, files)) for files in own)
            for name, own in told["regions"].items()
        }
        atlas = None if told["atlas"] is None else AtlasFiles.from_json(told["atlas"])
        return cls(atlas, regions, tuple(told["warnings"]))

    def layers(self, space: Space) -> tuple[list[NDArray[np.object_]], list[str]]:
        """Return names (n_units,) of the units of a space, "" where there is none, and warnings.

        A region holds a unit where at least half of those who have the region have it there.
        """
        said = list(self.warnings)
        if self.atlas is not None:
            try:
                names, more = atlas_names(self.atlas, space)
            except SpaceError as err:
                return [], [*said, f"Clusters have no names of the atlas: {err.what}"]
            return [names[space.index]], [*said, *more]
        made = []
        for name, own in self.regions.items():
            count = np.zeros(space.n_places)
            n = 0
            for files in own:
                region = read_places(files, name=space.name)
                if region.has_places_of(space):
                    count[region.index] += 1
                    n += 1
            if n:
                inside = count[space.index] >= HALF * n
                made.append(np.where(inside, name, "").astype(object))
        return made, said


def named_places(
    output_dir: Path, participants: Iterable[str], space: str, atlas: Path | None
) -> NamedPlaces:
    """Return where names of places are read for a group.

    Parameters
    ----------
    output_dir
        Where the participants' regions lie.
    participants
        Labels.
    space
        BIDS label.
    atlas
        As it is asked for.

    Raises
    ------
    MissingInputError
        If a file of the atlas is not there.
    """
    warnings: tuple[str, ...] = ()
    if atlas is not None:
        if found := atlas_at(atlas, space):
            return NamedPlaces(found, {})
        warnings = (f"The atlas {atlas.name} is not of the space {space}, and names no cluster.",)
    regions: dict[str, tuple[tuple[Path, ...], ...]] = {}
    for label in participants:
        for name, files in read.regions_of(output_dir, participant=label, space=space).items():
            regions[name] = (*regions.get(name, ()), files)
    return NamedPlaces(None, regions, warnings)
