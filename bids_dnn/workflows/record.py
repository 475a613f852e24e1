"""What a run leaves about itself: logs, the data set's description, the participants."""

from __future__ import annotations

import csv
import io
import logging
import platform
import shlex
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from bids_dnn import __version__
from bids_dnn.derivatives import names
from bids_dnn.derivatives.write import write_dataset, write_participants
from bids_dnn.errors import UnreadableError
from bids_dnn.files import json_text, write_text
from bids_dnn.report import methods

PACKAGES = (
    "numpy",
    "scipy",
    "pandas",
    "scikit-learn",
    "nibabel",
    "nilearn",
    "nipype",
    "niworkflows",
    "pybids",
    "torch",
    "torchvision",
    "zarr",
)
logger = logging.getLogger(__name__)


class Log:
    """The folder ``logs/<run>`` of one run; the only place where dates stand.

    Parameters
    ----------
    output_dir
        Root of the output data set.
    """

    def __init__(self, output_dir: Path) -> None:
        now = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
        self.run = f"{now}-{uuid.uuid4().hex[:8]}"
        self._output_dir = output_dir
        self._lines: list[str] = []
        self._began = time.monotonic()

    def path(self, file: str) -> Path:
        """Return where a file of this run lies."""
        return names.path_of(self._output_dir, "log", run=self.run, file=file)

    def begin(self, *, command: Sequence[str], config: str, inputs: Mapping[str, str]) -> None:
        """Write the command, the resolved settings, versions and inputs."""
        write_text(self.path("command.txt"), shlex.join(command) + "\n")
        write_text(self.path("config.toml"), config)
        found = "".join(f"{name}=={number}\n" for name, number in versions().items())
        write_text(self.path("versions.txt"), found)
        table = io.StringIO()
        writer = csv.writer(table, delimiter="\t", lineterminator="\n")
        writer.writerow(("path", "sha256"))
        writer.writerows(inputs.items())
        write_text(self.path("inputs.tsv"), table.getvalue())

    def add(self, event: str, **facts: Any) -> None:
        """Add a line to ``log.jsonl``."""
        seconds = round(time.monotonic() - self._began, 3)
        line = json_text({"event": event, "seconds": seconds} | facts)
        self._lines.append(" ".join(line.split()))
        write_text(self.path("log.jsonl"), "\n".join(self._lines) + "\n")

    def cite(self, facts: Mapping[str, Any]) -> None:
        """Write the methods text and its references."""
        for suffix, text in methods.boilerplate(facts).items():
            write_text(self.path(f"CITATION.{suffix}"), text)


def versions() -> dict[str, str]:
    """Return the version of bids_dnn, of Python, and of the packages that it rests on."""
    found = {"bids_dnn": __version__, "python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            logger.debug("%s is not installed as a package", name)
    return found


def describe_output(
    output_dir: Path, *, sources: Mapping[str, Path], participants: Sequence[str]
) -> None:
    """Write what makes OUTPUT_DIR a BIDS derivative, and who should be in it.

    ``participants.tsv`` is the raw one where there is one, so that runs for single participants
    on a cluster agree on it; else it names whoever was run so far.
    """
    everyone = [*read_participants(output_dir), *participants]
    write_dataset(output_dir, version=__version__, sources=sources)
    write_participants(output_dir, bids_dir=sources["raw"], participants=everyone)


@dataclass(frozen=True, slots=True)
class Known:
    """Who is known, and by which table.

    Parameters
    ----------
    table
        The ``participants.tsv`` that was read, which need not be there.
    people
        Text by label and column.
    """

    table: Path
    people: Mapping[str, Mapping[str, str]]


def known_people(output_dir: Path, bids_dir: Path | None) -> Known:
    """Return what is known of participants, from BIDS_DIR where it has a ``participants.tsv``.

    OUTPUT_DIR's copy is of the last participant-level run; who stands in it alone is known by
    name.
    """
    copied = read_people(output_dir)
    if bids_dir is None or not (own := read_people(bids_dir)):
        return Known(names.path_of(output_dir, "participants"), copied)
    more: dict[str, dict[str, str]] = {label: {} for label in copied if label not in own}
    return Known(names.path_of(bids_dir, "participants"), own | more)


def refresh_participants(output_dir: Path, known: Known) -> None:
    """Bring OUTPUT_DIR's ``participants.tsv`` up to the table that was read."""
    if known.table.is_file() and known.table != names.path_of(output_dir, "participants"):
        write_participants(
            output_dir, bids_dir=known.table.parent, participants=sorted(known.people)
        )


def read_participants(output_dir: Path) -> tuple[str, ...]:
    """Return the labels in OUTPUT_DIR's ``participants.tsv``, without ``sub-``."""
    return tuple(read_people(output_dir))


def read_people(folder: Path) -> dict[str, dict[str, str]]:
    """Return what a data set's ``participants.tsv`` says, by label and column.

    Rows without a name are left out.

    Raises
    ------
    UnreadableError
        If it has no column ``participant_id``.
    """
    path = names.path_of(folder, "participants")
    if not path.is_file():
        return {}
    rows = csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig")), delimiter="\t")
    found = rows.fieldnames or ()
    if found and "participant_id" not in found:
        raise UnreadableError(
            f"{path} has the columns {', '.join(found)}; participant_id is expected.",
            mend="Name the first column participant_id, with sub-01 and so on below it, columns "
            "apart by tabs.",
        )
    return {
        row["participant_id"].removeprefix("sub-"): {
            column: text or ""
            for column, text in row.items()
            if column not in ("participant_id", None)
        }
        for row in rows
        if (row["participant_id"] or "").removeprefix("sub-")
    }
