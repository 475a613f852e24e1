"""From ``NAME(key=value, ...)`` to a transform, and back."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

from bids_dnn.errors import ConfigError, nearest
from bids_dnn.stimuli.transform_names import NAMES, SPECS, Option, Point, Value

DIGITS = 10  # of a number in the canonical form
CALL = re.compile(r"\s*([^\s(]+)\s*(?:\((.*)\))?\s*", re.S)
BETWEEN = re.compile(r",(?![^(]*\))")  # commas that are in no parentheses
LENGTH = re.compile(r"(.+?)\s*(px)?")


@dataclass(frozen=True, slots=True)
class Transform:
    """One thing that is done to a picture.

    ``str(transform)`` is the canonical form: every option stands there, in a fixed order.

    Parameters
    ----------
    name
        One of `transform.NAMES`.
    options
        Names and values, defaults filled in, in the order of `transform_names.SPECS`.
    """

    name: str
    options: tuple[tuple[str, Value], ...] = ()

    def __str__(self) -> str:
        said = ", ".join(f"{name}={shown(value)}" for name, value in self.options)
        return f"{self.name}({said})"

    def __getitem__(self, option: str) -> Value:
        return dict(self.options)[option]

    def number(self, option: str) -> float:
        """Return the value of an option that is a number; see `transform_names.Option`."""
        return float(str(self[option]))


def parse_transforms(texts: Sequence[str]) -> tuple[Transform, ...]:
    """Read what is to be done to the pictures, in the order in which it is done.

    Parameters
    ----------
    texts
        Each ``NAME`` or ``NAME(key=value, ...)``.

    Returns
    -------
    transforms
        Each ``str`` is read to the same transform again.

    Raises
    ------
    ConfigError
        If a name or an option does not exist, an option is given twice or lacks, or a value is
        none that it can have.

    Examples
    --------
    >>> [str(one) for one in parse_transforms(["grey", "noise(snr=0.5, seed=3)"])]
    ['grey(weights=rec601)', 'noise(snr=0.5, channels=separate, seed=3, draw=0)']
    """
    return tuple(_parse(text) for text in texts)


def describe(name: str) -> str:
    """Tell what a transform does, and its options, for messages and the documentation.

    Raises
    ------
    ConfigError
        If there is no such transform.
    """
    _check_name(name, name)
    spec = SPECS[name]
    lines = [f"{name}: {spec.what}"]
    for option in (*spec.options, *spec.shorthands):
        default = "" if option.default is None else f"={shown(option.default)}"
        unit = f" ({option.unit})" if option.unit else ""
        lines.append(f"  {option.name}{default}: {option.what}{unit}")
    return "\n".join(lines)


def shown(value: Value) -> str:
    """Write a value as `parse_transforms` reads it."""
    if isinstance(value, tuple):
        return "(" + ";".join(f"{shown(x)},{shown(y)}" for x, y in value) + ")"
    return f"{value:.{DIGITS}g}" if isinstance(value, float) else str(value)


def _parse(text: str) -> Transform:
    found = CALL.fullmatch(text)
    if found is None:
        raise ConfigError(
            f"The transform {text!r} is not written as NAME(key=value, ...).",
            mend=f"Write one transform for each entry of the list. There are: {', '.join(NAMES)}.",
        )
    name, inside = found[1], found[2] or ""
    _check_name(name, text)
    spec = SPECS[name]
    known = {option.name: option for option in (*spec.options, *spec.shorthands)}
    given: dict[str, Value] = {}
    for part in BETWEEN.split(inside) if inside.strip() else ():
        key, equals, said = (word.strip() for word in part.partition("="))
        if not equals or key not in known:
            _refuse_option(text, name, part.strip() if not equals else key, list(known))
        if key in given:
            raise ConfigError(f"The transform {text!r} gives {key} twice.", mend="Take one away.")
        given[key] = _value(text, known[key], said)
    lacking = [o.name for o in spec.options if o.default is None and o.name not in given]
    if lacking:
        raise ConfigError(
            f"The transform {text!r} lacks {', '.join(lacking)}.",
            mend=f"Type {name}({', '.join(f'{one}=...' for one in lacking)}).",
        )
    settled = spec.settle(given)
    options = []
    for option in spec.options:
        value = settled.get(option.name, option.default)
        if value is not None:
            options.append((option.name, value))
    return Transform(name, tuple(options))


def _check_name(name: str, text: str) -> None:
    if name not in SPECS:
        raise ConfigError(f"There is no transform {name!r} ({text!r}).", mend=nearest(name, NAMES))


def _refuse_option(text: str, name: str, key: str, known: list[str]) -> NoReturn:
    if not known:
        raise ConfigError(
            f"{name} has no options, but {text!r} gives {key!r}.", mend=f"Type {name}."
        )
    raise ConfigError(
        f"{name} has no option {key!r} ({text!r}).",
        mend=nearest(key.partition("=")[0], known) + " Options are written as key=value.",
    )


def _value(text: str, option: Option, said: str) -> Value:
    if option.kind == "choice":
        if said not in option.choices:
            raise ConfigError(
                f"{option.name} is {said!r} in {text!r}, which it cannot be.",
                mend=nearest(said, option.choices),
            )
        return said
    if option.kind == "points":
        return _points(text, option, said)
    if option.kind == "level" and said == "mean":
        return said
    unit = None
    number = said
    if option.kind == "length" and (found := LENGTH.fullmatch(said)):
        number, unit = found[1], found[2]
    value = _number(text, option, number)
    if unit:
        return f"{shown(value)}{unit}"
    return int(number) if option.kind == "whole" else value  # all of its digits


def _number(text: str, option: Option, said: str) -> float:
    try:
        value = float(said)
    except ValueError:
        value = math.nan
    is_low = value <= option.low if option.above else value < option.low
    is_broken = option.kind == "whole" and not said.isdecimal()
    if not math.isfinite(value) or is_low or value > option.high or is_broken:
        raise ConfigError(
            f"{option.name} is {said!r} in {text!r}.",
            mend=f"Type {option.name}= and {_expected(option)}.",
        )
    return float(f"{value:.{DIGITS}g}") + 0.0  # -0.0 becomes 0.0


def _expected(option: Option) -> str:
    kind = "a whole number" if option.kind == "whole" else "a number"
    limits = []
    if math.isfinite(option.low):
        limits.append(f"{'above' if option.above else 'from'} {option.low:g}")
    if math.isfinite(option.high):
        limits.append(f"to {option.high:g}")
    return " ".join([kind, *limits]) + (f" ({option.unit})" if option.unit else "")


def _points(text: str, option: Option, said: str) -> tuple[Point, ...]:
    inside = said.removeprefix("(").removesuffix(")")
    points = []
    for pair in inside.split(";"):
        words = pair.split(",")
        if len(words) != 2:
            raise ConfigError(
                f"{option.name} is {said!r} in {text!r}.",
                mend=f"Type {option.name}=(X,Y;X,Y) ({option.unit}).",
            )
        points.append((_number(text, option, words[0]), _number(text, option, words[1])))
    return tuple(points)
