"""Copies of a picture that show the same: noise, inverted colors, stretched contrast, others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter

from bids_dnn.errors import ConfigError, ShapeError, nearest

Picture = NDArray[np.float32]
NOISE_SD = 0.1  # of pixels in [0, 1]
STRETCH = (15.0, 85.0)  # percentiles that become 0 and 1
GAMMA, GAMMA_GAIN = 0.4, 0.9
BLUR_PX = 10
PLAIN = "plain"
FLIP = "flip"  # each kind once more, left and right exchanged
ALL = "all"


@dataclass(frozen=True, slots=True)
class Copy:
    """One way to show a picture.

    Parameters
    ----------
    kind
        ``plain``, or a key of `KINDS`.
    is_flipped
        Whether left and right are exchanged afterwards.
    """

    kind: str = PLAIN
    is_flipped: bool = False

    @property
    def name(self) -> str:
        """Return such as ``gamma`` or ``gamma+flip``."""
        return f"{self.kind}+{FLIP}" if self.is_flipped else self.kind

    @property
    def is_drawn(self) -> bool:
        """Whether chance takes part."""
        return self.kind == "noise"


def _noise(picture: Picture, rng: np.random.Generator) -> Picture:
    noise = rng.standard_normal(picture.shape, dtype=np.float32) * np.float32(NOISE_SD)
    made: Picture = np.clip(picture + noise, 0, 1)
    return made


def _invert(picture: Picture, _: np.random.Generator) -> Picture:
    return 1 - picture


def _stretch(picture: Picture, _: np.random.Generator) -> Picture:
    low, high = np.percentile(picture.astype(np.float64), STRETCH)
    if high <= low:  # nothing to stretch
        return picture
    made: Picture = np.clip((picture - low) / (high - low), 0, 1).astype(np.float32)
    return made


def _gamma(picture: Picture, _: np.random.Generator) -> Picture:
    made: Picture = np.float32(GAMMA_GAIN) * picture ** np.float32(GAMMA)
    return made


def _log(picture: Picture, _: np.random.Generator) -> Picture:
    return np.log2(1 + picture)


def _blur(picture: Picture, _: np.random.Generator) -> Picture:
    wide = uniform_filter(picture.astype(np.float64), size=(BLUR_PX, BLUR_PX, 1), mode="reflect")
    made: Picture = np.clip(wide, 0, 1).astype(np.float32)
    return made


KINDS: dict[str, Callable[[Picture, np.random.Generator], Picture]] = {
    "noise": _noise,
    "invert": _invert,
    "contrast": _stretch,
    "gamma": _gamma,
    "log": _log,
    "blur": _blur,
}
WORDS = {
    "noise": f"Gaussian noise with an SD of {NOISE_SD:g} on each pixel and color, cut to [0, 1]",
    "invert": "1 - x",
    "contrast": f"percentiles {STRETCH[0]:g} and {STRETCH[1]:g} of all values become 0 and 1",
    "gamma": f"{GAMMA_GAIN:g} x ** {GAMMA:g}",
    "log": "log2(1 + x)",
    "blur": f"mean over {BLUR_PX} x {BLUR_PX} pixels, mirrored at the border",
    FLIP: "left and right exchanged, of the plain picture and of each other copy",
}


def parse_copies(asked: Sequence[str]) -> tuple[Copy, ...]:
    """Return the copies that are made of each training picture, the plain one first.

    Parameters
    ----------
    asked
        Keys of `KINDS`, ``flip`` (each copy once more, mirrored), or ``all``.

    Raises
    ------
    ConfigError
        If there is no such augmentation.

    Examples
    --------
    >>> [one.name for one in parse_copies(["gamma", "flip"])]
    ['plain', 'plain+flip', 'gamma', 'gamma+flip']
    >>> len(parse_copies(["all"]))
    14
    """
    known = (*KINDS, FLIP, ALL)
    for one in asked:
        if one not in known:
            raise ConfigError(f"There is no augmentation {one!r}.", mend=nearest(one, known))
    wanted = {*KINDS, FLIP} if ALL in asked else set(asked)
    kinds = [PLAIN, *(kind for kind in KINDS if kind in wanted)]
    flips = (False, True) if FLIP in wanted else (False,)
    return tuple(Copy(kind, flip) for kind in kinds for flip in flips)


def augmented(picture: Picture, copy: Copy, *, seed: Sequence[int]) -> Picture:
    """Return a copy of a picture; the picture itself stays as it is.

    Parameters
    ----------
    picture : (h, w, 3) float32, in [0, 1]
    copy
        What is done.
    seed
        Words of the generator, for what is drawn: a picture, a copy and an epoch, say.

    Returns
    -------
    picture : (h, w, 3) float32, in [0, 1]

    Raises
    ------
    ShapeError
        If the picture has another form, or values outside [0, 1].

    Examples
    --------
    >>> made = augmented(np.full((1, 2, 3), 0.25, np.float32), Copy("invert"), seed=[0])
    >>> made[0, 0].tolist()
    [0.75, 0.75, 0.75]
    """
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.float32:
        raise ShapeError(
            f"A picture has shape {picture.shape} and type {picture.dtype}.",
            mend="Give (height, width, 3) float32.",
        )
    low, high = float(picture.min()), float(picture.max())
    if not (low >= 0 and high <= 1):
        raise ShapeError(
            f"A picture has values from {low:g} to {high:g}; [0, 1] was expected.",
            mend="Divide 8-bit values by 255.",
        )
    made = picture
    if copy.kind != PLAIN:
        made = KINDS[copy.kind](picture, np.random.default_rng(seed))
    return made[:, ::-1] if copy.is_flipped else made
