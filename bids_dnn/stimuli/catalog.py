"""Which pictures there are, and how they meet the samples that showed them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bids_dnn.errors import MissingInputError

if TYPE_CHECKING:
    import pandas as pd

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp"})


@dataclass(frozen=True, slots=True)
class Match:
    """Who found whom when samples met pictures.

    Parameters
    ----------
    used
        Stimuli that samples showed and that have a picture, sorted.
    no_stimulus : int
        Samples that name no stimulus.
    missing
        Stimuli that samples name and that have no picture, sorted.
    unused
        Pictures that no sample showed, sorted.
    """

    used: tuple[str, ...]
    no_stimulus: int
    missing: tuple[str, ...]
    unused: tuple[str, ...]


def read_catalog(stimuli_dir: Path) -> dict[str, Path]:
    """Find every picture below a folder.

    Parameters
    ----------
    stimuli_dir
        The ``stimuli/`` folder of a data set; hidden files and folders are passed over.

    Returns
    -------
    catalog
        Stimulus id (the path below `stimuli_dir`, with ``/``, as in ``stim_file``) to file, in
        the order of the ids. Empty where the folder holds no picture.

    Raises
    ------
    MissingInputError
        If there is no such folder.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "cat.png").write_bytes(b"")
    ...     list(read_catalog(Path(folder)))
    ['cat.png']
    """
    if not stimuli_dir.is_dir():
        raise MissingInputError(
            f"There is no folder {stimuli_dir}, where the pictures of stim_file are expected.",
            mend="Put the pictures into the folder stimuli/ of the BIDS directory.",
        )
    found = {}
    for path in stimuli_dir.rglob("*"):
        below = path.relative_to(stimuli_dir)
        hidden = any(part.startswith(".") for part in below.parts)
        if path.suffix.lower() in SUFFIXES and not hidden and path.is_file():
            found[below.as_posix()] = path
    return dict(sorted(found.items()))


def match(samples: pd.DataFrame, catalog: Collection[str]) -> Match:
    """Tell which stimuli of the samples have a picture, and which pictures were shown.

    Parameters
    ----------
    samples : n_samples rows
        Its column `stimulus` holds ids, "" where the sample showed no known stimulus.
    catalog
        The ids that have a picture, such as `read_catalog` gives.

    Returns
    -------
    match
        Nothing is dropped: each sample and each picture is counted in one of the fields.

    Raises
    ------
    MissingInputError
        If `samples` has no column `stimulus`.
    """
    if "stimulus" not in samples.columns:
        raise MissingInputError(
            f"The table of samples has the columns {sorted(map(str, samples.columns))}, but not "
            "'stimulus'.",
            mend="Give each event its stim_file, or read the events with ingest.events.",
        )
    named = samples["stimulus"].fillna("").astype(str)
    shown = set(named) - {""}
    known = set(catalog)
    return Match(
        used=tuple(sorted(shown & known)),
        no_stimulus=int((named == "").sum()),
        missing=tuple(sorted(shown - known)),
        unused=tuple(sorted(known - shown)),
    )
