"""Which entries of the cache the layers of a network have, noted so that it need not be loaded."""

from __future__ import annotations

import errno
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bids_dnn.errors import OutputError
from bids_dnn.features.entry import Kind
from bids_dnn.files import read_json, write_json

log = logging.getLogger(__name__)
LISTS = ("layers", "keys", "warnings")
ENDINGS = ("-cpu.json", "-cuda.json")  # GPU and CPU differ in the last bits
CLOSED = (errno.EROFS, errno.EACCES, errno.EPERM)


@dataclass(frozen=True, slots=True)
class Place:
    """Where the features of a layer lie.

    Parameters
    ----------
    key
        Of the features in the cache.
    shape
        Of those of a stimulus: channels, rows and columns of maps, or one number.
    """

    key: str
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Index:
    """The entries of the cache that a network's layers have.

    Parameters
    ----------
    layers, keys
        Names, and the key of the Gram matrix of each.
    warnings
        Sentences.
    kept
        By layer whose features themselves are kept; None where nobody asked for them.
    """

    layers: tuple[str, ...]
    keys: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    kept: Mapping[str, Place] | None = None

    def entries(self) -> list[tuple[str, Kind]]:
        """Return key and kind of all entries that it names."""
        kept = (self.kept or {}).values()
        grams: list[tuple[str, Kind]] = [(key, "gram") for key in self.keys]
        return grams + [(one.key, "features") for one in kept]

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON holds it."""
        told: dict[str, Any] = {name: list(getattr(self, name)) for name in LISTS}
        if self.kept is None:
            return told
        kept = {
            name: {"key": one.key, "shape": list(one.shape)} for name, one in self.kept.items()
        }
        return told | {"kept": kept}

    @classmethod
    def from_json(cls, told: Any) -> Index:
        """Return what `to_json` gave; other keys beside it count for nothing.

        Raises
        ------
        ValueError
            If it is something else.
        """
        try:
            layers, keys, warnings = (tuple(map(_text, told[name])) for name in LISTS)
            kept = told.get("kept")
            found = kept and {
                str(layer): Place(_text(one["key"]), _shape(one["shape"]))
                for layer, one in kept.items()
            }
        except (TypeError, KeyError, AttributeError) as err:
            raise ValueError(f"This is no index: {told!r}") from err
        if len(layers) != len(keys):
            raise ValueError(f"There are {len(layers)} layers and {len(keys)} keys.")
        return cls(layers, keys, warnings, found)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _shape(value: Any) -> tuple[int, ...]:
    shape = tuple(int(one) for one in value)
    if len(shape) not in (1, 3):
        raise ValueError(f"{value!r} is no shape of features.")
    return shape


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


def read_index(path: Path) -> Index | None:
    """Return the index of a network; None where it is not there or cannot be read.

    Parameters
    ----------
    path
        From `index_path`.
    """
    try:
        return Index.from_json(read_json(path))
    except (OSError, ValueError):
        return None


def write_index(path: Path, index: Index) -> None:
    """Note the layers of a network; a cache that others filled may be read-only.

    Parameters
    ----------
    path
        From `index_path`.
    index

    Raises
    ------
    OutputError
        If the disk is full.
    """
    with where_open():
        write_json(path, index.to_json())


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
