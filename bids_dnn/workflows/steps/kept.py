"""Features of layers themselves, from the extraction to the estimators that need them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from bids_dnn.containers.features import FeatureValues
from bids_dnn.features import store
from bids_dnn.features.identity import size_px_of
from bids_dnn.features.index import Index, Place
from bids_dnn.features.probe import Probed
from bids_dnn.features.reduce import Reduction, widths_left
from bids_dnn.files import read_json


def with_maps(probed: Sequence[Probed], reduction: Reduction) -> tuple[Probed, ...]:
    """Return those layers whose features are maps.

    Parameters
    ----------
    probed
        The layers.
    reduction
        Of their features: what was projected is no map.
    """
    if reduction.kind == "srp":
        return ()
    return tuple(one for one in probed if one.map_shape() is not None)


def where_features_lie(
    probed: Sequence[Probed], kept: Mapping[str, str], reduction: Reduction, *, n_stimuli: int
) -> dict[str, Place]:
    """Return where the features of layers lie, and of what shape they are.

    Parameters
    ----------
    probed
        Layers.
    kept
        Key of each layer's features in the cache.
    reduction
        Of their features.
    n_stimuli : int
        That were shown.

    Returns
    -------
    places
        By layer.
    """
    widths = {one.layer.name: one.n_features for one in probed}
    left = widths_left(reduction, widths, n_stimuli=n_stimuli)
    maps = {one.layer.name: one.map_shape() for one in with_maps(probed, reduction)}
    return {layer: Place(kept[layer], maps.get(layer) or (p,)) for layer, p in left.items()}


def load_features(index: Path, *, maps_only: bool) -> list[FeatureValues]:
    """Return the features that a `features_step` kept, named as it was told.

    Parameters
    ----------
    index
        What it wrote.
    maps_only
        Whether to pass over those that are no maps.

    Raises
    ------
    MissingInputError
        If an entry of the cache was removed.
    UnreadableError
        If an entry of the cache is damaged.
    """
    told, made = read_json(index), []
    for layer, place in (Index.from_json(told).kept or {}).items():
        if maps_only and len(place.shape) == 1:
            continue
        kept = store.read_features(Path(told["cache"]), place.key)
        values = kept.values.reshape(len(kept.stimuli), *place.shape)
        identity, size = dict(kept.identity), size_px_of(kept.identity)
        made.append(FeatureValues(kept.stimuli, told["name"], layer, values, identity, size))
    return made
