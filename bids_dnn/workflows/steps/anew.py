"""Maps of layers that a network makes anew of pictures, where a disk cannot hold them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bids_dnn.containers.features import ShownMaps
from bids_dnn.containers.network import Network
from bids_dnn.features.capture import capture
from bids_dnn.features.probe import Probed, probe
from bids_dnn.features.reduce import parse_reduction
from bids_dnn.features.scratch import free_disk
from bids_dnn.features.transfer import normalized, placed
from bids_dnn.workflows.steps.kept import with_maps
from bids_dnn.workflows.steps.pictures import network_of, pictures_of

if TYPE_CHECKING:
    import torch

Told = Mapping[str, Any]
SHARE = 0.5  # of the free disk, that maps may take
BYTES = 4  # of a feature: float32


def is_made_anew(told: Told, n_bytes: int) -> bool:
    """Tell whether readouts make the maps of a network anew, in place of reading kept ones.

    Parameters
    ----------
    told
        Manifest of the network.
    n_bytes : int
        That all maps would take.
    """
    if told["readout_features"] != "auto":
        return bool(told["readout_features"] == "images")
    return not told["keep_features"] and n_bytes > SHARE * free_disk(Path(told["cache"]))


def bytes_of_maps(probed: Collection[Probed], n: int) -> int:
    """Return the bytes that the maps of layers take.

    Parameters
    ----------
    probed
        Layers, from `kept.with_maps`.
    n : int
        Stimuli.
    """
    return BYTES * n * sum(one.n_features for one in probed)


def shown_maps(told: Told, shown: Collection[str], device: str) -> list[ShownMaps]:
    """Return the maps of a network's layers, each to be made anew from pictures in memory.

    Parameters
    ----------
    told
        Manifest of the network.
    shown
        Ids of stimuli; those without a picture are left out.
    device
        ``cpu`` or ``cuda``.

    Returns
    -------
    maps
        Of all layers that put out maps; they share pictures and network. Each picture is rounded
        to 8 bits, which alters nothing where nothing but resizing was done.

    Raises
    ------
    BidsDnnError
        If the network, its weights or a stimulus cannot be used.
    """
    network = network_of(told)
    layers = with_maps(probe(network, network.card.layers), parse_reduction(told["reduce"]))
    if not layers:
        return []
    ids, pictures = pictures_of(told, network.card, shown)
    there = placed(network, device)
    return [
        ShownMaps(
            ids,
            told["name"],
            one.layer.name,
            pictures,
            partial(_look, there, one, told["precision"]),
        )
        for one in layers
    ]


def _look(network: Network, layer: Probed, precision: Any, pictures: torch.Tensor) -> torch.Tensor:
    """Return the maps (n, C, H, W) of pictures."""
    made = capture(network, normalized(pictures, network.card), [layer], precision=precision)
    return made[layer.layer.name].reshape(len(pictures), *(layer.map_shape() or ()))
