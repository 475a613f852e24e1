"""Weights of networks: from a file, torch's cache or a download, and their hash."""

from __future__ import annotations

import hashlib
import http.client
import pickle
import urllib.request
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from bids_dnn import files
from bids_dnn.errors import MissingInputError, ShapeError, UnreadableError

TIMEOUT_S = 5.0
PREFIX_LENGTH = 8  # of the SHA-256 that torchvision puts into its file names
BROKEN = (
    pickle.UnpicklingError,
    zipfile.BadZipFile,
    RuntimeError,
    EOFError,
    ValueError,
    KeyError,
    AttributeError,
    OSError,
)


def find_weights(name: str, url: str, *, offline: bool = False) -> Path:
    """Return the file of a network's default weights, downloaded where it is not there yet.

    Parameters
    ----------
    name
        Of the network, for the message.
    url
        Where the file can be had; its name is looked for in torch's cache
        (``$TORCH_HOME/hub/checkpoints``).
    offline
        Never ask the network for the file.

    Raises
    ------
    MissingInputError
        If the file is not in the cache, and cannot or may not be downloaded.
    """
    path = Path(torch.hub.get_dir()) / "checkpoints" / url.rpartition("/")[2]
    if not path.is_file() and offline:
        raise MissingInputError(
            f"The weights of {name} ({path.name}) are not in {path.parent}, and this run is "
            "offline.",
            mend=f"Put {path.name} (from {url}) into that folder, or give --weights {name}=PATH.",
        )
    if not path.is_file():
        try:
            _download(url, path)
        except (OSError, http.client.HTTPException) as err:
            reason = getattr(err, "reason", err)
            raise MissingInputError(
                f"The weights of {name} ({path.name}) are not in {path.parent} and could not be "
                f"downloaded from {url} ({reason}).",
                mend=f"Put {path.name} into that folder, or give --weights {name}=PATH "
                f"(or --weights {name}=random for an untrained network).",
            ) from err
    return path


def _download(url: str, path: Path) -> None:
    expected = path.stem.rpartition("-")[2]
    with (
        urllib.request.urlopen(url, timeout=TIMEOUT_S) as answer,  # noqa: S310  (https, ours)
        files.writing(path) as aside,
    ):
        with aside.open("wb") as stream:
            while block := answer.read(files.CHUNK):
                stream.write(block)
        found = files.fingerprint(aside)
        if len(expected) >= PREFIX_LENGTH and not found.startswith(expected):
            raise OSError(f"SHA-256 {found[:16]}..., expected {expected}...")


def read_state(path: Path) -> dict[str, torch.Tensor]:
    """Read a state dict without running code that the file may hold.

    Parameters
    ----------
    path
        As ``torch.save(module.state_dict(), path)`` writes it; where it is wrapped as
        ``{"state_dict": ...}``, what is inside is taken.

    Raises
    ------
    MissingInputError
        If there is no such file.
    UnreadableError
        If the file is cut short, holds code, or holds something else than named tensors.
    """
    if not path.is_file():
        raise MissingInputError(
            f"There is no file of weights {path}.", mend="Correct the path in --weights."
        )
    try:
        found: Any = torch.load(path, map_location="cpu", weights_only=True)
    except BROKEN as err:
        first = (str(err).strip() or type(err).__name__).splitlines()[0].rstrip(".")
        raise UnreadableError(
            f"{path} cannot be read as a state dict of plain tensors ({first}).",
            mend="Save it with torch.save(module.state_dict(), path); a file that holds code, or "
            "is cut short, is refused.",
        ) from err
    state = found.get("state_dict", found) if isinstance(found, dict) else found
    if not isinstance(state, dict) or not all(
        isinstance(key, str) and isinstance(value, torch.Tensor) for key, value in state.items()
    ):
        raise UnreadableError(
            f"{path} holds a {type(state).__name__}, not names and tensors.",
            mend="Save it with torch.save(module.state_dict(), path).",
        )
    return state


def fill(module: torch.nn.Module, state: Mapping[str, torch.Tensor], *, source: str) -> None:
    """Put weights into a network, all of them or none.

    Parameters
    ----------
    module
        Its own tensors are overwritten.
    state
        Names and tensors; counters of batch normalization may be absent, as old files lack
        them.
    source
        Where `state` is from, for the message.

    Raises
    ------
    ShapeError
        If a tensor is missing, too many, or has another shape; the first one is named.
    """
    own = module.state_dict()
    for key, tensor in own.items():
        if key not in state:
            if key.endswith("num_batches_tracked"):
                continue
            raise _mismatch(source, f"lacks {key!r} {tuple(tensor.shape)}")
        if state[key].shape != tensor.shape:
            there = tuple(state[key].shape)
            wanted = tuple(tensor.shape)
            raise _mismatch(source, f"has {key!r} with shape {there} in place of {wanted}")
    for key in state:
        if key not in own:
            raise _mismatch(source, f"has {key!r}, which the network has not")
    module.load_state_dict(dict(state), strict=False)


def _mismatch(source: str, what: str) -> ShapeError:
    return ShapeError(
        f"{source} does not fit the network: it {what}.",
        mend="Give the weights of this very architecture, or name the network that they are of.",
    )


def hash_of(module: torch.nn.Module) -> str:
    """Return the SHA-256 over names, types, shapes and bytes of all tensors, by name."""
    digest = hashlib.sha256()
    for key, tensor in sorted(module.state_dict().items()):
        plain = tensor.detach().cpu().contiguous()
        digest.update(f"{key} {plain.dtype} {tuple(plain.shape)}\n".encode())
        digest.update(plain.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
