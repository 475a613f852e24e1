"""Pictures that ready-made data keep in arrays, as files in the work directory."""

from __future__ import annotations

from pathlib import Path

from rich.progress import Progress, TaskID

from bids_dnn.ingest.inventory import Inventory
from bids_dnn.ingest.ready import door
from bids_dnn.ingest.records import READY
from bids_dnn.stimuli.unpack import unpack
from bids_dnn.workflows.screen import Screen


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
        folder = work_dir / "stimuli" / kind
        own = [subject for subject in inventory.participants if subject.source == kind]
        shown = getattr(reader, "stimuli_of", None)
        there = set(found.names)
        named = {name for one in own for name in shown(one)} & there if shown else there
        wanted = sorted(named)
        if is_dry:
            kept = {name: array.path for array in found.arrays for name in array.names}
            made |= {f"{name}.png": _planned(kept[name], name, folder) for name in wanted}
            continue
        with Progress(console=screen.console, disable=not screen.console.is_terminal) as bar:
            task = bar.add_task(f"unpacking {len(wanted)} pictures", total=len(wanted))

            def moved(done: int, _: int, task: TaskID = task) -> None:
                bar.update(task, completed=done)

            files = unpack(found, wanted, folder, progress=moved)
        made |= {f"{name}.png": path for name, path in files.items()}
    return made


def _planned(array: Path, name: str, folder: Path) -> Path:
    """Return the file of a picture where it was unpacked before, else that of its array."""
    path = folder / f"{name}.png"
    return path if path.is_file() else array
