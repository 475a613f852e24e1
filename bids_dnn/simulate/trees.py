"""What all simulated data sets share: descriptions, tables, names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bids_dnn import files

TASK = "objects"
BIDS_VERSION = "1.10.0"
TOOL = "bids_dnn_tools simulate"
SIMULATED = (
    f"Simulated by {TOOL}: no person was measured and {{}} did not run; the files have the names "
    "and the form that it gives them."
)


def write_table(path: Path, columns: Mapping[str, Sequence[str]]) -> Path:
    """Write columns of text as TSV.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    rows = [tuple(columns), *zip(*columns.values(), strict=True)]
    return files.write_text(path, "".join("\t".join(row) + "\n" for row in rows))


def write_rows(path: Path, rows: Sequence[Mapping[str, str]]) -> Path:
    """Write rows that share their keys as TSV.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    return write_table(path, {key: [row[key] for row in rows] for key in rows[0]})


def describe(root: Path, name: str, *, tool: str, extra: Mapping[str, Any], ignore: str) -> None:
    """Write what makes a folder a BIDS derivative: description, README and ``.bidsignore``.

    Parameters
    ----------
    root
        Of the derivative.
    name
        Title.
    tool
        Whose outputs these look like.
    extra
        Further keys of ``GeneratedBy``.
    ignore
        Patterns, one a line; "" for none.

    Raises
    ------
    OutputError
        If a file cannot be written.
    """
    told = SIMULATED.format(tool) if tool != TOOL else f"Simulated by {TOOL}."
    files.write_json(
        root / "dataset_description.json",
        {
            "Name": name,
            "BIDSVersion": BIDS_VERSION,
            "DatasetType": "derivative",
            "GeneratedBy": [{"Name": tool, "Description": told, **extra}],
            "License": "CC0",
            "Authors": ["The bids_dnn developers", "bids_dnn_tools simulate"],
            "HowToAcknowledge": told,
        },
    )
    files.write_text(root / "README", f"{name}\n\n{told}\n")
    if ignore:
        files.write_text(root / ".bidsignore", ignore)


def function(root: Path, participant: str, run: str, ending: str, *, task: str = TASK) -> Path:
    """Return the path of a file of one run."""
    name = f"sub-{participant}_task-{task}_run-{run}_{ending}"
    return root / f"sub-{participant}" / "func" / name
