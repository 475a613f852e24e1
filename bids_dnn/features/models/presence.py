"""Whether a network's weights are there, found out without loading them."""

from __future__ import annotations

from pathlib import Path

from bids_dnn.errors import MissingInputError
from bids_dnn.features.models import custom, hub
from bids_dnn.features.models.load import RANDOM, family_of, find_all

OF_HUB = ("timm", "open_clip", "transformers")  # families that heed $HF_HUB_OFFLINE, too


def whereabouts(name: str, *, weights: str | Path | None, offline: bool) -> str:
    """Say where a network's weights are, and refuse what a run would not find.

    Nothing is downloaded. Whether they fit is found out by loading them.

    Parameters
    ----------
    name, weights, offline
        As for `load.load_network`.

    Returns
    -------
    told
        For ``--dry-run``; "" where the network's own code makes them, or it has none.

    Raises
    ------
    ConfigError
        If there is no such network, or no weights of it are published.
    MissingInputError
        If a file is not there and may not be downloaded, or an extra library is not installed.
    UnreadableError
        If a file in torch's cache has another hash than its name says.

    Examples
    --------
    >>> whereabouts("alexnet", weights="random", offline=True)
    ''
    """
    if weights == RANDOM:
        return ""
    if weights is not None:
        path = Path(weights).expanduser()
        if not path.is_file():
            raise MissingInputError(
                f"There is no file of weights {path}.", mend="Correct the path in --weights."
            )
        return f"in {path}"
    family, rest = family_of(name)
    if family is custom or hasattr(family, "FIXED"):
        return ""
    prefix = name.partition(":")[0]
    is_of_hub = prefix in OF_HUB
    if is_of_hub:
        hub.library(prefix)
    try:
        found = find_all(name, offline=True)
    except MissingInputError:
        is_folder = is_of_hub and Path(rest).expanduser().is_dir()
        if offline or is_folder or (is_of_hub and hub.is_offline(offline=offline)):
            raise
        return "not here yet: they would be downloaded"
    return f"in {found[0]}" + (f" and {len(found) - 1} more files" if found[1:] else "")
