"""bids_dnn_tools captions: what a network says that pictures show."""

from __future__ import annotations

from pathlib import Path

import click

from bids_dnn.cli.options import DoubleSpelling, guarded


@click.command(cls=DoubleSpelling)
@click.argument("stimuli_dir", type=click.Path(path_type=Path))
@click.option(
    "--network",
    default="transformers:microsoft/git-base-coco",
    show_default=True,
    metavar="NAME",
    help="A captioner of transformers: a repository of the Hugging Face hub, or a folder.",
)
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    help="captions.tsv, with columns stimulus and caption, for captions = in analysis.toml.",
)
@click.option("--batch-size", type=click.IntRange(1), default=8, show_default=True)
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True)
@click.option(
    "--max-pixels",
    type=click.IntRange(1),
    default=100_000_000,
    show_default=True,
    help="Of one picture; larger ones are refused.",
)
@click.option("--offline", is_flag=True, help="Never ask the network for weights.")
def captions(
    stimuli_dir: Path,
    network: str,
    out: Path,
    *,
    batch_size: int,
    device: str,
    max_pixels: int,
    offline: bool,
) -> None:
    """Write a caption of each picture in STIMULI_DIR, the same ones in each run.

    Items of a composed picture are looked at one by one.
    """
    with guarded(0):
        from bids_dnn.features.text import captioner, write_captions
        from bids_dnn.stimuli.table import read_stimuli
        from bids_dnn.workflows.steps.captions import caption_stimuli

        stimuli = read_stimuli(stimuli_dir.absolute())
        by = captioner(network, offline=offline)
        with click.progressbar(label="Captions", length=len(stimuli.files)) as bar:

            def show(done: int, total: int) -> None:
                bar.length = total
                bar.update(done - bar.pos)

            made = caption_stimuli(
                by,
                stimuli.files,
                max_pixels=max_pixels,
                device=device,
                batch_size=batch_size,
                progress=show,
            )
        click.echo(f"Wrote {write_captions(out.absolute(), made, by=by)}")
