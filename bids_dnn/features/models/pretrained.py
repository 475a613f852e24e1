"""Networks of transformers: their files found, read and put in, without running code of theirs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import torch

from bids_dnn.errors import ConfigError, MissingInputError, ShapeError, UnreadableError
from bids_dnn.features.models import hub
from bids_dnn.features.models.weights import check_kinds, read_state

PREFIX = "transformers"
INDEX = "model.safetensors.index.json"
SAFE = f"model.safetensors|{INDEX}"
PLAIN = "pytorch_model.bin"
REPOSITORY = re.compile(r"[\w.-]+(/[\w.-]+)?")


def files_of(
    name: str,
    patterns: tuple[str, ...],
    *,
    more: tuple[str, ...] = hub.TEXTS,
    offline: bool,
    takes_weights: bool = True,
) -> Path:
    """Return the folder of a network that has a file for each pattern, downloaded where it may be.

    Parameters
    ----------
    name
        A repository of the hub, or a folder.
    patterns, more
        As in `hub.fetched`.
    offline
        Never ask the hub.
    takes_weights
        As in `hub.fetched`.

    Raises
    ------
    ConfigError
        If `name` is neither.
    MissingInputError
        If a file is not there, and cannot or may not be downloaded.
    """
    if folder := place_of(name, patterns):
        return folder
    own = Path(name).expanduser()
    if own.is_dir():
        wanted = " and ".join(pattern.replace("|", " or ") for pattern in patterns)
        raise MissingInputError(
            f"The folder {own}, which {PREFIX}:{name} names, does not hold {wanted}.",
            mend="Save the network and its tokenizer there with save_pretrained"
            + (f", or give --weights {PREFIX}:{name}=PATH." if takes_weights else "."),
        )
    return hub.fetched(
        name,
        patterns,
        more=more,
        offline=offline,
        name=f"{PREFIX}:{name}",
        takes_weights=takes_weights,
    )


def weights_of(
    name: str, *, offline: bool, takes_weights: bool = True
) -> tuple[Path, dict[str, torch.Tensor]]:
    """Return the folder of a network and its published weights, read without running code.

    Parameters
    ----------
    name
        A repository of the hub, or a folder.
    offline
        Never ask the hub.
    takes_weights
        As in `hub.fetched`.

    Raises
    ------
    ConfigError
        If `name` is neither.
    MissingInputError
        If they are not there, and cannot or may not be downloaded.
    UnreadableError
        If a file is cut short or holds something else.
    """
    files = weight_files(name, offline=offline, takes_weights=takes_weights)
    state = {key: value for file in files for key, value in read_state(file).items()}
    return files[0].parent, state


def weight_files(name: str, *, offline: bool, takes_weights: bool = True) -> tuple[Path, ...]:
    """Return the files of a network's published weights, downloaded where they may be.

    Parameters
    ----------
    name, offline, takes_weights
        As for `weights_of`.

    Raises
    ------
    ConfigError
        If `name` is neither a repository nor a folder.
    MissingInputError
        If they are not there, and cannot or may not be downloaded.
    UnreadableError
        If the list of several files is damaged.
    """
    more = (*hub.DESCRIPTION, "model-*.safetensors")
    find = partial(files_of, name, offline=offline, takes_weights=takes_weights)
    try:
        folder = find((*hub.CONFIG, SAFE), more=more)
    except MissingInputError as err:
        try:  # older repositories have nothing else; it is read without running code, too
            folder = find((*hub.CONFIG, PLAIN), more=hub.DESCRIPTION)
        except MissingInputError:
            raise err from None
    index = folder / INDEX
    if (folder / "model.safetensors").is_file():
        return (folder / "model.safetensors",)
    if index.is_file():
        with reading(folder):
            parts = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
        shards = tuple(sorted(set(parts.values())))
        folder = find(shards)
        return tuple(folder / shard for shard in shards)
    return (folder / PLAIN,)


def put_in(
    kind: Any, config: Any, state: Mapping[str, torch.Tensor], *, source: str
) -> tuple[Any, tuple[str, ...]]:
    """Make a network of a class of transformers and put weights into it, by its own renaming.

    Parameters
    ----------
    kind, config
        Class and configuration.
    state
        Names and tensors.
    source
        Where they are from, for the message.

    Returns
    -------
    module
        In float32.
    lacking
        Names of its tensors that `state` has not, and that are random therefore.

    Raises
    ------
    ShapeError
        If a tensor has another shape than in the network, or holds integers in place of weights.
    """
    with quiet():
        module, told = kind.from_pretrained(
            None,
            config=config,
            state_dict=dict(state),
            output_loading_info=True,
            ignore_mismatched_sizes=True,
        )
    if wrong := sorted(told["mismatched_keys"]):
        key, there, wanted = wrong[0]
        raise ShapeError(
            f"{source} does not fit the network: {key!r} has shape {tuple(there)} in place of "
            f"{tuple(wanted)}.",
            mend="Give the weights of this very architecture, or name the network that they are "
            "of.",
        )
    check_kinds(module, state, source=source)
    return module.float(), tuple(sorted(told["missing_keys"]))


def place_of(name: str, patterns: tuple[str, ...]) -> Path | None:
    """Return the folder of a network: its own, or that of the hub's cache; else None.

    Raises
    ------
    ConfigError
        If `name` is neither a folder nor the name of a repository.
    """
    folder = Path(name).expanduser()
    if folder.is_dir():
        return folder if hub.has_files(folder, patterns) else None
    if not REPOSITORY.fullmatch(name) or name.startswith("."):
        raise ConfigError(
            f"{PREFIX}:{name} names no folder that is there, and no repository of the hub.",
            mend="Correct the path, or write it as facebook/dinov2-base.",
        )
    return hub.kept(name, patterns)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep transformers from writing bars and advice, which errors here say in other words."""
    told = hub.library(PREFIX).utils.logging
    level, has_bars = told.get_verbosity(), told.is_progress_bar_enabled()
    told.set_verbosity_error()
    told.disable_progress_bar()
    try:
        yield
    finally:
        told.set_verbosity(level)
        if has_bars:
            told.enable_progress_bar()


@contextmanager
def reading(folder: Path) -> Iterator[None]:
    """Say in our words what transformers cannot read.

    Parameters
    ----------
    folder
        Its files named ``*.json`` are looked at first, since libraries say little of them.

    Raises
    ------
    UnreadableError
        If one of them is not JSON, or transformers raises what it raises on damaged files.
    """
    for path in sorted(folder.glob("*.json")):
        try:
            json.loads(path.read_text(encoding="utf-8"))
        except ValueError as err:
            raise UnreadableError(
                f"{path} is not JSON ({err}), and cannot be read by transformers.",
                mend="Fetch the repository again, or mend the file.",
            ) from err
    try:
        yield
    except (OSError, ValueError, KeyError) as err:
        first = (str(err).strip() or type(err).__name__).splitlines()[0].rstrip(".")
        raise UnreadableError(
            f"The files in {folder} cannot be read by transformers ({first}).",
            mend="Fetch the repository again; one that needs code of its own is not run: wrap it "
            "in a function of yours, --network PATH/file.py:factory.",
        ) from err
