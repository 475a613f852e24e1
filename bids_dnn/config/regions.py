"""Regions as typed or written: their names, and paths in rules that count from a folder."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from bids_dnn.errors import ConfigError

NAMED = re.compile(r"([A-Za-z0-9]+)=(.+)", re.DOTALL)
BETWEEN = re.compile(r"(\s+[|&-]\s+|,\s*)")  # operators and options of the grammar of regions
PIECE = re.compile(r"(\(*(?:[a-z]+=)?(?:localizer:)?)(.*?)(\)*)", re.DOTALL)
KIND = re.compile(r"[a-z][a-z0-9.]*:")
IMAGES = (".nii", ".nii.gz", ".gii", ".mgz", ".mgh", ".annot", ".label")


def regions_of(texts: Sequence[str], *, name_of: Callable[[str], str]) -> dict[str, str]:
    """Turn what ``--roi`` was given into [regions]: name -> rule.

    Parameters
    ----------
    texts
        ``NAME=RULE``, a mask's label (``FFA``), or a rule without a name (``benson:V1``).
    name_of
        Names a rule that has none.

    Raises
    ------
    ConfigError
        If a name comes twice.
    """
    made: dict[str, str] = {}
    for text in texts:
        if found := NAMED.fullmatch(text.strip()):
            name, rule = found[1], found[2].strip()
        elif text.isalnum():
            name, rule = text, f"mask:{text}"
        else:
            name, rule = name_of(text), text.strip()
        if name in made:
            raise ConfigError(
                f"--roi names {name!r} twice: {made[name]} and {rule}.",
                mend="Give each region a name of its own: --roi NAME=RULE.",
            )
        made[name] = rule
    return made


def absolute_rule(folder: Path, rule: str) -> str:
    """Return a rule whose relative paths count from `folder`.

    Examples
    --------
    >>> absolute_rule(Path("/d"), "benson:V1@0-2deg & masks/brain.nii.gz@T1w")
    'benson:V1@0-2deg & /d/masks/brain.nii.gz@T1w'
    """
    parts = BETWEEN.split(rule)
    return "".join(part if i % 2 else _absolute(folder, part) for i, part in enumerate(parts))


def _absolute(folder: Path, piece: str) -> str:
    found = PIECE.fullmatch(piece)
    if found is None:
        return piece
    before, path, after = found.groups()
    plain = path.partition("@")[0]
    is_path = not KIND.match(path) and ("/" in plain or plain.endswith(IMAGES))
    return f"{before}{Path(folder, Path(path).expanduser())}{after}" if is_path else piece
