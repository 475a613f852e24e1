"""Captions made of pictures, and captions that are too long for a text tower."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from bids_dnn import files
from bids_dnn.containers.network import Network
from bids_dnn.errors import ConfigError, ShapeError
from bids_dnn.features.models import hub
from bids_dnn.features.models.pretrained import (
    PLAIN,
    PREFIX,
    SAFE,
    files_of,
    place_of,
    put_in,
    quiet,
    reading,
    weights_of,
)
from bids_dnn.features.models.tokens import Tokenizer
from bids_dnn.features.models.weights import hash_of

Picture = NDArray[np.uint8]
Progress = Callable[[int], None]
N_WORDS = 50  # most tokens of a caption
BATCH_SIZE = 8
NEEDED = (*hub.CONFIG, *hub.TOKENIZER, "preprocessor_config.json|processor_config.json")


@dataclass(frozen=True, slots=True, eq=False)
class Captioner:
    """A network that says what a picture shows.

    Parameters
    ----------
    name
        As the user writes it.
    weights
        Where they are from.
    weights_sha256
        Of the weights as they are used.
    module, processor
        Of transformers; the module is in evaluation mode.
    """

    name: str
    weights: str
    weights_sha256: str
    module: Any
    processor: Any

    def captions(
        self,
        pictures: Iterable[tuple[str, Picture]],
        *,
        batch_size: int = BATCH_SIZE,
        device: str = "cpu",
        progress: Progress | None = None,
    ) -> dict[str, str]:
        """Return a caption of each picture: the likeliest next word, one after the other.

        Parameters
        ----------
        pictures : (id, (height, width, 3) uint8)
            Read as they are needed, a batch at a time.
        batch_size : int
            Pictures that are looked at together.
        device
            ``cpu`` or ``cuda``.
        progress
            Called after each batch with the number of pictures done.

        Returns
        -------
        captions
            In the order of `pictures`; the same pictures have the same captions in each run.

        Raises
        ------
        ShapeError
            If a picture has another shape or type.
        """
        made: dict[str, str] = {}
        self.module.to(device)
        try:
            left = iter(pictures)
            while batch := list(islice(left, batch_size)):
                made |= zip((name for name, _ in batch), self._say(batch, device), strict=True)
                if progress is not None:
                    progress(len(made))
        finally:
            self.module.to("cpu")
        return made

    def _say(self, batch: Sequence[tuple[str, Picture]], device: str) -> list[str]:
        for name, picture in batch:
            if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8:
                raise ShapeError(
                    f"Picture {name!r} has shape {picture.shape} of {picture.dtype}; a captioner "
                    "looks at (height, width, 3) of uint8.",
                    mend="Read it with stimuli.load.read_rgb.",
                )
        with torch.inference_mode(), quiet():
            shown = self.processor(
                images=[
                    np.array(picture) for _, picture in batch
                ],  # torch warns of read-only ones
                return_tensors="pt",
                input_data_format="channels_last",
            )
            words = self.module.generate(
                pixel_values=shown["pixel_values"].to(device),
                num_beams=1,
                do_sample=False,
                max_new_tokens=N_WORDS,
            )
            told = self.processor.batch_decode(words, skip_special_tokens=True)
        return [" ".join(str(one).split()) for one in told]


def captioner(name: str, *, offline: bool) -> Captioner:
    """Load a network that makes captions.

    Parameters
    ----------
    name
        ``transformers:`` and a repository of the hub, as ``transformers:microsoft/git-base-coco``,
        or a folder with weights, tokenizer and the rules of its pictures.
    offline
        Never ask the hub.

    Raises
    ------
    ConfigError
        If `name` is of another library, or such a network makes no captions.
    MissingInputError
        If its files are not there and cannot or may not be downloaded, or transformers is not
        installed.
    ShapeError
        If the weights are of another architecture.
    UnreadableError
        If a file is damaged.
    """
    rest = _place_of(name)
    library = hub.library(PREFIX)
    files_of(rest, NEEDED, offline=offline, takes_weights=False)
    folder, state = weights_of(rest, offline=offline, takes_weights=False)
    local = {"local_files_only": True, "trust_remote_code": False}
    with quiet(), reading(folder):
        config = library.AutoConfig.from_pretrained(str(folder), **local)
    kinds = library.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING
    if type(config) not in kinds:
        raise ConfigError(
            f"{name} is a network of the kind {config.model_type!r}, which makes no captions.",
            mend="Name a captioner, such as transformers:microsoft/git-base-coco.",
        )
    with quiet(), reading(folder):
        processor = library.AutoProcessor.from_pretrained(str(folder), **local)
    module, lacking = put_in(kinds[type(config)], config, state, source=name)
    if lacking:
        raise ShapeError(
            f"The weights of {name} in {folder} lack {lacking[0]!r} and {len(lacking) - 1} more.",
            mend="See that config.json and the weights in that folder belong together.",
        )
    if (folder / "generation_config.json").is_file():
        with quiet(), reading(folder):
            module.generation_config = library.GenerationConfig.from_pretrained(str(folder))
    module.eval().requires_grad_(requires_grad=False)
    return Captioner(name, rest, hash_of(module), module, processor)


def check_captioner(name: str, *, offline: bool) -> None:
    """See to it that a captioner is there or may be downloaded; it is not loaded.

    Parameters
    ----------
    name, offline
        As in `captioner`.

    Raises
    ------
    ConfigError
        If `name` is of another library, or names no folder and no repository.
    MissingInputError
        If its files are not there and may not be downloaded, or transformers is not installed.
    """
    rest = _place_of(name)
    hub.library(PREFIX)
    patterns = (*NEEDED, f"{SAFE}|{PLAIN}")
    is_here = place_of(rest, patterns) is not None
    if not is_here and (hub.is_offline(offline=offline) or Path(rest).expanduser().is_dir()):
        files_of(rest, patterns, offline=True, takes_weights=False)


def _place_of(name: str) -> str:
    prefix, _, rest = name.partition(":")
    if prefix != PREFIX or not rest:
        raise ConfigError(
            f"The captioner {name!r} is not of transformers.",
            mend="Write transformers:REPOSITORY or transformers:FOLDER, as "
            "transformers:microsoft/git-base-coco.",
        )
    return rest


def write_captions(path: Path, captions: Mapping[str, str], *, by: Captioner) -> Path:
    """Write captions and, beside them, how they were made.

    Parameters
    ----------
    path
        Of the table, ``.tsv``: columns ``stimulus`` and ``caption``. The sidecar has its name and
        ``.json``.
    captions
        Stimulus id to caption.
    by
        Who made them.

    Returns
    -------
    path
        Of the table.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    rows = ["stimulus\tcaption", *(f"{name}\t{text}" for name, text in captions.items())]
    files.write_text(path, "\n".join(rows) + "\n")
    told = {
        "Description": "Captions made by a network, the likeliest word at a time.",
        "Captioner": by.name,
        "Weights": by.weights,
        "WeightsSHA256": by.weights_sha256,
        "MostTokens": N_WORDS,
        "Libraries": {
            one: hub.library(one).__version__ for one in ("tokenizers", "torch", "transformers")
        },
        "stimulus": {"Description": "Path of the picture below the folder of stimuli."},
        "caption": {"Description": "What the picture shows."},
    }
    files.write_json(path.with_suffix(".json"), told)
    return path


def length_warnings(network: Network, captions: Mapping[str, Sequence[str]]) -> list[str]:
    """Say how many captions a text tower does not see to their end.

    Parameters
    ----------
    network
        With a text tower.
    captions
        Of each stimulus, one or several.

    Returns
    -------
    warnings
        One sentence, or none where all captions are short enough.
    """
    tokens = network.tokenize
    if not isinstance(tokens, Tokenizer):
        return []
    n_all = sum(map(len, captions.values()))
    long = [name for name, texts in captions.items() for _ in tokens.too_long(texts)]
    if not long:
        return []
    return [
        f"{len(long)} of {n_all} captions are longer than the {tokens.n_most} tokens that "
        f"{network.card.name} takes, and their ends were cut off (the first one: {long[0]!r})."
    ]
