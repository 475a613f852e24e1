"""Networks of the Hugging Face hub, or of a folder, for pictures, for texts, or for both."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from inspect import signature
from pathlib import Path
from typing import Any, cast

import torch

from bids_dnn.containers.network import Card, Modality
from bids_dnn.errors import ConfigError, MissingInputError, ShapeError, nearest
from bids_dnn.features.models import hub
from bids_dnn.features.models.blocks import blocks_of, fields_of, runnable, without_weights
from bids_dnn.features.models.feeding import KNOWN, feeding_of, license_of
from bids_dnn.features.models.pretrained import (
    PREFIX,
    files_of,
    place_of,
    put_in,
    quiet,
    reading,
    weight_files,
    weights_of,
)
from bids_dnn.features.models.references import KIND_PAPERS, NONE
from bids_dnn.features.models.tokens import Tokenizer

KEPT = ("Model", "ForImageClassification", "WithProjection")  # endings of classes used as they are
MASKED = ("vit_mae",)
ENDS = ("visual_projection",)
POOLED = "pooler_output"
_log = logging.getLogger(__name__)


def fetch(name: str, *, offline: bool) -> None:
    """See to it that the description of a network is there, which `card` and `build` read.

    Parameters
    ----------
    name
        Of a repository, or a folder.
    offline
        Never ask the hub.

    Raises
    ------
    ConfigError
        If `name` is neither.
    MissingInputError
        If it is not in the cache, and cannot or may not be downloaded.
    """
    if name in KNOWN:
        return
    try:
        files_of(name, hub.CONFIG, more=hub.DESCRIPTION, offline=offline)
    except MissingInputError as err:
        near = nearest(name, KNOWN)
        also = f" {near}" if near.startswith("Did") else ""
        raise MissingInputError(err.what, mend=f"{err.mend}{also}") from None


def card(name: str) -> Card:
    """Return how a network is fed, as the files beside its weights ask for.

    The layers analyzed by default are the blocks of the image tower in forward order, then its
    projection into the space that pictures and texts share, or its classifier. A network without
    an image tower has those of its text tower.

    Parameters
    ----------
    name
        A repository of the hub, as ``facebook/dinov2-base``, or a folder with ``config.json``.
        The networks of `feeding.KNOWN` need neither: what they look like is part of transformers.

    Raises
    ------
    ConfigError
        If `name` is neither, or such a network can be shown neither pictures nor texts.
    MissingInputError
        If its description is not in the cache, or transformers is not installed.
    UnreadableError
        If its description is damaged, or needs code of its own, which is not run.
    """
    config = _config(name)
    kind = _kind(config)
    module = without_weights(lambda: kind(_part(config)))
    methods, ends = _methods(kind), _ends(module)
    feeding = feeding_of(place_of(name, ()), config)
    within = "vision_model" if "text" in methods and "image" in methods else ""
    blocks = blocks_of(module, within)
    if "image" in methods:
        size, method = feeding["size_px"], methods["image"]
        blocks = runnable(module, blocks, size_px=size, method=method)
    paper = KIND_PAPERS.get(config.model_type, NONE)
    folder = place_of(name, ())
    head, labels = _head(module, config)
    told = f", of the kind of {paper.text}" if paper.text else f", a {config.model_type}."
    return Card(
        name=f"{PREFIX}:{name}",
        layers=(*blocks, *ends, *([head] if head else [])),
        reference=f"{Path(name).name if Path(name).is_dir() else name}{told}",
        doi=paper.doi,
        license=license_of(folder) if folder else (paper.license if name in KNOWN else ""),
        aliases=_aliases(module, methods, size_px=feeding["size_px"]),
        head=head if labels else "",
        labels=labels,
        methods=methods,
        **feeding,
    )


def build(name: str) -> torch.nn.Module:
    """Return a network with fresh weights from torch's current random state.

    Raises
    ------
    ConfigError
        If `name` is neither a repository nor a folder, or such a network can be shown neither
        pictures nor texts.
    MissingInputError
        If its description is not in the cache, or transformers is not installed.
    UnreadableError
        If its description is damaged, or needs code of its own, which is not run.
    """
    config = _config(name)
    kind = _kind(config)
    _methods(kind)
    with quiet():
        made: torch.nn.Module = kind(_part(config))
    return made


def find_all(name: str, *, offline: bool) -> tuple[Path, ...]:
    """Return the files of the published weights, downloaded where they are not there yet.

    Raises
    ------
    ConfigError
        If `name` is neither a repository nor a folder.
    MissingInputError
        If they are not there, and cannot or may not be downloaded.
    UnreadableError
        If the list of several files is damaged.
    """
    return weight_files(name, offline=offline)


def trained(name: str, *, offline: bool) -> tuple[torch.nn.Module, str]:
    """Return a network with its published weights in float32, and where they are from.

    Raises
    ------
    ConfigError
        If `name` is neither a repository nor a folder, or such a network can be shown neither
        pictures nor texts.
    MissingInputError
        If its files are not there and cannot or may not be downloaded, or transformers is not
        installed.
    ShapeError
        If the weights are of another architecture.
    UnreadableError
        If a file is cut short or holds something else.
    """
    folder, state = weights_of(name, offline=offline)
    config = _config(name)
    kind = _kind(config)
    _methods(kind)
    module, lacking = put_in(kind, _part(config), _own(kind, state), source=name)
    if lacking and not _drop_pooler(module, lacking):
        raise ShapeError(
            f"The weights of {PREFIX}:{name} in {folder} do not fit {kind.__name__}: they lack "
            f"{lacking[0]!r} and {len(lacking) - 1} more.",
            mend="See that config.json and the weights in that folder belong together.",
        )
    return module, name


def translated(
    module: torch.nn.Module, state: Mapping[str, torch.Tensor]
) -> Mapping[str, torch.Tensor]:
    """Return weights under the names that they have in the network, as transformers maps them.

    Of a captioner's they are those of its eye. A pooler that they lack is taken out of `module`.

    Raises
    ------
    ShapeError
        If a tensor has another shape than in the network.
    """
    own, kind = cast(Any, module), type(module)
    made, lacking = put_in(kind, own.config, _own(kind, state), source="The file of weights")
    _drop_pooler(module, lacking)
    return {key: value for key, value in made.state_dict().items() if key not in lacking}


def tokenizer(name: str, *, offline: bool) -> Tokenizer | None:
    """Return how texts become tokens of a network's text tower.

    Returns
    -------
    tokenizer
        None where it is not there and cannot or may not be downloaded, which is logged: an image
        tower needs none.

    Raises
    ------
    ConfigError
        If `name` is neither a repository nor a folder.
    MissingInputError
        If transformers is not installed.
    UnreadableError
        If the tokenizer's files are damaged.
    """
    full = f"{PREFIX}:{name}"
    try:
        folder = files_of(name, hub.TOKENIZER, offline=offline)
    except MissingInputError as err:
        _log.warning("No text can be shown to %s: %s", full, err)
        return None
    config = _config(name)
    text = getattr(config, "text_config", None) or config
    with quiet(), reading(folder):
        made = hub.library(PREFIX).AutoTokenizer.from_pretrained(
            str(folder), local_files_only=True, trust_remote_code=False
        )
    if made.pad_token is None:
        made.pad_token = made.eos_token
    n_most = min(int(made.model_max_length), int(getattr(text, "max_position_embeddings", 512)))
    kind = _kind(config)
    taken = signature(getattr(kind, _methods(kind).get("text", "forward"))).parameters

    def encode(texts: Any) -> Mapping[str, torch.Tensor]:
        given = made(
            list(texts),
            padding="max_length",
            truncation=True,
            max_length=n_most,
            return_tensors="pt",
        )
        return {key: value for key, value in given.items() if key in taken}

    return Tokenizer(encode, lambda one: len(made(one, verbose=False).input_ids), n_most)


def _config(name: str) -> Any:
    library = hub.library(PREFIX)
    folder = place_of(name, hub.CONFIG)
    if folder is None and name in KNOWN and not Path(name).is_dir():
        known = KNOWN[name]
        with quiet():
            return getattr(library, known.config)(**known.given)
    if folder is None:
        folder = files_of(name, hub.CONFIG, offline=True)
    with quiet(), reading(folder):
        return library.AutoConfig.from_pretrained(
            str(folder), local_files_only=True, trust_remote_code=False
        )


def _kind(config: Any) -> Any:
    """Return the class: the one that was trained where it has no other head, else without."""
    library = hub.library(PREFIX)
    if config.model_type in MASKED:
        raise ConfigError(
            f"Networks of the kind {config.model_type!r} hide a random part of each picture in "
            "transformers, so that no two passes agree.",
            mend="Name the network without its mask, such as timm:vit_base_patch16_224.mae.",
        )
    if config.model_type == "git":
        return library.GitVisionModel
    for named in config.architectures or ():
        if named.endswith(KEPT) and hasattr(library, named):
            return getattr(library, named)
    if type(config) not in library.MODEL_MAPPING:
        raise ConfigError(
            f"transformers has no network without a head for the kind {config.model_type!r}.",
            mend="Wrap it in a function of your own: --network PATH/file.py:factory.",
        )
    return library.MODEL_MAPPING[type(config)]


def _part(config: Any) -> Any:
    """Return the configuration of what is shown pictures: of a captioner, its eye."""
    return config.vision_config if config.model_type == "git" else config


def _own(kind: Any, state: Mapping[str, torch.Tensor]) -> Mapping[str, torch.Tensor]:
    """Return the weights of the class: where they are a captioner's, those of its eye."""
    eye = re.compile(r"^(git\.)?image_encoder\.")
    if kind is not hub.library(PREFIX).GitVisionModel or not any(map(eye.match, state)):
        return state
    return {eye.sub("", key): value for key, value in state.items() if eye.match(key)}


def _drop_pooler(module: Any, lacking: Sequence[str]) -> bool:
    """Take out a pooler that was never trained, and would be random, where no more is lacking."""
    is_all = bool(lacking) and all(key.startswith("pooler.") for key in lacking)
    if is_all:
        module.pooler = None
    return is_all


def _methods(kind: Any) -> dict[Modality, str]:
    if hasattr(kind, "get_image_features") and hasattr(kind, "get_text_features"):
        return {"image": "get_image_features", "text": "get_text_features"}
    taken = next(iter(list(signature(kind.forward).parameters)[1:]), "")
    if taken == "pixel_values":
        return {"image": "forward"}
    if taken == "input_ids" and "decoder_input_ids" not in signature(kind.forward).parameters:
        return {"text": "forward"}
    raise ConfigError(
        f"{kind.__name__} of transformers takes {taken!r} first; only networks that are shown "
        "pictures alone, texts alone, or each by its own tower can be analyzed.",
        mend="Wrap it in a function of your own: --network PATH/file.py:factory.",
    )


def _ends(module: torch.nn.Module) -> tuple[str, ...]:
    return tuple(name for name, _ in module.named_children() if name in ENDS)


def _aliases(
    module: torch.nn.Module, methods: Mapping[Modality, str], *, size_px: int
) -> dict[str, str]:
    if len(methods) == 1:
        base = getattr(module, "base_model_prefix", "")
        inside = base if base and hasattr(module, base) else ""
        fields = fields_of(module, inside, size_px=size_px) if "image" in methods else None
        if fields is not None and POOLED not in fields:
            return {}  # a classifier of patches has no pooler, and neither has a captioner's eye
        return {POOLED: f"{inside}:field({POOLED})" if inside else f".{POOLED}"}
    there = {name for name, _ in module.named_children()}
    image, text = "vision_model:field(pooler_output)", "text_model:field(pooler_output)"
    return {
        "pooler_output": image,
        "text_pooler_output": text,
        "image_embeds": "visual_projection" if "visual_projection" in there else image,
        "text_embeds": "text_projection" if "text_projection" in there else text,
    }


def _head(module: torch.nn.Module, config: Any) -> tuple[str, tuple[str, ...]]:
    """Return the classifier's path and the names of its classes, where it has such."""
    if not type(module).__name__.endswith("ForImageClassification"):
        return "", ()
    n_classes = int(config.num_labels)
    fits = [
        path
        for path, part in module.named_modules()
        if isinstance(part, torch.nn.Linear) and part.out_features == n_classes
    ]
    names = tuple(str(config.id2label[index]) for index in range(n_classes))
    has_names = not all(label.startswith("LABEL_") for label in names)
    return (fits[-1] if fits else ""), (names if has_names and fits else ())
