"""What is wrong with a setting: what was found, what it must be, the line to type."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from bids_dnn.config.schema import Config
from bids_dnn.errors import ConfigError, nearest

ONE = {int: "a whole number", float: "a number", bool: "true or false", str: "text in quotes"}
ONE[Path] = "a path in quotes"
MANY = {int: "whole numbers", float: "numbers", str: "texts in quotes", Path: "paths in quotes"}
EXAMPLES: dict[Any, Any] = {int: 2, float: 1.0, bool: True, str: "NAME", Path: "PATH"}
MOST_SAID = 160  # characters of a description
BOUNDS = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}


@dataclass(frozen=True, slots=True)
class _Setting:
    """Where an error stands: the names that were typed, and the field that they lead to.

    `names` ends with the field's own name, `within` are keys of a table and places of a list
    below it; `field` is None where a whole section is meant.
    """

    names: tuple[str, ...]
    field: FieldInfo | None
    within: tuple[int | str, ...]


def explain(err: ValidationError, told: Mapping[str, Any]) -> ConfigError:
    """Word the first of Pydantic's errors as our own.

    Parameters
    ----------
    err
        Of `Config`.
    told
        What was given to it.

    Returns
    -------
    error
        Not raised.
    """
    first = err.errors()[0]
    setting = _find(first["loc"])
    where, kind, found = ".".join(setting.names), first["type"], first["input"]
    if kind == "extra_forbidden":
        where = ".".join([where, *map(str, setting.within)]).strip(".")
        known = _fields(first["loc"][:-1])
        what = f"The setting {where!r} does not exist."
        return ConfigError(what, mend=nearest(str(first["loc"][-1]), known))
    if kind == "missing" and not setting.within:
        return ConfigError(f"The setting {where!r} is missing.", mend=f"Add {where} to the file.")
    if kind == "string_pattern_mismatch":
        plain = re.sub("[^A-Za-z0-9]", "", str(found)) or "V1"
        what = f"The name {found!r} in {setting.names[0]} holds more than letters and digits."
        return ConfigError(what, mend=f"Call it {plain!r}.")
    if kind == "value_error":
        what, _, mend = str(first["ctx"]["error"]).partition("; ")
        section = ".".join(setting.names[:-1] if setting.field else setting.names)
        mend = mend or f"mend it under [{section}] in analysis.toml"
        return ConfigError(f"The setting {where} cannot be: {what}.", mend=f"{_upper(mend)}.")
    if kind == "literal_error" and isinstance(found, str):
        choices = re.findall(r"'([^']+)'", str(first["ctx"]["expected"]))
        return _worded(setting, told, found, choices, is_key="[key]" in first["loc"])
    return _typed(setting, told)


def _worded(
    setting: _Setting,
    told: Mapping[str, Any],
    found: str,
    choices: Sequence[str],
    *,
    is_key: bool,
) -> ConfigError:
    """Offer the nearest of the words that a setting, its items or its keys may be."""
    where, mend = ".".join(setting.names), nearest(found, choices)
    if not is_key:
        what = f"has {found!r} in it" if setting.within else f"is {found!r}"
        return ConfigError(f"The setting {where} {what}.", mend=mend)
    near = get_close_matches(found, choices, n=1, cutoff=0)
    value = {near[0] if key == found else key: one for key, one in _value(setting, told).items()}
    if line := _line(setting, told, [value]):
        mend = f"{mend} {line}"
    what = f"The setting {where} has the key {found!r}, which is none of its own."
    return ConfigError(what, mend=mend)


def _value(setting: _Setting, told: Mapping[str, Any]) -> Any:
    value: Any = told
    for name in setting.names:
        value = value[name]
    return value


def _line(setting: _Setting, told: Mapping[str, Any], candidates: Iterable[Any]) -> str:
    """Return the line to type with the first value that is taken, "" where none is."""
    *section, key = setting.names
    for one in candidates:
        if _is_taken(one, setting.names, told):
            under = f"Under [{'.'.join(section)}] in analysis.toml, type" if section else "Type"
            own = key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else json.dumps(key)
            return f"{under}: {own} = {_toml(one)}"
    return ""


def _typed(setting: _Setting, told: Mapping[str, Any]) -> ConfigError:
    """Say what a value is, what it must be, and a line that is taken."""
    where, field, value = ".".join(setting.names), setting.field, _value(setting, told)
    if field is None and value == {}:
        return ConfigError(
            f"[{where}] is empty.", mend=f"Write a [{where}.NAME], or leave it out."
        )
    if field is None:
        what = f"{where} is {_toml(value)}, where a section is expected."
        return ConfigError(what, mend=f"Write [{where}] on a line, and its settings below it.")
    said = (field.description or "").rstrip(".")
    what = f"The setting {where} is {_toml(value)}; it must be {_words(_hint(field))}"
    what += f" ({said})." if 0 < len(said) < MOST_SAID else "."
    line = _line(setting, told, _candidates(value, field))
    return ConfigError(what, mend=line or "bids_dnn --dry-run prints every setting.")


def _find(loc: Sequence[int | str]) -> _Setting:
    """Walk from `Config` along Pydantic's path, which has the names of types in between."""
    model: type[BaseModel] | None = Config
    names: list[str] = []
    field: FieldInfo | None = None
    rest = list(loc)
    while rest and model is not None and str(rest[0]) in model.model_fields:
        names.append(str(rest.pop(0)))
        field = model.model_fields[names[-1]]
        models = [one for one in _parts(field.annotation) if _is_model(one)]
        if rest and get_origin(field.annotation) is dict and models:
            names.append(str(rest.pop(0)))
        model = models[-1] if models else None
        if models:
            field = None if rest or get_origin(field.annotation) is dict else field
            field = None if field is None or _is_model(field.annotation) else field
    if field is not None and rest and (own := _named(field)) is not None and "[key]" not in rest:
        names.append(str(rest.pop(0)))  # the name that the user gave, as in [regions]
        field = own
    return _Setting(tuple(names), field, tuple(rest))


def _named(field: FieldInfo) -> FieldInfo | None:
    """Return what stands under each name of a table whose names the user gives; None of others."""
    inner = get_args(field.annotation)
    if get_origin(field.annotation) is not dict or get_origin(inner[0]) is Literal:
        return None
    return FieldInfo(annotation=inner[1], description=field.description)


def _fields(loc: Sequence[int | str]) -> list[str]:
    model: type[BaseModel] = Config
    for part in loc:
        field = model.model_fields.get(str(part))
        if field is None:  # a name that the user gave, as in [networks.NAME]
            continue
        models = [one for one in _parts(field.annotation) if _is_model(one)]
        model = models[-1] if models else model
    return list(model.model_fields)


def _is_model(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, BaseModel)


def _parts(hint: Any) -> Iterator[Any]:
    yield hint
    for one in get_args(hint):
        yield from _parts(one)


def _hint(field: FieldInfo) -> Any:
    """Return the type of a field with the bounds that stand beside it."""
    return Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation


def _words(hint: Any) -> str:
    """Say in words what a type takes."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _words(inner[0]) + _bounds(inner[1:])
    if origin in (Union, UnionType):
        return " or ".join(_words(one) for one in inner if one is not NoneType)
    if origin is Literal:
        *most, last = (_toml(one) for one in inner)
        return f"{', '.join(most)} or {last}" if most else last
    if origin is tuple:
        size = "" if inner[-1] is Ellipsis else f"{len(inner)} "
        return f"a list of {size}{MANY.get(inner[0]) or 'items, each ' + _words(inner[0])}"
    if origin is dict:
        keys = _words(inner[0]) if get_origin(inner[0]) is Literal else "names"
        return f"a table that has {keys} = {_words(inner[1])}"
    is_model = _is_model(hint)
    return f"a table of {', '.join(hint.model_fields)}" if is_model else ONE.get(hint, ONE[str])


def _bounds(metadata: Sequence[Any]) -> str:
    said = ""
    for one in metadata:
        if isinstance(one, FieldInfo):
            said += _bounds(one.metadata)
        for name in BOUNDS:
            if (limit := getattr(one, name, None)) is not None:
                said += f", {BOUNDS[name]} {limit:g}"
        if (least := getattr(one, "min_length", None)) is not None:
            said += f", with {least} or more in it"
    return said


def _candidates(value: Any, field: FieldInfo) -> Iterator[Any]:
    """Give what may have been meant, then the default, then an example."""
    yield from _mended(value)
    if isinstance(value, Mapping):
        for mend in (lambda one: [one], _as_number):
            yield {key: mend(one) for key, one in value.items()}
    for text in re.findall(r"such as (\w[\w.:]*\w)", field.description or ""):
        yield from (text, [text], {"NAME": text})
    if isinstance(value, int | float):
        yield from (str(value), [str(value)])
    for text in re.findall(r"(?:\{ .*? \}|\[.*?\])", field.description or ""):
        with suppress(tomllib.TOMLDecodeError):
            yield tomllib.loads(f"such = {text}")["such"]
    default = field.get_default(call_default_factory=True)
    if default is not PydanticUndefined and default not in (None, (), {}):
        yield default.model_dump(mode="json") if isinstance(default, BaseModel) else default
    yield from (getattr(one, "ge", None) for one in field.metadata if hasattr(one, "ge"))
    yield from _examples(field.annotation)


def _mended(value: Any) -> Iterator[Any]:
    number = _as_number(value)
    yield from (number, [value], [number])
    if isinstance(value, float) and value.is_integer():
        yield int(value)
    if isinstance(value, str) and value.lower() in ("true", "false", "yes", "no"):
        yield value.lower() in ("true", "yes")
    if isinstance(value, str) and "," in value:
        yield [one.strip() for one in value.split(",")]
    if isinstance(value, list):
        lists = [one for one in value if isinstance(one, list)]
        if lists and all(isinstance(one, str) for each in lists for one in each):
            yield [" vs ".join(one) if isinstance(one, list) else one for one in value]
        yield [_as_number(one) for one in value]
        if not any(isinstance(one, Mapping | list) for one in value):
            yield [str(one) for one in value]
        if len(value) == 1:
            yield value[0]


def _as_number(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        number = float(value)
    except ValueError:
        return value
    return int(number) if re.fullmatch(r"[+-]?\d+", value) else number


def _examples(hint: Any) -> Iterator[Any]:
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Annotated:
        yield from _examples(inner[0])
    elif origin in (Union, UnionType):
        for one in inner:
            yield from _examples(one)
    elif origin is Literal:
        yield inner[0]
    elif origin is tuple:
        n = 1 if inner[-1] is Ellipsis else len(inner)
        yield from ([one] * n for one in _examples(inner[0]))
    elif origin is dict:
        for key in _examples(inner[0]):
            yield from ({key: one} for one in _examples(inner[1]))
    elif hint in EXAMPLES:
        yield EXAMPLES[hint]


def _is_taken(candidate: Any, names: Sequence[str], told: Mapping[str, Any]) -> bool:
    """Tell whether a value of a setting would raise no error at its place."""
    try:
        Config.model_validate(_with(told, names, candidate))
    except ValidationError as err:
        return not any(
            _find(one["loc"]).names[: len(names)] == tuple(names) for one in err.errors()
        )
    return True


def _with(told: Mapping[str, Any], names: Sequence[str], value: Any) -> dict[str, Any]:
    name, *rest = names
    return {**told, name: _with(told[name], rest, value) if rest else value}


def _toml(value: Any) -> str:
    """Write a value as it stands on one line of TOML."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        inside = ", ".join(f"{key} = {_toml(one)}" for key, one in value.items())
        return f"{{ {inside} }}" if inside else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(_toml(one) for one in value)}]"
    return str(value) if isinstance(value, int | float) else json.dumps(str(value))


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:].rstrip(".")
