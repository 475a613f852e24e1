"""Files that are absent, not fetched, cut short or of another kind, said in two sentences."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from xml.parsers.expat import ExpatError

import nibabel as nib
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError
from nibabel.wrapstruct import WrapStructError

from bids_dnn.errors import MissingInputError, UnreadableError

ANNEX_POINTER = b"/annex/objects/"
SHORT = (
    *("Expected", "not enough data", "incomplete", "mmap length", "no element found"),
    *("unclosed token", "unclosed CDATA section"),
)
DAMAGED = (
    *(EOFError, OSError, zlib.error, ValueError, ImageFileError, HeaderDataError),
    *(ExpatError, KeyError, IndexError, WrapStructError),
)


def require_file(path: Path) -> Path:
    """Return `path` where a file with content stands there.

    Raises
    ------
    MissingInputError
        If nothing stands there, or a git-annex (DataLad) link whose content was not fetched.
    """
    if path.is_file():
        with path.open("rb") as stream:
            start = stream.read(64)
        if not start.startswith(ANNEX_POINTER):
            return path
    elif not path.is_symlink():
        raise MissingInputError(
            f"{path} does not exist.", mend="Check the path, or copy the file there."
        )
    raise MissingInputError(
        f"{path} is a link whose content was not fetched.", mend=f"Type: datalad get {path}"
    )


def load(path: Path) -> Any:
    """Open an image of any kind that nibabel knows; its data stay on disk.

    Raises
    ------
    MissingInputError
        If the file is not there or was not fetched.
    UnreadableError
        If it is no image, or damaged.
    """
    require_file(path)
    with whole(path):
        keeps_open = {} if path.name.endswith((".gii", ".gii.gz")) else {"keep_file_open": True}
        return nib.load(path, **keeps_open)


@contextmanager
def whole(path: Path) -> Iterator[None]:
    """Turn what libraries raise while `path` is read into one error that says what is wrong.

    Raises
    ------
    UnreadableError
        If the file ends early, or holds something else.
    """
    try:
        yield
    except DAMAGED as err:
        early = isinstance(err, EOFError) or any(mark in str(err) for mark in SHORT)
        found = "ends early" if early else f"cannot be read as an image ({err})"
        raise UnreadableError(
            f"{path} {found}, {path.stat().st_size} bytes are there.",
            mend="Fetch or copy it again.",
        ) from err
