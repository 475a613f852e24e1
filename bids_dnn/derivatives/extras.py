"""Further tables of an analysis, and arrays of their rows -> derivatives, and back."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bids_dnn.containers.result import Result, RowArrays
from bids_dnn.derivatives import names
from bids_dnn.derivatives.nulls import write_null_maps, write_nulls
from bids_dnn.derivatives.patterns import write_patterns
from bids_dnn.derivatives.tables import describe, table_text
from bids_dnn.files import read_json, write_json, write_text, writing


def write_extras(
    result: Result, out_dir: Path, kind: str, *, entities: dict[str, str], shared: dict[str, Any]
) -> tuple[dict[str, Any], list[Path]]:
    """Write extra tables of a result, their arrays, its nulls and patterns, with sidecars.

    Parameters
    ----------
    result
        Of one participant, or of the group.
    out_dir
        Root of the output data set.
    kind
        Of the tables, in `names.TEMPLATES`.
    entities
        Those of the main table.
    shared
        What each sidecar says.

    Returns
    -------
    facts
        ``Tables`` and ``Arrays``: file by name of the table, for the sidecar of the main table.
    paths
        All that was written. The same result gives the same bytes.

    Raises
    ------
    OutputError
        If the disk is full, or the folder cannot be written.
    """
    tables: dict[str, str] = {}
    arrays: dict[str, str] = {}
    written: list[Path] = []
    for name, extra in sorted(result.extras.items()):
        path = names.path_of(out_dir, kind, **entities, extra=name)
        described = describe(extra, result.columns | result.extra_columns.get(name, {}))
        written += [write_text(path, table_text(extra))]
        written += [write_json(names.sidecar_of(path), described | shared)]
        tables[name] = path.name
    for name, kept in sorted(result.arrays.items()):
        path = names.path_of(out_dir, "arrays", **entities, extra=name)
        by_name: dict[str, Any] = dict(kept.values)
        with writing(path) as aside, aside.open("wb") as stream:
            np.savez_compressed(stream, **by_name)
        told = {
            key: {"Description": kept.words[key], "Shape": list(one.shape)}
            for key, one in kept.values.items()
        }
        said = {"Description": f"Arrays with a row for each row of {tables[name]}."}
        written += [path, write_json(names.sidecar_of(path), said | {"Arrays": told} | shared)]
        arrays[name] = path.name
    if result.nulls is not None:
        null = names.path_of(out_dir, "null", **entities)
        written += write_nulls(null, result.nulls, sidecar=shared)
    if result.null_maps:
        null = names.path_of(out_dir, "null", **entities)
        written += write_null_maps(null, result.null_maps, sidecar=shared)
    if result.shared is not None:
        patterns = names.path_of(out_dir, "patterns", **entities)
        written += write_patterns(patterns, result.shared, sidecar=shared)
    return {"Tables": tables} | ({"Arrays": arrays} if arrays else {}), written


def read_arrays(folder: Path, files: Mapping[str, str]) -> dict[str, RowArrays]:
    """Return the arrays that `write_extras` wrote.

    Parameters
    ----------
    folder
        Where they lie.
    files
        Name of each file by that of its table; their checksums were found to be right.
    """
    made = {}
    for name, file in files.items():
        words = read_json(names.sidecar_of(folder / file))["Arrays"]
        with np.load(folder / file, allow_pickle=False) as kept:
            values = {key: kept[key] for key in kept.files}
        made[name] = RowArrays(values, {key: words[key]["Description"] for key in values})
    return made
