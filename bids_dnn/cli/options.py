"""How the command line is read: both spellings of an option, and errors in two sentences."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import click

from bids_dnn.errors import BidsDnnError


class DoubleSpelling(click.Command):
    """A command whose options take hyphens or underscores, and several values after labels.

    ``--participant_label 01 02`` is read as fMRIPrep reads it.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Rewrite the arguments in click's own form, then parse them."""
        return super().parse_args(ctx, self._rewrite(args))

    def _rewrite(self, args: Sequence[str]) -> list[str]:
        several = {
            name
            for option in self.params
            if isinstance(option, click.Option) and "..." in (option.metavar or "")
            for name in option.opts
        }
        levels = ("participant", "group")
        made: list[str] = []
        labels: str | None = None  # the option whose further values may follow
        for place, raw in enumerate(args):
            if raw == "--":
                return [*made, *args[place:]]
            if raw.startswith("-") and len(raw) > 1:
                arg = _hyphens(raw)
                name = arg.partition("=")[0]
                labels = name if name in several else None
                made.append(arg)
            elif labels and made[-1] != labels and raw not in levels and not _is_path(raw):
                made += [labels, raw]
            else:
                made.append(raw)
        return made


def _hyphens(arg: str) -> str:
    if not arg.startswith("--"):
        return arg
    name, sign, value = arg.partition("=")
    return name.replace("_", "-") + sign + value


def _is_path(arg: str) -> bool:
    return "/" in arg or arg.startswith((".", "~"))


@contextmanager
def guarded(verbosity: int) -> Iterator[None]:
    """Print a `BidsDnnError` as its two sentences and leave with exit code 2.

    Parameters
    ----------
    verbosity
        From 2 on the traceback is shown as well.
    """
    try:
        yield
    except BidsDnnError as err:
        if verbosity >= 2:
            raise
        click.echo(click.style("bids_dnn: ", fg="red", bold=True) + str(err), err=True)
        sys.exit(2)
    except KeyboardInterrupt:
        click.echo("bids_dnn: stopped; run the same command again to go on from here.", err=True)
        sys.exit(130)


def given(options: dict[str, Any]) -> dict[str, Any]:
    """Return the options that were typed: not None, not empty, not an unset flag."""
    return {k: v for k, v in options.items() if v not in (None, (), False)}
