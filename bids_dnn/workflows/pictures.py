"""Which stimuli there are: pictures of a folder, and pictures kept in arrays, unpacked once."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import pandas as pd
from rich.progress import Progress, TaskID

from bids_dnn.containers.pictures import Pictures
from bids_dnn.errors import BidsDnnError
from bids_dnn.ingest.events import read_events, sample_table
from bids_dnn.ingest.inventory import Inventory
from bids_dnn.ingest.ready import door
from bids_dnn.ingest.records import READY
from bids_dnn.stimuli.catalog import resolve
from bids_dnn.stimuli.stack import describe_stack, find_stack, is_stack, split_stack
from bids_dnn.stimuli.table import (
    Stimuli,
    add_composed,
    blank_table,
    describe_files,
    read_stimuli,
)
from bids_dnn.stimuli.unpack import unpack
from bids_dnn.workflows.screen import Screen

log = logging.getLogger(__name__)


def stimuli_of(
    given: Path | None,
    inventory: Inventory,
    work_dir: Path,
    *,
    screen: Screen,
    is_dry: bool,
    needs_arrays: bool,
) -> Stimuli:
    """Return the stimuli of a run, by id.

    Parameters
    ----------
    given
        A folder of pictures, or a stack of them (``FILE`` or ``FILE:VARIABLE``); None for
        ``stimuli/`` of the BIDS directory, which need not exist.
    inventory
        What was found; its ready-made data may hold pictures too.
    work_dir
        Where pictures kept in arrays go, below ``stimuli/``.
    screen
        Shows how far it is.
    is_dry
        Then the names are told, and nothing is written.
    needs_arrays
        Whether pictures that ready-made data keep in arrays are needed.

    Raises
    ------
    UnreadableError, ShapeError, MissingInputError, OutputError
        As `table.read_stimuli`, `stack.find_stack` and `unpack.unpack`.
    """
    found: dict[str, Path] = {}
    if needs_arrays:
        found = pictures_of(inventory, work_dir, screen=screen, is_dry=is_dry)
    place = given or inventory.bids_dir.absolute() / "stimuli"
    if given is None and not place.is_dir():
        return describe_files(found, place)
    if is_stack(place):
        stack = find_stack(place)
        screen.say(describe_stack(stack))
        path = split_stack(place)[0]
        ids = {f"{name}.png": name for name in stack.names}
        shown = {ids[one] for one in resolve(shown_in(inventory), ids).values()}
        folder = work_dir / "stimuli" / path.stem
        wanted = sorted(shown or stack.names)
        found |= _unpacked(stack, wanted, folder, screen=screen, is_dry=is_dry)
        return describe_files(found, path if path.is_dir() else path.parent)
    own = add_composed(shown_in(inventory), read_stimuli(place))
    files = {name: (path,) for name, path in found.items() if name not in own.files}
    if not files:
        return own
    merged = dict(sorted((own.files | files).items()))
    table = pd.concat([own.table, blank_table(list(files))]).fillna("").loc[list(merged)]
    return replace(own, files=merged, table=table)


def pictures_of(
    inventory: Inventory, work_dir: Path, *, screen: Screen, is_dry: bool
) -> dict[str, Path]:
    """Return the pictures of ready-made data by stimulus id, unpacked once.

    Parameters
    ----------
    inventory
        What was found.
    work_dir
        Where they go, below ``stimuli/<kind>``.
    screen
        Shows how far it is.
    is_dry
        Then the names are told, and nothing is written.

    Raises
    ------
    UnreadableError, ShapeError, MissingInputError, OutputError
        As `unpack.unpack`.
    """
    kinds = {subject.source for subject in inventory.participants} & set(READY)
    made: dict[str, Path] = {}
    for kind in sorted(kinds):
        reader = door(kind)
        pictures = getattr(reader, "pictures", None)
        found = pictures(inventory.datasets[kind]) if pictures else None
        if found is None:
            continue
        own = [subject for subject in inventory.participants if subject.source == kind]
        shown = getattr(reader, "stimuli_of", None)
        there = set(found.names)
        named = {name for one in own for name in shown(one)} & there if shown else there
        made |= _unpacked(
            found, sorted(named), work_dir / "stimuli" / kind, screen=screen, is_dry=is_dry
        )
    return made


def shown_in(inventory: Inventory) -> set[str]:
    """Return the stimuli that the events of the participants name.

    Parameters
    ----------
    inventory
        What was found.
    """
    told: set[str] = set()
    for subject in inventory.participants:
        for run in subject.runs:
            if run.events is None:
                continue
            try:
                events, _ = read_events(run.events)
                told |= set(sample_table(events, session=run.session, run=run.run)["stimulus"])
            except BidsDnnError as err:
                log.debug("%s", err)  # said where the participant is planned
    return told - {""}


def _unpacked(
    found: Pictures, wanted: list[str], folder: Path, *, screen: Screen, is_dry: bool
) -> dict[str, Path]:
    if is_dry:
        kept = {name: array.path for array in found.arrays for name in array.names}
        return {f"{name}.png": _planned(kept[name], name, folder) for name in wanted}
    with Progress(console=screen.console, disable=not screen.console.is_terminal) as bar:
        task = bar.add_task(f"unpacking {len(wanted)} pictures", total=len(wanted))

        def moved(done: int, _: int, task: TaskID = task) -> None:
            bar.update(task, completed=done)

        files = unpack(found, wanted, folder, progress=moved)
    return {f"{name}.png": path for name, path in files.items()}


def _planned(array: Path, name: str, folder: Path) -> Path:
    """Return the file of a picture where it was unpacked before, else that of its array."""
    path = folder / f"{name}.png"
    return path if path.is_file() else array
