"""What is said of each stimulus: captions from tables and from COCO's annotations."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from bids_dnn.errors import MissingInputError, UnreadableError
from bids_dnn.files import fingerprint_of
from bids_dnn.stimuli import catalog
from bids_dnn.stimuli.described import FILE, IDS
from bids_dnn.stimuli.rows import column_of, read_rows, read_text

TABLES = (".tsv", ".csv", ".txt")
NAMES = (*IDS, FILE, "file_name", "image_id")  # columns that name stimuli
CAPTION = "caption"  # begins the names of columns that hold captions
COCO_COLUMNS = ("coco_id", "cocoid")  # of a table of stimuli, in any case
COCO_NUMBER = re.compile(r"(?:.*_)?(\d{12})|(\d{1,18})")  # COCO_val2014_000000000042, 42
N_DIGITS = 12  # of COCO's file names


@dataclass(frozen=True, slots=True)
class Captions:
    """Captions of stimuli, and what found no partner.

    Parameters
    ----------
    texts
        Stimulus id to its captions, in the order of `catalog.resolve`'s ids; each id has one or
        more, and blanks in a caption are single.
    without
        Stimuli without a caption, sorted.
    notes
        Sentences for the log and the report; where some have no caption, the first says so.
    """

    texts: dict[str, tuple[str, ...]]
    without: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Said:
    """Captions by the keys of a file, and the name behind each; `n_blank` captions are empty."""

    texts: dict[str, list[str]]
    names: dict[str, str]
    n_blank: int
    blank: str


def find_captions(
    path: Path,
    stimuli: Collection[str],
    aliases: Mapping[str, Collection[str]] | None = None,
) -> Captions:
    """Read the captions of stimuli, and say what found no partner.

    Parameters
    ----------
    path
        A table (``.tsv``, ``.csv``) with a column ``stimulus``, ``stimulus_id`` or ``stim_file``
        and one or more columns whose names begin with ``caption``, in one or several rows for
        each stimulus; or COCO's annotations (``captions_*.json``: ``images`` with ``id`` and
        ``file_name``, ``annotations`` with ``image_id`` and ``caption``), or the list of
        ``image_id`` and ``caption`` that captioners write.
    stimuli
        Their ids. Names in the file are resolved as `catalog.resolve` does; those of COCO by the
        file name, else by the number of the image (``42`` and ``000000000042.jpg``, with any
        suffix, and ``COCO_val2014_`` before it).
    aliases
        Other names of stimuli, such as `table.Stimuli.aliases` and `coco_names`.

    Returns
    -------
    captions
        In the order of the rows and columns; of COCO, in the order of the annotations' ids.

    Raises
    ------
    MissingInputError
        If the file, a column or a key is not there, or no stimulus has a caption.
    UnreadableError
        If the file is neither, or damaged.
    """
    suffix = path.suffix.lower()
    known = {} if aliases is None else aliases
    if suffix == ".json":
        said = _coco(path)
    elif suffix in TABLES:
        said = _rows(path)
    else:
        raise UnreadableError(
            f"{path} ends in {suffix!r}; captions are read from {', '.join(TABLES)} and .json.",
            mend="Give a table of captions, or COCO's captions_*.json.",
        )
    ids = catalog.resolve(set(said.names.values()), stimuli, known)
    numbers = _numbers(stimuli, known) if suffix == ".json" else {}
    texts: dict[str, tuple[str, ...]] = {}
    unknown: list[str] = []
    for key, captions in said.texts.items():
        owner = ids.get(said.names[key]) or _only(numbers, key)
        if owner and captions:
            texts[owner] = (*texts.get(owner, ()), *captions)
        elif not owner:
            unknown.append(said.names[key])
    if stimuli and not texts:
        _refuse_none(path, said, stimuli)
    without = tuple(sorted(set(stimuli) - set(texts)))
    doubtful = catalog.ambiguous(unknown, stimuli, known)
    strange = [name for name in unknown if name not in doubtful]
    notes = (
        *_without_note(path, without, len(stimuli)),
        *_notes(path, strange, doubtful, said),
    )
    return Captions(dict(sorted(texts.items())), without, notes)


def of_table(table: pd.DataFrame) -> dict[str, tuple[str, ...]]:
    """Return the captions that a table of stimuli holds.

    Parameters
    ----------
    table
        As `table.read_stimuli` gives it: index = ids, columns ``caption*``.

    Returns
    -------
    captions
        Stimulus id to its captions, in the order of the columns, sorted by id. Stimuli without a
        caption are not in it.

    Examples
    --------
    >>> of_table(pd.DataFrame({"caption": ["A  cat.", ""]}, index=["a.png", "b.png"]))
    {'a.png': ('A cat.',)}
    """
    columns = [table[name].fillna("") for name in table.columns if _is_caption(str(name))]
    found = {}
    for place, name in enumerate(map(str, table.index)):
        texts = [_clean(str(column.iloc[place])) for column in columns]
        if captions := tuple(text for text in texts if text):
            found[name] = captions
    return dict(sorted(found.items()))


def coco_names(table: pd.DataFrame) -> dict[str, tuple[str, ...]]:
    """Return aliases from a column ``COCO_id`` or ``cocoId``, as NSD's tables have.

    Parameters
    ----------
    table
        As `table.read_stimuli` gives it.

    Returns
    -------
    aliases
        12-digit file name of COCO, less its suffix, to the ids of stimuli that show it; empty
        where there is no such column.

    Examples
    --------
    >>> coco_names(pd.DataFrame({"COCO_id": ["262145"]}, index=["stim-nsd02951_image.png"]))
    {'000000262145': ('stim-nsd02951_image.png',)}
    """
    columns = [name for name in table.columns if str(name).lower() in COCO_COLUMNS]
    found: dict[str, list[str]] = {}
    for column in columns[:1]:
        for name, number in zip(map(str, table.index), table[column].fillna(""), strict=True):
            if str(number).isdecimal():
                found.setdefault(f"{int(number):0{N_DIGITS}d}", []).append(name)
    return {number: tuple(names) for number, names in sorted(found.items())}


def sha256_of(captions: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Return the SHA-256 of the captions of each stimulus, over the texts in their order.

    Examples
    --------
    >>> sha256_of({"a": ("A cat.",)})["a"] == sha256_of({"b": ["A cat."]})["b"]
    True
    """
    return {name: fingerprint_of(list(texts)) for name, texts in captions.items()}


# --- tables


def _rows(path: Path) -> _Said:
    table = read_rows(path, known=(*NAMES, CAPTION))
    key = column_of(table, NAMES, path=path, what="names of stimuli")
    columns = [str(name) for name in table.columns if _is_caption(str(name))]
    if not columns:
        column_of(table, (CAPTION,), path=path, what="captions")
    texts: dict[str, list[str]] = {}
    n_blank, blank = 0, ""
    for name, *cells in table[[key, *columns]].itertuples(index=False):
        said = [clean for cell in cells if (clean := _clean(cell))]
        if not said:
            n_blank, blank = n_blank + 1, blank or name
        texts.setdefault(name, []).extend(said)
    return _Said(texts, {name: name for name in texts}, n_blank, blank)


def _is_caption(column: str) -> bool:
    return column.lower().startswith(CAPTION)


def _clean(text: str) -> str:
    return " ".join(text.split())


# --- COCO


def _coco(path: Path) -> _Said:
    """Return captions by the number of the image, in the order of the annotations' ids."""
    images, annotations = _parts(path)
    texts: dict[str, list[str]] = {}
    n_blank, blank = 0, ""
    for _, image, caption in sorted(annotations, key=lambda one: one[0]):
        texts.setdefault(image, [])
        if clean := _clean(caption):
            texts[image].append(clean)
        else:
            n_blank, blank = n_blank + 1, blank or image
    names = {image: images.get(image) or image for image in texts}
    return _Said(texts, names, n_blank, blank)


def _only(numbers: Mapping[int, Collection[str]], image: str) -> str | None:
    """Return the only stimulus that has the number of an image."""
    owners = numbers.get(int(image), ()) if image.isdecimal() and len(image) < 19 else ()
    return next(iter(owners)) if len(owners) == 1 else None


def _numbers(
    stimuli: Collection[str], aliases: Mapping[str, Collection[str]]
) -> dict[int, set[str]]:
    """Return the stimuli of each number that COCO gives an image."""
    known = set(stimuli)
    found: dict[int, set[str]] = {}
    for name, ids in [*((one, (one,)) for one in stimuli), *aliases.items()]:
        if told := COCO_NUMBER.fullmatch(catalog.stem(name)):
            found.setdefault(int(told[1] or told[2]), set()).update(known.intersection(ids))
    return found


def _parts(path: Path) -> tuple[dict[str, str], list[tuple[int, str, str]]]:
    """Return file names by image, and (id, image, caption) of each annotation."""
    told = _json(path)
    if isinstance(told, list):
        told = {"images": [], "annotations": told}
    if not isinstance(told, dict) or not {"images", "annotations"} <= set(told):
        keys = ", ".join(map(repr, told)) if isinstance(told, dict) else type(told).__name__
        raise MissingInputError(
            f"{path} holds {keys or 'nothing'}; the keys 'images' and 'annotations' were "
            "expected.",
            mend="Give COCO's captions_*.json, or a table.",
        )
    images = {}
    for number, one in enumerate(_entries(path, told, "images")):
        images[_id(path, one, "images", number, "id")] = str(one.get("file_name", ""))
    annotations = []
    for number, one in enumerate(_entries(path, told, "annotations")):
        if not isinstance(one.get("caption"), str):
            raise UnreadableError(
                f"{path} has no text under the key 'caption' in the annotation {number}; it has "
                f"the keys {', '.join(map(repr, one))}.",
                mend="Give captions_*.json, not instances_*.json or another of COCO's files.",
            )
        image = _id(path, one, "annotations", number, "image_id")
        order = one.get("id", number)
        annotations.append((order if isinstance(order, int) else number, image, one["caption"]))
    return images, annotations


def _json(path: Path) -> Any:
    text = read_text(path)
    try:
        return json.loads(text)
    except (json.JSONDecodeError, RecursionError) as err:
        where = f"line {err.lineno}" if isinstance(err, json.JSONDecodeError) else "its depth"
        raise UnreadableError(
            f"{path} is no JSON: {err.args[0]} ({where}); it may end early.",
            mend="Fetch or copy it again.",
        ) from err


def _entries(path: Path, told: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    found = told[key]
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise UnreadableError(
            f"{path} holds no list of objects under {key!r}.", mend="Fetch or copy it again."
        )
    return found


def _id(path: Path, entry: Mapping[str, Any], kind: str, number: int, key: str) -> str:
    found = entry.get(key)
    if isinstance(found, bool) or not isinstance(found, (int, str)) or found == "":
        raise UnreadableError(
            f"{path} has {found!r} as {key!r} of entry {number} of {kind!r}; a number or a name "
            "was expected.",
            mend="Fetch or copy it again.",
        )
    return str(found)


# --- what found no partner


def _refuse_none(path: Path, said: _Said, stimuli: Collection[str]) -> None:
    example = "".join(f", such as {name!r}" for name in [*said.names.values()][:1])
    raise MissingInputError(
        f"None of the {len(stimuli)} stimuli, such as {min(stimuli)!r}, has a caption in {path}, "
        f"which has captions of {len(said.texts)} others{example}.",
        mend="Name the stimuli there by their paths below stimuli/, or give the right file.",
    )


def _without_note(path: Path, without: Sequence[str], n_stimuli: int) -> Iterable[str]:
    if without:
        yield (
            f"{len(without)} of {n_stimuli} stimuli have no caption in {path.name}, such as "
            f"{without[0]!r}."
        )


def _notes(
    path: Path,
    strange: Sequence[str],
    several: Mapping[str, Sequence[str]],
    said: _Said,
) -> Iterable[str]:
    if strange:
        yield (
            f"{len(strange)} of {len(said.texts)} names in {path.name} are no stimulus, such as "
            f"{strange[0]!r}. Their captions are left out."
        )
    if several:
        name, ids = next(iter(several.items()))
        yield (
            f"{len(several)} names in {path.name} mean several stimuli, such as {name!r}: "
            f"{', '.join(ids[:3])}. Their captions are left out."
        )
    if said.n_blank:
        yield (
            f"{said.n_blank} captions in {path.name} are empty and left out, such as that of "
            f"{said.blank!r}."
        )
