"""bids_dnn_tools cache: what the cache of features holds, and room in it."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bids_dnn.cli.options import DoubleSpelling, guarded
from bids_dnn.files import size_text

if TYPE_CHECKING:
    from bids_dnn.features.entry import Entry

DAY_S = 86_400.0
FOLDER = click.argument("folder", type=click.Path(path_type=Path))
COLUMNS = ("NETWORK", "LAYER", "KIND", "STIMULI", "SIZE", "LAST USE", "TRANSFORMS", "KEY")
KEY_LENGTH = 12


@click.group()
def cache() -> None:
    """List, prune or check the features that runs keep in FOLDER (--cache-dir)."""


@cache.command("list", cls=DoubleSpelling)
@FOLDER
def list_(folder: Path) -> None:
    """List what the cache FOLDER holds, the most recently used first."""
    with guarded(0):
        from bids_dnn.features.store import entries

        found = entries(folder.absolute())
        rows = [COLUMNS, *map(_row, found)]
        widths = [max(len(row[i]) for row in rows) for i in range(len(COLUMNS))]
        for row in rows if found else []:
            padded = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            click.echo("  ".join(padded).rstrip())
        click.echo(_total(found, "in"))


@cache.command(cls=DoubleSpelling)
@FOLDER
@click.option("--max-size", metavar="SIZE", help="What may stay, such as 20G.")
@click.option(
    "--older-than",
    type=click.FloatRange(min=0),
    metavar="DAYS",
    help="Remove what nobody used for so many days, whatever the size.",
)
def prune(folder: Path, max_size: str | None, older_than: float | None) -> None:
    """Remove from the cache FOLDER what was not used for longest.

    What a run is making, or read within the last 10 minutes, stays.
    """
    with guarded(0):
        from bids_dnn.config.load import gigabytes
        from bids_dnn.errors import ConfigError
        from bids_dnn.features import store

        if max_size is None and older_than is None:
            raise ConfigError(
                "Neither --max-size nor --older-than says what is to be removed.",
                mend="Type one of them, such as --max-size 20G or --older-than 90.",
            )
        gone = store.prune(
            folder.absolute(),
            max_bytes=None if max_size is None else int(1e9 * gigabytes(max_size, "--max-size")),
            unused_for_s=None if older_than is None else older_than * DAY_S,
        )
        for entry in gone:
            click.echo(f"Removed {_named(entry)}, {size_text(entry.n_bytes)}")
        click.echo(_total(gone, "removed from"))
        click.echo(_total(store.entries(folder.absolute()), "left in"))


@cache.command(cls=DoubleSpelling)
@FOLDER
@click.option("--remove", is_flag=True, help="Remove the damaged ones; a run makes them again.")
def check(folder: Path, *, remove: bool) -> None:
    """Read all that the cache FOLDER holds and name what is damaged (exit code 1)."""
    with guarded(0):
        from bids_dnn.features import store
        from bids_dnn.features.entry import remove as remove_entry
        from bids_dnn.features.index import damaged_indices

        found = store.entries(folder.absolute())
        damaged = 0
        indices = damaged_indices(folder.absolute())
        for path in indices:
            if remove:
                path.unlink(missing_ok=True)
            click.echo(f"The index {path} is damaged.{' Removed.' if remove else ''}")
        for entry in found:
            if not (why := store.problem(folder.absolute(), entry)):
                continue
            damaged += 1
            gone = remove and remove_entry(folder.absolute(), entry.key, kind=entry.kind)
            click.echo(f"{why} ({_named(entry)}){' Removed.' if gone else ''}")
        click.echo(f"{len(found) - damaged} of {len(found)} entries are whole.")
        if (damaged or indices) and not remove:
            click.echo("Remove the others with --remove; a run makes them again.")
            sys.exit(1)


def _row(entry: Entry) -> tuple[str, ...]:
    facts = entry.facts
    return (
        facts.get("network", "?"),
        facts.get("layer", "?"),
        entry.kind,
        facts.get("n_stimuli", "?"),
        size_text(entry.n_bytes),
        time.strftime("%Y-%m-%d %H:%M", time.localtime(entry.used)),
        entry.identity.get("transforms") or "-",
        entry.key[:KEY_LENGTH],
    )


def _named(entry: Entry) -> str:
    return f"{entry.facts.get('network', '?')} {entry.facts.get('layer', '?')}, {entry.kind}"


def _total(entries: list[Entry], what: str) -> str:
    total = size_text(sum(entry.n_bytes for entry in entries))
    noun = "entry" if len(entries) == 1 else "entries"
    return f"{len(entries)} {noun}, {total}, {what} the cache."
