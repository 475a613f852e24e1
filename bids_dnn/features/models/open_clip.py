"""CLIP's two towers, as open_clip trained them: ``open_clip:ARCHITECTURE/PRETRAINED``."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from bids_dnn.containers.network import Card, Interpolation, Modality, Resize
from bids_dnn.errors import ConfigError, MissingInputError, nearest
from bids_dnn.features.models import hub
from bids_dnn.features.models.blocks import runnable, stages_of, without_weights
from bids_dnn.features.models.references import CLIP_PAPERS, NONE, Paper
from bids_dnn.features.models.tokens import Tokenizer
from bids_dnn.features.models.weights import fill, read_state

_log = logging.getLogger(__name__)

PREFIX = "open_clip"
FILES = "open_clip_model.safetensors|open_clip_pytorch_model.bin"
RESIZE: Mapping[str, Resize] = {"shortest": "center-crop", "longest": "pad", "squash": "squash"}
INTERPOLATION: Mapping[str, Interpolation] = {"bilinear": "bilinear"}
OPENAI_MEAN = (0.48145466, 0.4578275, 0.40821073)
OPENAI_SD = (0.26862954, 0.26130258, 0.27577711)
LIBRARY = "Ilharco et al. (2021), OpenCLIP, doi:10.5281/zenodo.5143773"
SIZE_PX = 224
N_BLOCKS = 12  # of open_clip, where a configuration tells nothing else
N_TOKENS = 77
N_MARKS = 2  # begin and end of a text
METHODS: Mapping[Modality, str] = {"image": "encode_image", "text": "encode_text"}


def card(name: str) -> Card:
    """Return how a pair of towers is fed, as its published weights ask for.

    The layers analyzed by default are those of the image tower: its blocks in forward order, and
    ``visual``, which is the picture's place in the space that it shares with texts. ``text`` is
    the place of a text in it.

    Parameters
    ----------
    name
        ``ARCHITECTURE`` or ``ARCHITECTURE/PRETRAINED``, as ``ViT-B-32/laion2b_s34b_b79k``.
        Without the second, the weights that open_clip lists first.

    Raises
    ------
    ConfigError
        If open_clip has no such architecture, or no such weights of it.
    MissingInputError
        If open_clip is not installed.
    """
    architecture, tag = _parts(name)
    asked = _asked(architecture, tag)
    config = _config(architecture)
    vision = config["vision_cfg"]
    # CoCa's towers put out the tokens of their captions, too.
    first = ":field(0)" if "multimodal_cfg" in config else ""
    paper = _paper(architecture, tag)
    size = vision.get("image_size", SIZE_PX)
    return Card(
        name=f"{PREFIX}:{name}",
        layers=(*_image_blocks(vision), f"visual{first}"),
        size_px=int(size[0] if isinstance(size, list | tuple) else size),
        resize=RESIZE[asked.get("resize_mode", "shortest")],
        mean=tuple(asked["mean"]),
        sd=tuple(asked["std"]),
        interpolation=INTERPOLATION.get(asked.get("interpolation", ""), "bicubic"),
        reference=f"{architecture} ({tag or 'no published weights'}) of open_clip ({LIBRARY})"
        + (f": {paper.text}" if paper.text else "."),
        doi=paper.doi,
        license=paper.license,
        aliases={"image": f"visual{first}"} | ({"text": f"text{first}"} if first else {}),
        methods=METHODS,
    )


def fetch(name: str, *, offline: bool) -> None:
    """See to it that the description of a text tower of another library is there.

    Parameters
    ----------
    name
        As in `card`.
    offline
        Never ask the hub.

    Raises
    ------
    ConfigError
        If open_clip has no such architecture, or no such weights of it.
    MissingInputError
        If it is not in the cache, and cannot or may not be downloaded, or open_clip is not
        installed.
    """
    architecture, _ = _parts(name)
    if other := _config(architecture)["text_cfg"].get("hf_model_name"):
        full = f"{PREFIX}:{name}"
        hub.fetched(other, hub.CONFIG, more=hub.TEXTS, offline=offline, name=full)


def build(name: str) -> torch.nn.Module:
    """Return the towers with fresh weights from torch's current random state.

    The text tower is a module of its own, ``text``, in each architecture. The nonlinearity is the
    one that the published weights of `name` were trained with.

    Raises
    ------
    ConfigError
        If open_clip has no such architecture, or no such weights of it.
    MissingInputError
        If open_clip is not installed, or the text tower is of another library, and what is needed
        of it is not in the cache.
    """
    architecture, tag = _parts(name)
    asked, config = _asked(architecture, tag), _config(architecture)
    options: dict[str, Any] = {}
    if tag and "timm_model_name" not in config["vision_cfg"]:
        options["quick_gelu"] = bool(asked.get("quick_gelu", config.get("quick_gelu", False)))
    if other := config["text_cfg"].get("hf_model_name"):
        folder = hub.fetched(other, hub.CONFIG, offline=True, name=f"{PREFIX}:{name}")
        told = {"hf_model_name": str(folder), "hf_model_pretrained": False}
        options["text_cfg"] = config["text_cfg"] | told
    with _quiet():
        made: torch.nn.Module = hub.library(PREFIX).create_model(
            architecture,
            pretrained_hf=False,  # known to all versions
            force_custom_text=True,
            **options,
        )
    return made


def find(name: str, *, offline: bool) -> Path:
    """Return the file of published weights: from the cache of the hub, or else downloaded.

    Raises
    ------
    ConfigError
        If open_clip has no such architecture, or no weights of it.
    MissingInputError
        If it is not in the cache and cannot or may not be downloaded, or open_clip is not
        installed.
    """
    architecture, tag = _parts(name)
    place = _asked(architecture, tag).get("hf_hub", "")
    if not place:
        raise ConfigError(
            f"open_clip publishes no weights of {architecture}.",
            mend=f"Give --weights {PREFIX}:{name}=PATH, or --weights {PREFIX}:{name}=random.",
        )
    repository, _, file = place.rpartition("/")
    file = f"{file.rpartition('.')[0]}.safetensors|{file}" if file else FILES
    folder = hub.fetched(repository, [file], offline=offline, name=f"{PREFIX}:{name}")
    return next(folder / part for part in file.split("|") if (folder / part).is_file())


def trained(name: str, *, offline: bool) -> tuple[torch.nn.Module, str]:
    """Return the towers with their published weights, and what the file is called.

    Raises
    ------
    ConfigError
        If open_clip has no such architecture, or no weights of it.
    MissingInputError
        If the file is not in the cache and cannot or may not be downloaded, or open_clip is not
        installed.
    ShapeError
        If the weights are of another architecture.
    UnreadableError
        If the file is cut short or holds something else.
    """
    path = find(name, offline=offline)
    architecture, tag = _parts(name)
    repository = _asked(architecture, tag)["hf_hub"].rpartition("/")[0]
    module = build(name)
    fill(module, translated(module, read_state(path)), source=path.name)
    return module, f"{repository}/{path.name}"


def translated(
    module: torch.nn.Module, state: Mapping[str, torch.Tensor]
) -> Mapping[str, torch.Tensor]:
    """Return weights under the names that they have in the network.

    open_clip's own checkpoints hold the text tower without its name, and training leaves a
    ``module.`` before each; weights of other laboratories are renamed by open_clip.
    """
    factory = hub.library("open_clip.factory")
    bare = {key.removeprefix("module."): value for key, value in state.items()}
    plain: dict[str, torch.Tensor] = factory.convert_state_dict(module, bare)
    if "positional_embedding" in plain:
        plain = factory.convert_to_custom_text_state_dict(plain)
    own = module.state_dict()
    for key in ("logit_scale", "logit_bias"):
        if key in own and key not in plain and "logit_scale" in plain:
            plain[key] = torch.zeros_like(own[key])
        if key in own and key in plain and plain[key].numel() == 1:
            plain[key] = plain[key].reshape(own[key].shape)
    plain.pop("text.transformer.embeddings.position_ids", None)
    factory.resize_pos_embed(plain, module)
    factory.resize_text_pos_embed(plain, module)
    return plain


def tokenizer(name: str, *, offline: bool) -> Tokenizer | None:
    """Return how texts become tokens of the text tower.

    CLIP's own tokenizer is part of open_clip; others are looked for in the cache of the hub.

    Returns
    -------
    tokenizer
        None where it is not in the cache and cannot or may not be downloaded, which is logged:
        the image tower needs none.

    Raises
    ------
    ConfigError
        If open_clip has no such architecture.
    MissingInputError
        If open_clip is not installed.
    """
    architecture, _ = _parts(name)
    text = _config(architecture)["text_cfg"]
    repository = text.get("hf_tokenizer_name")
    if not repository:
        with _quiet():
            plain = hub.library(PREFIX).get_tokenizer(architecture)
        return Tokenizer(
            encode=lambda texts: {"text": plain(list(texts))},
            count=lambda one: len(plain.encode(one)) + N_MARKS,
            n_most=int(plain.context_length),
        )
    full = f"{PREFIX}:{name}"
    try:
        folder = hub.fetched(repository, hub.TOKENIZER, more=hub.TEXTS, offline=offline, name=full)
    except MissingInputError as err:
        _log.warning("No text can be shown to %s: %s", full, err)
        return None
    other = hub.library("open_clip.tokenizer").HFTokenizer(
        str(folder),
        context_length=text.get("context_length", N_TOKENS),
        tokenizer_mode=text.get("tokenizer_mode"),
        **text.get("tokenizer_kwargs", {}),
    )
    return Tokenizer(
        encode=lambda texts: {"text": other(list(texts))},
        count=lambda one: len(other.tokenizer(other.clean_fn(one)).input_ids),
        n_most=int(other.context_length),
    )


def _parts(name: str) -> tuple[str, str]:
    """Return the architecture and the tag of its weights; "" where it has none."""
    architecture, slash, tag = name.partition("/")
    library = hub.library(PREFIX)
    if architecture not in library.list_models():
        raise ConfigError(
            f"open_clip has no architecture {architecture!r}.",
            mend=nearest(architecture, library.list_models()),
        )
    tags = library.list_pretrained_tags_by_model(architecture)
    if slash and tag not in tags:
        raise ConfigError(
            f"open_clip has no weights {tag!r} of {architecture}.", mend=nearest(tag, tags)
        )
    return architecture, tag or next(iter(tags), "")


def _config(architecture: str) -> dict[str, Any]:
    config: dict[str, Any] = hub.library(PREFIX).get_model_config(architecture)
    return config


def _asked(architecture: str, tag: str) -> dict[str, Any]:
    """Return what open_clip says of published weights: where they are, and how to feed them."""
    plain = {"mean": OPENAI_MEAN, "std": OPENAI_SD}
    found: dict[str, Any] = hub.library(PREFIX).get_pretrained_cfg(architecture, tag)
    return plain | found


def _image_blocks(vision: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the blocks of the image tower, which its configuration tells."""
    if "timm_model_name" in vision:
        timm = hub.library("timm")
        name = vision["timm_model_name"]
        trunk = without_weights(lambda: timm.create_model(name, pretrained=False))
        size = int(timm.get_pretrained_cfg(name).input_size[-1])
        stages = runnable(trunk, stages_of(trunk), size_px=size)
        return tuple(f"visual.trunk.{path}" for path in stages)
    layers = vision.get("layers", N_BLOCKS)
    if isinstance(layers, list | tuple):
        return tuple(f"visual.layer{number}" for number in range(1, len(layers) + 1))
    return tuple(f"visual.transformer.resblocks.{number}" for number in range(int(layers)))


def _paper(architecture: str, tag: str) -> Paper:
    told = f"{architecture}/{tag}".lower()
    return next((paper for word, paper in CLIP_PAPERS.items() if word in told), NONE)


@contextmanager
def _quiet() -> Iterator[None]:
    # open_clip speaks through the root logger, and gives it a handler where it has none.
    root, nothing = logging.getLogger(), logging.NullHandler()
    before = logging.root.manager.disable
    root.addHandler(nothing)
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
        root.removeHandler(nothing)
