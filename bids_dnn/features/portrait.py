"""What a page shows of a network: its card, labels, dimensionality and RDMs over stimuli."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from bids_dnn.containers.portrait import LayerFacts, NetworkFacts, Portrait
from bids_dnn.errors import NotEnoughDataError, ShapeError
from bids_dnn.features.inputs import Read, Shown
from bids_dnn.features.views import Picture, activations_of, as_bytes, filters_of
from bids_dnn.stats.kernels import dimensionality

if TYPE_CHECKING:
    from bids_dnn.containers.features import FeatureGram
    from bids_dnn.containers.network import Card, Network
    from bids_dnn.features.probe import Probed

Array = NDArray[np.floating[Any]]
MOST_STIMULI = 100  # rows of an RDM
FEWEST_STIMULI = 3  # two centered patterns are always opposite


def portray(
    network: Network,
    probed: Sequence[Probed],
    inputs: Shown | Read,
    grams: Iterable[FeatureGram],
    *,
    labels: Mapping[str, tuple[str, float]] | None = None,
    categories: Mapping[str, str] | None = None,
    example: str = "",
    examples: Mapping[str, Picture] | None = None,
) -> Portrait:
    """Return what a page shows of a network, at the cost of one more picture shown to it.

    Parameters
    ----------
    network
        As loaded.
    probed
        The layers that were analyzed.
    inputs
        What the network was shown or read.
    grams
        Of these layers; one at a time is held.
    labels
        Of each stimulus, from `labels_of`.
    categories
        Of each stimulus, by which RDMs are ordered; others stay in their order.
    example
        Id of the stimulus whose activations are shown; the first of the order by default.
    examples
        What it looks like as resized alone, and after each transform.

    Returns
    -------
    portrait
        The same input gives the same portrait.

    Raises
    ------
    NotEnoughDataError
        If there is no Gram matrix.
    ConfigError
        If a layer cannot be captured.
    """
    kept = {one.layer.name: one for one in probed}
    facts = facts_of(network, probed, transforms=getattr(inputs, "transforms", ()))
    made = portray_grams(facts, grams, categories=categories)
    example = example or made.order[0]
    made = replace(made, example=example, labels=dict(labels or {}))
    if isinstance(inputs, Read):
        return replace(made, caption=" / ".join(inputs.captions[example]))
    filters, n_filters = filters_of(network.module)
    return replace(
        made,
        filters=filters,
        n_filters=n_filters,
        activations=activations_of(network, list(kept.values()), inputs.load(example)),
        examples={name: as_bytes(picture) for name, picture in (examples or {}).items()},
    )


def portray_grams(
    facts: NetworkFacts,
    grams: Iterable[FeatureGram],
    *,
    categories: Mapping[str, str] | None = None,
) -> Portrait:
    """Return the part of a portrait that follows from Gram matrices, for ready-made features too.

    Parameters
    ----------
    facts
        Of the network; what the identities of the features know is filled in.
    grams
        One a layer; one at a time is held.
    categories
        Of each stimulus.

    Raises
    ------
    NotEnoughDataError
        If there is no Gram matrix.
    """
    spread: dict[str, float] = {}
    rdms: dict[str, NDArray[np.float32]] = {}
    identities: dict[str, dict[str, str]] = {}
    widths: dict[str, int] = {}
    order: tuple[str, ...] = ()
    n_stimuli, name = 0, facts.name
    for one in grams:
        if not n_stimuli:
            order = order_of(one.stimuli, categories or {})
            n_stimuli, name = len(one.stimuli), one.network
        spread[one.layer] = dimensionality(one.gram)
        identities[one.layer] = dict(one.identity)
        widths[one.layer] = one.n_features
        if len(order) >= FEWEST_STIMULI:
            place = {stimulus: row for row, stimulus in enumerate(one.stimuli)}
            rows = np.array([place[stimulus] for stimulus in order], dtype=np.intp)
            rdms[one.layer] = ranked_rdm(one.gram, rows)
    if not n_stimuli:
        raise NotEnoughDataError(
            f"There is no Gram matrix of {facts.name} to make a portrait of.",
            mend="Extract the features of one layer at least.",
        )
    return Portrait(
        _filled(replace(facts, name=name), identities, widths),
        n_stimuli,
        dimensionality=spread,
        order=order,
        categories=tuple((categories or {}).get(stimulus, "") for stimulus in order),
        rdms=rdms,
        identities=identities,
    )


def facts_of(
    network: Network, probed: Sequence[Probed], *, transforms: Sequence[str] = ()
) -> NetworkFacts:
    """Return how a network is fed and what its layers put out, as the page tells it."""
    card = network.card
    is_read = bool(probed) and all(one.modality == "text" for one in probed)
    facts = NetworkFacts(
        card.name,
        network=card.name,
        modality="text" if is_read else "image",
        weights=network.weights,
        weights_sha256=network.weights_sha256,
        license=card.license,
        reference=card.reference,
        doi=card.doi,
        transforms=tuple(map(str, transforms)),
        layers=tuple(
            LayerFacts(
                one.layer.name, one.kind, tuple(one.shape), one.n_features, one.nonlinearity
            )
            for one in probed
        ),
    )
    if is_read:
        return facts
    return replace(
        facts,
        size_px=card.size_px,
        resize=card.resize,
        interpolation=card.interpolation,
        mean=tuple(card.mean),
        sd=tuple(card.sd),
    )


def _filled(
    facts: NetworkFacts, identities: Mapping[str, Mapping[str, str]], widths: Mapping[str, int]
) -> NetworkFacts:
    """Return the facts with what the identities of the features say of how they were made."""
    first = next(iter(identities.values()))
    batch = first.get("batch_size_used", first.get("batch_size", ""))
    known = {layer.name for layer in facts.layers}
    added = (LayerFacts(name, n_features=n) for name, n in widths.items() if name not in known)
    return replace(
        facts,
        weights=facts.weights or first.get("weights", ""),
        weights_sha256=facts.weights_sha256 or first.get("weights_sha256", ""),
        precision=facts.precision or first.get("precision", ""),
        device=facts.device or first.get("device_name", first.get("device", "")),
        batch_size=int(batch) if batch.isdecimal() else facts.batch_size,
        layers=(*facts.layers, *added),
    )


def head_layers(card: Card) -> tuple[str, ...]:
    """Return the layer whose output names classes, to be captured with the others.

    Examples
    --------
    >>> from bids_dnn.containers.network import Card
    >>> head_layers(Card("net", ("conv1",), head="fc", labels=("cat", "dog")))
    ('fc',)
    >>> head_layers(Card("net", ("conv1",)))
    ()
    """
    return (card.head,) if card.head and card.labels else ()


def labels_of(
    logits: Array, *, card: Card, stimuli: Sequence[str]
) -> dict[str, tuple[str, float]]:
    """Return the most probable class of each stimulus, and its probability (softmax).

    Parameters
    ----------
    logits : (n_stimuli, n_classes)
        What the head puts out.
    card
        Whose `labels` name the classes.
    stimuli : n_stimuli
        Ids, in the order of the rows.

    Raises
    ------
    ShapeError
        If `logits` has another shape than stimuli and classes ask for.

    Examples
    --------
    >>> from bids_dnn.containers.network import Card
    >>> card = Card("net", (), head="fc", labels=("cat", "dog"))
    >>> labels_of(np.array([[0.0, np.log(3.0)]]), card=card, stimuli=["a.png"])
    {'a.png': ('dog', 0.75)}
    """
    expected = (len(stimuli), len(card.labels))
    if logits.shape != expected:
        raise ShapeError(
            f"The head {card.head!r} of {card.name} puts out {logits.shape}; {expected} was "
            "expected for these stimuli and classes.",
            mend="Name a head with one output for each label in the network's card.",
        )
    wide = logits.astype(np.float64)
    raised = np.exp(wide - wide.max(axis=1, keepdims=True))  # softmax, without overflow
    best = wide.argmax(axis=1)
    share = raised[np.arange(len(best)), best] / raised.sum(axis=1)
    return {
        name: (card.labels[i], round(float(p), 12))
        for name, i, p in zip(stimuli, best, share, strict=True)
    }


def order_of(
    stimuli: Sequence[str], categories: Mapping[str, str], *, most: int = MOST_STIMULI
) -> tuple[str, ...]:
    """Return at most this many stimuli, by category where there is one, evenly thinned.

    Examples
    --------
    >>> order_of(["a", "b", "c"], {"a": "face", "b": "house", "c": "face"})
    ('a', 'c', 'b')
    >>> order_of([str(i) for i in range(9)], {}, most=3)
    ('0', '4', '8')
    """
    first = {
        name: i for i, name in reversed(list(enumerate(categories.get(s, "") for s in stimuli)))
    }
    rank = sorted(range(len(stimuli)), key=lambda i: (first[categories.get(stimuli[i], "")], i))
    places = np.linspace(0, len(rank) - 1, min(most, len(rank))).round().astype(int)
    return tuple(stimuli[rank[i]] for i in places)


def ranked_rdm(gram: NDArray[np.float64], rows: NDArray[np.intp]) -> NDArray[np.float32]:
    """Return how unlike the patterns of stimuli are, as ranks.

    The distance of two stimuli is 1 less the cosine of their patterns, after the mean pattern
    of all stimuli was taken away: what all stimuli share says nothing of their differences.

    Parameters
    ----------
    gram : (n_stimuli, n_stimuli)
        Not centered.
    rows : (n_rows,)
        Of the stimuli that are shown.

    Returns
    -------
    rdm : (n_rows, n_rows) float32, in [0, 1]
        0 = the most alike pair and the diagonal, 1 = the least alike; ties share their mean
        rank. NaN where a stimulus does not differ from the mean.

    Examples
    --------
    >>> ranked_rdm(np.diag([1.0, 1.0, 9.0]) + 1, np.arange(3)).round(2).tolist()
    [[0.0, 0.0, 0.75], [0.0, 0.0, 0.75], [0.75, 0.75, 0.0]]
    """
    mean = gram.mean(axis=1)
    inner = gram[np.ix_(rows, rows)] - mean[rows, None] - mean[rows] + mean.mean()
    length = np.sqrt(np.maximum(np.diag(inner), 0))
    flat = length <= 1e-7 * np.sqrt(np.maximum(np.diag(gram)[rows], 0))
    length = np.where(flat, np.nan, length)
    upper = np.triu_indices(len(rows), 1)
    distance = 1 - (inner / np.outer(length, length))[upper]
    ranks = rankdata(distance.round(10), nan_policy="omit") - 1
    top = max(int(np.isfinite(distance).sum()) - 1, 1)
    made = np.zeros(inner.shape, dtype=np.float32)
    made[upper] = ranks / top
    square: NDArray[np.float32] = made + made.T
    return square
