"""What the files beside the weights of the Hugging Face hub say of how a network is fed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from bids_dnn.containers.network import Interpolation, Resize

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
OPENAI = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
HALF = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
BILINEAR = 2  # of Pillow's numbers; the other ones in use are smoother
SIZE_PX = 224
FILES = ("preprocessor_config.json", "processor_config.json")


class Known(NamedTuple):
    """A network of the hub that transformers can build without any file.

    Parameters
    ----------
    config
        Class of the configuration.
    given
        What differs from its defaults.
    """

    config: str
    given: Mapping[str, Any]


class Manner(NamedTuple):
    """How a kind of network is fed where no file tells."""

    scale: tuple[tuple[float, float, float], tuple[float, float, float]]
    resize: Resize
    interpolation: Interpolation


_CLIP_L14 = {
    "projection_dim": 768,
    "text_config": {
        "hidden_size": 768,
        "intermediate_size": 3072,
        "num_attention_heads": 12,
        "projection_dim": 768,
    },
    "vision_config": {
        "hidden_size": 1024,
        "intermediate_size": 4096,
        "num_hidden_layers": 24,
        "num_attention_heads": 16,
        "patch_size": 14,
        "projection_dim": 768,
    },
}
_DINOV2 = {"image_size": 518, "patch_size": 14}
KNOWN: Mapping[str, Known] = {
    "openai/clip-vit-base-patch32": Known("CLIPConfig", {}),
    "openai/clip-vit-base-patch16": Known("CLIPConfig", {"vision_config": {"patch_size": 16}}),
    "openai/clip-vit-large-patch14": Known("CLIPConfig", _CLIP_L14),
    "facebook/dinov2-small": Known(
        "Dinov2Config", {**_DINOV2, "hidden_size": 384, "num_attention_heads": 6}
    ),
    "facebook/dinov2-base": Known("Dinov2Config", _DINOV2),
    "facebook/dinov2-large": Known(
        "Dinov2Config",
        {**_DINOV2, "hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16},
    ),
    "google/vit-base-patch16-224-in21k": Known("ViTConfig", {}),
    "microsoft/git-base": Known("GitConfig", {}),
    "microsoft/git-base-coco": Known("GitConfig", {}),
}
MANNERS: Mapping[str, Manner] = {
    "clip": Manner(OPENAI, "center-crop", "bicubic"),
    "git": Manner(OPENAI, "center-crop", "bicubic"),
    "siglip": Manner(HALF, "squash", "bicubic"),
    "dinov2": Manner(IMAGENET, "center-crop", "bicubic"),
    "vit": Manner(HALF, "squash", "bilinear"),
}
PLAIN = Manner(IMAGENET, "squash", "bilinear")


def feeding_of(folder: Path | None, config: Any) -> dict[str, Any]:
    """Return the size, resize rule and normalization of a network, as arguments of a card.

    Parameters
    ----------
    folder
        With ``preprocessor_config.json``, or None where there is none.
    config
        The network's configuration.
    """
    manner = MANNERS.get(str(config.model_type).removesuffix("_vision_model"), PLAIN)
    told = _told(folder)
    crop = told.get("crop_size") if told.get("do_center_crop") else None
    size = crop or told.get("size") or _own_size(config)
    size = size[0] if isinstance(size, list | tuple) else size
    sides = size if isinstance(size, dict) else {"height": size}
    resize = manner.resize
    if told.get("size"):
        resize = "center-crop" if crop or "shortest_edge" in sides else "squash"
    interpolation = manner.interpolation
    if "resample" in told:
        interpolation = "bilinear" if told["resample"] == BILINEAR else "bicubic"
    return {
        "size_px": int(sides.get("height") or sides.get("shortest_edge") or SIZE_PX),
        "resize": resize,
        "interpolation": interpolation,
        "mean": tuple(told.get("image_mean") or manner.scale[0]),
        "sd": tuple(told.get("image_std") or manner.scale[1]),
    }


def license_of(folder: Path) -> str:
    """Return the license that the head of a repository's README names; "" where there is none."""
    readme = folder / "README.md"
    if not readme.is_file():
        return ""
    _, mark, rest = readme.read_text(encoding="utf-8", errors="replace").partition("---\n")
    for line in rest.partition("\n---")[0].splitlines() if mark else ():
        key, _, value = line.partition(":")
        if key == "license":
            return value.strip()
    return ""


def _told(folder: Path | None) -> dict[str, Any]:
    for path in (folder / file for file in FILES) if folder else ():
        if path.is_file():
            found = json.loads(path.read_text(encoding="utf-8"))
            told = found.get("image_processor", found)
            if "image_mean" in told:
                return dict(told)
    return {}


def _own_size(config: Any) -> Any:
    vision = getattr(config, "vision_config", None) or config
    # DINOv2 was trained at several sizes, and is shown pictures of this one.
    return SIZE_PX if config.model_type == "dinov2" else getattr(vision, "image_size", SIZE_PX)
