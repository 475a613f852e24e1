"""Which derivative data sets there are, and what each is called."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bids_dnn import files
from bids_dnn.errors import ConfigError, MissingInputError, UnreadableError, nearest
from bids_dnn.ingest.records import READY

DESCRIPTION = "dataset_description.json"
ANALYZED = ("fmriprep", "spm", *READY)
PLACEHOLDER = "{participant}"


def read_description(root: Path) -> dict[str, Any]:
    """Return what the ``dataset_description.json`` of a data set says; empty where there is none.

    Raises
    ------
    UnreadableError
        If the file is no JSON object.
    """
    path = root / DESCRIPTION
    if not path.is_file():
        return {}
    try:
        found = files.read_json(path)
    except (json.JSONDecodeError, UnicodeDecodeError) as err:
        raise UnreadableError(
            f"{path} is no JSON ({err}).",
            mend="Mend the file; https://jsonlint.com finds the line.",
        ) from err
    if not isinstance(found, dict):
        raise UnreadableError(
            f"{path} holds {type(found).__name__}, a JSON object was expected.",
            mend='Write at least {"Name": "...", "BIDSVersion": "1.10.0"}.',
        )
    return found


def check_raw(bids_dir: Path, *, validate: bool) -> None:
    """Refuse a folder that is no BIDS data set.

    Parameters
    ----------
    bids_dir
        The first argument of the command line.
    validate
        Whether ``dataset_description.json`` must be there and hold what BIDS requires.

    Raises
    ------
    MissingInputError
        If there is no such directory, or no ``dataset_description.json`` in it.
    UnreadableError
        If the description is no JSON object, or lacks a required key.
    """
    if not bids_dir.is_dir():
        raise MissingInputError(
            f"There is no directory {bids_dir}.",
            mend="Give the BIDS data set as the first argument: bids_dnn BIDS_DIR OUTPUT_DIR ...",
        )
    if not validate:
        return
    if not (bids_dir / DESCRIPTION).is_file():
        raise MissingInputError(
            f"{bids_dir} is not a BIDS data set: it has no {DESCRIPTION}.",
            mend="Give the folder that holds it, or write one with "
            '{"Name": "...", "BIDSVersion": "1.10.0"}.',
        )
    found = read_description(bids_dir)
    if missing := [key for key in ("Name", "BIDSVersion") if key not in found]:
        raise UnreadableError(
            f"{bids_dir / DESCRIPTION} lacks {' and '.join(missing)}, which BIDS requires.",
            mend="Add what is missing, or use --skip-bids-validation.",
        )


def find_derivatives(
    bids_dir: Path, given: Mapping[str, Path], *, is_needed: bool = True
) -> tuple[dict[str, Path], list[str]]:
    """Return the derivative data sets by name, and notes on what was left out.

    An output folder of fMRIPrep in its layout ``legacy`` may be given as a whole: then its
    folder ``fmriprep`` is taken.

    Parameters
    ----------
    bids_dir
        Its ``derivatives`` folder is scanned where nothing is given.
    given
        As on the command line, ``NAME=PATH``.
    is_needed
        Whether responses must come from one of them.

    Returns
    -------
    datasets
        ``fmriprep``, ``spm`` and ready-made responses are analyzed, the others lend masks.
    notes
        A sentence for each folder that was left out.

    Raises
    ------
    MissingInputError
        If a given path does not exist or is no derivative data set, or nothing is found.
    ConfigError
        If two data sets have one name.
    """
    if given:
        return {name: _checked(name, Path(path).absolute()) for name, path in given.items()}, []
    home = bids_dir / "derivatives"
    folders = sorted(p for p in home.iterdir() if p.is_dir()) if home.is_dir() else []
    found: dict[str, Path] = {}
    notes: list[str] = []
    for folder in map(_inner, folders):
        name = name_of(folder)
        if name is None and _is_freesurfer(folder):
            continue  # `anatomy` looks there
        if name is None or name == "bids_dnn":
            reason = "written by bids_dnn itself" if name else f"no {DESCRIPTION}"
            notes.append(f"{folder.relative_to(bids_dir)} was left out: {reason}.")
        elif name in found:
            raise ConfigError(
                f"Two data sets in {home} are called {name}: {found[name].name} and "
                f"{folder.name}.",
                mend=f"Say which: --derivatives {name}={folder}",
            )
        else:
            found[name] = folder
    if is_needed and not set(found) & set(ANALYZED):
        there = ", ".join(f"{p.name} ({n})" for n, p in found.items()) or "none"
        raise MissingInputError(
            f"No derivatives of fMRIPrep or SPM were found: looked for a {DESCRIPTION} whose "
            f"GeneratedBy names fMRIPrep or SPM in {home}/*, where there are "
            f"{len(folders)} folders; other data sets: {there}.",
            mend="Name them: --derivatives fmriprep=PATH or --derivatives spm=PATH, or "
            "--responses KIND=PATH where responses are ready-made.",
        )
    return found, notes


def name_of(folder: Path) -> str | None:
    """Return what a derivative data set is called, None where it does not describe itself."""
    if not (folder / DESCRIPTION).is_file():
        return None
    found = read_description(folder)
    names = _makers(found)
    if "bids_dnn" in names:
        return "bids_dnn"
    if "fmriprep" in names:
        return "fmriprep"
    if any(re.search(r"(?<![a-z])spm", name) for name in names):
        return "spm"
    return _kind(found, folder) or folder.name


def ready_kind(folder: Path) -> str | None:
    """Return which kind of ready-made responses a data set says that it holds, None for none.

    It says so by the key ``Responses`` of its description, or by the name of what made it.

    Raises
    ------
    ConfigError
        If it names a kind that does not exist.
    UnreadableError
        If the description is damaged.
    """
    return _kind(read_description(folder), folder)


def _kind(description: Mapping[str, Any], folder: Path) -> str | None:
    told = description.get("Responses")
    if told is not None:
        if str(told).lower() not in READY:
            raise ConfigError(
                f"{folder / DESCRIPTION} says Responses: {told!r}, which is no kind of ready-made "
                "responses.",
                mend=nearest(str(told), READY),
            )
        return str(told).lower()
    return next((name for name in _makers(description) if name in READY), None)


def _makers(description: Mapping[str, Any]) -> list[str]:
    """Return the names of the programs that made a data set, in lower case."""
    makers = description.get("GeneratedBy") or [description.get("PipelineDescription") or {}]
    makers = makers if isinstance(makers, list) else [makers]
    return [str(m.get("Name", "")).lower() for m in makers if isinstance(m, dict)]


def _inner(folder: Path) -> Path:
    """Return the folder that describes itself: this one, or ``fmriprep`` in it (legacy)."""
    below = folder / "fmriprep"
    is_outer = not (folder / DESCRIPTION).is_file() and (below / DESCRIPTION).is_file()
    return below if is_outer else folder


def _is_freesurfer(folder: Path) -> bool:
    return any((p / "surf").is_dir() or (p / "mri").is_dir() for p in folder.glob("*"))


def _checked(name: str, path: Path) -> Path:
    root = Path(str(path).split("{", 1)[0])  # of {participant} and {design}
    root = root if root.is_dir() or "{" not in str(path) else root.parent
    if not root.is_dir():
        raise MissingInputError(
            f"--derivatives {name}={path}: there is no directory {root}.",
            mend=f"Give the folder that holds the participants: --derivatives {name}=PATH",
        )
    if name == "fmriprep":
        path = root = _inner(root)
    if name == "fmriprep" and not (root / DESCRIPTION).is_file():
        below = sorted(p.parent for p in root.glob(f"*/{DESCRIPTION}"))
        hint = f"--derivatives {name}={below[0]}" if below else f"--derivatives {name}=PATH"
        raise MissingInputError(
            f"--derivatives {name}={path}: {root} has no {DESCRIPTION}, so it is not an output "
            "folder of fMRIPrep.",
            mend=f"Give the folder that holds it: {hint}",
        )
    return path
