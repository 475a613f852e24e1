"""The section on one network: its card, its filters, and what it makes of the stimuli."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from bids_dnn.containers.portrait import NetworkFacts, Portrait
from bids_dnn.report import network_figures as figures
from bids_dnn.report import slices
from bids_dnn.report.canvas import shorten
from bids_dnn.report.cards import is_random, norm_text
from bids_dnn.report.parts import (
    Cell,
    Picture,
    Section,
    Table,
    counted,
    decimals,
    listed,
    picture,
    table_of,
)

Stimuli = Sequence[tuple[str, Path]]
MOST_PORTRAITS = 6  # with all their figures; those after them have two each
MOST_ROWS = 200  # of a table of labels
HOW = {
    "filters": "Filters: each kernel z-scored over its own values, plus 0.5, cut to [0, 1].",
    "dimensionality": "Effective dimensionality: the participation ratio (sum of the eigenvalues "
    "of the covariance, squared, over the sum of their squares), at most one less than there are "
    "stimuli.",
    "rdms": "Dissimilarity: 1 less the cosine of two patterns after the mean pattern of all "
    "stimuli was taken away.",
}
LAYER_COLUMNS = {
    "layer": "As it was asked for.",
    "kind": "Class of the module.",
    "shape": "Of one stimulus, as the module puts it out.",
    "n_features": "After the options of the layer.",
    "nonlinearity": "Whether the layer lies before or after its nonlinearity.",
    "dimensionality": "Effective dimensionality over the stimuli.",
}
LABEL_COLUMNS = {
    "stimulus": "Id of the stimulus.",
    "label": "Most probable class.",
    "probability": "Of that class.",
}


def network_sections(
    portraits: Sequence[Portrait], stimuli: Stimuli = (), *, links: Mapping[str, str] | None = None
) -> list[Section]:
    """Return a section for each network; beyond `MOST_PORTRAITS` without its pictures.

    Parameters
    ----------
    portraits
        In the order of the page.
    stimuli
        Id and file of those whose predicted labels are shown.
    links
        Where the table of labels lies, from the page, by ``network:NAME``.
    """
    given = links or {}
    return [
        network_section(
            one,
            stimuli,
            link=given.get(f"network:{one.facts.name}", ""),
            is_whole=i < MOST_PORTRAITS,
        )
        for i, one in enumerate(portraits)
    ]


def network_section(
    portrait: Portrait, stimuli: Stimuli = (), *, link: str = "", is_whole: bool = True
) -> Section:
    """Return the section on one network.

    Parameters
    ----------
    portrait
        What is not there is said in words.
    stimuli
        Id and file of those whose predicted labels are shown.
    link
        Where the table of labels lies, from the page.
    is_whole
        Whether pictures are shown beside charts.
    """
    facts = portrait.facts
    shown = [(name, path) for name, path in stimuli if name in portrait.labels]
    made = [_dimensionality(portrait), _rdms(portrait)]
    if is_whole:
        made = [
            _filters(portrait),
            _labels(portrait, shown),
            _examples(portrait),
            _activations(portrait),
            *made,
        ]
    pictures = tuple(one for one in made if one is not None)
    lacking = _lacking(portrait, has_pictures=bool(shown), is_whole=is_whole)
    tables = [card_table(facts), layers_table(portrait)]
    if portrait.labels:
        tables.append(labels_table(portrait, link))
    return Section(
        _anchor(facts.name),
        f"Network {facts.name}",
        f"What is {facts.name}, and what does it make of the stimuli?",
        answer_of(portrait),
        pictures,
        tuple(tables),
        how=" ".join(
            text for what, text in HOW.items() if any(one.name.endswith(what) for one in pictures)
        ),
        notes=(("Not shown, and why", tuple(lacking)),) if lacking else (),
    )


def answer_of(portrait: Portrait) -> str:
    """Say in a few sentences what the network is and how its layers differ."""
    facts = portrait.facts
    what = counted(portrait.n_stimuli, "stimulus", "stimuli")
    fed = f", shown at {facts.size_px} x {facts.size_px} pixels" if facts.size_px else ""
    fed = ", read as captions" if facts.modality == "text" else fed
    text = f"{counted(len(portrait.dimensionality), 'layer')} over {what}{fed}"
    if is_random({"weights": facts.weights}):
        text += ", with RANDOM weights (untrained)"
    text += "."
    known = {k: v for k, v in portrait.dimensionality.items() if not math.isnan(v)}
    if known:
        low, high = min(known, key=known.__getitem__), max(known, key=known.__getitem__)
        text += f" Effective dimensionality: {decimals(known[low], 1)} in {low}"
        text += f" to {decimals(known[high], 1)} in {high}." if low != high else "."
    if portrait.labels:
        counts = Counter(label for label, _ in portrait.labels.values())
        most = ", ".join(f"{label} ({n:,})" for label, n in _first(counts, 3))
        text += f" Its head gives the stimuli {counted(len(counts), 'label')}, most often {most}."
    return text


def _first(counts: Counter[str], most: int) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:most]


def _anchor(name: str) -> str:
    plain = "".join(char if char.isalnum() else "-" for char in name)
    return f"network-{plain}"


def _name(portrait: Portrait, what: str) -> str:
    return f"{_anchor(portrait.facts.name)}_{what}"


def _filters(portrait: Portrait) -> Picture | None:
    filters = portrait.filters
    if filters is None:
        return None
    n, height, width, _ = filters.shape
    some = f"The first {n} of" if n < portrait.n_filters else "All"
    return picture(
        _name(portrait, "filters"),
        lambda theme: figures.draw_filters(filters, theme=theme),
        alt=f"{n} filters of the first convolution of {portrait.facts.name} as colored tiles.",
        caption=f"{some} {counted(portrait.n_filters, 'filter')} of the first convolution "
        f"({height} x {width} pixels, 3 color channels), each stretched to its own contrast.",
    )


def _labels(portrait: Portrait, shown: Stimuli) -> Picture | None:
    if not shown:
        return None
    words = {
        name: f"{shorten(label, 18)}\n{p:.2f}" for name, (label, p) in portrait.labels.items()
    }
    n_shown = min(len(shown), slices.MOST_STIMULI)
    seen = " It was shown them as transformed; here they are as stored."
    return picture(
        _name(portrait, "labels"),
        lambda theme: slices.contact_sheet(shown, words, theme=theme),
        alt=f"Contact sheet of {counted(n_shown, 'stimulus', 'stimuli')}, each with the label "
        f"that {portrait.facts.name} gives it.",
        caption=f"{_share(n_shown, len(portrait.labels), 'stimulus', 'stimuli').capitalize()} "
        "with the most probable class (bold) and its probability. The classes are those that the "
        "network was trained on; a stimulus of another kind gets the nearest of them."
        + (seen if portrait.facts.transforms else ""),
    )


def _examples(portrait: Portrait) -> Picture | None:
    if len(portrait.examples) < 2:
        return None
    steps = list(portrait.examples)[1:]
    start = "was resized" if portrait.facts.resize else "is in its file"
    return picture(
        _name(portrait, "transforms"),
        lambda theme: figures.draw_examples(portrait.examples, theme=theme),
        alt=f"{portrait.example} before and after each of {counted(len(steps), 'transform')}.",
        caption=f"Stimulus {portrait.example} as it {start}, and after each transform in turn; "
        "the network is shown the last one.",
    )


def _activations(portrait: Portrait) -> Picture | None:
    maps = portrait.activations
    if not maps:
        return None
    seen = list(portrait.examples.values())
    n_rows = min(len(maps), figures.MOST_MAP_LAYERS)
    return picture(
        _name(portrait, "activations"),
        lambda theme: figures.draw_activations(maps, seen[-1] if seen else None, theme=theme),
        alt=f"Activation maps of {counted(n_rows, 'layer')} of {portrait.facts.name} for "
        f"{portrait.example}.",
        caption=f"Answers of {_share(n_rows, len(maps), 'layer')} with maps to "
        f"{portrait.example}: the channels that vary most over the picture, the strongest first, "
        "each from its lowest (dark) to its highest value (bright).",
    )


def _dimensionality(portrait: Portrait) -> Picture | None:
    spread = portrait.dimensionality
    flat = [layer for layer, value in spread.items() if math.isnan(value)]
    if sum(not math.isnan(value) for value in spread.values()) < 2:
        return None
    return picture(
        _name(portrait, "dimensionality"),
        lambda theme: figures.draw_dimensionality(spread, theme=theme),
        alt=f"Effective dimensionality of {counted(len(spread), 'layer')} of "
        f"{portrait.facts.name}, as a line.",
        caption=f"How many axes of equal variance would spread {portrait.n_stimuli:,} stimuli as "
        "much as the layer does (participation ratio)."
        + (f" Not known of what does not vary: {listed(flat)}." if flat else ""),
    )


def _rdms(portrait: Portrait) -> Picture | None:
    if not portrait.rdms:
        return None
    n = len(portrait.order)
    n_layers = min(len(portrait.rdms), figures.MOST_RDMS)
    has_gaps = any(bool(np.isnan(rdm).any()) for rdm in portrait.rdms.values())
    return picture(
        _name(portrait, "rdms"),
        lambda theme: figures.draw_rdms(portrait.rdms, portrait.categories, theme=theme),
        alt=f"Dissimilarity matrices of {counted(n_layers, 'layer')} of {portrait.facts.name} "
        f"between {n} stimuli.",
        caption=f"How unlike each pair of {_share(n, portrait.n_stimuli, 'stimulus', 'stimuli')} "
        f"is to {_share(n_layers, len(portrait.rdms), 'layer')}, as ranks within a layer. "
        + _order_text(portrait.categories)
        + (" Gray: a pattern that is the mean of all." if has_gaps else ""),
    )


def _share(n: int, n_all: int, one: str, many: str | None = None) -> str:
    if n_all == 1:
        return f"the one {one}"
    return f"{'all' if n == n_all else f'{n:,} of'} {counted(n_all, one, many)}"


def _order_text(categories: Sequence[str]) -> str:
    counts = Counter(categories)
    if not any(counts):
        return "Rows are in the order of the stimuli's names."
    named = [f"{name or 'without category'} ({n})" for name, n in counts.items()]
    return f"Rows by category, from the top: {listed(named)}."


def _lacking(portrait: Portrait, *, has_pictures: bool, is_whole: bool) -> list[str]:
    """Say what is not there, and why."""
    is_text = portrait.facts.modality == "text"
    is_ready = not portrait.facts.modality
    read = portrait.caption and f' It read "{shorten(portrait.caption, 80)}".'
    why = f"the network reads captions.{read}" if is_text else "the features came ready-made."
    made = []
    if is_text or is_ready:
        made.append(f"Filters, activation maps and transforms: {why}")
    elif is_whole:
        if portrait.filters is None:
            made.append("First-layer filters: its first layer is no convolution over 3 colors.")
        if not portrait.activations:
            made.append("Activation maps: no layer that was asked for puts out maps.")
        if len(portrait.examples) < 2:
            made.append("Transforms: pictures were resized, and nothing else was done to them.")
    else:
        made.append(f"Pictures: the page shows those of the first {MOST_PORTRAITS} networks.")
    if not portrait.labels and not is_text and not is_ready:
        untrained = is_random({"weights": portrait.facts.weights})
        why = "its weights are untrained" if untrained else "it has no head with named classes"
        made.append(f"Predicted labels: {why}.")
    elif portrait.labels and not has_pictures and is_whole:
        made.append("Contact sheet: the labeled pictures are not at hand.")
    if not portrait.rdms:
        n = counted(portrait.n_stimuli, "stimulus", "stimuli")
        made.append(f"Dissimilarities: {n} are too few, three are needed.")
    n_known = sum(not math.isnan(value) for value in portrait.dimensionality.values())
    if n_known < 2:
        made.append(f"Dimensionality by layer: it is known of {counted(n_known, 'layer')} only.")
    return made


def card_table(facts: NetworkFacts) -> Table:
    """Return what must be known of a network to feed and to cite it, a row a fact."""
    size = f"{facts.size_px} x {facts.size_px} pixels" if facts.size_px else ""
    rows = {
        "network": facts.network or facts.name,
        "kind of input": {"image": "pictures", "text": "captions"}.get(facts.modality, ""),
        "input": size,
        "resizing": ", ".join(word for word in (facts.resize, facts.interpolation) if word),
        "captions": facts.captions,
        "transforms": ", then ".join(facts.transforms) or ("none" if size else ""),
        "normalization": norm_text(facts.mean, facts.sd),
        "reduction": facts.reduction,
        "weights": facts.weights,
        f"SHA-256 of the {'weights' if facts.modality else 'file'}": facts.weights_sha256,
        "license": facts.license or "not known",
        "reference": facts.reference,
        "DOI": facts.doi,
        "arithmetic": facts.precision,
        "device": facts.device,
        "batch size": str(facts.batch_size or ""),
    }
    cells = tuple(
        (
            Cell(name, name),
            Cell(text, text, link=f"https://doi.org/{text}" if name == "DOI" else ""),
        )
        for name, text in rows.items()
        if text
    )
    heads = (("fact", ""), ("value", ""))
    return Table(f"Card of {facts.name}.", heads, cells)


def layers_table(portrait: Portrait) -> Table:
    """Return one row a layer: shape, number of features, effective dimensionality."""
    rows = [
        {
            "layer": one.name,
            "kind": one.kind,
            "shape": " x ".join(map(str, one.shape)),
            "n_features": one.n_features,
            "nonlinearity": one.nonlinearity,
            "dimensionality": float(portrait.dimensionality.get(one.name, math.nan)),
        }
        for one in portrait.facts.layers
    ]
    frame = pd.DataFrame(rows, columns=[*LAYER_COLUMNS])
    frame = frame.loc[:, (frame != "").any()]
    return table_of(frame, LAYER_COLUMNS, caption=f"Layers of {portrait.facts.name}.")


def labels_table(portrait: Portrait, link: str = "") -> Table:
    """Return one row a stimulus: the predicted label and its probability."""
    rows = slices.evenly([(name, *told) for name, told in portrait.labels.items()], MOST_ROWS)
    frame = pd.DataFrame(rows, columns=[*LABEL_COLUMNS])
    some = f"{len(rows)} of {len(portrait.labels):,} stimuli" if rows else "No stimulus"
    caption = f"Labels that {portrait.facts.name} gives: {some}."
    return table_of(frame, LABEL_COLUMNS, caption=caption, link=link)
