"""Captions of stimuli by a network that looks at their pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from bids_dnn.features.text import BATCH_SIZE, Captioner, Picture
from bids_dnn.stimuli.load import read_rgb

BETWEEN = "; "  # the items of a composed picture


def caption_stimuli(
    by: Captioner,
    files: Mapping[str, Sequence[Path]],
    *,
    max_pixels: int,
    device: str = "cpu",
    batch_size: int = BATCH_SIZE,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, str]:
    """Let a network describe stimuli; of composed ones each item, and each picture once.

    Parameters
    ----------
    by
        Who describes them.
    files
        Stimulus id to its picture, or to those of its items.
    max_pixels : int
        Of one picture; larger ones are refused.
    device
        ``cpu`` or ``cuda``.
    batch_size : int
        Pictures that are looked at together.
    progress
        Called after each batch with the numbers of pictures done and in all.

    Returns
    -------
    captions
        In the order of `files`.

    Raises
    ------
    MissingInputError, UnreadableError
        If a picture is not there or cannot be read.
    """
    pictures = sorted({path for paths in files.values() for path in paths})
    said = by.captions(
        _read(pictures, max_pixels),
        batch_size=batch_size,
        device=device,
        progress=None if progress is None else lambda done: progress(done, len(pictures)),
    )
    return {name: BETWEEN.join(said[str(path)] for path in paths) for name, paths in files.items()}


def _read(paths: Sequence[Path], max_pixels: int) -> Iterator[tuple[str, Picture]]:
    for path in paths:
        yield str(path), np.asarray(read_rgb(path, max_pixels=max_pixels))
