"""What a transform may be called, and what may be said of it: names, options, defaults, units."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from bids_dnn.errors import ConfigError

Point = tuple[float, float]
Value = float | int | str | tuple[Point, ...]
Values = Mapping[str, Value]
Kind = Literal["number", "whole", "choice", "length", "level", "points"]

MID_GREY = 128.0
TOLERANCE_DEG = 1e-6
LEVEL_UNIT = "grey level, 0 to 255, or mean"


@dataclass(frozen=True, slots=True)
class Option:
    """One option of a transform.

    Parameters
    ----------
    name
        As typed before ``=``.
    what
        What it sets, for the documentation.
    unit
        Of its number; "" where it has none.
    default
        None = it must be given.
    kind
        ``number``, ``whole`` number, one of `choices`, ``length`` (a share of the shorter side,
        or pixels as ``100px``), ``level`` (grey level from 0 to 255, or ``mean``), ``points``
        (``(X,Y;X,Y)``).
    low, high : float
        Smallest and largest number.
    above
        Whether the number must be above `low`, not at it.
    choices
        The words of a ``choice``.
    """

    name: str
    what: str
    unit: str = ""
    default: Value | None = None
    kind: Kind = "number"
    low: float = -math.inf
    high: float = math.inf
    above: bool = False
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Spec:
    """A transform that exists.

    Parameters
    ----------
    what
        What it does, in one line.
    options
        In the order in which the canonical form writes them.
    shorthands
        Options that may be typed and that `settle` turns into `options`.
    settle
        From what was typed, shorthands too, to values of `options`; checks what single options
        cannot.
    makes_square
        Whether it makes the square of the network's size itself.
    """

    what: str
    options: tuple[Option, ...] = ()
    shorthands: tuple[Option, ...] = ()
    settle: Callable[[Values], Values] = dict
    makes_square: bool = False


def place_of(eccentricity_deg: float, angle_deg: float) -> Point:
    """Return where a polar angle and an eccentricity lie.

    Parameters
    ----------
    eccentricity_deg : float
    angle_deg : float
        0 = upper vertical meridian, positive = right visual field, as in Benson's maps.

    Returns
    -------
    x, y : degrees of visual angle
        Right and up.

    Examples
    --------
    >>> place_of(7.0, 90.0)
    (7.0, 0.0)
    """
    angle = math.radians(angle_deg)
    return (
        round(eccentricity_deg * math.sin(angle), 6) + 0.0,  # -0.0 becomes 0.0
        round(eccentricity_deg * math.cos(angle), 6) + 0.0,
    )


def check_inside(place: Point, size_deg: float, field_deg: float) -> None:
    """See to it that an item lies on its canvas whole.

    Parameters
    ----------
    place : x, y in degrees from the center
    size_deg : float
        Longer side of the item.
    field_deg : float
        Width of the canvas.

    Raises
    ------
    ConfigError
        If the item reaches beyond the canvas.
    """
    needed = 2 * max(abs(place[0]), abs(place[1])) + size_deg
    if needed > field_deg + TOLERANCE_DEG:
        raise ConfigError(
            f"An item of {size_deg:g} degrees at ({place[0]:g}, {place[1]:g}) reaches beyond a "
            f"field of {field_deg:g} degrees.",
            mend=f"Type field={math.ceil(needed * 100) / 100:.10g} or more, or a smaller size.",
        )


def _settle_place(given: Values) -> Values:
    polar = {"eccentricity", "angle"} & set(given)
    if polar and {"x", "y"} & set(given):
        raise ConfigError(
            "place has x or y, and eccentricity or angle, which say the same.",
            mend="Type x= and y=, or eccentricity= and angle=.",
        )
    if "angle" in polar and "eccentricity" not in polar:
        raise ConfigError(
            "place has an angle without an eccentricity.", mend="Type eccentricity= too."
        )
    x, y = _number(given, "x", 0.0), _number(given, "y", 0.0)
    if polar:
        x, y = place_of(_number(given, "eccentricity", 0.0), _number(given, "angle", 0.0))
    check_inside((x, y), _number(given, "size", 0.0), _number(given, "field", math.inf))
    return {k: v for k, v in given.items() if k not in polar} | {"x": x, "y": y}


def _settle_pair(given: Values) -> Values:
    polar = {"orientation", "eccentricity", "angle"}
    if "positions" in given and (both := sorted(polar & set(given))):
        raise ConfigError(
            f"pair has positions and {', '.join(both)}, which say the same.",
            mend="Type positions=, or the others.",
        )
    points = given.get("positions", PAIR_POSITIONS)
    if polar & set(given):
        eccentricity = _number(given, "eccentricity", PAIR_ECCENTRICITY)
        angle = _number(given, "angle", PAIR_ANGLE)
        first = -angle if given.get("orientation") == "inverted" else angle
        points = (place_of(eccentricity, first), place_of(eccentricity, first + 180))
    if not isinstance(points, tuple) or len(points) != 2:
        raise ConfigError(
            "pair has another number of positions than two.", mend="Type positions=(X,Y;X,Y)."
        )
    size = _number(given, "size", PAIR_SIZE)
    for point in points:
        check_inside(point, size, _number(given, "field", PAIR_FIELD))
    apart = max(abs(points[0][0] - points[1][0]), abs(points[0][1] - points[1][1]))
    if apart < size - TOLERANCE_DEG:
        raise ConfigError(
            f"The two items of pair are {apart:g} degrees apart and {size:g} degrees wide, "
            "so that one would cover the other.",
            mend="Type a smaller size, or positions that are further apart.",
        )
    return {k: v for k, v in given.items() if k not in polar} | {"positions": points}


def _number(given: Values, name: str, default: float) -> float:
    value = given.get(name, default)
    return float(value) if isinstance(value, int | float) else default


PAIR_ECCENTRICITY, PAIR_ANGLE, PAIR_SIZE, PAIR_FIELD = 7.0, 45.0, 3.3, 13.2
PAIR_POSITIONS = (place_of(PAIR_ECCENTRICITY, 45.0), place_of(PAIR_ECCENTRICITY, 225.0))

_X = Option("x", "of the item's center, positive right", "degrees", 0.0)
_Y = Option("y", "of the item's center, positive up", "degrees", 0.0)
_ECCENTRICITY = Option("eccentricity", "in place of x and y", "degrees", low=0)
_ANGLE = Option(
    "angle", "with eccentricity: 0 = upper vertical meridian, positive right", "degrees"
)
_SIZE = Option("size", "longer side of the item", "degrees", low=0, above=True)
_FIELD = Option("field", "width of the canvas", "degrees", low=0, above=True)


def _level(name: str, what: str, default: float) -> Option:
    return Option(name, what, LEVEL_UNIT, default, "level", 0, 255)


SPECS: Mapping[str, Spec] = MappingProxyType(
    {
        "squash": Spec("To a square, whatever the shape.", makes_square=True),
        "center-crop": Spec(
            "Shorter side to the network's size, then the middle.",
            (
                Option(
                    "keep",
                    "what is cut out (0.875 = 224 of 256 pixels)",
                    "share of the shorter side",
                    1.0,
                    low=0,
                    high=1,
                    above=True,
                ),
            ),
            makes_square=True,
        ),
        "pad": Spec(
            "Longer side to the network's size, then a margin.",
            (_level("fill", "of the margin", MID_GREY),),
            makes_square=True,
        ),
        "grey": Spec(
            "Luminance in place of color.",
            (
                Option(
                    "weights",
                    "of red, green and blue: .299, .587, .114 (Rec. 601, as Pillow) or "
                    ".2126, .7152, .0722 (Rec. 709)",
                    default="rec601",
                    kind="choice",
                    choices=("rec601", "rec709"),
                ),
            ),
        ),
        "aperture": Spec(
            "The picture through a hole.",
            (
                Option(
                    "shape", "of the hole", "", "circle", "choice", choices=("circle", "square")
                ),
                Option(
                    "diameter",
                    "outside of which all is background",
                    "share of the shorter side, or pixels: 100px",
                    1.0,
                    "length",
                    low=0,
                    above=True,
                ),
                Option(
                    "edge",
                    "width of the soft edge (raised cosine), inside the diameter",
                    "share of the shorter side, or pixels: 10px",
                    0.0,
                    "length",
                    low=0,
                ),
                _level("background", "around the hole", MID_GREY),
            ),
        ),
        "contrast": Spec(
            "Distances from a grey, times a factor.",
            (
                Option("factor", "1 = as it is, 0 = uniform", "ratio", low=0),
                Option(
                    "about",
                    "what stays: the picture's mean luminance (Rec. 601), or grey level 128",
                    default="mean",
                    kind="choice",
                    choices=("mean", "grey"),
                ),
            ),
        ),
        "place": Spec(
            "The picture on a canvas in degrees of visual angle.",
            (_X, _Y, _SIZE, _FIELD, _level("background", "of the canvas", MID_GREY)),
            (_ECCENTRICITY, _ANGLE),
            _settle_place,
            makes_square=True,
        ),
        "pair": Spec(
            "The two files of a stimulus (or its one file twice) on a canvas.",
            (
                Option(
                    "positions",
                    "centers of the first and second item, as (X,Y;X,Y)",
                    "degrees",
                    PAIR_POSITIONS,
                    "points",
                ),
                Option("size", _SIZE.what, "degrees", PAIR_SIZE, low=0, above=True),
                Option("field", _FIELD.what, "degrees", PAIR_FIELD, low=0, above=True),
                _level("background", "of the canvas", 125.0),
            ),
            (
                Option(
                    "orientation",
                    "normal = first item upper right, second lower left; inverted = first upper "
                    "left, second lower right",
                    kind="choice",
                    choices=("normal", "inverted"),
                ),
                _ECCENTRICITY,
                _ANGLE,
            ),
            _settle_pair,
            makes_square=True,
        ),
        "noise": Spec(
            "Gaussian noise on every pixel.",
            (
                Option(
                    "snr",
                    "variance of the picture over that of the noise",
                    "ratio",
                    low=0,
                    above=True,
                ),
                Option(
                    "channels",
                    "separate = drawn for each color, same = grey noise",
                    default="separate",
                    kind="choice",
                    choices=("separate", "same"),
                ),
                Option("seed", "of all draws", "", 0, "whole", low=0),
                Option("draw", "which of many draws", "", 0, "whole", low=0),
            ),
        ),
        "retinawarp": Spec(
            "As cones sample it: the fovea magnified, the periphery compressed.",
            (
                Option(
                    "density",
                    "of cones in the fovea over the edge",
                    "ratio",
                    10.0,
                    low=1,
                    high=1e6,
                ),
                Option("x", "of the fixation, positive right", "half widths", 0.0, low=-1, high=1),
                Option("y", "of the fixation, positive up", "half widths", 0.0, low=-1, high=1),
                _level("fill", "where there is no picture", 0.0),
                Option(
                    "mode",
                    "exact = closed form, fitted = the published quadratic",
                    default="exact",
                    kind="choice",
                    choices=("exact", "fitted"),
                ),
                Option(
                    "antialias",
                    "whether a pixel averages what lies between cones, for pictures much larger "
                    "than the network's input",
                    default="no",
                    kind="choice",
                    choices=("no", "yes"),
                ),
            ),
            makes_square=True,
        ),
    }
)
NAMES = tuple(SPECS)
