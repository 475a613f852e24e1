"""BIDS derivatives of bids_dnn back to containers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bids_dnn.containers.result import Result, StatMap
from bids_dnn.containers.roi import Roi
from bids_dnn.containers.space import Space
from bids_dnn.derivatives import names
from bids_dnn.derivatives.extras import read_arrays
from bids_dnn.derivatives.places import read_places, read_values
from bids_dnn.derivatives.provenance import OUTPUTS
from bids_dnn.derivatives.write import PROMOTED
from bids_dnn.errors import MissingInputError, UnreadableError
from bids_dnn.files import fingerprint, read_json

RERUN = "Run that participant and analysis again; what is complete is not computed twice."


def read_result(table_path: Path) -> Result:
    """Return the result that a ``*_scores.tsv`` and its sidecar stand for.

    Parameters
    ----------
    table_path
        The main table of the analysis.

    Returns
    -------
    result
        As it was written; numbers to nine digits. Units come in the order of the places of
        their space.

    Raises
    ------
    MissingInputError
        If there is no such table.
    UnreadableError
        If the sidecar is absent or no JSON, or a file is absent or not what was written.
    """
    if not table_path.is_file():
        raise MissingInputError(f"There is no table {table_path}.", mend=RERUN)
    facts = read_sidecar(table_path)
    folder = table_path.parent
    for name, made in facts[OUTPUTS].items():
        _check(folder / name, made)

    extras = {name: _table(folder / file) for name, file in facts["Tables"].items()}
    table = _table(table_path, facts)
    space = None
    if facts["Units"]:
        label = names.entities_of(table_path)["space"]
        space = read_places([folder / name for name in facts["Units"]], name=label)
    return Result(
        analysis=facts["Analysis"],
        table=table,
        columns=_columns(facts, table),
        maps=tuple(_map(folder, entry, space) for entry in facts["Maps"] if space is not None),
        space=space,
        meta=facts["Facts"]
        | {key: facts[name] for key, name in PROMOTED.items() if name in facts},
        extras=extras,
        extra_columns={
            name: _columns(read_json(names.sidecar_of(folder / file)), extras[name])
            for name, file in facts["Tables"].items()
        },
        arrays=read_arrays(folder, facts.get("Arrays", {})),
    )


def read_sidecar(table_path: Path) -> dict[str, Any]:
    """Return the sidecar of a table, checked for the fields that each of ours has.

    Parameters
    ----------
    table_path
        The main table of the analysis.

    Returns
    -------
    facts

    Raises
    ------
    UnreadableError
        If the sidecar is absent, no JSON, or lacks one of the fields.
    """
    path = names.sidecar_of(table_path)
    if not path.is_file():
        raise UnreadableError(
            f"{table_path} has no sidecar {path.name}, so it was not finished.", mend=RERUN
        )
    try:
        facts = read_json(path)
    except ValueError as err:
        raise UnreadableError(f"{path} is not JSON ({err}).", mend=RERUN) from err
    needed = {"Analysis", "Facts", "Maps", "Tables", "Units", OUTPUTS}
    if missing := sorted(needed - set(facts if isinstance(facts, dict) else ())):
        raise UnreadableError(f"{path} lacks the fields {missing}.", mend=RERUN)
    found: dict[str, Any] = facts
    return found


def participants_with(out_dir: Path, analysis: str) -> dict[str, tuple[Path, ...]]:
    """Return the finished tables of an analysis by participant.

    Parameters
    ----------
    out_dir
        Root of the output data set.
    analysis
        Its name, such as ``decode``.

    Returns
    -------
    tables
        Sorted by participant; a participant has one table for each task and space. A table
        without its sidecar was not finished and is not among them.
    """
    found: dict[str, tuple[Path, ...]] = {}
    for path in sorted(out_dir.glob(f"sub-*/func/sub-*_desc-{analysis}_scores.tsv")):
        if names.sidecar_of(path).is_file():
            label = names.entities_of(path)["participant"]
            found[label] = (*found.get(label, ()), path)
    return found


def region_files(out_dir: Path, *, participant: str, space: str, region: str) -> tuple[Path, ...]:
    """Return the files of a region, whatever kind of space it lies in.

    Parameters
    ----------
    out_dir
        Root of the output data set.
    participant, space
        Labels.
    region
        Its name, or the label made of it.

    Returns
    -------
    paths
        Sorted; empty where the region was not written, or a file of it is gone or of another
        size than its sidecar says.
    """
    label = names.label_of(region)
    first = names.path_of(out_dir, "region", participant=participant, space=space, region=label)
    for path in sorted(first.parent.glob(f"sub-{participant}_*_label-{label}_*.json")):
        found = names.entities_of(path)
        facts = _json(path)
        if found.get("space") == space and found["suffix"] in ("mask", "units") and facts:
            outputs: dict[str, Any] = facts.get(OUTPUTS, {})
            paths = [path.parent / name for name in sorted(outputs)]
            sizes = [outputs[made.name].get("Size") for made in paths]
            is_whole = all(
                made.is_file() and made.stat().st_size == size
                for made, size in zip(paths, sizes, strict=True)
            )
            return tuple(paths) if is_whole else ()
    return ()


def regions_of(out_dir: Path, *, participant: str, space: str) -> dict[str, tuple[Path, ...]]:
    """Return the files of each whole region of a participant in a space, by its name.

    Parameters
    ----------
    out_dir
        Root of the output data set.
    participant, space
        Labels.
    """
    found: dict[str, tuple[Path, ...]] = {}
    folder = out_dir / f"sub-{participant}" / "anat"
    for path in sorted(folder.glob(f"sub-{participant}_*space-{space}_*label-*.json")):
        name = str(_json(path).get("Region", ""))
        if name and name not in found:
            paths = region_files(out_dir, participant=participant, space=space, region=name)
            found |= {name: paths} if paths else {}
    return found


def _json(path: Path) -> dict[str, Any]:
    try:
        found = read_json(path)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def read_region(out_dir: Path, *, participant: str, space: str, region: str) -> Roi:
    """Return a region as it was written, on any kind of space.

    Parameters
    ----------
    out_dir
        Root of the output data set.
    participant, space
        Labels.
    region
        Its name, or the label made of it.

    Raises
    ------
    MissingInputError
        If the region was not written, or a file of it is gone or of another size.
    UnreadableError
        If a file is of another kind.
    """
    paths = region_files(out_dir, participant=participant, space=space, region=region)
    if not paths:
        raise MissingInputError(
            f"There is no whole region {region!r} of sub-{participant} in space {space} below "
            f"{out_dir}.",
            mend=RERUN,
        )
    facts = _json(names.sidecar_of(paths[0]))
    return Roi(
        name=facts["Region"],
        space=read_places(paths, name=space),
        source=facts["Origin"],
        n_before=facts["NumberOfUnitsBefore"],
    )


def _check(path: Path, made: dict[str, Any]) -> None:
    if not path.is_file():
        raise UnreadableError(f"{path} was written, but is not there.", mend=RERUN)
    size = path.stat().st_size
    if size != made["Size"] or fingerprint(path) != made["SHA256"]:
        raise UnreadableError(
            f"{path} is not what was written ({size} bytes, {made['Size']} expected).", mend=RERUN
        )


def _columns(facts: dict[str, Any], table: pd.DataFrame) -> dict[str, str]:
    return {name: facts[name]["Description"] for name in map(str, table.columns)}


def _table(path: Path, facts: dict[str, Any] | None = None) -> pd.DataFrame:
    described = read_json(names.sidecar_of(path)) if facts is None else facts
    raw = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
    return pd.DataFrame(
        {name: _column(raw[name], described[name]["Format"]) for name in raw.columns}
    )


def _column(texts: pd.Series[str], kind: str) -> pd.Series[Any]:
    if kind == "string":
        return texts.replace("n/a", "").astype(object)
    if kind == "boolean":
        return texts == "true"
    if kind == "integer" and not (texts == "n/a").any():
        return texts.astype(np.int64)
    return texts.replace("n/a", "nan").astype(np.float64)


def _map(folder: Path, entry: dict[str, Any], space: Space) -> StatMap:
    paths = [folder / name for name in entry["Paths"]]
    values = read_values(paths, space, column=entry.get("Column", ""))
    return StatMap(entry["Statistic"], values, entry["Model"], entry["Description"])
