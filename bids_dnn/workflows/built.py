"""What a network is made of beside its name, known before anything runs."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from bids_dnn.workflows.scene import Manifest

LIBRARIES = ("torch", "numpy", "pillow")
OF_FAMILY = {"timm": "timm", "open_clip": "open_clip_torch", "transformers": "transformers"}
PLAIN = "torchvision"  # of names without a prefix
FOLDERS = "transformers"  # the family whose networks may lie in a folder of the user


def built_of(
    network: str, *, weights: str | None, seed: int, sha256: Callable[[Path], str]
) -> Manifest:
    """Return what else than its name and its file of weights a network's numbers rest on.

    The user's own network is made once, as only that tells which files it reads.

    Parameters
    ----------
    network
        As the user named it.
    weights
        A file, ``random``, or None for those that it comes with.
    seed : int
        Of random weights.
    sha256
        Hashes a file.

    Raises
    ------
    BidsDnnError
        If the user's own network cannot be made.
    """
    family, sign, rest = network.partition(":")
    made: Manifest = {}
    if sign and network.rpartition(":")[0].endswith(".py"):
        from bids_dnn.features.identity import network_sha256
        from bids_dnn.features.models.load import load_whole

        made["built_sha256"] = network_sha256(load_whole(network, weights=weights, seed=seed))
    elif family == FOLDERS and rest and Path(rest).expanduser().is_dir():
        folder = Path(rest).expanduser()
        files = sorted(one for one in folder.rglob("*") if one.is_file())
        made["folder_sha256"] = {str(one.relative_to(folder)): sha256(one) for one in files}
    names = (*LIBRARIES, OF_FAMILY.get(family, PLAIN) if sign else PLAIN)
    return made | {"libraries": {name: _version(name) for name in names}}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
