"""From a network's name to a loaded network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from bids_dnn.containers.network import Card, Network
from bids_dnn.errors import ConfigError, nearest
from bids_dnn.features.models import custom, torchvision
from bids_dnn.features.models.weights import fill, find_weights, hash_of, read_state

if TYPE_CHECKING:
    from types import ModuleType

RANDOM = "random"


def card_of(name: str) -> Card:
    """Return how the network `name` is fed, without loading weights.

    Parameters
    ----------
    name
        A classification network of torchvision, or ``PATH/file.py:factory``.

    Raises
    ------
    ConfigError
        If there is no such network, or its card is wrong.
    MissingInputError
        If the file of the user's own network is not there.
    UnreadableError
        If that file is not Python.

    Examples
    --------
    >>> card_of("alexnet").layers[0]
    'features.0'
    """
    card: Card = _home(name).card(name)
    return card


def load_network(
    name: str, *, weights: str | Path | None, layers: Sequence[str] | None, seed: int
) -> Network:
    """Load a network ready to look at stimuli.

    Parameters
    ----------
    name
        A classification network of torchvision, or ``PATH/file.py:factory`` for the user's own.
    weights
        A state dict's path; ``random`` for the initialization that the network's own code
        makes; or None for the trained weights (of torchvision: from torch's cache, else
        downloaded; of the user's own: as the factory returns them).
    layers
        Module paths to be analyzed; None or empty for those of the card.
    seed
        Of random weights. It is used for nothing else, and torch's own state is left alone.

    Returns
    -------
    network
        In evaluation mode, on the CPU; the layers of its card are those to be analyzed.

    Raises
    ------
    ConfigError
        If there is no such network or layer, or no layer is named and the card has none.
    MissingInputError
        If a file is not there and cannot be downloaded.
    UnreadableError
        If the file of weights is cut short or holds something else.
    ShapeError
        If the weights are of another architecture.
    """
    home = _home(name)
    card: Card = home.card(name)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module: torch.nn.Module = home.build(name)
    chosen = tuple(layers or card.layers)
    check_layers(module, chosen, name=name)

    told = f"random (seed {seed})"
    if weights is None and home is custom:
        told = f"as made by {name.rpartition(':')[2]}()"
    elif weights != RANDOM:
        path = find_weights(name, torchvision.weights_url(name)) if weights is None else weights
        path = Path(path).expanduser()
        fill(module, read_state(path), source=path.name)
        told = path.name
    module.eval().requires_grad_(requires_grad=False)
    return Network(module, replace(card, layers=chosen), told, hash_of(module))


def layers_of(module: torch.nn.Module) -> tuple[str, ...]:
    """Return every module path of a network, in the order in which they were made."""
    return tuple(name for name, _ in module.named_modules() if name)


def check_layers(module: torch.nn.Module, layers: Sequence[str], *, name: str) -> None:
    """Refuse layers that the network does not have.

    Raises
    ------
    ConfigError
        If none is named, one is unknown, or one is named twice.
    """
    there = layers_of(module)
    if not layers:
        raise ConfigError(
            f"No layer of {name} was named, and it has no default.",
            mend=f"Write --network {name}@LAYER,... {nearest('', there)}",
        )
    for layer in layers:
        if layer not in there:
            raise ConfigError(f"{name} has no layer {layer!r}.", mend=nearest(layer, there))
    if len(set(layers)) < len(layers):
        raise ConfigError(
            f"The layers of {name} are {list(layers)}, one of them twice.",
            mend="Name each layer once.",
        )


def _home(name: str) -> ModuleType:
    return custom if custom.is_custom(name) else torchvision
