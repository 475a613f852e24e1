"""Which entries of the cache the layers of a network have, noted so that it need not be loaded."""

from __future__ import annotations

import errno
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bids_dnn.errors import OutputError
from bids_dnn.files import read_json, write_json

log = logging.getLogger(__name__)
ENDINGS = ("-cpu.json", "-cuda.json")  # GPU and CPU differ in the last bits
LISTS = ("layers", "keys", "warnings")
CLOSED = (errno.EROFS, errno.EACCES, errno.EPERM)


def index_path(folder: Path, key: str, device: str) -> Path:
    """Return where the index of a network lies in the cache.

    Parameters
    ----------
    folder
        Of the cache.
    key
        Of all that was asked of the network.
    device
        ``cpu`` or ``cuda``.
    """
    return folder / f"{key}-{device}.json"


def read_index(path: Path) -> dict[str, list[str]] | None:
    """Return the layers of a network, their keys, and warnings; None where that cannot be read.

    Parameters
    ----------
    path
        From `index_path`.
    """
    try:
        told: Any = read_json(path)
    except (OSError, ValueError):
        return None
    is_whole = isinstance(told, dict) and all(
        isinstance(told.get(name), list) and all(isinstance(one, str) for one in told[name])
        for name in LISTS
    )
    return told if is_whole and len(told["layers"]) == len(told["keys"]) else None


def write_index(path: Path, told: Mapping[str, list[str]]) -> None:
    """Note the layers of a network; a cache that others filled may be read-only.

    Parameters
    ----------
    path
        From `index_path`.
    told
        Layers, keys and warnings.

    Raises
    ------
    OutputError
        If the disk is full.
    """
    with where_open():
        write_json(path, dict(told))


def damaged_indices(folder: Path) -> list[Path]:
    """Return the indices of a cache that cannot be read.

    Parameters
    ----------
    folder
        Of the cache.
    """
    found = sorted(path for path in folder.iterdir() if path.name.endswith(ENDINGS))
    return [path for path in found if read_index(path) is None]


@contextmanager
def where_open() -> Iterator[None]:
    """Go without what is written inside the block where the cache may not be written."""
    try:
        yield
    except OutputError as err:
        if getattr(err.__cause__, "errno", None) not in CLOSED:
            raise
        log.info("%s", err.what)
