"""Helpers beside the App: bids_dnn_tools COMMAND."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from bids_dnn import __version__
from bids_dnn.cli.options import DoubleSpelling, guarded
from bids_dnn.cli.tool_cache import cache
from bids_dnn.cli.tool_captions import captions
from bids_dnn.cli.tool_networks import layers, weights
from bids_dnn.cli.tool_power import power
from bids_dnn.cli.tool_samediff import samediff


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="bids_dnn_tools %(version)s")
def main() -> None:
    """Help around bids_dnn: networks, captions, features, power, same/different, simulation."""


main.add_command(cache)
main.add_command(captions)
main.add_command(layers)
main.add_command(power)
main.add_command(samediff)
main.add_command(weights)


@main.command(cls=DoubleSpelling)
@click.argument("output_dir", type=click.Path(path_type=Path))
@click.option("--n-participants", type=click.IntRange(1), default=3, show_default=True)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option(
    "--retinotopy",
    is_flag=True,
    help="Add surfaces, CIFTI and a task whose stimulus positions known receptive fields see.",
)
def simulate(output_dir: Path, n_participants: int, seed: int, *, retinotopy: bool) -> None:
    """Write a small BIDS data set with known truth to OUTPUT_DIR.

    Raw BIDS with stimuli, and under derivatives/ an fMRIPrep-shaped and an SPM-shaped tree,
    region masks, and the truth: which layer drives which region, and its noise ceiling.
    """
    with guarded(0):
        from bids_dnn.simulate.dataset import simulate as write

        if retinotopy:
            click.echo("Simulating; surfaces and CIFTI take about 10 s a participant.")
        made = write(
            output_dir.absolute(), n_participants=n_participants, seed=seed, retinotopy=retinotopy
        )
        click.echo(f"Simulated {n_participants} participants in {made}")


@main.command(cls=DoubleSpelling)
@click.argument("logs", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="LOG...")
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    help="events.tsv; {run} in it stands for the number of the log.",
)
@click.option(
    "--mode",
    type=click.Choice(["stimulus", "trial", "block", "cycle"]),
    default="trial",
    show_default=True,
    help="One event a picture (as logged), trial, block, or block with a name of its own.",
)
@click.option("--trial-s", type=float, default=1.5, show_default=True, help="Duration of a trial.")
@click.option("--rest", default="rest", show_default=True, help="Type of rest.")
@click.option("--rest-s", type=float, default=20.0, show_default=True, help="Duration of rest.")
@click.option("--relabel", multiple=True, metavar="OLD=NEW", help="As female=face. Repeatable.")
@click.option("--condition", multiple=True, metavar="TYPE", help="Types to keep; all by default.")
def events(
    logs: tuple[Path, ...],
    out: Path,
    relabel: tuple[str, ...],
    condition: tuple[str, ...],
    **timing: Any,
) -> None:
    """Turn logs of Presentation, one a run, into BIDS events."""
    with guarded(0):
        from bids_dnn.config.load import named
        from bids_dnn.ingest.presentation import Timing, write_events

        told = Timing(relabel=named(relabel, "--relabel"), conditions=condition, **timing)
        for path in write_events(logs, told, out.absolute()):
            click.echo(f"Wrote {path}")
