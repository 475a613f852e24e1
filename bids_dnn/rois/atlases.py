"""Labels of an atlas -> places, whatever kind of file the atlas is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bids_dnn import imaging
from bids_dnn.containers.space import (
    HEMISPHERES,
    Grayordinates,
    Grid,
    Hemisphere,
    Space,
    Surface,
)
from bids_dnn.errors import ConfigError, SpaceError, UnreadableError, nearest
from bids_dnn.rois.atlas_files import AtlasFiles, find_atlas, freesurfer_atlas
from bids_dnn.rois.build import hemisphere, midline_doubt
from bids_dnn.rois.places import (
    NOTHING,
    hemisphere_files,
    mesh_size,
    read_places,
    read_vertices,
    spread,
)
from bids_dnn.rois.rule import Term

NESTED = re.compile(r"fsaverage[3-6]")  # their vertices are the first ones of fsaverage
N_FSAVERAGE = 163_842
IN_VOLUMES = {"aparc": "aparcaseg"}  # what fMRIPrep calls FreeSurfer's labels of voxels
WANG15 = (  # labels 1 to 25, Wang et al. (2015), Cereb. Cortex 25:3911, doi:10.1093/cercor/bhu277
    *("V1v", "V1d", "V2v", "V2d", "V3v", "V3d", "hV4", "VO1", "VO2", "PHC1", "PHC2", "MST", "hMT"),
    *("LO2", "LO1", "V3b", "V3a", "IPS0", "IPS1", "IPS2", "IPS3", "IPS4", "IPS5", "SPL1", "FEF"),
)
BACKGROUND = ("background", "outside", "none")
SIDE = r"(?:lh|rh|l|r|left|right)"
MARK = re.compile(rf"(?:^|[-_.])({SIDE})(?=[-_.]|$)", re.IGNORECASE)
MARKS = re.compile(rf"^(?:ctx[-_])?{SIDE}[-_.]|[-_.]{SIDE}$|_ROI$", re.IGNORECASE)


def atlas_of(
    term: Term,
    *,
    space: str,
    participant: str,
    roots: Sequence[Path],
    freesurfer: Path | None,
) -> tuple[AtlasFiles, list[str]]:
    """Return the files and the labels that a term of an atlas means; nothing is read.

    Parameters
    ----------
    term
        Of the kinds ``atlas`` (``NAME:LABEL``), ``annot`` (``NAME:LABEL``), ``aparc``,
        ``aparc.a2009s``, ``aparc.DKTatlas`` or ``wang15`` (``LABEL``); labels are joined by +.
    space
        BIDS label of the space of the responses.
    participant
        Label, without ``sub-``.
    roots
        Folders of derivatives, and of TemplateFlow's template where it is to be looked at.
    freesurfer
        The participant's FreeSurfer folder; None where there is none.

    Raises
    ------
    ConfigError
        If ``atlas`` or ``annot`` has no label.
    SpaceError
        If FreeSurfer has this annotation for vertices only, and the responses are voxels.
    MissingInputError
        If the files are not there.
    """
    name, colon, labels = term.argument.partition(":")
    if term.kind not in ("atlas", "annot"):
        name, labels = term.kind, term.argument
    elif not (colon and labels):
        raise ConfigError(
            f"{term} names no label.", mend=f"Write {term.kind}:{name}:LABEL, such as V1."
        )
    is_surface = space.startswith("fs") and not space.startswith("fsLR")
    if term.kind == "atlas" or (term.kind == "wang15" and not is_surface):
        files = find_atlas(name, roots, participant, space, entities=term.options)
    elif is_surface:
        files = freesurfer_atlas(name, freesurfer=_there(freesurfer, term), space=space)
    elif name in IN_VOLUMES and not space.startswith("fsLR"):
        files = find_atlas(IN_VOLUMES[name], roots, participant, space)
    else:
        raise SpaceError(
            f"{term} is an annotation of FreeSurfer's surface, the responses lie in {space}.",
            mend="Analyze with --space fsnative, or give an atlas of this space: atlas:NAME:LABEL",
        )
    return files, [labels]


def atlas_places(
    files: AtlasFiles, labels: Iterable[str], space: Space, *, side: Hemisphere | None
) -> tuple[NDArray[np.bool_], list[str]]:
    """Mark the places of a space that have one of the labels.

    Parameters
    ----------
    files
        Of the atlas, in the space of the responses.
    labels
        Names, or numbers; several in one text are joined by +. Where no label has a name, those
        are taken that differ from it by the mark of a hemisphere alone: ``fusiform`` means
        ``ctx-lh-fusiform`` and ``ctx-rh-fusiform``.
    space
        Of the responses.
    side
        Hemisphere, None = both. In volumes a label is of the side that its name says, wherever
        the middle of the head is; one that says none is cut by `build.hemisphere`.

    Returns
    -------
    mask : (n_places,) bool
    warnings
        A sentence each: the atlas was resampled, say.

    Raises
    ------
    ConfigError
        If the atlas has no such label; offers the nearest.
    SpaceError
        If the atlas lies on another mesh or is of another kind.
    MissingInputError, UnreadableError
        If a file is not there or damaged, or a TSV lacks `index` or `name`.
    """
    parts = []
    warnings: list[str] = []
    for values, names, said in _parts(files, space):
        parts.append((values, names))
        warnings += said
    known = {name for _, names in parts for name in names.values()}
    keys = {key for _, names in parts for key in names}
    wanted = [one for text in labels for one in _matched(text, known, keys, files.name)]
    mask = np.zeros(space.n_places, dtype=bool)
    for values, names in parts:
        chosen = {key: name for key, name in names.items() if name in wanted or key in wanted}
        mask |= _on_side(values, chosen, space, side)
        if side is not None and (unsaid := [n for n in chosen.values() if not _side_of(n)]):
            warnings += midline_doubt(space, f"{files.name}:{unsaid[0]}")
    return mask, warnings


def atlas_names(files: AtlasFiles, space: Space) -> tuple[NDArray[np.object_], list[str]]:
    """Return what an atlas calls each place of a space.

    Parameters
    ----------
    files
        Of the atlas.
    space
        Of the units.

    Returns
    -------
    names : (n_places,) str
        "" where the atlas has no label, or one that means nothing (``unknown``, ``???``).
    warnings
        A sentence each: the atlas was resampled, say.

    Raises
    ------
    SpaceError
        If the atlas lies on another mesh or is of another kind.
    MissingInputError, UnreadableError
        If a file is not there or damaged, or a TSV lacks `index` or `name`.
    """
    out = np.full(space.n_places, "", dtype=object)
    warnings: list[str] = []
    for values, names, said in _parts(files, space):
        for key, name in names.items():
            if name.casefold() not in (*NOTHING, *BACKGROUND):
                out[values == key] = name
        warnings += said
    return out, warnings


def check_labels(files: AtlasFiles, labels: Iterable[str]) -> None:
    """Refuse labels that an atlas does not name, as far as that is known without its volumes.

    Raises
    ------
    ConfigError
        If the atlas has no such label; offers the nearest.
    MissingInputError, UnreadableError
        If a file of labels is not there or damaged.
    """
    ends = (".label.gii", ".annot")
    told = [imaging.read_labels(path)[1] for path in files.images if path.name.endswith(ends)]
    if files.table is not None and not any(len(names) > 1 for names in told):
        told = [read_names(files.table)]
    known = {name for names in told for name in names.values()}
    for text in labels if known else ():
        _matched(text, known, {key for names in told for key in names}, files.name)


def read_names(table: Path) -> dict[int, str]:
    """Return the names of an atlas's labels from its TSV.

    Raises
    ------
    MissingInputError
        If the file is not there or was not fetched.
    UnreadableError
        If it lacks `index` or `name`, or an index is no whole number or stands twice.
    """
    imaging.require_file(table)
    with imaging.whole(table):
        rows = pd.read_csv(table, sep="\t", dtype=str, keep_default_na=False)
    if missing := sorted({"index", "name"} - set(rows.columns)):
        raise UnreadableError(
            f"{table} lacks the column(s) {missing}; it has {list(rows.columns)[:8]}.",
            mend="Name the columns of the labels' numbers and names index and name.",
        )
    index = pd.to_numeric(rows["index"], errors="coerce")
    wrong = index.isna() | (index % 1 != 0) | index.duplicated()
    if wrong.any():
        raise UnreadableError(
            f"{table} has the index {rows['index'][wrong].iloc[0]!r}, which is no whole number or "
            "stands twice.",
            mend="Give each label one row with a number of its own.",
        )
    return dict(zip(index.astype(int).tolist(), rows["name"].tolist(), strict=True))


def _parts(
    files: AtlasFiles, space: Space
) -> Iterator[tuple[NDArray[np.float64], dict[int, str], list[str]]]:
    """Give the labels of all places, what they are called, and warnings, file by file."""
    told = None if files.table is None else read_names(files.table)
    image = files.images[0]
    if isinstance(space, Grid):
        values, said = read_places(image, space=space)
        yield values, _named(told, values, files), said
    elif isinstance(space, Grayordinates) and image.name.endswith(".dlabel.nii"):
        _, names = imaging.read_cifti_labels(image)
        values, said = read_places(image, space=space)
        yield values, names, said
    elif isinstance(space, Surface | Grayordinates):
        yield from _meshes(files, told, space)
    else:
        raise SpaceError(
            f"The atlas {files.name!r} is an image, but the units are the {space.describe()}.",
            mend="Name the channels by their area: area:NAME.",
        )


def _meshes(
    files: AtlasFiles, told: dict[int, str] | None, space: Surface | Grayordinates
) -> Iterator[tuple[NDArray[np.float64], dict[int, str], list[str]]]:
    for path in files.images:
        sides, said = hemisphere_files(path, space)
        for side in (h for h in HEMISPHERES if h in sides and mesh_size(space, h)):
            n = mesh_size(space, side)
            if path.name.endswith((".label.gii", ".annot")):
                whole, names = imaging.read_labels(path)
                values = whole.astype(np.float64)
                names = told if told and len(names) < 2 else names
            else:
                values = read_vertices(path, n_vertices=n)
                names = _named(told, values, files)
            if NESTED.fullmatch(space.name) and len(values) == N_FSAVERAGE:
                values = values[:n]
            yield spread({side: values}, space, files={side: path}), names, said


def _on_side(
    values: NDArray[np.float64], chosen: Mapping[int, str], space: Space, side: Hemisphere | None
) -> NDArray[np.bool_]:
    """Mark the places (n_places,) whose label is chosen and lies in a hemisphere."""
    if side is None:
        return np.isin(values, list(chosen))
    if not isinstance(space, Grid):
        return hemisphere(np.isin(values, list(chosen)), space, side)
    said = {key: _side_of(name) for key, name in chosen.items()}
    sided = np.isin(values, [key for key, one in said.items() if one == side])
    neither = np.isin(values, [key for key, one in said.items() if one == ""])
    return sided | hemisphere(neither, space, side)


def _side_of(name: str) -> str:
    found = MARK.search(name)
    return "" if found is None else found[1][0].upper()


def _named(
    told: dict[int, str] | None, values: NDArray[np.float64], files: AtlasFiles
) -> dict[int, str]:
    """Return names by label: of the TSV, of Wang's list, or the numbers themselves."""
    if told is not None:
        return told
    if "wang15" in files.name.casefold():
        return dict(enumerate(WANG15, start=1))
    there = np.unique(values[np.isfinite(values) & (values > 0)]).astype(int)
    return {key: str(key) for key in there.tolist()}


def _matched(text: str, known: Iterable[str], keys: Iterable[int], atlas: str) -> list[str | int]:
    """Return the names, or the number, that one text means."""
    names = set(known)
    if text in names:
        return [text]
    bare: dict[str, list[str | int]] = {}
    for name in sorted(names):
        bare.setdefault(_bare(name), []).append(name)
    found: list[str | int] = []
    for word in text.split("+"):
        label = word.strip()
        if label in names:
            found.append(label)
        elif label in bare:
            found += bare[label]
        elif label.isdecimal() and int(label) in set(keys):
            found.append(int(label))
        else:
            raise ConfigError(
                f"The atlas {atlas!r} has no label {label!r}.",
                mend=nearest(label, names | set(bare)),
            )
    return found


def _bare(name: str) -> str:
    """Return a name without what marks its hemisphere, and without ``_ROI``."""
    before = ""
    while before != name:
        before, name = name, MARKS.sub("", name)
    return name


def _there(freesurfer: Path | None, term: Term) -> Path:
    if freesurfer is None:
        raise ConfigError(
            f"{term} needs the participant's FreeSurfer folder, and none was found.",
            mend="Give it: --fs-subjects-dir SUBJECTS_DIR",
        )
    return freesurfer
