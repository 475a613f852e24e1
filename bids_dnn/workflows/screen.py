"""What the terminal shows: a line and a bar for each participant, warnings once, the end."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

from rich.console import Console
from rich.logging import RichHandler
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from bids_dnn.workflows.progress import EVERY_S, read_tick

DOING = {
    "responses": "reading responses",
    "regions": "building regions",
    "decode": "decoding",
    "encode": "encoding",
    "ceiling": "estimating noise ceilings",
    "denoise": "denoising time series",
    "twin": "decoding networks",
    "searchlight": "decoding around each unit",
    "features": "extracting features",
    "reports": "writing the report",
    "group": "testing over participants",
    "across": "decoding across participants and tasks",
}
QUIET = -1
LINE_S = 30.0  # between two lines about one step, where there is no terminal


class Screen:
    """Says what goes on.

    Parameters
    ----------
    verbosity : int
        -1 = errors only, 0 = what matters, 1 = each node, 2 = everything.
    """

    def __init__(self, verbosity: int) -> None:
        self.verbosity = verbosity
        self.console = Console(highlight=False, soft_wrap=True)
        self.errors = Console(stderr=True, highlight=False, soft_wrap=True)
        self._warned: set[str] = set()
        level = {QUIET: logging.ERROR, 0: logging.WARNING, 1: logging.INFO}
        logging.basicConfig(
            level=level.get(verbosity, logging.DEBUG),
            format="%(message)s",
            handlers=[RichHandler(console=self.errors, show_path=False, show_time=False)],
        )

    def say(self, text: str, *, least: int = 0) -> None:
        """Print a line where the verbosity is at least `least`."""
        if self.verbosity >= least:
            self.console.print(text, markup=False)

    def warn(self, text: str) -> None:
        """Print a warning, once."""
        if text not in self._warned and self.verbosity > QUIET:
            self.errors.print(f"[yellow]warning:[/yellow] {text}", markup=True)
        self._warned.add(text)

    def fail(self, text: str) -> None:
        """Print an error."""
        self.errors.print("failed: " + text, style="red", markup=False)

    def bars(self, totals: dict[str, int], ticks: Mapping[str, Path] | None = None) -> Bars:
        """Return the bars of a stage, by name; used with ``with``."""
        return Bars(self, totals, ticks or {})


class Bars:
    """A bar for each name, moved by the status of nodes.

    Parameters
    ----------
    screen
        Where it is drawn.
    totals : name -> int
        Steps of each bar.
    ticks
        Where long steps say how far they are, by the name of their bar (see `progress`).
    """

    def __init__(
        self, screen: Screen, totals: dict[str, int], ticks: Mapping[str, Path] | None = None
    ) -> None:
        self._screen = screen
        self._ticks = dict(ticks or {})
        self._over = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._progress = Progress(
            TextColumn("{task.description}", justify="left"),
            BarColumn(),
            TextColumn("{task.fields[doing]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=screen.console,
            disable=screen.verbosity <= QUIET or not screen.console.is_terminal,
        )
        self._tasks: dict[str, TaskID] = {
            name: self._progress.add_task(name, total=n, doing="waiting")
            for name, n in totals.items()
        }
        self._totals, self._left = dict(totals), dict(totals)
        self._failed: set[str] = set()
        self._began = time.monotonic()

    def __enter__(self) -> Bars:
        self._progress.start()
        if self._ticks and self._screen.verbosity > QUIET:
            self._watcher.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        if self._watcher.is_alive():
            self._watcher.join()
        self._progress.stop()

    def _watch(self) -> None:
        """Show how far long steps are: in their bar, or as a line now and then."""
        said = dict.fromkeys(self._ticks, time.monotonic())
        while not self._over.wait(EVERY_S):
            for name, path in self._ticks.items():
                tick = read_tick(path)
                if tick is None:
                    continue
                text = tick.text()
                steps = self._totals[name] - self._left[name] + tick.done / max(tick.total, 1)
                self._progress.update(self._tasks[name], completed=steps, doing=text)
                is_due = time.monotonic() - said[name] > LINE_S
                if is_due and not self._screen.console.is_terminal:
                    self._screen.say(f"{name}: {text}")
                    said[name] = time.monotonic()

    def status(self, node: str, state: str) -> None:
        """Take the status of a node, by its full name ``workflow.[participant.]step``."""
        parts = node.split(".")
        name, what = parts[1], doing(node)
        if name not in self._tasks:
            return
        if state == "start":
            self._progress.update(self._tasks[name], doing=what)
            self._screen.say(f"{name}: {what}", least=1)
            return
        self._left[name] -= 1
        self._failed |= {name} if state == "exception" else set()
        said = "failed" if state == "exception" else what
        steps = self._totals[name] - self._left[name]
        self._progress.update(self._tasks[name], completed=steps, doing=said)
        if state == "exception":
            self._screen.say(f"{name}: {what} failed")
        elif self._left[name] == 0 and name not in self._failed:
            took = time.monotonic() - self._began
            self._progress.update(self._tasks[name], doing="done")
            self._screen.say(f"{name}: {what} done after {took:.0f} s")


def doing(node: str) -> str:
    """Phrase what a node does, from its full name ``workflow.[participant.]step``."""
    parts = node.split(".")
    step = parts[2] if len(parts) > 2 else parts[0]
    step = parts[1] if parts[1:] and parts[1].startswith("features_") else step
    return DOING.get(step.split("_")[0], step)


def summary(
    made: Sequence[str], left_out: Sequence[str], reports: Sequence[str], *, failed: bool
) -> list[str]:
    """Phrase the end of a run: what was made, what was left out and why, where the report is.

    Parameters
    ----------
    made, left_out, reports
        A phrase each.
    failed
        Whether something that was asked for did not work.
    """
    nothing = "nothing" if failed else "nothing new; all was there already"
    lines = [f"Made: {', '.join(made) or nothing}."]
    lines += [f"Left out: {text}" for text in left_out]
    lines += [f"Report: {path}" for path in reports]
    if failed:
        lines.append("Exit code 1: something failed, and the rest is finished.")
    return lines
