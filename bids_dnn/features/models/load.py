"""From a network's name to a loaded network."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import torch

from bids_dnn.containers.network import Card, Network
from bids_dnn.errors import ConfigError, nearest
from bids_dnn.features.layers import resolve_layers
from bids_dnn.features.models import (
    cornet,
    custom,
    ecoset,
    lowlevel,
    open_clip,
    timm,
    torchvision,
    transformers,
)
from bids_dnn.features.models.weights import fill, hash_of, read_state

RANDOM = "random"
CUSTOM = "PATH/file.py:factory"
PLAIN = "torchvision"  # of names without a prefix
FAMILIES = {
    "torchvision": "classification networks of torchvision; the prefix may be left out",
    "timm": "networks for pictures of timm, as timm:NAME",
    "open_clip": "CLIP's two towers, as open_clip:ARCHITECTURE/PRETRAINED",
    "transformers": "networks of the Hugging Face hub or a folder, as transformers:REPOSITORY",
    "cornet": "cornet:z, cornet:s, cornet:rt and cornet:r",
    "ecoset": "networks trained on ecoset, as ecoset:alexnet",
    "lowlevel": "controls that learn nothing, lowlevel:pixels and lowlevel:gabor",
}
Trained = Mapping[str, torch.Tensor] | torch.nn.Module
Tokenize = Callable[[Sequence[str]], Mapping[str, torch.Tensor]]


class Family(Protocol):
    """What a module of networks offers; a name comes without the family's prefix.

    A family with text towers has ``tokenizer(name, *, offline) -> Tokenize | None``, too. One
    whose cards rest on files of a hub has ``fetch(name, *, offline)``, which brings them; one
    whose files call weights otherwise than its modules has ``translated(module, state)``. One
    whose weights are a single file has ``find(name, *, offline) -> Path``; one where they may be
    several has ``find_all(name, *, offline) -> tuple[Path, ...]``. One whose networks have
    nothing to learn says in ``FIXED`` where their numbers are from.
    """

    def card(self, name: str, /) -> Card:
        """Return how a network is fed; its `name` is as the user writes it."""
        ...

    def build(self, name: str, /) -> torch.nn.Module:
        """Return a network with fresh weights from torch's current random state."""
        ...

    def trained(self, name: str, /, *, offline: bool) -> tuple[Trained, str]:
        """Return the trained weights, or the network that holds them, and where they are from."""
        ...


# These modules import the libraries that they stand for when they are asked for a network.
MODULES: dict[str, Family] = {
    "torchvision": torchvision,
    "timm": timm,
    "open_clip": open_clip,
    "transformers": transformers,
    "cornet": cornet,
    "ecoset": ecoset,
    "lowlevel": lowlevel,
}


def families() -> dict[str, str]:
    """Return each prefix of a network's name and what it stands for."""
    return {**FAMILIES, CUSTOM: "a network of your own"}


def card_of(name: str) -> Card:
    """Return how the network `name` is fed, without loading weights.

    Parameters
    ----------
    name
        One of `families`, or ``PATH/file.py:factory``.

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
    family, rest = family_of(name)
    return family.card(rest)


def load_network(
    name: str,
    *,
    weights: str | Path | None,
    layers: Sequence[str] | None,
    seed: int,
    offline: bool = False,
) -> Network:
    """Load a network ready to look at stimuli.

    Parameters
    ----------
    name
        One of `families`, or ``PATH/file.py:factory`` for the user's own.
    weights
        A state dict's path; ``random`` for the initialization that the network's own code
        makes; or None for the trained weights (from the library's cache, else downloaded; of the
        user's own: as the factory returns them).
    layers
        Layers to be analyzed (see `features.layers`); None or empty for those of the card.
    seed
        Of random weights. It is used for nothing else, and torch's own state is left alone.
    offline
        Never ask the network for weights.

    Returns
    -------
    network
        In evaluation mode, on the CPU; the layers of its card are those to be analyzed.

    Raises
    ------
    ConfigError
        If there is no such network or layer, no layer is named and the card has none, or a file
        of weights is given to a network that has nothing to learn.
    MissingInputError
        If a file is not there and cannot be downloaded, or an extra library is not installed.
    UnreadableError
        If the file of weights is cut short or holds something else.
    ShapeError
        If the weights are of another architecture.
    """
    whole = load_whole(name, weights=weights, seed=seed, offline=offline)
    chosen = tuple(layers or whole.card.layers)
    resolve_layers(whole.module, whole.card, chosen)
    return replace(whole, card=replace(whole.card, layers=chosen))


def load_whole(
    name: str, *, weights: str | Path | None, seed: int, offline: bool = False
) -> Network:
    """Load a network to look into it, whether or not its card names layers.

    Parameters
    ----------
    name, weights, seed, offline
        As for `load_network`.

    Returns
    -------
    network
        In evaluation mode, on the CPU, in float32, with the card as it is.

    Raises
    ------
    ConfigError
        If there is no such network, its tensors have no values, or a file of weights is given
        to one that has nothing to learn.
    MissingInputError
        If a file is not there and cannot be downloaded, or an extra library is not installed.
    UnreadableError
        If the file of weights is cut short or holds something else.
    ShapeError
        If the weights are of another architecture.
    """
    family, rest = family_of(name)
    if hasattr(family, "fetch"):
        family.fetch(rest, offline=offline)
    card = family.card(rest)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if weights is None:
            module, told = _trained(family, rest, offline=offline)
        else:
            module = family.build(rest)
            told = getattr(family, "FIXED", f"random (seed {seed})")
    if weights is not None and weights != RANDOM:
        _check_learns(name, family)
        path = Path(weights).expanduser()
        state: Mapping[str, torch.Tensor] = read_state(path)
        if hasattr(family, "translated"):
            state = family.translated(module, state)
        fill(module, state, source=path.name)
        told = path.name
    _check_values(name, module)
    module.eval().requires_grad_(requires_grad=False).float()  # as pictures are
    tokenize = _tokenizer(family, rest, card=card, offline=offline)
    return Network(module, card, told, hash_of(module), tokenize)


def _check_learns(name: str, family: Family) -> None:
    if hasattr(family, "FIXED"):
        raise ConfigError(
            f"{name} has nothing to learn, so that no file of weights can be of it.",
            mend=f"Leave --weights {name}=PATH out.",
        )


def _check_values(name: str, module: torch.nn.Module) -> None:
    blank = [key for key, one in module.state_dict().items() if getattr(one, "is_meta", False)]
    if blank:
        raise ConfigError(
            f"{name} has {len(blank)} tensors without values (on the device meta), such as "
            f"{blank[0]!r}.",
            mend="Make the network on the CPU, with its weights.",
        )


def find_file(name: str, *, offline: bool = False) -> Path | None:
    """Return the file of a network's trained weights, downloaded where it is not there yet.

    Parameters
    ----------
    name
        As for `load_network`.
    offline
        Never ask the network for it.

    Returns
    -------
    path
        None where the weights are no single file, or come with the user's own network.

    Raises
    ------
    ConfigError
        If there is no such network.
    MissingInputError
        If the file is not there, and cannot or may not be downloaded.
    UnreadableError
        If the file has another hash than its name says.
    """
    family, rest = family_of(name)
    if not hasattr(family, "find"):
        return None
    found: Path = family.find(rest, offline=offline)
    return found


def find_all(name: str, *, offline: bool = False) -> tuple[Path, ...]:
    """Return the files of a network's trained weights, downloaded where they are not there yet.

    Parameters
    ----------
    name, offline
        As for `find_file`.

    Returns
    -------
    paths
        Empty where the weights come with the user's own network.

    Raises
    ------
    ConfigError
        If there is no such network.
    MissingInputError
        If a file is not there, and cannot or may not be downloaded.
    UnreadableError
        If a file has another hash than its name says.
    """
    family, rest = family_of(name)
    if not hasattr(family, "find_all"):
        one = find_file(name, offline=offline)
        return () if one is None else (one,)
    found: tuple[Path, ...] = family.find_all(rest, offline=offline)
    return found


def _trained(family: Family, name: str, *, offline: bool) -> tuple[torch.nn.Module, str]:
    """Return a network with its trained weights, and where they are from."""
    made, told = family.trained(name, offline=offline)
    if isinstance(made, torch.nn.Module):
        return made, told
    module = family.build(name)
    fill(module, made, source=told)
    return module, told


def _tokenizer(family: Family, name: str, *, card: Card, offline: bool) -> Tokenize | None:
    if "text" not in card.methods or not hasattr(family, "tokenizer"):
        return None
    made: Tokenize | None = family.tokenizer(name, offline=offline)
    return made


def family_of(name: str) -> tuple[Family, str]:
    """Return the module that knows a network, and the network's name without the prefix.

    Raises
    ------
    ConfigError
        If the prefix is unknown, or the name is a path of something else than Python.
    """
    if custom.is_custom(name):
        return custom, name
    custom.refuse_path(name)
    prefix, colon, rest = name.partition(":")
    if not colon:
        prefix, rest = PLAIN, name
    if prefix not in FAMILIES:
        raise ConfigError(
            f"The network {name!r} begins with {prefix!r}, which is no family of networks.",
            mend=f"{nearest(prefix, FAMILIES)} A network of your own is {CUSTOM}.",
        )
    return MODULES[prefix], rest
