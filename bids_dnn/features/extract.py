"""All stimuli through a network, once, to Gram matrices or to features."""

from __future__ import annotations

import hashlib
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from numpy.typing import NDArray

from bids_dnn import files
from bids_dnn.containers.features import FeatureGram
from bids_dnn.containers.network import Network
from bids_dnn.errors import NotEnoughDataError, OutputError, ShapeError, UnreadableError
from bids_dnn.features.capture import capture
from bids_dnn.features.gram import gram_of

Array = NDArray[np.float32]
Load = Callable[[str], Array]
Progress = Callable[[int, int], None]
BATCH_SIZE = 32


def identity_of(
    network: Network,
    layer: str,
    stimuli: Mapping[str, str],
    *,
    device: str,
    batch_size: int = BATCH_SIZE,
) -> dict[str, str]:
    """Name everything that the Gram matrix of a layer depends on, before it is made.

    Parameters
    ----------
    network
        As loaded.
    layer
        Module path.
    stimuli
        Stimulus id to the SHA-256 of its file, in the order of the rows.
    device
        ``cpu`` or ``cuda``, which differ in the last bits.
    batch_size : int
        Pictures shown at a time, which can alter the last bit.

    Returns
    -------
    identity
        Two equal ones stand for equal numbers; `store.key` makes a name of it.
    """
    card = network.card
    listed = "".join(f"{name}\0{digest}\n" for name, digest in stimuli.items())
    return {
        "network": card.name,
        "weights": network.weights,
        "weights_sha256": network.weights_sha256,
        "layer": layer,
        "preprocessing": f"{card.size_px} px, {card.resize}, mean {list(card.mean)}, "
        f"sd {list(card.sd)}",
        "stimuli": f"{len(stimuli)}, sha256 {hashlib.sha256(listed.encode()).hexdigest()}",
        "precision": "float32 without TF32, Gram in float64",
        "device": device,
        "batch_size": str(batch_size),
        "torch": torch.__version__,
    }


def extract_grams(
    network: Network,
    stimuli: Mapping[str, str],
    load: Load,
    *,
    layers: Sequence[str],
    device: str,
    scratch: Path,
    batch_size: int = BATCH_SIZE,
    progress: Progress | None = None,
) -> list[FeatureGram]:
    """Show every stimulus once and return the inner products of each layer's features.

    The features wait in files of ``4 * n_stimuli * p`` bytes a layer below `scratch`, which are
    removed afterwards; memory holds one batch and one tile.

    Parameters
    ----------
    network
        As loaded; it is moved to `device` meanwhile.
    stimuli
        Stimulus id to the SHA-256 of its file, in the order of the rows.
    load
        Gives the picture of an id, (3, size, size).
    layers
        Module paths.
    device
        ``cpu`` or ``cuda``, as `backend.choose_device` says.
    scratch
        A folder with room.
    batch_size : int
        Pictures shown at a time.
    progress
        Called with the number of stimuli done and the number of all.

    Returns
    -------
    grams
        One for each of `layers`, in that order.

    Raises
    ------
    NotEnoughDataError
        If there is no stimulus.
    OutputError
        If `scratch` has too little room or cannot be written.
    ConfigError
        If a layer does not exist or cannot be captured.
    ShapeError
        If a picture has another shape than the network takes.
    UnreadableError
        If a layer puts out NaN or infinite values.
    """
    ids = tuple(stimuli)
    passes = _batches(
        network,
        ids,
        load,
        layers=layers,
        device=device,
        batch_size=batch_size,
        progress=progress,
    )
    with _scratch_folder(scratch) as folder:
        widths: dict[str, int] = {}
        with ExitStack() as stack:
            streams: list[BinaryIO] = []
            for features in passes:
                if not widths:
                    widths = {layer: part.shape[1] for layer, part in features.items()}
                    _check_room(folder, 4 * len(ids) * sum(widths.values()))
                    streams = [
                        stack.enter_context((folder / f"{i}.f32").open("wb"))
                        for i in range(len(layers))
                    ]
                for stream, part in zip(streams, features.values(), strict=True):
                    stream.write(part.data)
        made = []
        for i, layer in enumerate(layers):
            rows = np.memmap(
                folder / f"{i}.f32", dtype=np.float32, mode="r", shape=(len(ids), widths[layer])
            )
            identity = identity_of(network, layer, stimuli, device=device, batch_size=batch_size)
            made.append(
                FeatureGram(ids, network.card.name, layer, gram_of(rows), widths[layer], identity)
            )
            del rows
    return made


def extract_features(
    network: Network,
    stimuli: Sequence[str],
    load: Load,
    *,
    layers: Sequence[str],
    device: str,
    batch_size: int = BATCH_SIZE,
    progress: Progress | None = None,
) -> dict[str, Array]:
    """Show every stimulus once and return each layer's features, all of them in memory.

    Parameters
    ----------
    network, load, layers, device, batch_size, progress
        As in `extract_grams`.
    stimuli
        Stimulus ids.

    Returns
    -------
    features : for each layer (n_stimuli, p)
        Flattened with the channel as the slowest axis.

    Raises
    ------
    NotEnoughDataError
        If there is no stimulus.
    ConfigError
        If a layer does not exist or cannot be captured.
    ShapeError
        If a picture has another shape than the network takes.
    UnreadableError
        If a layer puts out NaN or infinite values.
    """
    made: dict[str, Array] = {}
    done = 0
    passes = _batches(
        network,
        tuple(stimuli),
        load,
        layers=layers,
        device=device,
        batch_size=batch_size,
        progress=progress,
    )
    for features in passes:
        for layer, part in features.items():
            if layer not in made:
                made[layer] = np.empty((len(stimuli), part.shape[1]), dtype=np.float32)
            made[layer][done : done + len(part)] = part
        done += len(next(iter(features.values())))
    return made


def _batches(
    network: Network,
    ids: tuple[str, ...],
    load: Load,
    *,
    layers: Sequence[str],
    device: str,
    batch_size: int,
    progress: Progress | None,
) -> Iterator[dict[str, Array]]:
    if not ids:
        raise NotEnoughDataError(
            f"There is no stimulus to show to {network.card.name}.",
            mend="Put the pictures into the folder stimuli/ of the BIDS directory.",
        )
    size = network.card.size_px
    network.module.to(device)
    try:
        for start in range(0, len(ids), batch_size):
            names = ids[start : start + batch_size]
            pictures = np.empty((len(names), 3, size, size), dtype=np.float32)
            for row, name in enumerate(names):
                picture = load(name)
                if picture.shape != pictures.shape[1:]:
                    raise ShapeError(
                        f"Picture {name!r} has shape {picture.shape}, but {network.card.name} "
                        f"takes {pictures.shape[1:]}.",
                        mend="Load it with stimuli.load.load_picture and the network's card.",
                    )
                pictures[row] = picture
            features = capture(network.module, pictures, layers=layers, device=device)
            _check_finite(features, names, network=network.card.name)
            yield features
            if progress is not None:
                progress(start + len(names), len(ids))
    finally:
        network.module.to("cpu")


def _check_finite(features: Mapping[str, Array], names: Sequence[str], *, network: str) -> None:
    for layer, part in features.items():
        is_whole = np.isfinite(part).all(axis=1)
        if not is_whole.all():
            row = int(np.argmin(is_whole))
            bad = int((~np.isfinite(part[row])).sum())
            raise UnreadableError(
                f"Layer {layer!r} of {network} answers {names[row]!r} with {bad} NaN or infinite "
                f"values among {part.shape[1]} features; finite ones were expected.",
                mend="Check the weights of the network and that picture, or leave the layer out.",
            )


@contextmanager
def _scratch_folder(scratch: Path) -> Iterator[Path]:
    folder = scratch / f"features.{uuid.uuid4().hex[:12]}.tmp"
    try:
        folder.mkdir(parents=True)
        yield folder
    except OSError as err:
        told = files.explain(err, folder)
        if told is err:
            raise
        raise told from err
    finally:
        with suppress(OSError):
            shutil.rmtree(folder)


def _check_room(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise OutputError(
            f"The features need {needed / 1e9:.1f} GB in {folder.parent}, which has "
            f"{free / 1e9:.1f} GB left.",
            mend="Name a folder with more room with --work-dir, or fewer layers.",
        )
