"""The user's own network: ``PATH/file.py:factory``."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from importlib.abc import Loader
from inspect import signature
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

import torch

from bids_dnn.containers.network import Card, Interpolation, Modality, Resize
from bids_dnn.errors import ConfigError, MissingInputError, UnreadableError, nearest
from bids_dnn.features.own_code import running

PLAIN_MEAN = (0.0, 0.0, 0.0)
PLAIN_SD = (1.0, 1.0, 1.0)
CLOSED = {"resize": get_args(Resize), "interpolation": get_args(Interpolation)}
PATHS = ("/", "./", "../", "~")  # how only paths begin
MEANT = {
    (".pt", ".pth", ".ckpt", ".safetensors"): "Weights are given by --weights NAME=PATH. ",
    (".npy", ".h5", ".hdf5", ".mat", ".tsv"): "Features are given by --network features:PATH. ",
    (".toml",): "Settings are given by --config PATH. ",
}
FOLDER = "A folder of the Hugging Face hub is transformers:FOLDER, one of features features:PATH. "
EXAMPLES = {"aliases": "{'conv1': 'features.0'}", "methods": "{'image': 'forward'}"}


def is_custom(name: str) -> bool:
    """Tell whether `name` points to a file rather than to a network of a library."""
    return name.rpartition(":")[0].endswith(".py") or name.endswith(".py")


def refuse_path(name: str) -> None:
    """Refuse what is written as a path, and is no ``PATH/file.py:factory``.

    Parameters
    ----------
    name
        Of a network.

    Raises
    ------
    ConfigError
        If it is a path; what kind of file or folder is there decides what is advised.
    """
    path = Path(name).expanduser()
    if not path.exists():
        path = Path(name.partition(":")[0]).expanduser()
    kind = next((one for one in MEANT if path.suffix.lower() in one), None)
    looks_so = kind is not None or ("." in name and path.is_file())
    if not (name.startswith(PATHS) or (looks_so and ":" not in name)):  # as in timm:NAME
        return
    if path.is_dir():
        found = "is a folder"
    elif path.is_file():
        found = "is a file, but not one of Python"
    elif path.exists():
        found = "is neither a file nor a folder"
    else:
        found = "reads as a path, and nothing is there"
    also = MEANT[kind] if kind is not None else FOLDER if path.is_dir() else ""
    raise ConfigError(
        f"The network {name!r} {found}; expected is the name of a network, such as alexnet or "
        "timm:resnet18, or a Python file with the function that makes one.",
        mend=f"{also}Type --network NAME=PATH/file.py:factory, where factory() returns the "
        "network.",
    )


def card(name: str) -> Card:
    """Return how the network in the user's file is fed.

    The file may hold a dictionary ``card`` with any of the fields of `Card`. Without it the
    network is called after the file, and takes RGB in [0, 1] at 224 x 224, squashed, with no mean
    subtracted and nothing divided.

    Parameters
    ----------
    name
        ``PATH/file.py:factory``.

    Raises
    ------
    ConfigError
        If `name` has another form, ``card`` has an unknown key or a wrong value, or the file
        raises something.
    MissingInputError
        If there is no such file, or it imports what is not there.
    UnreadableError
        If the file is not Python.
    """
    path, _ = _parts(name)
    given = getattr(_run(path), "card", {})
    if not isinstance(given, Mapping):
        raise ConfigError(
            f"The card in {path} is a {type(given).__name__}.",
            mend="Write card = {'size_px': 224, ...}, a dictionary.",
        )
    known = {field.name for field in fields(Card)}
    for key in given:
        if key not in known:
            raise ConfigError(
                f"The card in {path} has the key {key!r}, which is unknown.",
                mend=nearest(str(key), known),
            )
    rows = {key: _words(path, key, given[key]) for key in ("layers", "labels") if key in given}
    plain = {"name": path.stem, "layers": (), "mean": PLAIN_MEAN, "sd": PLAIN_SD}
    made = Card(**{**plain, **given, **rows})
    for key, allowed in CLOSED.items():
        if getattr(made, key) not in allowed:
            raise ConfigError(
                f"The card in {path} has {key} = {getattr(made, key)!r}.",
                mend=nearest(str(getattr(made, key)), allowed),
            )
    _check_numbers(path, made)
    _check_names(path, made)
    return made


def _words(path: Path, key: str, given: Any) -> tuple[str, ...]:
    if isinstance(given, str) or not isinstance(given, Sequence):
        raise ConfigError(
            f"The card in {path} has {key} = {given!r}, not a row of names.",
            mend=f"Write {key} = ('first', 'second').",
        )
    return tuple(map(str, given))


def _check_numbers(path: Path, card: Card) -> None:
    if not isinstance(card.size_px, int) or card.size_px < 1:
        raise ConfigError(
            f"The card in {path} has size_px = {card.size_px!r}.",
            mend="Give the side of the square input in pixels, such as 224.",
        )
    if not (_are_three(card.mean) and _are_three(card.sd)) or 0 in card.sd:
        raise ConfigError(
            f"The card in {path} has mean = {card.mean!r} and sd = {card.sd!r}.",
            mend="Give three numbers each, for R, G and B in [0, 1], and no sd of 0.",
        )


def _are_three(given: Any) -> bool:
    return (
        isinstance(given, Sequence)
        and len(given) == len(PLAIN_MEAN)
        and all(isinstance(one, int | float) for one in given)
    )


def _check_names(path: Path, card: Card) -> None:
    if card.labels and not card.head:
        raise ConfigError(
            f"The card in {path} has {len(card.labels)} labels, but no head.",
            mend="Name the layer that puts out a logit for each label: head = 'fc'.",
        )
    for key in ("aliases", "methods"):
        given: object = getattr(card, key)
        told = [*given, *given.values()] if isinstance(given, Mapping) else [None]
        if not all(isinstance(one, str) for one in told):
            raise ConfigError(
                f"The card in {path} has {key} = {given!r}, not a dictionary of words.",
                mend=f"Write {key} = {EXAMPLES[key]}.",
            )
    if wrong := [key for key in card.methods if key not in get_args(Modality)]:
        raise ConfigError(
            f"The card in {path} has a method for {wrong[0]!r}.",
            mend=nearest(str(wrong[0]), get_args(Modality)),
        )


def build(name: str) -> torch.nn.Module:
    """Call the factory of the user's file, which takes no argument, and return its network.

    Raises
    ------
    ConfigError
        If the file has no such factory, it raises something or wants arguments, or it does not
        return a torch module.
    MissingInputError
        If there is no such file, or it imports what is not there.
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
    _check_callable(path, factory, make)
    told = f"{factory}() in {path}"
    with running(told, path=path, mend="Mend it, so that it returns the network."):
        made = make()
    if not isinstance(made, torch.nn.Module):
        raise ConfigError(
            f"{told} returned a {type(made).__name__}, not a torch.nn.Module.",
            mend="Return the network itself.",
        )
    return made


def trained(name: str, *, offline: bool) -> tuple[torch.nn.Module, str]:  # noqa: ARG001
    """Return the network with the weights that the factory of the user's file gives it.

    Raises
    ------
    ConfigError
        If the file has no such factory, it raises something or wants arguments, or it does not
        return a torch module.
    MissingInputError
        If there is no such file, or it imports what is not there.
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
        with running(str(path), path=path, mend=f"Mend it; type python {path} to see more."):
            _execute(spec.loader, module, path)
    except BaseException:
        del sys.modules[known_as]
        raise
    return module


def _execute(loader: Loader, module: ModuleType, path: Path) -> None:
    try:
        loader.exec_module(module)
    except SyntaxError as err:
        raise UnreadableError(
            f"{err.filename or path} is not Python: {err.msg} in line {err.lineno}.",
            mend="Mend the file; python -m py_compile shows the place.",
        ) from err


def _check_callable(path: Path, factory: str, make: Callable[..., Any]) -> None:
    try:
        signature(make).bind()
    except TypeError as err:
        line = getattr(getattr(make, "__code__", None), "co_firstlineno", None)
        where = f"{path}, line {line}," if line else str(path)
        raise ConfigError(
            f"{factory}() in {where} cannot be called without arguments: {err}.",
            mend="Give each of its arguments a default value, or wrap it: "
            "def factory(): return make(10)",
        ) from None
    except ValueError:  # some that are not written in Python do not say what they take
        return
