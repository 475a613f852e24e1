"""Weights of networks: from a file, torch's cache or a download, and their hash."""

from __future__ import annotations

import hashlib
import http.client
import pickle
import re
import sys
import urllib.request
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from bids_dnn import files
from bids_dnn.errors import MissingInputError, OutputError, ShapeError, UnreadableError
from bids_dnn.features.sources import hidden_tensors

TIMEOUT_S = 10.0
# File names of torch's zoo end with the start of a SHA-256; some others end with a date.
HASHED = re.compile(r"-(?!20\d\d[01]\d[0-3]\d$)([0-9a-f]{8,64})$")
WRAPPERS = ("state_dict", "model_state_dict", "model")  # keys under which training code saves
PREFIXES = ("module.", "_orig_mod.")  # of networks trained in parallel, or compiled
BROKEN = (
    pickle.UnpicklingError,
    zipfile.BadZipFile,
    RuntimeError,
    EOFError,
    ValueError,
    KeyError,
    AttributeError,
    TypeError,
    OSError,
)


def cache_folder() -> Path:
    """Return where torch keeps weights that were downloaded: ``$TORCH_HOME/hub/checkpoints``."""
    return Path(torch.hub.get_dir()) / "checkpoints"


def find_weights(name: str, url: str, *, file_name: str = "", offline: bool = False) -> Path:
    """Return the file of a network's trained weights, downloaded where it is not there yet.

    Parameters
    ----------
    name
        Of the network, as the user writes it, for the message.
    url
        Where the file can be had.
    file_name
        Under which it lies in torch's cache; "" = the last part of `url`. Where it ends with
        ``-`` and the first 8 or more digits of a SHA-256, the file must have it.
    offline
        Never ask the network for the file.

    Raises
    ------
    MissingInputError
        If the file is not in the cache, and cannot or may not be downloaded.
    UnreadableError
        If the file in the cache has another hash than its name says.
    OutputError
        If the disk is full, or torch's cache cannot be written.
    """
    path = cache_folder() / (file_name or url.rpartition("/")[2])
    if path.is_file():
        _check_hash(path)
        return path
    place = f"Put {path.name} (from {url}) into that folder, or give --weights {name}=PATH"
    if offline:
        raise MissingInputError(
            f"The weights of {name} ({path.name}) are not in {path.parent}, and nothing may be "
            "downloaded.",
            mend=f"{place}.",
        )
    try:
        _download(url, path, name=name)
    except OutputError:  # a full disk is not the fault of the network
        raise
    except (OSError, http.client.HTTPException) as err:
        reason = getattr(err, "reason", err)
        raise MissingInputError(
            f"The weights of {name} ({path.name}) are not in {path.parent} and could not be "
            f"downloaded from {url} ({reason}).",
            mend=f"{place} (or --weights {name}=random for an untrained network).",
        ) from err
    return path


def _download(url: str, path: Path, *, name: str) -> None:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn

    columns = ("{task.description}", BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with (
        urllib.request.urlopen(url, timeout=TIMEOUT_S) as answer,  # noqa: S310  (https, ours)
        files.writing(path) as aside,
        Progress(
            *columns, console=Console(stderr=True), disable=not sys.stderr.isatty()
        ) as progress,
    ):
        length = getattr(answer, "length", None)
        task = progress.add_task(f"Downloading weights of {name}", total=length)
        done = 0
        with aside.open("wb") as stream:
            while block := answer.read(files.CHUNK):
                stream.write(block)
                done += len(block)
                progress.update(task, completed=done)
        if length is not None and done < length:
            raise OSError(f"{done} of {length} bytes came")
        expected = HASHED.search(path.stem)
        found = files.fingerprint(aside)
        if expected and not found.startswith(expected[1]):
            raise OSError(f"SHA-256 {found[:16]}..., expected {expected[1]}...")


def _check_hash(path: Path) -> None:
    expected = HASHED.search(path.stem)
    if expected and not (found := files.fingerprint(path)).startswith(expected[1]):
        raise UnreadableError(
            f"{path} has the SHA-256 {found[:16]}..., but its name says {expected[1]}...: it is "
            "cut short or altered.",
            mend="Remove it, so that it is downloaded anew.",
        )


def read_state(path: Path) -> dict[str, torch.Tensor]:
    """Read a state dict without running code that the file may hold.

    Parameters
    ----------
    path
        ``.safetensors``, or what ``torch.save(module.state_dict(), path)`` writes. Where it is
        wrapped as ``{"state_dict": ...}`` (or ``model_state_dict``, ``model``), what is inside is
        taken; where every name begins with ``module.`` or ``_orig_mod.``, as networks trained in
        parallel or compiled are saved, that is left out, as often as it is there.

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
    found = _read_safetensors(path) if path.suffix == ".safetensors" else _read_torch(path)
    for wrapper in WRAPPERS:
        if isinstance(found, Mapping) and isinstance(found.get(wrapper), Mapping):
            found = found[wrapper]
    if (
        not isinstance(found, Mapping)
        or not found
        or not all(isinstance(k, str) and isinstance(v, torch.Tensor) for k, v in found.items())
    ):
        raise UnreadableError(
            f"{path} holds {_told(found)}, not names and tensors.",
            mend="Save it with torch.save(module.state_dict(), path).",
        )
    state: dict[str, torch.Tensor] = dict(found)
    while prefix := next((one for one in PREFIXES if all(k.startswith(one) for k in state)), ""):
        state = {key.removeprefix(prefix): value for key, value in state.items()}
    return state


def _read_torch(path: Path) -> Any:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except BROKEN as err:
        raise UnreadableError(
            f"{path} cannot be read as a state dict of plain tensors: {why_not_read(err)}.",
            mend="Save it with torch.save(module.state_dict(), path); a file that holds code, or "
            "is cut short, is refused.",
        ) from err


def _read_safetensors(path: Path) -> Any:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, *BROKEN) as err:
        raise UnreadableError(
            f"{path} cannot be read as safetensors ({_first_line(err)}).",
            mend="It is cut short or something else: save it with "
            "safetensors.torch.save_file(module.state_dict(), path), or copy it again.",
        ) from err


def why_not_read(err: Exception) -> str:
    """Say what is wrong with a file of torch, without its advice to read it as code.

    Parameters
    ----------
    err
        That ``torch.load(..., weights_only=True)`` raised.
    """
    if isinstance(err, OSError):
        return _first_line(err)
    if code := re.search(r"GLOBAL (\S+)", str(err)):
        return f"it holds code of {code[1]}"
    if re.search("zip|EOF|truncated|corrupt", str(err)):
        return "it was cut short"
    return "torch did not write it, or not all of it" if str(err) else "it is empty"


def _first_line(err: Exception) -> str:
    return (str(err).strip() or type(err).__name__).splitlines()[0].rstrip(".")


def _told(found: object) -> str:
    if isinstance(found, Mapping):
        keys = ", ".join(map(repr, list(found)[:3]))
        return f"a dictionary of {keys}" if found else "an empty dictionary"
    return f"a {type(found).__name__}"


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
        If a tensor is missing, too many, has another shape, or holds integers in place of
        weights; the first one is named.
    """
    check_kinds(module, state, source=source)
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
    with torch.no_grad():
        for key, tensor in own.items():  # not load_state_dict: some networks ask for a version
            if key in state:
                tensor.copy_(state[key])


def check_kinds(
    module: torch.nn.Module, state: Mapping[str, torch.Tensor], *, source: str
) -> None:
    """Refuse integers in place of weights: quantized ones are nothing without their scales.

    Parameters
    ----------
    module, state, source
        As for `fill`; names that the network has not are left alone.

    Raises
    ------
    ShapeError
        If a tensor holds integers and the network's does not; the first one is named.
    """
    for key, tensor in module.state_dict().items():
        given = state.get(key, tensor)
        if tensor.is_floating_point() and not given.is_floating_point():
            kind = str(given.dtype).removeprefix("torch.")
            raise ShapeError(
                f"{source} does not fit the network: it has {key!r} as {kind}, and the network "
                "computes with floating-point numbers.",
                mend="Give the weights as they were before they were quantized.",
            )


def _mismatch(source: str, what: str) -> ShapeError:
    return ShapeError(
        f"{source} does not fit the network: it {what}.",
        mend="Give the weights of this very architecture, or name the network that they are of.",
    )


def hash_of(module: torch.nn.Module) -> str:
    """Return the SHA-256 over names, types, shapes and bytes of all tensors, by name.

    After those of the state dict come those that it leaves out, see `sources.hidden_tensors`.
    """
    digest = hashlib.sha256()
    for key, tensor in (*sorted(module.state_dict().items()), *hidden_tensors(module)):
        plain = tensor.detach().cpu().contiguous()
        digest.update(f"{key} {plain.dtype} {tuple(plain.shape)}\n".encode())
        digest.update(plain.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
