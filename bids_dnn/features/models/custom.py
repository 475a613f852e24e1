"""The user's own network: ``PATH/file.py:factory``."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

import torch

from bids_dnn.containers.network import Card, Resize
from bids_dnn.errors import ConfigError, MissingInputError, UnreadableError, nearest

PLAIN_MEAN = (0.0, 0.0, 0.0)
PLAIN_SD = (1.0, 1.0, 1.0)


def is_custom(name: str) -> bool:
    """Tell whether `name` points to a file rather than to a network of a library."""
    return name.rpartition(":")[0].endswith(".py") or name.endswith(".py")


def card(name: str) -> Card:
    """Return how the network in the user's file is fed.

    The file may hold a dictionary ``card`` with any of `name`, `layers`, `size_px`, `resize`,
    `mean`, `sd` and `reference`. Without it the network is called after the file, and takes RGB
    in [0, 1] at 224 x 224, squashed, with no mean subtracted and nothing divided.

    Parameters
    ----------
    name
        ``PATH/file.py:factory``.

    Raises
    ------
    ConfigError
        If `name` has another form, or ``card`` has an unknown key or value.
    MissingInputError
        If there is no such file.
    UnreadableError
        If the file is not Python.
    """
    path, _ = _parts(name)
    given = getattr(_run(path), "card", {})
    known = {field.name for field in fields(Card)}
    for key in given:
        if key not in known:
            raise ConfigError(
                f"The card in {path} has the key {key!r}, which is unknown.",
                mend=nearest(str(key), known),
            )
    card = Card(**{"name": path.stem, "layers": (), "mean": PLAIN_MEAN, "sd": PLAIN_SD, **given})
    if card.resize not in get_args(Resize):
        raise ConfigError(
            f"The card in {path} has resize = {card.resize!r}.",
            mend=nearest(str(card.resize), get_args(Resize)),
        )
    if len(card.mean) != len(PLAIN_MEAN) or len(card.sd) != len(PLAIN_SD) or 0 in card.sd:
        raise ConfigError(
            f"The card in {path} has mean = {card.mean!r} and sd = {card.sd!r}.",
            mend="Give three numbers each, for R, G and B in [0, 1], and no sd of 0.",
        )
    return card


def build(name: str) -> torch.nn.Module:
    """Call the factory of the user's file, which takes no argument, and return its network.

    Raises
    ------
    ConfigError
        If the file has no such factory, or it does not return a torch module.
    MissingInputError
        If there is no such file.
    UnreadableError
        If the file is not Python.
    """
    path, factory = _parts(name)
    module = _run(path)
    make: Callable[[], Any] | None = getattr(module, factory, None)
    if not callable(make):
        there = [key for key, value in vars(module).items() if callable(value)]
        raise ConfigError(
            f"{path} has no function {factory!r} that makes a network.",
            mend=nearest(factory, [key for key in there if not key.startswith("_")]),
        )
    made = make()
    if not isinstance(made, torch.nn.Module):
        raise ConfigError(
            f"{factory}() in {path} returned a {type(made).__name__}, not a torch.nn.Module.",
            mend="Return the network itself.",
        )
    return made


def trained(name: str, *, offline: bool) -> tuple[torch.nn.Module, str]:  # noqa: ARG001
    """Return the network with the weights that the factory of the user's file gives it.

    Raises
    ------
    ConfigError
        If the file has no such factory, or it does not return a torch module.
    MissingInputError
        If there is no such file.
    UnreadableError
        If the file is not Python.
    """
    return build(name), f"as made by {name.rpartition(':')[2]}()"


def _parts(name: str) -> tuple[Path, str]:
    file, _, factory = name.rpartition(":")
    if not file.endswith(".py") or not factory.isidentifier():
        raise ConfigError(
            f"The network {name!r} names a file, but no function in it.",
            mend="Write PATH/file.py:factory, where factory() returns the network.",
        )
    path = Path(file).expanduser()
    if not path.is_file():
        raise MissingInputError(
            f"There is no file {path}, which --network names.",
            mend="Correct the path before the colon.",
        )
    return path, factory


def _run(path: Path) -> ModuleType:
    # Registered, since dataclasses and the like look their module up by name.
    known_as = f"bids_dnn_user_{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:16]}"
    spec = importlib.util.spec_from_file_location(known_as, path)
    if spec is None or spec.loader is None:
        raise UnreadableError(f"{path} is not a Python file.", mend="Name a .py file.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[known_as] = module
    try:
        spec.loader.exec_module(module)
    except SyntaxError as err:
        raise UnreadableError(
            f"{path} is not Python: {err.msg} in line {err.lineno}.",
            mend="Mend the file; python -m py_compile shows the place.",
        ) from err
    return module
