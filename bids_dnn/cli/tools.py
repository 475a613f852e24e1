"""Helpers beside the App: bids_dnn_tools COMMAND."""

from __future__ import annotations

from pathlib import Path

import click

from bids_dnn import __version__
from bids_dnn.cli.options import DoubleSpelling, guarded


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="bids_dnn_tools %(version)s")
def main() -> None:
    """Help around bids_dnn: simulated data with known truth."""


@main.command(cls=DoubleSpelling)
@click.argument("output_dir", type=click.Path(path_type=Path))
@click.option("--n-participants", type=click.IntRange(1), default=3, show_default=True)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
def simulate(output_dir: Path, n_participants: int, seed: int) -> None:
    """Write a small BIDS data set with known truth to OUTPUT_DIR.

    Raw BIDS with stimuli, and under derivatives/ an fMRIPrep-shaped and an SPM-shaped tree,
    region masks, and the truth: which layer drives which region, and its noise ceiling.
    """
    with guarded(0):
        from bids_dnn.simulate.dataset import simulate as write

        made = write(output_dir.absolute(), n_participants=n_participants, seed=seed)
        click.echo(f"Simulated {n_participants} participants in {made}")
