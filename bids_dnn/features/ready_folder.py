"""Features in a folder, as THINGSvision leaves them, or one file a layer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from bids_dnn.errors import MissingInputError, ShapeError
from bids_dnn.features.ready_files import Stored, Values, open_file
from bids_dnn.features.ready_ids import read_ids

STEM = "features"
LIST = "file_names.txt"
# Where the same features were saved twice, the first kind of file that is there.
KINDS = (".npy", ".hdf5", ".h5", ".pt", ".mat", ".txt")
PIECE = re.compile(rf"{STEM}_(\d+)(?:-(\d+))?")  # features_01, or features_0-512


def open_folder(folder: Path) -> dict[str, Stored]:
    """Return what a folder holds, by the name of the layer.

    Parameters
    ----------
    folder
        Of one layer, with ``features.<suffix>`` or pieces of it, which are joined in order
        (``features_01.npy``, ``features_0-512.npy``), or of several layers, one in each folder
        below, or one in each file. Ids stand in ``file_names.txt``, of the layer or of the
        folder.

    Returns
    -------
    stored
        A layer is called after its folder, or after its file.

    Raises
    ------
    MissingInputError
        If there is no file of features.
    UnreadableError
        If a file is cut short, or holds objects that only code could read.
    ShapeError
        If pieces do not follow one another, or have features of different length.
    """
    found: dict[str, Stored] = {}
    for place in (folder, *sorted(one for one in folder.rglob("*") if one.is_dir())):
        layer = folder.resolve().name if place == folder else place.relative_to(folder).as_posix()
        found |= _layer(place, layer) or {}
    if not found:
        found = _layer_files(folder)
    if not found:
        raise MissingInputError(
            f"{folder} holds no file of features ({STEM}.npy, .hdf5, .mat, .txt or .pt).",
            mend="Name the file itself, or the folder that THINGSvision wrote.",
        )
    return {layer: _with_ids(one, folder) for layer, one in found.items()}


def _layer(place: Path, layer: str) -> dict[str, Stored]:
    """Return the one layer of a folder, or the layers of its one file, or nothing."""
    for kind in KINDS:
        path = place / f"{STEM}{kind}"
        if path.is_file():
            return _named(open_file(path), layer, place)
        pieces = sorted(
            (one for one in place.glob(f"{STEM}_*{kind}") if PIECE.fullmatch(one.stem)),
            key=lambda one: _number(one.stem),
        )
        if pieces:
            _check_pieces(pieces)
            parts = [next(iter(open_file(one).values())) for one in pieces]
            return {layer: _joined(parts, place)}
    return {}


def _named(stored: dict[str, Stored], layer: str, place: Path) -> dict[str, Stored]:
    """Call an only array after its folder; join pieces that one file holds."""
    names = sorted(stored, key=_number)
    if len(stored) == 1:
        return {layer: stored[names[0]]}
    if all(map(_is_piece, names)):
        rows = [stored[name].shape[0] for name in names]
        listed = read_ids(place / LIST) if (place / LIST).is_file() else ()
        if set(rows) != {len(listed)}:
            return {layer: _joined([stored[name] for name in names], place)}
    return stored


def _layer_files(folder: Path) -> dict[str, Stored]:
    """Return the array of each file of a folder, called after the file."""
    found: dict[str, Stored] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in (".npy", ".pt") and path.is_file():
            stored = open_file(path)
            found |= {
                path.stem if len(stored) == 1 else f"{path.stem}/{name}": one
                for name, one in stored.items()
            }
    return found


def _joined(parts: Sequence[Stored], place: Path) -> Stored:
    widths = {part.shape[1:] for part in parts}
    if len(widths) > 1:
        raise ShapeError(
            f"The pieces in {place} have features of {len(widths)} shapes: "
            f"{', '.join(map(str, sorted(widths)))}.",
            mend="Keep the pieces of one layer in one folder.",
        )
    shape = (sum(part.shape[0] for part in parts), *parts[0].shape[1:])
    files = tuple(dict.fromkeys(path for part in parts for path in part.files))
    ids = tuple(name for part in parts for name in part.ids)

    def read() -> Values:
        return np.concatenate([part.read() for part in parts])

    return Stored(shape, parts[0].dtype, read, files, ids if len(ids) == shape[0] else ())


def _check_pieces(paths: Sequence[Path]) -> None:
    """Refuse pieces of which one is missing: rows would stand for other stimuli."""
    ends = [PIECE.fullmatch(path.stem) for path in paths]
    told = [(int(one[1]), int(one[2]) if one[2] else None) for one in ends if one]
    expected = 0 if told[0][1] is not None else 1
    for (start, end), path in zip(told, paths, strict=True):
        if start != expected:
            raise ShapeError(
                f"{path} begins at {start}, but the pieces before it end at {expected}.",
                mend="Put the missing piece back, or remove the pieces of another run.",
            )
        expected = start + 1 if end is None else end


def _with_ids(stored: Stored, folder: Path) -> Stored:
    if stored.ids:
        return stored
    place = stored.files[0].parent
    while not (place / LIST).is_file() and place != folder and folder in place.parents:
        place = place.parent
    if not (place / LIST).is_file():
        return stored
    return replace(stored, ids=read_ids(place / LIST))


def _is_piece(name: str) -> bool:
    return PIECE.fullmatch(name) is not None


def _number(name: str) -> int:
    found = PIECE.fullmatch(name)
    return int(found[1]) if found else -1
