"""A directive that writes the settings of ``analysis.toml`` from the models that check them."""

from __future__ import annotations

import json
import types
from collections.abc import Iterator
from typing import Any, Literal, Union, get_args, get_origin

from docutils import nodes
from docutils.parsers.rst import Directive
from docutils.statemachine import StringList
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from sphinx.application import Sphinx

from bids_dnn.config.schema import Config


def value_words(annotation: Any) -> str:
    """Say in words what a setting takes."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return ", ".join(f"`{choice}`" for choice in inner)
    if origin in (Union, types.UnionType):
        return " or ".join(value_words(a) for a in inner if a is not type(None))
    if origin is tuple:
        return f"list of: {value_words(inner[0])}"
    if origin is dict:
        return f"table of: {value_words(inner[1])}"
    if hasattr(annotation, "__metadata__"):
        return value_words(inner[0])
    words = {str: "text", int: "whole number", float: "number", bool: "`true` or `false`"}
    return words.get(annotation, "path" if "Path" in str(annotation) else "table")


def default_words(field: FieldInfo) -> str:
    """Return a default as it would stand in the file."""
    if field.is_required():
        return "must be given"
    if field.default is None:
        return ""
    text = json.dumps(field.default, default=str)
    return f"`{text}`" if len(text) < 60 else f"`{text[:50]}`..."


def model_of(annotation: Any) -> type[BaseModel] | None:
    """Return the model that a setting is a table of, or None where it is a plain value."""
    for one in (annotation, *get_args(annotation)):
        if isinstance(one, type) and issubclass(one, BaseModel):
            return one
    return None


def tables(name: str, model: type[BaseModel]) -> Iterator[str]:
    """Give the Markdown of one table of the file, and of the tables inside it."""
    fields = model.model_fields
    plain = {k: f for k, f in fields.items() if model_of(f.annotation) is None}
    if plain:
        yield from (f"## [{name}]" if name else "## Tables of the user's own names", "")
        yield from ((model.__doc__ or "").strip().splitlines()[0], "") if name else ()
        yield from ("| key | takes | default | meaning |", "|---|---|---|---|")
        for key, field in plain.items():
            cells = (f"`{key}`", value_words(field.annotation), default_words(field))
            yield f"| {' | '.join(cells)} | {field.description or ''} |"
        yield ""
    for key, field in fields.items():
        if inner := model_of(field.annotation):
            named = f"{key}.NAME" if get_origin(field.annotation) is dict else key
            yield from tables(f"{name}.{named}".lstrip("."), inner)


class ConfigTables(Directive):
    """``{config-tables}``: one table of settings for each section of the file."""

    def run(self) -> list[nodes.Node]:
        """Return the parsed sections."""
        text = StringList(list(tables("", Config)), source="bids_dnn.config.schema")
        place = nodes.container()
        self.state.nested_parse(text, self.content_offset, place, match_titles=True)
        return place.children


def setup(app: Sphinx) -> dict[str, bool]:
    """Make the directive known to Sphinx."""
    app.add_directive("config-tables", ConfigTables)
    return {"parallel_read_safe": True}
