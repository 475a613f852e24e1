"""What is done to pictures before a network sees them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bids_dnn.errors import ConfigError
from bids_dnn.stimuli import tone
from bids_dnn.stimuli.compose import Item, compose
from bids_dnn.stimuli.noise import add_noise, generator
from bids_dnn.stimuli.resize import resized
from bids_dnn.stimuli.transform_names import NAMES, SPECS, Point, Value
from bids_dnn.stimuli.transform_parse import Transform, describe, parse_transforms
from bids_dnn.stimuli.warp import retinawarp

if TYPE_CHECKING:
    from bids_dnn.containers.network import Interpolation, Resize

__all__ = ["NAMES", "Transform", "describe", "examples", "parse_transforms", "transformed"]

Picture = NDArray[np.float32]
Pictures = Sequence[Picture]


@dataclass(frozen=True, slots=True)
class _Scene:
    """What a transform must know beside its options."""

    size_px: int
    interpolation: Interpolation
    stimulus: str
    n_before: int  # transforms of this name that came before


def transformed(
    pictures: Pictures,
    transforms: Sequence[Transform],
    *,
    size_px: int,
    resize: Resize,
    interpolation: Interpolation = "bilinear",
    stimulus: str,
) -> Picture:
    """Return what a network is to see of a stimulus.

    Parameters
    ----------
    pictures : each (h, w, 3) float32, units of [0, 1]
        One, or the two items of a ``pair``.
    transforms
        Done from first to last. Where none of them makes a square of `size_px`, the pictures are
        resized first.
    size_px : int
        Side of the network's input.
    resize, interpolation
        See `resize.square`.
    stimulus
        Its id, which seeds what is drawn for it.

    Returns
    -------
    picture : (size_px, size_px, 3) float32
        Neither rounded nor clipped: contrast, noise and bicubic resizing may leave [0, 1].

    Raises
    ------
    ConfigError
        If the stimulus has several pictures and no transform makes one of them.
    """
    check_composed(stimulus, len(pictures), transforms)
    *_, (seen,) = _stages(
        pictures,
        transforms,
        size_px=size_px,
        resize=resize,
        interpolation=interpolation,
        stimulus=stimulus,
    )
    return seen


def check_composed(stimulus: str, n_pictures: int, transforms: Sequence[Transform]) -> None:
    """See to it that something makes one picture of a stimulus of several.

    Parameters
    ----------
    stimulus
        Its id, for the message.
    n_pictures : int
        That it is made of.
    transforms
        Of the network.

    Raises
    ------
    ConfigError
        If it has several pictures and no transform makes one of them, or more than a pair takes.
    """
    if n_pictures > 1 and all(one.name != "pair" for one in transforms):
        raise ConfigError(
            f"The stimulus {stimulus!r} is made of {n_pictures} pictures, but nothing puts them "
            "together.",
            mend='Add a pair to the network\'s transforms: transform = ["pair(size=3.3, ...)"].',
        )
    if n_pictures > 2:
        raise ConfigError(
            f"The stimulus {stimulus!r} is made of {n_pictures} pictures, but pair takes two.",
            mend="Name two files in stim_file, joined by ';'.",
        )


def examples(
    pictures: Pictures,
    transforms: Sequence[Transform],
    *,
    size_px: int,
    resize: Resize,
    interpolation: Interpolation = "bilinear",
    stimulus: str = "",
) -> dict[str, NDArray[np.uint8]]:
    """Show what each transform does in its turn, for figures.

    Parameters
    ----------
    pictures, transforms, size_px, resize, interpolation, stimulus
        As in `transformed`.

    Returns
    -------
    shown : (size_px, size_px, 3) uint8, clipped
        ``picture`` before all transforms, then each transform's canonical form (numbered from
        the second of the same on), in order. Of several items, the first, until they are put
        together.

    Raises
    ------
    ConfigError
        As `transformed`.
    """
    shown: dict[str, NDArray[np.uint8]] = {}
    names = ["picture", *map(str, transforms)]
    stages = _stages(
        pictures,
        transforms,
        size_px=size_px,
        resize=resize,
        interpolation=interpolation,
        stimulus=stimulus,
    )
    for name, seen in zip(names, stages, strict=True):
        number = sum(one.partition(" #")[0] == name for one in shown) + 1
        whole = _fitted(seen[0], size_px, resize=resize, interpolation=interpolation)
        key = name if number == 1 else f"{name} #{number}"
        shown[key] = np.rint(np.clip(whole, 0, 1) * 255).astype(np.uint8)
    return shown


def makes_square(transforms: Sequence[Transform]) -> bool:
    """Tell whether one of them makes the square of the network's size, in place of its card."""
    return any(SPECS[one.name].makes_square for one in transforms)


def _stages(
    pictures: Pictures,
    transforms: Sequence[Transform],
    *,
    size_px: int,
    resize: Resize,
    interpolation: Interpolation,
    stimulus: str,
) -> list[Pictures]:
    """Return the pictures before the first transform and after each."""
    seen = list(pictures)
    if not makes_square(transforms):
        seen = [_fitted(one, size_px, resize=resize, interpolation=interpolation) for one in seen]
    stages: list[Pictures] = [seen]
    for position, transform in enumerate(transforms):
        n_before = sum(one.name == transform.name for one in transforms[:position])
        scene = _Scene(size_px, interpolation, stimulus, n_before)
        stages.append(APPLY[transform.name](stages[-1], transform, scene))
    return stages


def _fitted(
    picture: Picture, size_px: int, *, resize: Resize, interpolation: Interpolation
) -> Picture:
    if picture.shape[:2] == (size_px, size_px):
        return picture
    return resized(picture, size_px, resize=resize, interpolation=interpolation)


def _level(value: Value, pictures: Pictures) -> float:
    """Return a grey level in units of the pictures."""
    if value == "mean":
        means = [tone.mean_luminance(one) for one in pictures]
        return math.fsum(means) / len(means)
    return float(str(value)) / 255


def _length(value: Value, picture: Picture) -> float:
    """Return a length in pixels."""
    said = str(value)
    if said.endswith("px"):
        return float(said.removesuffix("px"))
    side: int = min(picture.shape[:2])
    return float(said) * side


def _squash(pictures: Pictures, _: Transform, scene: _Scene) -> Pictures:
    return [
        resized(one, scene.size_px, resize="squash", interpolation=scene.interpolation)
        for one in pictures
    ]


def _crop(pictures: Pictures, transform: Transform, scene: _Scene) -> Pictures:
    return [
        resized(
            one,
            scene.size_px,
            resize="center-crop",
            interpolation=scene.interpolation,
            keep=transform.number("keep"),
        )
        for one in pictures
    ]


def _pad(pictures: Pictures, transform: Transform, scene: _Scene) -> Pictures:
    return [
        resized(
            one,
            scene.size_px,
            resize="pad",
            interpolation=scene.interpolation,
            fill=_level(transform["fill"], [one]),
        )
        for one in pictures
    ]


def _grey(pictures: Pictures, transform: Transform, _: _Scene) -> Pictures:
    weights: tone.Weights = "rec709" if transform["weights"] == "rec709" else "rec601"
    return [tone.grey(one, weights) for one in pictures]


def _aperture(pictures: Pictures, transform: Transform, _: _Scene) -> Pictures:
    return [
        tone.aperture(
            one,
            shape="square" if transform["shape"] == "square" else "circle",
            diameter_px=_length(transform["diameter"], one),
            edge_px=_length(transform["edge"], one),
            background=_level(transform["background"], [one]),
        )
        for one in pictures
    ]


def _contrast(pictures: Pictures, transform: Transform, _: _Scene) -> Pictures:
    about: Value = "mean" if transform["about"] == "mean" else 128.0
    return [
        tone.contrast(one, factor=transform.number("factor"), pivot=_level(about, [one]))
        for one in pictures
    ]


def _place(pictures: Pictures, transform: Transform, scene: _Scene) -> Pictures:
    place = (transform.number("x"), transform.number("y"))
    return [_composed([one], [place], transform, scene) for one in pictures]


def _pair(pictures: Pictures, transform: Transform, scene: _Scene) -> Pictures:
    check_composed(scene.stimulus, len(pictures), [transform])
    positions = transform["positions"]
    places = positions if isinstance(positions, tuple) else ()
    both = pictures if len(pictures) == 2 else [pictures[0], pictures[0]]
    return [_composed(both, places, transform, scene)]


def _composed(
    pictures: Pictures, places: Sequence[Point], transform: Transform, scene: _Scene
) -> Picture:
    items = [
        Item(one, x, y, transform.number("size"))
        for one, (x, y) in zip(pictures, places, strict=True)
    ]
    return compose(
        items,
        field_deg=transform.number("field"),
        size_px=scene.size_px,
        background=_level(transform["background"], pictures),
        interpolation=scene.interpolation,
    )


def _noise(pictures: Pictures, transform: Transform, scene: _Scene) -> Pictures:
    seed, draw = int(transform.number("seed")), int(transform.number("draw"))
    return [
        add_noise(
            one,
            snr=transform.number("snr"),
            rng=generator(
                scene.stimulus, seed=seed, draw=draw, part=scene.n_before * 1000 + position
            ),
            is_grey=transform["channels"] == "same",
        )
        for position, one in enumerate(pictures)
    ]


def _retinawarp(pictures: Pictures, transform: Transform, scene: _Scene) -> Pictures:
    return [
        retinawarp(
            one,
            size_px=scene.size_px,
            density=transform.number("density"),
            fixation=(transform.number("x"), transform.number("y")),
            fill=_level(transform["fill"], [one]),
            mode="fitted" if transform["mode"] == "fitted" else "exact",
            antialias=transform["antialias"] == "yes",
        )
        for one in pictures
    ]


APPLY: Mapping[str, Callable[[Pictures, Transform, _Scene], Pictures]] = MappingProxyType(
    {
        "squash": _squash,
        "center-crop": _crop,
        "pad": _pad,
        "grey": _grey,
        "aperture": _aperture,
        "contrast": _contrast,
        "place": _place,
        "pair": _pair,
        "noise": _noise,
        "retinawarp": _retinawarp,
    }
)
