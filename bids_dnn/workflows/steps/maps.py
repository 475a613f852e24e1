"""Features of layers as maps, from the extraction to the readouts that need them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from bids_dnn.containers.features import FeatureMaps
from bids_dnn.features import store
from bids_dnn.features.index import Index, MapPlace
from bids_dnn.features.probe import Probed
from bids_dnn.features.reduce import Reduction
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


def where_maps_lie(probed: Sequence[Probed], kept: Mapping[str, str]) -> dict[str, MapPlace]:
    """Return where the maps of layers lie.

    Parameters
    ----------
    probed
        Layers, from `with_maps`.
    kept
        Key of each layer's features in the cache.

    Returns
    -------
    places
        By layer.
    """
    shapes = {one.layer.name: one.map_shape() for one in probed}
    return {
        layer: MapPlace(kept[layer], shape) for layer, shape in shapes.items() if shape is not None
    }


def load_maps(index: Path) -> list[FeatureMaps]:
    """Return the maps that a `features_step` kept for readouts, named as it was told.

    Raises
    ------
    MissingInputError
        If an entry of the cache was removed.
    UnreadableError
        If an entry of the cache is damaged.
    """
    told, made = read_json(index), []
    for layer, place in (Index.from_json(told).maps or {}).items():
        kept = store.read_features(Path(told["cache"]), place.key)
        values = kept.values.reshape(len(kept.stimuli), *place.shape)
        identity = dict(kept.identity)
        made.append(FeatureMaps(tuple(kept.stimuli), told["name"], layer, values, identity))
    return made
