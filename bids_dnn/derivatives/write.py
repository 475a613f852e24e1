"""Containers to BIDS derivatives: each file whole, the sidecar of the table last."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bids_dnn.containers.result import Result
from bids_dnn.containers.roi import Roi
from bids_dnn.containers.space import Channels, Space
from bids_dnn.derivatives import names, places
from bids_dnn.derivatives.extras import write_extras
from bids_dnn.derivatives.provenance import OUTPUTS
from bids_dnn.derivatives.tables import describe, table_text
from bids_dnn.errors import UnreadableError
from bids_dnn.files import fingerprint, json_text, read_json, write_json, write_text

BIDS_VERSION = "1.11.1"
ORIGINAL = "The {what} of the responses, in the participant's own space as the source has it."
PLACES = {"voxel": "grid", "vertex": "meshes", "grayordinate": "grayordinates", "channel": "units"}
# Facts of an analysis that have a place of their own in the sidecar; read.py turns them back.
PROMOTED = {
    "chance": "ChanceLevel",
    "folds": "FoldScheme",
    "n_permutations": "NumberOfPermutations",
    "p_floor": "SmallestPossibleP",
    "seed": "RandomSeed",
    "networks": "Networks",
    "weights_sha256": "WeightsSHA256",
    "warnings": "Warnings",
}
HALF_WRITTEN = re.compile(r"^\.[0-9a-f]{12}\.")  # how files.writing names what is not done
README = """\
Output of bids_dnn
==================

This data set was written by bids_dnn, a BIDS App that relates deep networks to brain data.
Open sub-*.html (one page a participant) and group.html in a browser; they need no network.

Tables are sub-*/func/*_scores.tsv and group/*_scores.tsv, one row an observation; the JSON file
of the same name describes each column and says from what the table was made. Maps are
sub-*/func/*_statmap.nii.gz (.shape.gii on surfaces, .dscalar.nii of grayordinates, columns of
*_units.tsv of channels), regions sub-*/anat/*_mask.nii.gz (.label.gii, .dlabel.nii, *_units.tsv).
Each run keeps its settings under logs/. Files named in .bidsignore have names for which BIDS has
no rule yet.
"""


def write_dataset(
    out_dir: Path,
    *,
    version: str,
    sources: Mapping[str, Path],
    code_url: str = "",
    environ: Mapping[str, str] | None = None,
) -> list[Path]:
    """Say at the root of the output what it is, and from which data sets it comes.

    Parameters
    ----------
    out_dir
        Root of the output data set.
    version
        Of bids_dnn.
    sources
        Root of each data set by the name that BIDS URIs use for it, such as ``raw``.
    code_url
        Where this version's code is found; left out where empty.
    environ
        Where the container is named (``BIDS_DNN_DOCKER_TAG``, ``BIDS_DNN_SINGULARITY_URL``);
        the process's own environment by default.

    Returns
    -------
    paths
        ``dataset_description.json``, ``.bidsignore`` and ``README``; one that already says
        the same is left as it is.

    Raises
    ------
    OutputError
        If the disk is full, or the folder cannot be written.
    """
    made_by: dict[str, Any] = {"Name": "bids_dnn", "Version": version}
    if code_url:
        made_by["CodeURL"] = code_url
    if container := container_of(os.environ if environ is None else environ):
        made_by["Container"] = container
    links = {name: path.absolute().as_uri() for name, path in sorted(sources.items())}
    description = {
        "Name": "bids_dnn: deep networks and brain data",
        "BIDSVersion": BIDS_VERSION,
        "DatasetType": "derivative",
        "GeneratedBy": [made_by],
        "SourceDatasets": [_source(sources[name], links[name]) for name in links],
        "DatasetLinks": links,
    }
    if authors := _authors(sources):
        description["Authors"] = authors
    texts = {
        names.path_of(out_dir, "description"): json_text(description),
        out_dir / ".bidsignore": "".join(f"{line}\n" for line in names.BIDSIGNORE),
        names.path_of(out_dir, "readme"): README,
    }
    _write_changed(texts)
    return list(texts)


def write_participants(
    out_dir: Path, *, bids_dir: Path, participants: Sequence[str]
) -> list[Path]:
    """Write ``participants.tsv`` and its description, as the input has them where it has.

    Parameters
    ----------
    out_dir
        Root of the output data set.
    bids_dir
        Root of the input data set, whose ``participants.tsv`` is taken over.
    participants
        Labels without ``sub-``; those that the input's table lacks (as ready-made responses have
        their own) are added, with ``n/a`` for what is not known of them.

    Returns
    -------
    paths
        ``participants.tsv`` and ``participants.json``; one that already says the same is left
        as it is.

    Raises
    ------
    UnreadableError
        If ``participants.json`` is no JSON.
    OutputError
        If the disk is full, or the folder cannot be written.
    """
    given = names.path_of(bids_dir, "participants")
    described = names.sidecar_of(given)
    rows = "".join(f"sub-{label}\n" for label in sorted(set(participants)))
    text = given.read_text("utf-8-sig") if given.is_file() else ""
    text = text if text.strip() else f"participant_id\n{rows}"
    facts = _description_of(described)
    columns = text.splitlines()[0].split("\t")
    listed = {line.split("\t")[0] for line in text.splitlines()[1:]}
    absent = sorted({f"sub-{label}" for label in participants} - listed)
    unknown = "".join("\t" + "n/a" for _ in columns[1:])
    text = text.rstrip("\n") + "\n" + "".join(f"{label}{unknown}\n" for label in absent)
    words = {name: {"Description": f"{name}, as in the input."} for name in columns}
    table = names.path_of(out_dir, "participants")
    said = {"Description": "Participants of the input data set."} | words | facts
    texts = {table: text, names.sidecar_of(table): json_text(said)}
    _write_changed(texts)
    return list(texts)


def _description_of(sidecar: Path) -> dict[str, Any]:
    if not sidecar.is_file():
        return {}
    try:
        found: dict[str, Any] = read_json(sidecar)
    except ValueError as err:
        raise UnreadableError(f"{sidecar} is not JSON ({err}).", mend="Mend that file.") from err
    return found


def _write_changed(texts: dict[Path, str]) -> None:
    for path, text in texts.items():
        if not path.is_file() or path.read_bytes() != text.encode():
            write_text(path, text)


def container_of(environ: Mapping[str, str]) -> dict[str, str]:
    """Return what ``GeneratedBy`` says of the container, empty where there is none.

    Examples
    --------
    >>> container_of({"BIDS_DNN_DOCKER_TAG": "bids_dnn:0.1.0"})
    {'Type': 'docker', 'Tag': 'bids_dnn:0.1.0'}
    """
    if tag := environ.get("BIDS_DNN_DOCKER_TAG"):
        return {"Type": "docker", "Tag": tag}
    if url := environ.get("BIDS_DNN_SINGULARITY_URL"):
        return {"Type": "singularity", "URI": url}
    return {}


def _description(folder: Path) -> dict[str, Any]:
    path = names.path_of(folder, "description")
    facts: dict[str, Any] = read_json(path) if path.is_file() else {}
    return facts


def _authors(sources: Mapping[str, Path]) -> list[str]:
    """Return the authors of the input data sets, each once, in their order."""
    found = [
        name for key in sorted(sources) for name in _description(sources[key]).get("Authors", [])
    ]
    return list(dict.fromkeys(found))


def _source(folder: Path, url: str) -> dict[str, str]:
    facts = _description(folder)
    made_by = facts.get("GeneratedBy") or [{}]
    found = {"DOI": facts.get("DatasetDOI"), "Version": made_by[0].get("Version")}
    return {"URL": url} | {key: str(value) for key, value in found.items() if value}


def write_result(
    result: Result, out_dir: Path, *, entities: dict[str, str], sidecar: dict[str, Any]
) -> list[Path]:
    """Write a result: tables, arrays, maps, their places; the sidecar of its table last.

    An older result under the same name is taken away first, so that a sidecar always stands
    for files that belong to it.

    Parameters
    ----------
    result
        Of one participant, or of the group.
    out_dir
        Root of the output data set.
    entities
        ``participant`` (absent for the group), ``task`` and ``space``.
    sidecar
        Further fields: ``Sources`` (BIDS URIs), ``SpatialReference``, ``Fingerprint`` ...

    Returns
    -------
    paths
        All that was written; the last one is the sidecar of the table.

    Raises
    ------
    ConfigError
        If an entity is missing or holds a character that BIDS does not allow.
    OutputError
        If the disk is full, or the folder cannot be written.
    """
    given = entities | {"analysis": result.analysis}
    kind = "scores" if entities.get("participant") else "group_scores"
    table = names.path_of(out_dir, kind, **given)
    last = names.sidecar_of(table)
    last.unlink(missing_ok=True)
    promoted = {PROMOTED[k]: v for k, v in result.meta.items() if k in PROMOTED}
    shared = promoted | _shared(entities["space"], sidecar, result.space)

    written = [write_text(table, table_text(result.table))]
    further, paths = write_extras(result, out_dir, kind, entities=given, shared=shared)
    facts: dict[str, Any] = {"Maps": [], "Units": []} | further
    written += paths
    if result.maps and result.space is not None:
        made, paths = _write_maps(result, result.space, out_dir, entities=given, shared=shared)
        facts |= made
        written += paths

    for path in _belonging(table) - set(written):
        path.unlink(missing_ok=True)
    fields = describe(result.table, result.columns) | _facts(result) | facts | sidecar
    written.append(write_json(last, fields | {OUTPUTS: _outputs(written)}))
    return written


def write_region(
    roi: Roi, out_dir: Path, *, entities: dict[str, str], sidecar: dict[str, Any]
) -> list[Path]:
    """Write a region as a mask, labels of vertices or a table of units; its sidecars last.

    Parameters
    ----------
    roi
        Its space and name are in the file names.
    out_dir
        Root of the output data set.
    entities
        ``participant``.
    sidecar
        Further fields: ``Sources``, ``SpatialReference`` ...

    Returns
    -------
    paths
        The files (two on a surface), and the sidecar of each after them.

    Raises
    ------
    ConfigError
        If an entity is missing or holds a character that BIDS does not allow.
    OutputError
        If the disk is full, or the folder cannot be written.
    """
    given = entities | {"space": roi.space.name, "region": names.label_of(roi.name)}
    given.pop("task", None)
    paths = places.paths_of(out_dir, "region", roi.space, **given)
    unit = roi.space.unit
    for path in paths:
        names.sidecar_of(path).unlink(missing_ok=True)
    places.write_places(paths, roi.space)
    facts = {
        "Description": f"Each {unit} of region {roi.name} that was analyzed.",
        "Type": "ROI",
        "Region": roi.name,
        "Origin": roi.source,
        "UnitType": unit,
        "NumberOfUnits": len(roi.space),
        "NumberOfUnitsBefore": roi.n_before,
        OUTPUTS: _outputs(paths),
    }
    if isinstance(roi.space, Channels):
        facts |= describe(places.channel_table(roi.space), places.UNIT_COLUMNS)
    fields = facts | _shared(roi.space.name, sidecar, roi.space) | sidecar
    return [*paths, *(write_json(names.sidecar_of(path), fields) for path in paths)]


def _outputs(paths: Iterable[Path]) -> dict[str, dict[str, Any]]:
    return {p.name: {"SHA256": fingerprint(p), "Size": p.stat().st_size} for p in paths}


def _facts(result: Result) -> dict[str, Any]:
    own = {PROMOTED[key]: value for key, value in result.meta.items() if key in PROMOTED}
    rest = {key: value for key, value in result.meta.items() if key not in PROMOTED}
    return {"Analysis": result.analysis, "Facts": rest} | own


def _shared(label: str, sidecar: dict[str, Any], space: Space | None) -> dict[str, Any]:
    passed_on = ("Sources", "SpatialReference", "GeneratedBy", "Settings", "RandomSeed")
    fields: dict[str, Any] = {key: sidecar[key] for key in passed_on if key in sidecar}
    if names.needs_reference(label):
        what = PLACES["voxel" if space is None else space.unit]
        fields.setdefault("SpatialReference", ORIGINAL.format(what=what))
    return fields if space is None else fields | places.extra_fields(space)


def _write_maps(
    result: Result,
    space: Space,
    out_dir: Path,
    *,
    entities: dict[str, str],
    shared: dict[str, Any],
) -> tuple[dict[str, Any], list[Path]]:
    """Write maps and the places of their units; return what the sidecar says of them."""
    whose = "" if entities.get("participant") else "group_"
    units = places.paths_of(out_dir, f"{whose}units", space, **entities)
    if isinstance(space, Channels):
        return _write_channels(result, space, units[0], shared)
    said = {"Description": f"Each {space.unit} for which the maps hold a value.", "Type": "ROI"}
    places.write_places(units, space)
    written = _with_sidecars(units, said | shared)
    entries = []
    for made in result.maps:
        paths = places.paths_of(
            out_dir, f"{whose}statmap", space, **entities, stat=made.stat, model=made.model
        )
        places.write_values(paths, made.values, space, name=places.column_of(made))
        entry = {"Statistic": made.stat, "Model": made.model, "Description": made.description}
        written += _with_sidecars(paths, entry | shared)
        entries.append(entry | {"Paths": [path.name for path in paths]})
    return {"Units": [path.name for path in units], "Maps": entries}, written


def _write_channels(
    result: Result, space: Channels, path: Path, shared: dict[str, Any]
) -> tuple[dict[str, Any], list[Path]]:
    table = places.channel_table(space, result.maps)
    words = {places.column_of(made): made.description for made in result.maps}
    said = describe(table, places.UNIT_COLUMNS | words) | shared
    written = [write_text(path, table_text(table)), write_json(names.sidecar_of(path), said)]
    entries = [
        {"Statistic": made.stat, "Model": made.model, "Description": made.description}
        | {"Paths": [path.name], "Column": places.column_of(made)}
        for made in result.maps
    ]
    return {"Units": [path.name], "Maps": entries}, written


def _with_sidecars(paths: Iterable[Path], said: dict[str, Any]) -> list[Path]:
    made = list(paths)
    return made + [write_json(names.sidecar_of(path), said) for path in made]


def _belonging(table: Path) -> set[Path]:
    """Return all files of this analysis beside its table, half-written ones among them.

    Further tables are named by a capital after the analysis, so no analysis may be named so.
    """
    own = names.entities_of(table)
    same = ("participant", "task", "space")
    found = set()
    for path in table.parent.iterdir():
        other = names.entities_of(Path(HALF_WRITTEN.sub("", path.name)))
        rest = other.get("desc", "").removeprefix(own["desc"])
        is_own = other.get("desc", "").startswith(own["desc"]) and not rest[:1].islower()
        if is_own and all(own.get(key) == other.get(key) for key in same):
            found.add(path)
    return found
