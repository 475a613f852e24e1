"""All stimuli through a network, in batches, as often as they are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from bids_dnn.backend import memory_gb
from bids_dnn.containers.features import FeatureGram
from bids_dnn.containers.network import Network
from bids_dnn.errors import ConfigError, NotEnoughDataError
from bids_dnn.features.batches import Batches
from bids_dnn.features.gram import grams_of, plan_grams
from bids_dnn.features.identity import identities_of, recorded
from bids_dnn.features.inputs import Options, Progress, Read, Shown
from bids_dnn.features.passes import Passes, steadily
from bids_dnn.features.probe import Probed, probe
from bids_dnn.features.scratch import free_disk
from bids_dnn.features.transfer import Array

__all__ = ["Options", "Passes", "Read", "Shown", "extract_features", "extract_grams", "passes_of"]
MEMORY_SHARE = 0.25  # for Gram matrices and blocks of features


def passes_of(
    network: Network,
    inputs: Shown | Read,
    probed: Sequence[Probed],
    *,
    options: Options,
    progress: Progress | None = None,
) -> Passes:
    """Return features of stimuli in batches, all layers at once; nothing is computed yet.

    Each call of what is returned shows the stimuli from a row on. A row is always computed in
    the same batch, wherever the pass began, so that it has the same bytes in each. Where memory
    runs out after the first batch, whoever takes the rows begins anew (`passes.steadily`).

    Parameters
    ----------
    network
        As loaded, on the CPU; on a GPU a copy of it works.
    inputs
        Pictures, or texts.
    probed
        The layers, from `probe.probe`, all of the kind of `inputs`.
    options
        Where and how.
    progress
        Called after each batch with the number of stimuli done and the number of all.

    Returns
    -------
    passes
        Its `batch_size` is 0 until it was found, and smaller after memory ran out.

    Raises
    ------
    NotEnoughDataError
        If there is no stimulus, or one has no caption.
    ConfigError
        If a layer is not of this kind of input, or the network reads no texts.
    """
    ids = tuple(inputs.sha256)
    name = network.card.name
    if not ids:
        raise NotEnoughDataError(
            f"There is no stimulus to show to {name}.",
            mend="Put the pictures into the folder stimuli/ of the BIDS directory.",
        )
    modality = "image" if isinstance(inputs, Shown) else "text"
    for one in probed:
        if one.modality != modality:
            raise ConfigError(
                f"Layer {one.layer.name!r} of {name} is of {one.modality}s, but {modality}s are "
                "to be shown.",
                mend="Name layers of one tower at a time.",
            )
    if isinstance(inputs, Read):
        _check_captions(network, inputs)
    widths = {one.layer.name: one.n_features for one in probed}
    size = options.batch_size
    return Batches(network, inputs, tuple(probed), options, progress, ids, widths, size)


def extract_features(passes: Passes) -> dict[str, Array]:
    """Return the features of all stimuli, all of them in memory.

    Parameters
    ----------
    passes
        From `passes_of`.

    Returns
    -------
    features : for each layer (n_stimuli, p) float32

    Raises
    ------
    UnreadableError
        If a stimulus cannot be loaded, or a layer puts out NaN or infinite values.
    ShapeError
        If a stimulus has another shape than the network takes.
    """
    return steadily(partial(_collected, passes))


def _collected(passes: Passes) -> dict[str, Array]:
    made = {
        layer: np.empty((passes.n, width), np.float32) for layer, width in passes.widths.items()
    }
    done = 0
    for features in passes():
        for layer, part in features.items():
            made[layer][done : done + len(part)] = part
        done += len(next(iter(features.values())))
    return made


def extract_grams(
    network: Network,
    inputs: Shown | Read,
    *,
    layers: Sequence[str],
    options: Options,
    scratch: Path,
    mode: Literal["auto", "disk", "recompute"] = "auto",
    progress: Progress | None = None,
) -> list[FeatureGram]:
    """Return the inner products of each layer's features between stimuli.

    `probe.probe`, `passes_of`, `gram.plan_grams` and `gram.grams_of`, one after the other, with
    a quarter of the memory that this process may use.

    Parameters
    ----------
    network, inputs, options, progress
        As in `passes_of`.
    layers
        See `layers.parse_layer`.
    scratch
        A folder for scratch files, which vanish whatever happens.
    mode
        See `gram.plan_grams`.

    Returns
    -------
    grams
        One for each of `layers`, in that order.

    Raises
    ------
    NotEnoughDataError
        If there is no stimulus.
    ConfigError
        If a layer does not exist or cannot be captured.
    OutputError
        If `scratch` has too little room or cannot be written.
    UnreadableError
        If a stimulus cannot be loaded, or a layer puts out NaN or infinite values.
    ShapeError
        If a stimulus has another shape than the network takes.
    """
    probed = probe(network, layers)
    passes = passes_of(network, inputs, probed, options=options, progress=progress)
    plan = plan_grams(
        passes.n,
        passes.widths,
        free_disk=free_disk(scratch),
        memory=int(MEMORY_SHARE * memory_gb() * 1e9),
        mode=mode,
    )
    made = grams_of(passes, plan=plan, scratch=scratch)
    names = identities_of(network, probed, inputs, options=options)
    told = torch.cuda.get_device_name() if options.device == "cuda" else options.device
    return [
        FeatureGram(
            tuple(inputs.sha256),
            network.card.name,
            layer,
            product.gram,
            passes.widths[layer],
            recorded(names[layer], batch_size=passes.batch_size, device_name=told),
            sums=product.sums,
        )
        for layer, product in made.items()
    ]


def _check_captions(network: Network, inputs: Read) -> None:
    if network.tokenize is None:
        raise ConfigError(
            f"{network.card.name} reads no texts, but captions were given to it.",
            mend="Name a network with a text tower, such as open_clip:ViT-B-32.",
        )
    for name in inputs.sha256:
        if not inputs.captions.get(name):
            raise NotEnoughDataError(
                f"Stimulus {name!r} has no caption.",
                mend="Give each stimulus one caption at least, or leave it out.",
            )
