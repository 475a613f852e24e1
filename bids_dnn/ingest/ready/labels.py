"""Regions from maps of whole numbers and the tables that name them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bids_dnn import imaging
from bids_dnn.containers.roi import Roi
from bids_dnn.containers.space import Space
from bids_dnn.errors import UnreadableError
from bids_dnn.ingest.ready.common import region, region_name

PARTS = re.compile(r"(.*[A-Za-z]\d)[vd]|(.+)-\d+")  # V1v and V1d are V1; FFA-1 and FFA-2 are FFA


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """One collection of regions, such as ``prf-visualrois``.

    Parameters
    ----------
    collection
        Its name.
    values : (n_units,) int64
        0 and below = none.
    names
        By value; those without a name are called by collection and value.
    source
        Where the values came from.
    """

    collection: str
    values: NDArray[np.int64]
    names: Mapping[int, str]
    source: str


def whole_numbers(values: NDArray[Any]) -> NDArray[np.int64]:
    """Return values (n,) as whole numbers, 0 where they are NaN."""
    return np.rint(np.nan_to_num(np.asarray(values, dtype=np.float64))).astype(np.int64)


def read_names(path: Path) -> dict[int, str]:
    """Return the names in a color table of FreeSurfer: a number, a name, and colors or nothing.

    Raises
    ------
    MissingInputError
        If the file is not there or was not fetched.
    UnreadableError
        If a line does not start with a number and a name.
    """
    imaging.require_file(path)
    names: dict[int, str] = {}
    text = path.read_bytes().decode("utf-8", errors="replace")
    for line in filter(None, map(str.strip, text.splitlines())):
        if line.startswith("#"):
            continue
        number, *rest = line.split()
        if not number.lstrip("-").isdigit() or not rest:
            raise UnreadableError(
                f"{path} has the line {line[:60]!r}; a number and a name were expected.",
                mend="Fetch or copy it again.",
            )
        names[int(number)] = rest[0]
    return names


def regions_of(collections: list[Labels], space: Space) -> tuple[Roi, ...]:
    """Return each named region, and unions of those in parts: V1 of V1v and V1d, FFA of FFA-1 ...

    Parameters
    ----------
    collections
        On the units of `space`. Where a name stands in several, later ones carry the name of
        their collection: ``HCPMMP1V1``.
    space
        Of the responses.
    """
    found: dict[str, Roi] = {}
    for labels in collections:
        here = {
            labels.names.get(int(value), f"{labels.collection}{value}"): labels.values == value
            for value in np.unique(labels.values[labels.values > 0])
        }
        parts: dict[str, list[NDArray[np.bool_]]] = {}
        for name, marked in here.items():
            if match := PARTS.fullmatch(name):
                parts.setdefault(match[1] or match[2], []).append(marked)
        unions = {name: np.any(marks, axis=0) for name, marks in parts.items() if len(marks) > 1}
        for name, marked in {**unions, **here}.items():
            label = region_name(name)
            label = region_name(labels.collection, name) if label in found else label
            made = region(label, marked, space, source=f"{labels.source}: {name}")
            if made is not None:
                found[label] = made
    return tuple(found.values())
