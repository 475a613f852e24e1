"""torchvision's networks for pictures."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from bids_dnn.containers.network import Card
from bids_dnn.errors import ConfigError, nearest
from bids_dnn.features.models.weights import find_weights, read_state

if TYPE_CHECKING:
    import torch

# Layers are the outputs of convolutions and linear maps, before the nonlinearity.
CARDS = {
    "alexnet": Card(
        name="alexnet",
        layers=(
            "features.0",
            "features.3",
            "features.6",
            "features.8",
            "features.10",
            "classifier.1",
            "classifier.4",
            "classifier.6",
        ),
        reference="Krizhevsky (2014), One weird trick for parallelizing convolutional neural "
        "networks, arXiv:1404.5997, as trained by torchvision on ImageNet.",
    ),
}


def names() -> tuple[str, ...]:
    """Return the names of torchvision's classification networks, sorted."""
    import torchvision

    return tuple(sorted(torchvision.models.list_models(module=torchvision.models)))


def card(name: str) -> Card:
    """Return how torchvision's network `name` is fed.

    Networks without a card here are fed as torchvision's own weights ask for, and have no
    layers that are analyzed by default.

    Raises
    ------
    ConfigError
        If torchvision has no classification network of that name.
    """
    if name in CARDS:
        return CARDS[name]
    if name not in names():
        raise ConfigError(
            f"There is no network {name!r} among torchvision's.",
            mend=f"{nearest(name, names())} A network of your own is PATH/file.py:factory.",
        )
    import torchvision

    asked = torchvision.models.get_model_weights(name).DEFAULT.transforms()
    return replace(
        CARDS["alexnet"],
        name=name,
        layers=(),
        size_px=int(asked.crop_size[0]),
        mean=tuple(asked.mean),
        sd=tuple(asked.std),
        reference=f"torchvision's {name}.",
    )


def build(name: str) -> torch.nn.Module:
    """Return torchvision's network `name` with fresh weights from torch's current random state."""
    import torchvision

    made: torch.nn.Module = torchvision.models.get_model(name, weights=None, **_quiet(name))
    return made


def _quiet(name: str) -> dict[str, bool]:
    # Without it these two warn that their initialization will change.
    return {"init_weights": True} if name in {"googlenet", "inception_v3"} else {}


def trained(name: str, *, offline: bool) -> tuple[dict[str, torch.Tensor], str]:
    """Return torchvision's default weights of `name`, and the name of their file.

    Raises
    ------
    MissingInputError
        If the file is not in torch's cache, and cannot or may not be downloaded.
    UnreadableError
        If the file is cut short or holds something else.
    """
    import torchvision

    url = str(torchvision.models.get_model_weights(name).DEFAULT.url)
    path = find_weights(name, url, offline=offline)
    return read_state(path), path.name
