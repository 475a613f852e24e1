"""Spaces -> named arrays, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bids_dnn.containers.layout import Layout
from bids_dnn.containers.space import Channels, Grayordinates, Grid, Space, Surface


def space_arrays(space: Space, prefix: str = "") -> dict[str, NDArray[Any]]:
    """Return a space as named arrays: ``space_kind``, ``space_name``, ``space_index`` ...

    Parameters
    ----------
    space
    prefix
        Of the names.
    """
    made: dict[str, NDArray[Any]] = {"kind": np.array(type(space).__name__)}
    for part in (space, getattr(space, "layout", None)):
        kind: Any = type(part)  # each kind is a dataclass
        for field in () if part is None else fields(kind):
            if field.name != "layout":
                made[field.name] = np.array(getattr(part, field.name))
    return {f"{prefix}space_{name}": value for name, value in made.items()}


def space_from(kept: Mapping[str, NDArray[Any]], prefix: str = "") -> Space:
    """Return the space that `space_arrays` has taken apart.

    Parameters
    ----------
    kept
        Arrays by name; others are ignored.
    prefix
        Of the names.
    """

    def get(name: str) -> Any:
        return kept[f"{prefix}space_{name}"]

    def numbers(name: str) -> tuple[int, ...]:
        return tuple(int(n) for n in get(name))

    def words(name: str) -> tuple[str, ...]:
        return tuple(str(word) for word in get(name))

    kind, name, index = str(get("kind")), str(get("name")), get("index")
    if kind == "Surface":
        left, right = numbers("n_vertices")
        return Surface(name, (left, right), index)
    if kind == "Channels":
        is_placed = f"{prefix}space_array" in kept
        areas = (words("array"), words("area")) if is_placed else None
        layout = Layout(*areas, get("channel"), get("place")) if areas else None
        return Channels(name, words("names"), index, layout)
    x, y, z = numbers("shape")
    if kind == "Grid":
        return Grid(name, (x, y, z), get("affine"), index)
    return Grayordinates(
        name,
        words("structures"),
        numbers("n_vertices"),
        get("structure"),
        get("vertex"),
        get("voxel"),
        (x, y, z),
        get("affine"),
        index,
    )
