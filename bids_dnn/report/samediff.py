"""The page of a same/different task: how it was learnt, and how well it is done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup
from numpy.typing import NDArray

from bids_dnn import __version__
from bids_dnn.containers.result import Result
from bids_dnn.files import writing
from bids_dnn.report import cards, methods
from bids_dnn.report.figures import confusion_matrices, score_bars
from bids_dnn.report.network_figures import draw_examples
from bids_dnn.report.page import template
from bids_dnn.report.palette import region_colors
from bids_dnn.report.parts import Number, Picture, Section, counted, decimals, picture, table_of
from bids_dnn.report.reference import Reference
from bids_dnn.report.samediff_figures import draw_curves, draw_rates

Shown = Mapping[str, NDArray[np.uint8]]
SCORES = ("variant", "orientation", "category", "accuracy", "balanced_accuracy", "chance",
          "ci_low", "ci_high", "p", "p_corrected", "p_floor", "n_pairs", "n_shown")  # fmt: skip
WORKS = {
    work.key: work
    for work in (
        Reference(
            "hadsell2006",
            "Hadsell, Raia and Chopra, Sumit and LeCun, Yann",
            "Dimensionality reduction by learning an invariant mapping",
            2006,
            "CVPR 2:1735-1742",
            "10.1109/CVPR.2006.100",
        ),
        Reference(
            "loshchilov2019",
            "Loshchilov, Ilya and Hutter, Frank",
            "Decoupled weight decay regularization",
            2019,
            "ICLR",
            "10.48550/arXiv.1711.05101",
        ),
        Reference(
            "smith2017",
            "Smith, Leslie N.",
            "Cyclical learning rates for training neural networks",
            2017,
            "WACV 464-472",
            "10.1109/WACV.2017.58",
        ),
        Reference(
            "smith2018",
            "Smith, Leslie N.",
            "A disciplined approach to neural network hyper-parameters: part 1",
            2018,
            "arXiv",
            "10.48550/arXiv.1803.09820",
        ),
    )
}
WHAT = "Whether two pictures show one exemplar"
HOW = {
    "frozen": "The network stayed as it was; a new last layer was learnt on what goes into its "
    "own, z-scored by the mean and SD over training pairs",
    "siamese": "Both crops went through one stream made of the network{fovea}; mean and maximum "
    "over space of all maps went into two new layers with batch normalization and dropout",
    "contrastive": "Both crops went through one stream made of the network, and a distance was "
    "learnt that is small for the same [@hadsell2006]",
}


@dataclass(frozen=True, slots=True, eq=False)
class SameDifferentReport:
    """What the page shows.

    Parameters
    ----------
    result
        Of `analyses.samediff`.
    network
        ``name``, ``weights``, ``weights_sha256``, ``reference``, ``doi``.
    batch : (size, size, 3) each
        Some pairs as they were trained on, by what is to be said of each.
    top : (size, size, 3) each
        Pairs of greatest loss, by variant and by what is to be said of each.
    tables
        Where the table of each name lies (``scores``, and extras), from the page.
    command, versions, seed, config_toml
        What a reader needs to run it again.
    warnings, notes
        Sentences.
    """

    result: Result
    network: Mapping[str, Any]
    batch: Shown
    top: Mapping[str, Shown]
    tables: Mapping[str, str] = field(default_factory=dict)
    command: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    seed: int = 0
    config_toml: str = ""
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def render_same_different(data: SameDifferentReport, figures_dir: Path) -> str:
    """Return the page of a same/different task, and write its figures.

    Parameters
    ----------
    data
        What the page shows.
    figures_dir
        Where each figure is written as a PNG.

    Returns
    -------
    text
        HTML that needs no other file.

    Raises
    ------
    OutputError
        If a figure cannot be written.
    """
    body = [_scores(data), _learning(data), _pairs(data)]
    for section in body:
        for one in section.pictures:
            with writing(figures_dir / f"{one.name}.png") as aside:
                aside.write_bytes(one.light)
    paragraphs = [methods_text(data)]
    works = methods.references(
        methods.cited(paragraphs), {**cards.works_of([data.network]), **WORKS}
    )
    numbers = {work.key: n for n, work in enumerate(works, start=1)}
    whole = _whole(data.result.table)
    warnings = [*data.warnings, *_not_found(data.result.meta)]
    if cards.is_random(data.network):
        warnings.append(f"{data.network['name']} has random, untrained weights.")
    fields: dict[str, Any] = {
        "title": _title(data),
        "labels": [str(data.network["name"])],
        "version": __version__,
        "answer": _answer(whole),
        "numbers": [_number(row) for row in whole.to_dict("records")],
        "random": [],
        "warnings": warnings,
        "sections": body,
        "paragraphs": [Markup(methods.linked(text, numbers)) for text in paragraphs],  # noqa: S704
        "works": works,
        "bibtex": "\n\n".join(work.bibtex() for work in works),
        "data": data,
    }
    return template().render(fields, has_dark=True)


def methods_text(data: SameDifferentReport) -> str:
    """Return the paragraph for a paper; citations stand as ``[@key]``.

    Parameters
    ----------
    data
        What was done stands in the facts of its result.
    """
    meta = data.result.meta
    exemplars, pairs = meta["n_exemplars"], meta["n_pairs"]
    parts = ", ".join(
        f"{exemplars[part]} {word}"
        for part, word in (("train", "to train"), ("validation", "to validate"), ("test", "to "
                           "test"))
        if part in exemplars
    )  # fmt: skip
    is_category = meta.get("answer") == "category"
    what = "Of which category two pictures are" if is_category else WHAT
    text = (
        f"{what} was learnt with {data.network['name']} in "
        f"PyTorch [@paszke2019]. Exemplars were dealt before anything else ({parts}); pairs were "
        "made of exemplars of one category and one part, so that no exemplar that was tested "
        f"had been seen in training ({_tested(pairs)} pairs of exemplars in the test). "
    )
    if len(copies := meta["copies"]) > 1:
        text += f"Training pairs were shown in {len(copies)} ways ({', '.join(copies)}). "
    for variant, told in meta["variants"].items():
        text += (
            f"{_how(variant, told)} ({told['n_frozen']:,} weights frozen, {told['n_learnt']:,} "
            f"learnt; {told['objective']}, batches of {told['batch_size']}, highest rate "
            f"{told['rate']:.2g}). "
        )
    text += (
        f"Training took {meta['n_epochs']} epochs of AdamW [@loshchilov2019] with a weight decay "
        f"of {meta['weight_decay']:g} and one cycle of rates [@smith2018]"
    )
    if "rates" in data.result.extras:
        text += ", its highest found by a range test [@smith2017]"
    exchanged = (
        "random exchanges of categories among pairs that show one exemplar twice, which share "
        "none, with at least their accuracy"
        if is_category
        else "all exchanges of labels among pairs of exemplars with at least the accuracy that "
        "was found"
    )
    return text + (
        f". p is the share of {exchanged}; intervals are bootstrapped over pairs of exemplars "
        "[@efron1993] for the one network that was trained; corrected p control the false "
        "discovery rate [@benjamini1995]."
    )


def _how(variant: str, told: Mapping[str, Any]) -> str:
    """Say how a variant learnt."""
    fovea = (
        f", a third picture ({told['fovea_shown']}) through a foveal stream of its own weights, "
        "to whose input the maps of both crops were fed back by a convolution"
        if told.get("feedback")
        else ""
    )
    return HOW[variant].format(fovea=fovea)


def _not_found(meta: Mapping[str, Any]) -> list[str]:
    """Say for which variants the range test found no rate."""
    return [
        f"{variant}: the loss did not fall by 1 % at any rate of the range test, so that "
        f"{told['rate']:g} was taken; it may learn nothing."
        for variant, told in meta["variants"].items()
        if told.get("rate_found") is False
    ]


def _tested(pairs: Mapping[str, int]) -> int:
    return sum(n for kind, n in pairs.items() if kind.startswith("test "))


def _whole(table: pd.DataFrame) -> pd.DataFrame:
    """Return the row of each variant that is of all orientations and categories."""
    return table.drop_duplicates("variant", keep="first")


def _title(data: SameDifferentReport) -> str:
    is_category = data.result.meta.get("answer") == "category"
    return "Category of pairs" if is_category else "Same or different"


def _answer(whole: pd.DataFrame) -> str:
    said = [
        f"{row['variant']} {decimals(row['accuracy'], 2)} (chance {decimals(row['chance'], 2)}, "
        f"p {row['p']:.2g})"
        for row in whole.to_dict("records")
    ]
    return f"Share of right answers to pairs of other exemplars: {'; '.join(said)}."


def _number(row: Mapping[Any, Any]) -> Number:
    low, high = (decimals(float(row[key]), 2) for key in ("ci_low", "ci_high"))
    detail = f"95 % {low} to {high}; chance {decimals(float(row['chance']), 2)}"
    return Number(decimals(float(row["accuracy"]), 2), f"{row['variant']}: accuracy", detail)


def _scores(data: SameDifferentReport) -> Section:
    result = data.result
    table = result.table
    classes = list(map(str, result.meta.get("classes", ("different", "same"))))
    asked = "the category" if result.meta.get("answer") == "category" else "sameness"
    bars = table.assign(
        region=table["variant"] + ", " + table["orientation"],
        comparison=table["category"],
        score=table["accuracy"],
    )
    colors = region_colors(list(bars["region"]))
    confusion = result.extras["confusion"]
    squares = confusion.assign(region=confusion["variant"] + ", " + confusion["orientation"])
    pictures = (
        picture(
            "scores",
            lambda theme: score_bars(bars, colors, label="accuracy", theme=theme),
            alt=f"Bars of accuracy. {_answer(_whole(table))}",
            caption="Accuracy in the test by category; dashed: chance; lines: 95 % bootstrap "
            "intervals over pairs of exemplars; stars: corrected p below 0.05, 0.01 and 0.001.",
        ),
        picture(
            "confusion",
            lambda theme: confusion_matrices(squares, theme=theme),
            alt=f"Matrices of what was answered to {' and to '.join(classes)}.",
            caption="What was answered, as shares of what was shown, in the test.",
        ),
    )
    shown = table[list(SCORES)]
    caption = "One row a variant, orientation and category."
    rows = table_of(shown, result.columns, caption=caption, link=data.tables.get("scores", ""))
    return Section(
        "scores",
        f"{_title(data)}?",
        f"Is {asked} told of exemplars that were not trained on?",
        _answer(_whole(table)),
        pictures=pictures,
        tables=(rows,),
        how="The weights of the last epoch are tested; nothing was chosen on the test.",
    )


def _learning(data: SameDifferentReport) -> Section:
    extras, meta = data.result.extras, data.result.meta
    curves, chance = extras["curves"], 1 / len(meta.get("classes", (0, 1)))
    pictures = [
        picture(
            "curves",
            lambda theme: draw_curves(curves, chance=chance, theme=theme),
            alt="Lines of loss and accuracy over epochs, for training and validation.",
            caption="Loss and accuracy over the plain pairs of training and validation after "
            f"each epoch (0 = before); dashed: {chance:.2g}.",
        )
    ]
    if "rates" in extras:
        rates = extras["rates"]
        chosen = {name: float(told["rate"]) for name, told in meta["variants"].items()}
        pictures.append(
            picture(
                "rates",
                lambda theme: draw_rates(rates, chosen, theme=theme),
                alt="Lines of the loss while the rate rises.",
                caption="Range test: loss of batches while the rate rises, and the rate that was "
                "taken, where the smoothed loss falls fastest.",
            )
        )
    last = curves[curves["epoch"] == curves["epoch"].max()]
    said = [
        f"{row['variant']}: {row['split']} {decimals(row['accuracy'], 2)}"
        for row in last.to_dict("records")
    ]
    sizes = extras.get("batch_sizes")
    tables = (
        ()
        if sizes is None
        else (
            table_of(
                sizes,
                data.result.columns,
                caption="One row a batch size that was tried; least loss on validation.",
                link=data.tables.get("batch_sizes", ""),
            ),
        )
    )
    return Section(
        "learning",
        "Learning",
        "Was it learnt, and is it more than learning by heart?",
        f"Accuracy after the last epoch: {'; '.join(said)}.",
        pictures=tuple(pictures),
        tables=tables,
    )


def _pairs(data: SameDifferentReport) -> Section:
    meta = data.result.meta
    pictures = [_sheet("batch", data.batch, "Some training pairs as they were shown.")]
    pictures += [
        _sheet(f"top_{variant}", shown, f"{variant}: the test pairs of greatest loss.")
        for variant, shown in data.top.items()
    ]
    n = sum(meta["n_pairs"].values())
    notes = tuple((title, tuple(items)) for title, items in (
        ("Pairs of exemplars", [f"{kind}: {k}" for kind, k in meta["n_pairs"].items()]),
        ("Notes", data.notes),
    ) if items)  # fmt: skip
    return Section(
        "pairs",
        "Pairs",
        "What was shown, and what was hardest?",
        f"{counted(n, 'pair')} of {counted(sum(meta['n_exemplars'].values()), 'exemplar')}; "
        f"{meta['n_left_out']} left out.",
        pictures=tuple(one for one in pictures if one is not None),
        notes=notes,
    )


def _sheet(name: str, shown: Shown, caption: str) -> Picture | None:
    if not shown:
        return None
    return picture(
        name,
        lambda theme: draw_examples(shown, theme=theme),
        alt=f"{counted(len(shown), 'pair')}. {caption}",
        caption=caption,
    )
