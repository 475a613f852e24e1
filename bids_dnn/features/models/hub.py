"""Libraries that are extras, and the files that they keep in the cache of the Hugging Face hub."""

from __future__ import annotations

import os
from collections.abc import Sequence
from fnmatch import fnmatch
from importlib import import_module
from pathlib import Path
from types import ModuleType

from bids_dnn.errors import MissingInputError

TIMEOUT_S = 5.0
CONFIG = ("config.json",)
TOKENIZER = ("tokenizer.json|vocab.json|vocab.txt|spiece.model|sentencepiece.bpe.model",)
DESCRIPTION = ("preprocessor_config.json", "processor_config.json", "README.md")
TEXTS = ("*.json", "*.txt", "*.model")  # small files that may belong to any of these
TRUE_WORDS = {"1", "on", "true", "yes"}


def library(name: str) -> ModuleType:
    """Import an extra library.

    Parameters
    ----------
    name
        Of the library, which is the name of the extra, too.

    Raises
    ------
    MissingInputError
        If it is not installed; the message holds the line to type.

    Examples
    --------
    >>> library("json").__name__
    'json'
    """
    try:
        return import_module(name)
    except ModuleNotFoundError as err:
        if (err.name or name).partition(".")[0] != name:
            raise  # the library is there, and something that it needs is not
        raise MissingInputError(
            f"The Python library {name} is not installed, which networks named {name}:... "
            "come from.",
            mend=f"Type: pip install 'bids_dnn[{name}]'",
        ) from err


def hub_folder() -> Path:
    """Return the cache of the hub: ``$HF_HUB_CACHE``, else ``hub`` in ``$HF_HOME``."""
    if given := os.environ.get("HF_HUB_CACHE"):
        return Path(given).expanduser()
    plain = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")) / "huggingface"
    return Path(os.environ.get("HF_HOME", plain)).expanduser() / "hub"


def is_offline(*, offline: bool) -> bool:
    """Tell whether the hub must not be asked: by our setting, or by ``$HF_HUB_OFFLINE``."""
    return offline or os.environ.get("HF_HUB_OFFLINE", "").lower() in TRUE_WORDS


def kept(repository: str, patterns: Sequence[str]) -> Path | None:
    """Return the folder of a repository in the cache, where it has a file for each pattern.

    Parameters
    ----------
    repository
        As ``facebook/dinov2-base``.
    patterns
        Names of files; ``*`` stands for any letters, and ``A|B`` for one or the other.

    Returns
    -------
    folder
        The snapshot that the cache calls ``main``, or the only one; None where a file is missing.
    """
    place = hub_folder() / f"models--{repository.replace('/', '--')}"
    main = place / "refs" / "main"
    snapshots = sorted(path for path in place.glob("snapshots/*") if path.is_dir())
    if main.is_file():
        snapshots = [place / "snapshots" / main.read_text(encoding="utf-8").strip()]
    if len(snapshots) != 1:
        return None
    return snapshots[0] if has_files(snapshots[0], patterns) else None


def has_files(folder: Path, patterns: Sequence[str]) -> bool:
    """Tell whether a folder has a file for each pattern (see `kept`)."""
    there = [path.name for path in folder.glob("*") if path.is_file()]  # of links, whole ones
    return all(
        any(fnmatch(name, part) for name in there for part in pattern.split("|"))
        for pattern in patterns
    )


def fetched(
    repository: str,
    patterns: Sequence[str],
    *,
    more: Sequence[str] = (),
    offline: bool,
    name: str,
    takes_weights: bool = True,
) -> Path:
    """Return the folder of a repository in the cache, its files downloaded where they are not.

    What is in the cache is taken as it is: the hub is not asked whether there is a newer one.

    Parameters
    ----------
    repository
        As ``facebook/dinov2-base``.
    patterns
        What must be there (see `kept`).
    more
        What is downloaded beside it where the repository has it.
    offline
        Never ask the hub.
    name
        The network as the user writes it, for the message.
    takes_weights
        Whether ``--weights`` can name a file for it, for the message; not for a captioner.

    Raises
    ------
    MissingInputError
        If something is not in the cache, and cannot or may not be downloaded.
    """
    if folder := kept(repository, patterns):
        return folder
    why = "this run is offline"
    if not is_offline(offline=offline):
        why = _download(repository, [*patterns, *more])
        if folder := kept(repository, patterns):
            return folder
    home = hub_folder()
    is_weights = takes_weights and ".safetensors" in str(patterns)
    other = f"; or give --weights {name}=PATH" if is_weights else ""
    wanted = " and ".join(pattern.replace("|", " or ") for pattern in patterns)
    raise MissingInputError(
        f"{wanted} of {repository}, which {name} needs, is not in {home}, and {why}.",
        mend=f"Where there is a network, type: HF_HUB_CACHE={home} hf download {repository}, and "
        f"copy that folder here (HF_HOME or HF_HUB_CACHE say where it is){other}.",
    )


def _download(repository: str, patterns: Sequence[str]) -> str:
    """Ask the hub for files; return why they are not there, should they not be."""
    hub = library("huggingface_hub")
    wanted = [part for pattern in patterns for part in pattern.split("|")]
    try:
        hub.snapshot_download(
            repository, allow_patterns=wanted, cache_dir=hub_folder(), etag_timeout=TIMEOUT_S
        )
    except (OSError, ValueError, RuntimeError) as err:
        told = (str(err).strip() or type(err).__name__).splitlines()[0].rstrip(".")
        return f"it could not be downloaded ({told})"
    return "the hub has no such file"
