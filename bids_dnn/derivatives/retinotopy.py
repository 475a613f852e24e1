"""Retinotopy of a participant's surfaces -> derivatives."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bids_dnn import imaging
from bids_dnn.containers.space import Hemisphere
from bids_dnn.derivatives import names
from bids_dnn.derivatives.tables import describe, table_text
from bids_dnn.errors import ShapeError
from bids_dnn.files import write_json, write_text

Hemispheres = Mapping[Hemisphere, NDArray[Any]]
AREAS = dict(
    enumerate(
        ("V1", "V2", "V3", "hV4", "VO1", "VO2", "LO1", "LO2", "TO1", "TO2", "V3b", "V3a"), start=1
    )
)
STATS = {
    "angle": ("Polar angle: 0 = upper vertical meridian, right visual field positive.", "degree"),
    "eccentricity": ("Distance from the center of gaze.", "degree"),
    "sigma": ("Radius of the population receptive field.", "degree"),
}
ATLAS = {
    "Name": "Benson 2014 template of retinotopy",
    "Description": "Polar angle, eccentricity and size of population receptive fields, and visual "
    "areas, predicted from the folding of the cortex.",
    "Authors": ["Noah C. Benson", "Omar H. Butt", "David H. Brainard", "Geoffrey K. Aguirre"],
    "License": "see the source of the template",
    "ReferencesAndLinks": ["https://doi.org/10.1371/journal.pcbi.1003538"],
    "Species": "Human",
}
TABLE_COLUMNS = {"index": "Label of each vertex.", "name": "Visual area."}


def write_retinotopy(
    maps: Mapping[str, Hemispheres],
    areas: Hemispheres,
    out_dir: Path,
    *,
    entities: Mapping[str, str],
    sidecar: Mapping[str, Any],
) -> list[Path]:
    """Write the template's retinotopy on a participant's own surfaces.

    Parameters
    ----------
    maps : (n_vertices,) of each hemisphere, degrees of visual field or of angle
        By statistic: ``angle``, ``eccentricity``, ``sigma``.
    areas : (n_vertices,) of each hemisphere
        A key of `AREAS`, 0 = none of them.
    out_dir
        Root of the output data set.
    entities
        ``participant`` and ``space``.
    sidecar
        Further fields: ``Sources``, ``SpatialReference`` ...

    Returns
    -------
    paths
        Shape files of the maps, label files of the areas, the table of their names, and the
        sidecar of each; the description of the atlas at the root of the data set.

    Raises
    ------
    ShapeError
        If maps and areas of a hemisphere have several numbers of vertices.
    ConfigError
        If an entity is missing or holds a character that BIDS does not allow.
    OutputError
        If the disk is full, or the folder cannot be written.
    """
    _check(maps, areas)
    label = entities["space"]
    given = {"participant": entities["participant"], "space": label}
    shared = dict(sidecar)
    if names.needs_reference(label):
        shared.setdefault("SpatialReference", "The participant's own surfaces.")
    written: list[Path] = []
    for stat, by_hemisphere in maps.items():
        text, unit = STATS.get(stat, (f"{stat} of the template.", "arbitrary"))
        said = {"Description": text, "Units": unit, "Statistic": stat} | shared
        for hemisphere, values in by_hemisphere.items():
            path = names.path_of(out_dir, "retinotopy", **given, hemi=hemisphere, stat=stat)
            imaging.write_shape(path, values, hemisphere, name=stat)
            written += [path, write_json(names.sidecar_of(path), said)]
    said = {"Description": "Visual areas of the Benson 2014 template.", "Manual": False} | shared
    for hemisphere, values in areas.items():
        path = names.path_of(out_dir, "areas", **given, hemi=hemisphere)
        labels = np.rint(values).astype(np.int64)
        imaging.write_labels(path, labels, {0: "none"} | AREAS, hemisphere)
        written += [path, write_json(names.sidecar_of(path), said)]
    if areas:
        table = pd.DataFrame(AREAS.items(), columns=["index", "name"])
        path = names.path_of(out_dir, "areas_table", **given)
        written += [write_text(path, table_text(table))]
        written += [write_json(names.sidecar_of(path), describe(table, TABLE_COLUMNS) | said)]
    path = names.path_of(out_dir, "atlas")
    return [*written, write_json(path, ATLAS)]


def _check(maps: Mapping[str, Hemispheres], areas: Hemispheres) -> None:
    for hemisphere in {h for made in (*maps.values(), areas) for h in made}:
        sizes = sorted(
            {len(made[hemisphere]) for made in (*maps.values(), areas) if hemisphere in made}
        )
        if len(sizes) > 1:
            raise ShapeError(
                f"The maps of the {hemisphere} hemisphere have {sizes} vertices; one number was "
                "expected.",
                mend="Give maps on one mesh.",
            )
