"""What is seen inside a network: its first filters, and how layers answer one picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import isqrt, prod
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from bids_dnn.containers.portrait import Maps
from bids_dnn.features.capture import capture

if TYPE_CHECKING:
    from bids_dnn.containers.network import Card, Network
    from bids_dnn.features.probe import Probed

Picture = NDArray[np.uint8] | NDArray[np.float32]
MOST_FILTERS = 96
MOST_CHANNELS = 8  # maps of a layer
MOST_SIDE = 64  # of a map; larger ones are averaged over blocks


def filters_of(module: torch.nn.Module) -> tuple[NDArray[np.float32] | None, int]:
    """Return the kernels of the first convolution, and how many there are.

    Parameters
    ----------
    module
        A network; the embedding of patches counts as a convolution.

    Returns
    -------
    filters : (k, height, width, 3) float32, at most `MOST_FILTERS`
        None where there is no convolution, or the first one does not see three channels.
    n_filters : int
        Of all; 0 with None.
    """
    first = next((m for m in module.modules() if isinstance(m, torch.nn.Conv2d)), None)
    if first is None or first.weight.shape[1] != 3 or first.weight.is_meta:
        return None, 0
    kernels = first.weight.detach()[:MOST_FILTERS].to("cpu", torch.float32)  # (k, 3, h, w)
    return np.ascontiguousarray(np.moveaxis(kernels.numpy(), 1, 3)), len(first.weight)


def activations_of(
    network: Network, probed: Sequence[Probed], picture: Picture
) -> dict[str, Maps]:
    """Return a few channels of each layer that puts out maps, for one picture.

    Parameters
    ----------
    network
        On any device.
    probed
        Layers; what is no map is left out.
    picture : (size, size, 3)
        As `Shown.load` gives it.

    Returns
    -------
    maps
        The `MOST_CHANNELS` channels that vary most over this picture, the strongest first. Tokens
        of patches are laid out as a map where they are a square.

    Raises
    ------
    ConfigError
        If a layer cannot be captured.
    """
    sides = {one.layer.name: side for one in probed if (side := map_of(one))}
    if not sides:
        return {}
    whole = [
        replace(
            one,
            layer=replace(one.layer, take="all", places=(), n_cells=0),
            n_features=prod(one.shape),
        )
        for one in probed
        if one.layer.name in sides
    ]
    device = next((p.device for p in network.module.parameters()), torch.device("cpu"))
    found = capture(
        network, _normalized(picture, network.card).to(device), whole, precision="float32"
    )
    made = {}
    for one in whole:
        values = found[one.layer.name][0].float().cpu()
        if one.tokens:  # (n_tokens, width), prefix first
            values = values.reshape(one.shape)[one.n_prefix :].T
        made[one.layer.name] = maps_of(values.reshape(sides[one.layer.name]))
    return made


def map_of(one: Probed) -> tuple[int, int, int] | None:
    """Return channels, height and width of a layer's maps, None where it has none."""
    if one.tokens:
        n_patches, width = one.shape[0] - one.n_prefix, one.shape[1]
        side = isqrt(max(n_patches, 0))
        is_square = one.modality == "image" and side > 1 and side * side == n_patches
        return (width, side, side) if is_square else None
    if one.channel_axis < 0 or one.modality != "image":
        return None
    first, second, third = one.shape
    shape = (first, second, third) if one.channel_axis == 0 else (third, first, second)
    return shape if min(shape[1:]) > 1 else None


def maps_of(whole: torch.Tensor) -> Maps:
    """Return the channels that vary most over a picture, averaged over blocks where large.

    Parameters
    ----------
    whole : (n_channels, height, width)
    """
    spread = whole.double().std(dim=(1, 2), correction=0).numpy()
    chosen = np.argsort(-spread, kind="stable")[:MOST_CHANNELS]
    step = -(-max(whole.shape[1:]) // MOST_SIDE)
    height, width = (-(-side // step) for side in whole.shape[1:])
    kept = whole[torch.from_numpy(chosen)]
    small = torch.nn.functional.adaptive_avg_pool2d(kept, (height, width))
    return Maps(small.contiguous().numpy(), tuple(map(int, chosen)), len(whole))


def _normalized(picture: Picture, card: Card) -> torch.Tensor:
    """Return (1, 3, size, size) as the network is shown it."""
    scale = np.float32(255 if picture.dtype == np.uint8 else 1)
    unit = np.asarray(picture, dtype=np.float32) / scale
    scaled = (unit - np.asarray(card.mean, np.float32)) / np.asarray(card.sd, np.float32)
    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(scaled, 2, 0)[None]))


def as_bytes(picture: Picture) -> NDArray[np.uint8]:
    """Return a picture of bytes, or of units in [0, 1] (clipped), as bytes."""
    if picture.dtype == np.uint8:
        return np.array(picture, dtype=np.uint8)
    return (np.clip(picture, 0, 1) * 255).round().astype(np.uint8)
