"""The pictures of stimuli as a network sees them, in memory."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bids_dnn.backend import cores
from bids_dnn.containers.network import READY, Card, Network
from bids_dnn.containers.pictures import GreyPictures
from bids_dnn.errors import ConfigError
from bids_dnn.features.ahead import Picture, decoded
from bids_dnn.features.models import load_network
from bids_dnn.stimuli.load import Loader
from bids_dnn.stimuli.tone import luminance
from bids_dnn.stimuli.transform_parse import parse_transforms

Told = Mapping[str, Any]
MOST_PX = 64  # a side of a grey picture


def files_of(told: Told) -> dict[str, tuple[Path, ...]]:
    """Return the files of each stimulus.

    Parameters
    ----------
    told
        Manifest of a network.
    """
    return {name: tuple(map(Path, paths)) for name, paths in told["stimuli"].items()}


def network_of(told: Told) -> Network:
    """Load the network of a manifest, as it asks for it.

    Raises
    ------
    ConfigError
        If the network or a layer does not exist.
    MissingInputError
        If weights are not there and cannot be downloaded.
    """
    return load_network(
        told["network"],
        weights=told["weights"],
        layers=told["layers"] or None,
        seed=told["seed"],
        offline=told["offline"],
    )


def loader_of(told: Told, card: Card) -> Loader:
    """Return what gives the picture of a stimulus as a network sees it.

    Parameters
    ----------
    told
        Manifest of the network.
    card
        Of the network.
    """
    return Loader(
        files_of(told),
        card.size_px,
        card.resize,
        card.interpolation,
        parse_transforms(told["transform"]),
        told["max_pixels"],
    )


def grey_pictures(networks: Mapping[str, Told], shown: Collection[str]) -> GreyPictures:
    """Return pictures in grey as the first network sees them that sees any.

    Parameters
    ----------
    networks
        Manifests, by name.
    shown
        Ids of stimuli; those without a picture are left out.

    Returns
    -------
    pictures
        Of 8 bits, at most `MOST_PX` on a side; larger ones are averaged over areas.

    Raises
    ------
    ConfigError
        If no network sees pictures.
    BidsDnnError
        If a picture cannot be loaded.
    """
    seeing = ((name, told, _card(told)) for name, told in networks.items())
    name, told, card = next((one for one in seeing if one[2] is not None), ("", {}, None))
    if card is None:
        raise ConfigError(
            f"encode.triggered needs pictures, and {', '.join(networks)} sees none.",
            mend="Name a network that is shown pictures, such as --network alexnet, or leave "
            "triggered out.",
        )
    ids, size = _ids(told, shown), min(card.size_px, MOST_PX)
    values = np.empty((len(ids), size, size), dtype=np.uint8)
    for row, picture in enumerate(_decoded(told, card, ids)):
        values[row] = _small(picture, size)
    return GreyPictures(ids, values, name)


def pictures_of(
    told: Told, card: Card, shown: Collection[str]
) -> tuple[tuple[str, ...], NDArray[np.uint8]]:
    """Return pictures as a network sees them before they are normalized, in 8 bits.

    Parameters
    ----------
    told
        Manifest of the network.
    card
        Of the network.
    shown
        Ids of stimuli; those without a picture are left out.

    Returns
    -------
    ids
        Of the rows.
    pictures : (n, size_px, size_px, 3) uint8
        What transforms made is rounded, see `as_8_bit`.

    Raises
    ------
    BidsDnnError
        If a picture cannot be loaded.
    """
    ids = _ids(told, shown)
    values = np.empty((len(ids), card.size_px, card.size_px, 3), dtype=np.uint8)
    for row, picture in enumerate(_decoded(told, card, ids)):
        values[row] = as_8_bit(picture)
    return ids, values


def as_8_bit(picture: Picture) -> NDArray[np.uint8]:
    """Return a picture in 8 bits: what lies outside of [0, 1] is cut off, the rest rounded.

    Parameters
    ----------
    picture
        uint8, which stays as it is, or float32 in units of [0, 1].

    Examples
    --------
    >>> as_8_bit(np.array([-0.1, 0.5, 0.999, 2.0], dtype=np.float32)).tolist()
    [0, 128, 255, 255]
    """
    if picture.dtype == np.uint8:
        return picture.astype(np.uint8, copy=False)
    share: NDArray[np.float32] = np.clip(picture.astype(np.float32, copy=False), 0, 1)
    return np.round(share * np.float32(255)).astype(np.uint8)


def _ids(told: Told, shown: Collection[str]) -> tuple[str, ...]:
    wanted = set(shown)
    return tuple(one for one in told["stimuli"] if one in wanted)


def _decoded(told: Told, card: Card, ids: Sequence[str]) -> Iterator[Picture]:
    workers = max(1, cores() - 1)
    return decoded(loader_of(told, card), ids, size_px=card.size_px, n_workers=workers)


def _card(told: Told) -> Card | None:
    """Return the card of a network that sees pictures, None of another one."""
    if told["network"].startswith(READY):
        return None
    layers, offline = told["layers"] or None, told["offline"]
    network = load_network(
        told["network"], weights="random", layers=layers, seed=0, offline=offline
    )
    return network.card if "image" in network.card.methods else None


def _small(picture: Picture, size: int) -> NDArray[np.uint8]:
    """Return the luminance in 8 bits, (size, size)."""
    grey = as_8_bit(luminance(as_8_bit(picture).astype(np.float32) / np.float32(255)))
    made = Image.fromarray(grey)
    if made.size != (size, size):
        made = made.resize((size, size), Image.Resampling.BOX)
    return np.asarray(made)
