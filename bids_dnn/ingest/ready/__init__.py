"""Ready-made responses: one reader for each documented layout, all with the same functions."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from bids_dnn.errors import ConfigError, nearest
from bids_dnn.ingest.records import READY, Ingested, Subject


class Door(Protocol):
    """What each reader offers."""

    LAYOUT: str

    def find(
        self, folder: Path, *, participants: Sequence[str], space: str | None
    ) -> tuple[list[Subject], list[str]]:
        """Return the participants that are there, and notes."""

    def read_responses(self, subject: Subject, *, standardize: str) -> Ingested:
        """Return the responses of one of them."""


def door(kind: str) -> Door:
    """Return the reader of one kind of data set.

    Parameters
    ----------
    kind
        One of `READY`.

    Raises
    ------
    ConfigError
        If there is no such kind.
    """
    if kind not in READY:
        raise ConfigError(
            f"{kind!r} is no kind of ready-made responses.", mend=nearest(kind, READY)
        )
    return cast(Door, import_module(f"{__name__}.{kind}"))
