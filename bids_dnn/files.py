"""The one place that touches bytes: fingerprints, and writes that are whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from bids_dnn.errors import OutputError

CHUNK = 1 << 20


def fingerprint(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "a")
    ...     _ = path.write_bytes(b"abc")
    ...     fingerprint(path)[:8]
    'ba7816bf'
    """
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(CHUNK):
            digest.update(block)
    return digest.hexdigest()


def fingerprint_of(value: Any) -> str:
    """Return the SHA-256 of a JSON-ready value, whatever the order of its keys."""
    return hashlib.sha256(json_text(value).encode()).hexdigest()


def json_text(value: Any) -> str:
    """Return JSON with sorted keys, so that one value has one text; NaN becomes ``null``."""
    return json.dumps(_plain(value), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "tolist"):  # numpy scalars and arrays
        return _plain(value.tolist())
    return None if isinstance(value, float) and value != value else value  # noqa: PLR0124


@contextmanager
def writing(path: Path) -> Iterator[Path]:
    """Give a temporary name beside `path`; on leaving, the file stands whole under `path`.

    The folder is made where it is missing. On an error nothing stays behind and what stood
    under `path` before still stands.

    Parameters
    ----------
    path
        The final name; its suffixes are kept in the temporary name.

    Raises
    ------
    OutputError
        If the disk is full, or the folder cannot be written.
    """
    aside = path.parent / f".{uuid.uuid4().hex[:12]}.{path.name}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield aside
        with aside.open("rb") as stream:
            os.fsync(stream.fileno())
        aside.replace(path)
    except OSError as err:
        raise explain(err, path) from err
    finally:
        with suppress(OSError):
            aside.unlink(missing_ok=True)


@contextmanager
def writing_folder(path: Path) -> Iterator[Path]:
    """Give a temporary folder beside `path`; on leaving, it stands whole under `path`.

    Where another process was first, its folder stays and this one is thrown away.

    Parameters
    ----------
    path
        The final folder.

    Raises
    ------
    OutputError
        If the disk is full, or the folder cannot be written.
    """
    aside = path.parent / f"{path.name}.{uuid.uuid4().hex[:12]}.tmp"
    try:
        aside.mkdir(parents=True)
        yield aside
        try:
            aside.rename(path)
        except OSError as err:
            if err.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
    except OSError as err:
        raise explain(err, path) from err
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def write_text(path: Path, text: str) -> Path:
    """Write `text` as UTF-8, whole or not at all; returns `path`.

    Raises
    ------
    OutputError
        If the disk is full, or the folder cannot be written.
    """
    with writing(path) as aside:
        aside.write_text(text, encoding="utf-8")
    return path


def write_json(path: Path, value: Any) -> Path:
    """Write a JSON-ready value with sorted keys, whole or not at all; returns `path`.

    Raises
    ------
    OutputError
        If the disk is full, or the folder cannot be written.
    """
    return write_text(path, json_text(value))


def read_json(path: Path) -> Any:
    """Return what a JSON file holds."""
    return json.loads(path.read_text(encoding="utf-8"))


def explain(err: OSError, path: Path) -> OSError:
    """Turn the usual failures of a write into an `OutputError`; return others as they are."""
    if isinstance(err, OutputError):
        return err
    mends: dict[int, Callable[[], str]] = {
        errno.ENOSPC: lambda: "Free some space there, or choose another folder; then run again.",
        errno.EDQUOT: lambda: "Ask for a larger quota, or choose another folder; then run again.",
        errno.EACCES: lambda: "Give write permission, or choose another folder.",
        errno.EPERM: lambda: "Give write permission, or choose another folder.",
        errno.EROFS: lambda: "The file system is read-only: choose another folder.",
    }
    mends |= dict.fromkeys(
        (errno.ENOENT, errno.ENOTDIR), lambda: "Choose a folder that can be made."
    )
    if err.errno not in mends:
        return err
    return OutputError(
        f"{path} cannot be written: {os.strerror(err.errno)}.", mend=mends[err.errno]()
    )


def size_text(n_bytes: int) -> str:
    """Return a size with its unit; kB, MB, GB and TB are powers of 1000.

    Examples
    --------
    >>> size_text(999), size_text(12_340_000)
    ('999 B', '12.3 MB')
    """
    size = float(n_bytes)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 999.95:  # more would round to 1000.0
            return f"{n_bytes} B" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
