"""Which derivative data sets there are, and what each is called."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bids_dnn import files
from bids_dnn.errors import ConfigError, MissingInputError, UnreadableError

DESCRIPTION = "dataset_description.json"
ANALYZED = ("fmriprep", "spm")
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
    bids_dir: Path, given: Mapping[str, Path]
) -> tuple[dict[str, Path], list[str]]:
    """Return the derivative data sets by name, and notes on what was left out.

    Parameters
    ----------
    bids_dir
        Its ``derivatives`` folder is scanned where nothing is given.
    given
        As on the command line, ``NAME=PATH``.

    Returns
    -------
    datasets
        ``fmriprep`` and ``spm`` are analyzed, the others lend their masks.
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
    for folder in folders:
        name = name_of(folder)
        if name is None or name == "bids_dnn":
            reason = "written by bids_dnn itself" if name else f"no {DESCRIPTION}"
            notes.append(f"derivatives/{folder.name} was left out: {reason}.")
        elif name in found:
            raise ConfigError(
                f"Two data sets in {home} are called {name}: {found[name].name} and "
                f"{folder.name}.",
                mend=f"Say which: --derivatives {name}={folder}",
            )
        else:
            found[name] = folder
    if not set(found) & set(ANALYZED):
        there = ", ".join(f"{p.name} ({n})" for n, p in found.items()) or "none"
        raise MissingInputError(
            f"No derivatives of fMRIPrep or SPM were found: looked for a {DESCRIPTION} whose "
            f"GeneratedBy names fMRIPrep or SPM in {home}/*, where there are "
            f"{len(folders)} folders; other data sets: {there}.",
            mend="Name them: --derivatives fmriprep=PATH or --derivatives spm=PATH",
        )
    return found, notes


def name_of(folder: Path) -> str | None:
    """Return what a derivative data set is called, None where it does not describe itself."""
    if not (folder / DESCRIPTION).is_file():
        return None
    found = read_description(folder)
    makers = found.get("GeneratedBy") or [found.get("PipelineDescription") or {}]
    names = [str(m.get("Name", "")).lower() for m in makers if isinstance(m, dict)]
    if "bids_dnn" in names:
        return "bids_dnn"
    if "fmriprep" in names:
        return "fmriprep"
    if any(re.search(r"(?<![a-z])spm", name) for name in names):
        return "spm"
    return folder.name


def _checked(name: str, path: Path) -> Path:
    root = Path(str(path).split(PLACEHOLDER, 1)[0]) if PLACEHOLDER in str(path) else path
    root = root if root.is_dir() or PLACEHOLDER not in str(path) else root.parent
    if not root.is_dir():
        raise MissingInputError(
            f"--derivatives {name}={path}: there is no directory {root}.",
            mend=f"Give the folder that holds the participants: --derivatives {name}=PATH",
        )
    if name == "fmriprep" and not (root / DESCRIPTION).is_file():
        below = sorted(p.parent for p in root.glob(f"*/{DESCRIPTION}"))
        hint = f"--derivatives {name}={below[0]}" if below else f"--derivatives {name}=PATH"
        raise MissingInputError(
            f"--derivatives {name}={path}: {root} has no {DESCRIPTION}, so it is not an output "
            "folder of fMRIPrep.",
            mend=f"Give the folder that holds it: {hint}",
        )
    return path
