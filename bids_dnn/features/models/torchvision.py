"""torchvision's networks for pictures."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bids_dnn.containers.network import Card, Interpolation
from bids_dnn.errors import ConfigError, nearest
from bids_dnn.features.models.cards_torchvision import Sheet, sheet_of
from bids_dnn.features.models.weights import find_weights, read_state

if TYPE_CHECKING:
    import torch

ALIKE = {"inception_v1": "googlenet"}
# Built without weights, torchvision leaves out the step by which these two turn ImageNet's
# normalization into [-1, 1]; so they are given [-1, 1].
SIGNED = ("googlenet", "inception_v3")
HALF = (0.5, 0.5, 0.5)
LICENSE = "BSD-3-Clause (torchvision; the terms of ImageNet may apply)"
LICENSES = {"https://github.com/facebookresearch/SWAG/blob/main/LICENSE": "CC-BY-NC-4.0 (SWAG)"}
OLD_NAMES = {
    r"(denselayer\d+\.(norm|conv))\.([12])\.": r"\1\3.",
    r"(encoder_layer_\d+\.mlp)\.linear_1\.": r"\1.0.",
    r"(encoder_layer_\d+\.mlp)\.linear_2\.": r"\1.3.",
}
IDLE = ("Dropout", "Flatten", "Identity", "InceptionAux")


def names() -> tuple[str, ...]:
    """Return the names of torchvision's classification networks, sorted."""
    import torchvision

    there = torchvision.models.list_models(module=torchvision.models)
    return tuple(sorted([*there, *ALIKE]))


def card(name: str) -> Card:
    """Return how torchvision's network `name` is fed.

    Size, normalization and interpolation are those that its weights ask for. The picture is
    squashed to a square, because subjects saw the whole of it.

    Parameters
    ----------
    name
        As ``resnet50``, for torchvision's default weights, or ``resnet50/IMAGENET1K_V1``.

    Raises
    ------
    ConfigError
        If torchvision has no classification network, or no weights, of that name.
    """
    entry = _entry(name)
    base = name.partition("/")[0]
    asked = entry.transforms()
    sheet = sheet_of(base)
    layers = sheet.layers if sheet else _stages(base)
    labels = tuple(entry.meta["categories"] or ())
    interpolation: Interpolation = (
        "bicubic" if asked.interpolation.value == "bicubic" else "bilinear"
    )
    is_signed = base in SIGNED or base in ALIKE
    return Card(
        name=name,
        layers=layers,
        size_px=int(asked.crop_size[0]),
        mean=HALF if is_signed else tuple(asked.mean),
        sd=HALF if is_signed else tuple(asked.std),
        reference=_reference(base, sheet, entry.name),
        interpolation=interpolation,
        doi=sheet.paper.doi if sheet else "",
        license=LICENSES.get(entry.meta.get("license", ""), LICENSE),
        aliases=sheet.aliases if sheet else {},
        head=sheet.head if sheet and labels else "",
        labels=labels if sheet else (),
    )


def build(name: str, *, num_classes: int = 1000) -> torch.nn.Module:
    """Return torchvision's network `name` with fresh weights from torch's current random state.

    Parameters
    ----------
    name
        As for `card`.
    num_classes : int
        Logits of the head.

    Raises
    ------
    ConfigError
        If torchvision has no classification network, or no weights, of that name.
    """
    import torchvision

    base = name.partition("/")[0]
    base = ALIKE.get(base, base)
    options: dict[str, Any] = {"num_classes": num_classes}
    if base in SIGNED:  # without it these two warn that their initialization will change
        options["init_weights"] = True
    if base.startswith("vit_"):  # a table of positions is as long as the picture is wide
        options["image_size"] = int(_entry(name).meta["min_size"][0])
    made: torch.nn.Module = torchvision.models.get_model(base, weights=None, **options)
    return made


def find(name: str, *, offline: bool) -> Path:
    """Return the file of torchvision's weights of `name`, downloaded where it is not there yet.

    Raises
    ------
    ConfigError
        If torchvision has no classification network, or no weights, of that name.
    MissingInputError
        If the file is not in torch's cache, and cannot or may not be downloaded.
    UnreadableError
        If the file has another hash than its name says.
    """
    return find_weights(name, str(_entry(name).url), offline=offline)


def trained(name: str, *, offline: bool) -> tuple[dict[str, torch.Tensor], str]:
    """Return torchvision's weights of `name`, and the name of their file.

    Raises
    ------
    ConfigError
        If torchvision has no classification network, or no weights, of that name.
    MissingInputError
        If the file is not in torch's cache, and cannot or may not be downloaded.
    UnreadableError
        If the file is cut short or holds something else.
    """
    path = find(name, offline=offline)
    return renamed(read_state(path)), path.name


def translated(_: torch.nn.Module, state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return weights of a file under the names that they have in the network."""
    return renamed(state)


def renamed(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return weights under the names that torchvision's networks have for them today.

    The published files of DenseNet and of vision transformers are older than these names.

    Examples
    --------
    >>> list(renamed({"features.denseblock1.denselayer2.norm.1.weight": None}))
    ['features.denseblock1.denselayer2.norm1.weight']
    """
    return {_today(key): value for key, value in state.items()}


def _today(key: str) -> str:
    for pattern, new in OLD_NAMES.items():
        key = re.sub(pattern, new, key)
    return key


def _entry(name: str) -> Any:
    """Return what torchvision knows of the weights that a name stands for."""
    import torchvision

    base, _, weights = name.partition("/")
    if base not in names():
        raise ConfigError(
            f"There is no network {base!r} among torchvision's.",
            mend=f"{nearest(base, names())} Others have a prefix: timm:, open_clip:, "
            "transformers:, cornet:, ecoset: or lowlevel:; one of your own is "
            "PATH/file.py:factory.",
        )
    known = torchvision.models.get_model_weights(ALIKE.get(base, base))
    if not weights:
        return known.DEFAULT
    if weights not in known.__members__:
        raise ConfigError(
            f"torchvision has no weights {weights!r} of {base}.",
            mend=nearest(weights, known.__members__),
        )
    return known[weights]


def _reference(base: str, sheet: Sheet | None, weights: str) -> str:
    trained_by = f"as trained by torchvision ({weights.replace('_', ' ')})"
    if sheet is None:
        return f"torchvision's {base}, {trained_by}."
    return sheet.paper.line(trained_by)


def _stages(base: str) -> tuple[str, ...]:
    """Return the stages of a network that is newer than our list: parts, and parts of rows."""
    import torch

    found: list[str] = []
    for name, part in build(base).named_children():
        is_row = isinstance(part, torch.nn.Sequential | torch.nn.ModuleList)
        rows = [(f"{name}.{key}", one) for key, one in part.named_children()] if is_row else []
        found += [path for path, one in rows or [(name, part)] if type(one).__name__ not in IDLE]
    return tuple(found)
