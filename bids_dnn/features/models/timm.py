"""timm's networks for pictures."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from bids_dnn.containers.network import Card, Interpolation, Resize
from bids_dnn.errors import ConfigError, ShapeError, nearest
from bids_dnn.features.models import hub
from bids_dnn.features.models.blocks import runnable, stages_of, without_weights
from bids_dnn.features.models.weights import check_kinds, find_weights, read_state

PREFIX = "timm"
N_COLORS = 3
N_LETTERS = 300  # of timm's message, which may list each tensor
ARXIV = re.compile(r"arXiv:(\d{4}\.\d{4,5})")
HEADS = (torch.nn.Linear, torch.nn.Conv2d)
N_IMAGENET = 1000
FILES = "model.safetensors|pytorch_model.bin"
RESIZE: Mapping[str, Resize] = {"center": "center-crop", "border": "center-crop"}
INTERPOLATION: Mapping[str, Interpolation] = {"bilinear": "bilinear"}
LIBRARY = "Wightman (2019), PyTorch Image Models, doi:10.5281/zenodo.4414861"


def card(name: str) -> Card:
    """Return how timm's network `name` is fed, as its published weights ask for.

    The layers analyzed by default are its stages or blocks in forward order, and the classifier.

    Parameters
    ----------
    name
        Of the network in timm, with or without the tag of its weights, as
        ``vit_tiny_patch16_224.augreg_in21k``.

    Raises
    ------
    ConfigError
        If timm has no such network, or it takes no square RGB pictures.
    MissingInputError
        If timm is not installed.
    """
    asked = _asked(name)
    channels, height, width = asked["input_size"]
    if height != width or channels != N_COLORS:
        raise ConfigError(
            f"{PREFIX}:{name} takes {channels} x {height} x {width} values; pictures are square, "
            "in 3 colors.",
            mend="Wrap it in a function of your own: --network PATH/file.py:factory.",
        )
    make = hub.library(PREFIX).create_model
    module = without_weights(lambda: make(name, pretrained=False))
    paper, doi = _paper(asked)
    head = _head(module, asked)
    stages = runnable(module, stages_of(module), size_px=int(height))
    return Card(
        name=f"{PREFIX}:{name}",
        layers=(*stages, *([head] if head else [])),
        size_px=int(height),
        resize=RESIZE.get(asked["crop_mode"], "squash"),
        mean=tuple(asked["mean"]),
        sd=tuple(asked["std"]),
        interpolation=INTERPOLATION.get(asked["interpolation"], "bicubic"),
        reference=f"{name}{paper}, as trained for timm ({LIBRARY}).",
        doi=doi,
        license=asked.get("license") or "",
        head=head if getattr(module, "num_classes", 0) == N_IMAGENET else "",
        labels=_labels() if head and getattr(module, "num_classes", 0) == N_IMAGENET else (),
    )


def build(name: str) -> torch.nn.Module:
    """Return timm's network `name` with fresh weights from torch's current random state.

    Raises
    ------
    ConfigError
        If timm has no such network.
    MissingInputError
        If timm is not installed.
    """
    _asked(name)
    made: torch.nn.Module = hub.library(PREFIX).create_model(name, pretrained=False)
    return made


def find(name: str, *, offline: bool) -> Path:
    """Return the file of timm's published weights of `name`.

    It is looked for in the cache of the hub (``$HF_HOME``), or, where timm has it at an address
    of its own, in torch's (``$TORCH_HOME``), and else downloaded.

    Raises
    ------
    ConfigError
        If timm has no such network, or no weights of it.
    MissingInputError
        If the file is not in the cache and cannot or may not be downloaded, or timm is not
        installed.
    UnreadableError
        If a file in torch's cache has another hash than its name says.
    """
    asked, full = _asked(name), f"{PREFIX}:{name}"
    if repository := asked.get("hf_hub_id"):
        folder = hub.fetched(repository, [FILES], offline=offline, name=full)
        return next(folder / file for file in FILES.split("|") if (folder / file).is_file())
    if url := asked.get("url"):
        return find_weights(full, url, offline=offline)
    raise ConfigError(
        f"timm publishes no weights of {name}.",
        mend=f"Give --weights {full}=PATH, or --weights {full}=random. With weights: "
        f"{nearest(name, hub.library(PREFIX).list_models(pretrained=True))}",
    )


def trained(name: str, *, offline: bool) -> tuple[torch.nn.Module, str]:
    """Return timm's network `name` with its published weights, and what their file is called.

    Raises
    ------
    ConfigError
        If timm has no such network, or no weights of it.
    MissingInputError
        If the file is not in the cache and cannot or may not be downloaded, or timm is not
        installed.
    ShapeError
        If the weights are of another architecture.
    UnreadableError
        If the file is cut short or holds something else.
    """
    path, full = find(name, offline=offline), f"{PREFIX}:{name}"
    repository = _asked(name).get("hf_hub_id")
    told = f"{repository}/{path.name}" if repository else path.name
    # timm itself puts them in, since for some networks it must rename or reshape them.
    state = read_state(path)
    given = {"state_dict": state, "custom_load": False}
    try:
        module: torch.nn.Module = hub.library(PREFIX).create_model(
            name, pretrained=True, pretrained_cfg_overlay=given
        )
    except (RuntimeError, KeyError, ValueError) as err:
        first = " ".join(str(err).split())[:N_LETTERS]
        raise ShapeError(
            f"{told} does not fit {full}: {first}.",
            mend="Fetch that file again, or name the network that its weights are of.",
        ) from err
    check_kinds(module, state, source=told)
    return module, told


def _asked(name: str) -> dict[str, Any]:
    """Return what timm says of a network's published weights."""
    timm = hub.library(PREFIX)
    base, _, tag = name.partition(".")
    if not timm.is_model(base):
        raise ConfigError(
            f"There is no network {name!r} among timm's.",
            mend=nearest(base, timm.list_models()),
        )
    tags = [known.partition(".")[2] for known in timm.list_pretrained(f"{base}.*")]
    if tag and tag not in tags:
        raise ConfigError(f"timm's {base} has no weights {tag!r}.", mend=nearest(tag, tags))
    found = timm.get_pretrained_cfg(name)
    asked: dict[str, Any] = found.to_dict() if found else {}
    return asked


def _paper(asked: Mapping[str, Any]) -> tuple[str, str]:
    """Return title and arXiv number of a paper, with a comma before each, and its DOI."""
    told = asked.get("paper_ids") or ()
    ids = [told] if isinstance(told, str) else list(told)
    text = "".join(f", {part}" for part in (asked.get("paper_name"), *ids) if part)
    found = ARXIV.match(ids[0]) if ids else None
    return text, f"10.48550/arXiv.{found[1]}" if found else ""


def _head(module: torch.nn.Module, asked: Mapping[str, Any]) -> str:
    """Return the classifier's path; "" where there is none, or more than one."""
    path = asked.get("classifier")
    there = dict(module.named_modules())
    if not isinstance(path, str) or not isinstance(there.get(path), HEADS):
        return ""
    return path


def _labels() -> tuple[str, ...]:
    names = hub.library("timm.data").ImageNetInfo("imagenet-1k")
    return tuple(names.index_to_description(index) for index in range(N_IMAGENET))
