"""What a network makes of pictures, up to some module: with or without gradients."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from bids_dnn.analyses.samediff.augment import Picture
from bids_dnn.containers.network import Card, Network
from bids_dnn.errors import ConfigError, nearest

MAP_AXES = 4


class _SeenError(Exception):
    """The module that was waited for has run: the rest need not."""


class Trunk(torch.nn.Module):
    """A network up to the output of one of its modules; nothing after it runs.

    Parameters
    ----------
    network
        A copy of it is made.
    layer
        Path of the module; "" = the whole network.
    takes_input
        Whether what goes into that module is returned, not what comes out.
    is_frozen
        Whether weights stay as they are, and the module in evaluation mode.
    """

    def __init__(
        self, network: Network, layer: str, *, takes_input: bool = False, is_frozen: bool = True
    ) -> None:
        super().__init__()
        self.body = copy.deepcopy(network.module).requires_grad_(not is_frozen)
        self._method = network.card.methods["image"]
        self._layer, self._takes_input, self._is_frozen = layer, takes_input, is_frozen
        self._seen: list[torch.Tensor] = []
        if takes_input:
            self.body.get_submodule(layer).register_forward_pre_hook(self._keep_input)
        elif layer:
            self.body.get_submodule(layer).register_forward_hook(self._keep)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """Return what the module sees or makes of normalized pictures (n, 3, size, size).

        Raises
        ------
        ConfigError
            If the module does not run, or puts out something else than one tensor.
        """
        self._seen.clear()
        call = self.body if self._method == "forward" else getattr(self.body, self._method)
        try:
            made = call(pictures)
        except _SeenError:
            return self._seen.pop()
        if self._layer or not isinstance(made, torch.Tensor):
            raise ConfigError(
                f"Layer {self._layer!r} did not run, or the network puts out no single tensor.",
                mend="Name a layer that does (--layer; bids_dnn_tools layers NETWORK lists them).",
            )
        return made

    def train(self, mode: bool = True) -> Trunk:  # noqa: FBT001, FBT002 - torch's own signature
        """Go into training mode, but where weights are frozen."""
        super().train(mode and not self._is_frozen)
        return self

    def _keep(self, _module: object, _given: object, made: Any) -> None:
        if not isinstance(made, torch.Tensor):
            raise ConfigError(
                f"Layer {self._layer!r} puts out a {type(made).__name__}, no single tensor.",
                mend="Name another layer (bids_dnn_tools layers NETWORK).",
            )
        self._seen.append(made)
        raise _SeenError

    def _keep_input(self, module: object, given: Sequence[Any]) -> None:
        self._keep(module, None, given[0] if given else None)


def n_weights(network: Network, layer: str, *, takes_input: bool = False) -> int:
    """Return how many weights and biases take part in what a `Trunk` returns.

    Parameters
    ----------
    network, layer, takes_input
        As for `Trunk`.
    """
    trunk = Trunk(network, layer, takes_input=takes_input, is_frozen=False).eval()
    side = network.card.size_px
    made = trunk(torch.zeros(1, 3, side, side)).sum()
    if made.requires_grad:
        made.backward()
    return sum(p.numel() for p in trunk.parameters() if p.grad is not None)


def outputs_of(network: Network) -> list[tuple[str, torch.nn.Module, tuple[int, ...]]]:
    """Return each module that puts out a tensor for a grey picture: path, module and shape.

    Parameters
    ----------
    network

    Returns
    -------
    outputs
        In the order in which modules are done.
    """
    found: list[tuple[str, torch.nn.Module, tuple[int, ...]]] = []

    def note(path: str) -> Any:
        def hook(module: torch.nn.Module, _given: object, made: object) -> None:
            if isinstance(made, torch.Tensor):
                found.append((path, module, tuple(made.shape)))

        return hook

    handles = [part.register_forward_hook(note(path)) for path, part in
               network.module.named_modules() if path]  # fmt: skip
    try:
        with torch.no_grad():
            network.show(torch.zeros(1, 3, network.card.size_px, network.card.size_px))
    finally:
        for handle in handles:
            handle.remove()
    return found


def head_of(network: Network) -> str:
    """Return the path of a network's last linear layer, "" where it has none.

    Parameters
    ----------
    network
        Where its card names a head, that is taken; else the last linear layer that puts out one
        row for a picture, and not one for each of its tokens.
    """
    if network.card.head:
        return network.card.head
    linear = [
        path
        for path, part, shape in outputs_of(network)
        if isinstance(part, torch.nn.Linear) and len(shape) == 2
    ]
    return linear[-1] if linear else ""


def shape_of(network: Network, layer: str) -> tuple[int, ...]:
    """Return the shape of what a layer puts out for one picture.

    Parameters
    ----------
    network
    layer
        Path of a module.

    Raises
    ------
    ConfigError
        If there is no such layer, or it puts out no single tensor.
    """
    shapes = {path: shape for path, _, shape in outputs_of(network)}
    if layer not in shapes:
        raise ConfigError(
            f"{network.card.name} has no layer {layer!r} that puts out one tensor.",
            mend=nearest(layer, shapes),
        )
    return shapes[layer][1:]


def last_map(network: Network) -> tuple[str, int, int]:
    """Return the last layer that still is a map over space, its channels and its side.

    Parameters
    ----------
    network

    Returns
    -------
    layer, n_channels, side

    Raises
    ------
    ConfigError
        If no module puts out a square map, or tokens follow the last one.
    """
    outputs = [(path, shape) for path, _, shape in outputs_of(network)]
    maps = [
        k
        for k, (_, shape) in enumerate(outputs)
        if len(shape) == MAP_AXES and shape[2] == shape[3] > 1
    ]
    tokens = [k for k, (_, shape) in enumerate(outputs) if len(shape) == MAP_AXES - 1]
    if not maps or (tokens and tokens[-1] > maps[-1]):
        raise ConfigError(
            f"{network.card.name} has no map over space near its end (channels x height x "
            "width), which two streams need.",
            mend="Use a convolutional network, such as cornet:z, or the variant frozen.",
        )
    path, shape = outputs[maps[-1]]
    return path, shape[1], shape[2]


def fed(pictures: Sequence[Picture], card: Card, *, device: str) -> torch.Tensor:
    """Return pictures as a network takes them, resized where they are of another size.

    Parameters
    ----------
    pictures : n of (h, w, 3), in [0, 1]
    card
        Its size; its mean is subtracted, then it is divided by its SD.
    device
        Of torch.

    Returns
    -------
    inputs : (n, 3, size, size) float32
    """
    stacked = torch.from_numpy(np.stack(pictures).astype(np.float32, copy=False)).to(device)
    made = stacked.permute(0, 3, 1, 2).contiguous()
    if made.shape[2:] != (card.size_px, card.size_px):
        made = torch.nn.functional.interpolate(
            made, size=(card.size_px, card.size_px), mode="bilinear", antialias=True
        )
    mean, sd = (torch.tensor(one, device=device)[:, None, None] for one in (card.mean, card.sd))
    return (made - mean) / sd
