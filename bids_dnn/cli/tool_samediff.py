"""bids_dnn_tools samediff: a network learns to tell whether two pictures are the same."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import click

from bids_dnn.cli.options import DoubleSpelling, guarded

AUTO = "auto"


@contextmanager
def _bars() -> Iterator[Callable[[str, int, int], None]]:
    """Give what shows a bar for each thing that is done, one after another."""
    with ExitStack() as last:
        bars: dict[str, Any] = {}

        def show(what: str, done: int, n_all: int) -> None:
            if what not in bars:
                last.close()
                bars[what] = last.enter_context(click.progressbar(label=what, length=n_all))
            bars[what].update(done - bars[what].pos)

        yield show


def _or_auto(kind: type[int] | type[float]) -> Callable[..., int | float]:
    """Return what reads a number above 0, or ``auto`` = 0, which has it searched."""

    def read(_ctx: click.Context, _param: click.Parameter, text: str) -> int | float:
        """Read a number, 0 for ``auto``.

        Raises
        ------
        click.BadParameter
            If it is neither.
        """
        if text == AUTO:
            return 0
        try:
            number = kind(text)
        except ValueError:
            number = kind(-1)
        if not 0 < number < float("inf"):
            raise click.BadParameter(f"{text!r} is neither {AUTO} nor a number above 0.")
        return number

    return read


@click.command(cls=DoubleSpelling)
@click.argument("stimuli_dir", type=click.Path(path_type=Path))
@click.argument("output_dir", type=click.Path(path_type=Path))
@click.option("--network", default="cornet:z", show_default=True, metavar="NAME")
@click.option("--weights", metavar="PATH", help="A file, or random; the trained ones by default.")
@click.option(
    "--variant",
    multiple=True,
    default=("frozen",),
    show_default=True,
    type=click.Choice(["frozen", "siamese", "contrastive"]),
    help="frozen: a new last layer; siamese, contrastive: streams that see crops. Repeatable.",
)
@click.option(
    "--answer",
    type=click.Choice(["same", "category"]),
    default="same",
    show_default=True,
    help="What is answered: whether both are one exemplar, or of which category both are.",
)
@click.option(
    "--augment",
    multiple=True,
    metavar="KIND",
    help="noise, invert, contrast, gamma, log, blur, flip or all, of training pairs. Repeatable.",
)
@click.option("--redraw", is_flag=True, help="Draw noise anew in each epoch.")
@click.option(
    "--orientation",
    type=click.Choice(["normal", "inverted", "both"]),
    default="both",
    show_default=True,
    help="normal: first upper right, second lower left; inverted: upper left, lower right.",
)
@click.option("--category", multiple=True, help="Use these categories only. Repeatable.")
@click.option("--n-same", type=click.IntRange(0), default=0, help="Pairs of each category.")
@click.option("--n-different", type=click.IntRange(0), default=0, help="Pairs of each category.")
@click.option(
    "--pairs",
    type=click.Path(path_type=Path),
    help="TSV with first, second and perhaps orientation and split; drawn by default.",
)
@click.option("--validation-share", type=float, default=0.2, show_default=True)
@click.option("--test-share", type=float, default=0.2, show_default=True)
@click.option("--epochs", type=click.IntRange(1), default=100, show_default=True)
@click.option(
    "--batch-size",
    default="8",
    show_default=True,
    metavar="N|auto",
    callback=_or_auto(int),
    help="auto: the one of least loss on validation after a short training.",
)
@click.option(
    "--rate",
    default=AUTO,
    show_default=True,
    metavar="RATE|auto",
    callback=_or_auto(float),
    help="Highest of the cycle; auto: found by a range test on training pairs.",
)
@click.option("--weight-decay", type=click.FloatRange(0), default=0.01, show_default=True)
@click.option("--freeze", is_flag=True, help="siamese, contrastive: learn what is new alone.")
@click.option(
    "--layer",
    default="",
    metavar="PATH",
    help="Layer that is read; the last map over space (frozen: the input of the last layer).",
)
@click.option(
    "--foveal",
    type=click.Choice(["none", "grey", "noise", "same-category", "other-category"]),
    default="grey",
    show_default=True,
    help="siamese: what the fovea is shown.",
)
@click.option("--margin", type=float, default=2.0, show_default=True, help="contrastive.")
@click.option("--size-deg", type=float, default=3.3, show_default=True, help="Of an exemplar.")
@click.option("--field-deg", type=float, default=13.2, show_default=True, help="Of the canvas.")
@click.option("--eccentricity-deg", type=float, default=7.0, show_default=True)
@click.option("--max-pixels", type=click.IntRange(1), default=100_000_000, show_default=True)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True)
@click.option("--offline", is_flag=True, help="Never ask the network for weights.")
def samediff(stimuli_dir: Path, output_dir: Path, **options: Any) -> None:
    """Train a network to tell whether two peripheral pictures are the same, and test it.

    STIMULI_DIR holds exemplars in a folder for each category, or stimuli.tsv. Exemplars are dealt
    onto training, validation and test before pairs are made and copied. OUTPUT_DIR gets tables
    with sidecars, figures and samediff.html.
    """
    with guarded(0):
        from bids_dnn.analyses.samediff.choices import Choices
        from bids_dnn.workflows.samediff import Asked, orientations_of, run
        from bids_dnn.workflows.steps.samediff import Task

        task = Task(
            stimuli_dir.absolute(),
            categories=options["category"],
            pairs=options["pairs"],
            orientations=tuple(orientations_of(options["orientation"])),
            n_same=options["n_same"],
            n_different=options["n_different"],
            validation=options["validation_share"],
            test=options["test_share"],
            size_deg=options["size_deg"],
            field_deg=options["field_deg"],
            eccentricity_deg=options["eccentricity_deg"],
            seed=options["seed"],
            max_pixels=options["max_pixels"],
        )
        choices = Choices(
            variants=tuple(dict.fromkeys(options["variant"])),
            answer=options["answer"],
            augment=options["augment"],
            redraws=options["redraw"],
            n_epochs=options["epochs"],
            batch_size=options["batch_size"],
            rate=options["rate"],
            weight_decay=options["weight_decay"],
            trains_trunk=not options["freeze"],
            layer=options["layer"],
            foveal=options["foveal"],
            margin=options["margin"],
            seed=options["seed"],
            device=options["device"],
        )
        asked = Asked(
            task,
            choices,
            output_dir.absolute(),
            network=options["network"],
            weights=options["weights"],
            offline=options["offline"],
            command=shlex.join(["bids_dnn_tools", *sys.argv[1:]]),
        )
        with _bars() as show:
            table, page = run(asked, say=lambda text: click.echo(text), progress=show)
        click.echo(f"Wrote {table} and {page}")
