"""Which file belongs to which: BIDS inheritance and filters over plain entities."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bids_dnn import files
from bids_dnn.errors import ConfigError, MissingInputError, UnreadableError, nearest

KIND = ("suffix", "extension", "datatype")  # what a file is, not where it belongs
MADE = ("space", "res", "desc", "den", "hemi", "label", "cohort")  # added by preprocessing
ENTITIES = (
    *KIND,
    *MADE,
    *("subject", "session", "task", "acquisition", "ceagent", "reconstruction", "direction"),
    *("run", "echo", "part"),
)
QUERIES = ("bold", "mask", "events", "confounds")
ABSENT = "Query.NONE"
PRESENT = "Query.ANY"

Wanted = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Found:
    """A file and its entities, by their long names.

    Parameters
    ----------
    path
        Where it lies.
    entities
        ``subject``, ``session``, ``task``, ``run`` ... with ``suffix``, ``extension`` and
        ``datatype``; all text.
    """

    path: Path
    entities: Mapping[str, str]

    def get(self, entity: str) -> str:
        """Return the label of an entity, "" where the name has none."""
        return self.entities.get(entity, "")


def place(entities: Mapping[str, str], *, without: Iterable[str] = ()) -> dict[str, str]:
    """Return the entities that say where a file belongs, less those in `without`.

    Numbers lose their leading zeros, so that ``run-1`` and ``run-01`` are one run.
    """
    left = {k: v for k, v in entities.items() if k not in KIND and k not in set(without)}
    return {k: _number(v) if k in ("run", "echo") else v for k, v in left.items()}


def inherited(
    candidates: Iterable[Found], entities: Mapping[str, str], *, without: Iterable[str] = ()
) -> list[Found]:
    """Return the files that apply to `entities`, from the most general to the most special.

    Parameters
    ----------
    candidates
        Files of the right kind (events, sidecars ...), at any level of the tree.
    entities
        Of the image that they may belong to.
    without
        Entities of the image that do not count, such as those of preprocessing.

    Returns
    -------
    applying
        Those whose every entity the image has with the same label (BIDS inheritance).

    Examples
    --------
    >>> root = Found(Path("task-a_events.tsv"), {"task": "a"})
    >>> other = Found(Path("task-b_events.tsv"), {"task": "b"})
    >>> [f.path.name for f in inherited([root, other], {"task": "a", "run": "01"})]
    ['task-a_events.tsv']
    """
    whole = place(entities, without=without).items()
    applying = [found for found in candidates if place(found.entities).items() <= whole]
    return sorted(applying, key=lambda f: (len(f.entities), len(f.path.parts), f.path.as_posix()))


def keep(candidates: Iterable[Found], wanted: Wanted) -> list[Found]:
    """Return the files that carry, for each entity of `wanted`, one of its labels."""
    return [f for f in candidates if all(_fits(f, k, v) for k, v in wanted.items())]


def labels(found: Iterable[Found], entity: str) -> tuple[str, ...]:
    """Return the labels that an entity takes among files, sorted, less the empty one."""
    return tuple(sorted({f.get(entity) for f in found} - {""}))


def bare(given: Sequence[str] | None, prefix: str) -> tuple[str, ...]:
    """Return labels as typed, without their prefix such as ``sub-``.

    Examples
    --------
    >>> bare(["sub-01", "02"], "sub-")
    ('01', '02')
    """
    return tuple(dict.fromkeys(str(label).removeprefix(prefix) for label in given or ()))


def require_labels(asked: Sequence[str], there: Sequence[str], *, what: str, option: str) -> None:
    """Refuse a label that does not exist, naming those that do.

    Raises
    ------
    MissingInputError
        If one of `asked` is not in `there`.
    """
    for label in asked:
        if label not in there:
            raise MissingInputError(
                f"There is no {what} {label!r} with preprocessed BOLD.",
                mend=f"{nearest(label, there)} Type {option} with one of them."
                if there
                else f"There are no {what}s: leave out {option}.",
            )


def read_filters(path: Path | None) -> dict[str, dict[str, tuple[str, ...]]]:
    """Return the queries of a ``--bids-filter-file``, as fMRIPrep takes it.

    Parameters
    ----------
    path
        JSON such as ``{"bold": {"session": "test"}, "mask": {"desc": ["brain", "V1"]}}``;
        ``null`` asks that the name has no such entity. None = no filter.

    Returns
    -------
    filters
        For each query the entities and the labels that are allowed.

    Raises
    ------
    MissingInputError
        If there is no such file.
    UnreadableError
        If it is no JSON of objects.
    ConfigError
        If an entity does not exist.
    """
    if path is None:
        return {}
    if not path.is_file():
        raise MissingInputError(
            f"--bids-filter-file {path}: there is no such file.", mend="Check the path."
        )
    try:
        found: Any = files.read_json(path)
    except (json.JSONDecodeError, UnicodeDecodeError) as err:
        raise UnreadableError(
            f"--bids-filter-file {path} is no JSON ({err}).", mend="Mend the file."
        ) from err
    if not isinstance(found, dict) or not all(isinstance(q, dict) for q in found.values()):
        raise UnreadableError(
            f"--bids-filter-file {path} must hold an object of objects.",
            mend='Write it as {"bold": {"session": "test"}}.',
        )
    for query, wanted in found.items():
        for entity in wanted:
            if entity.removesuffix("olution") not in ENTITIES:
                raise ConfigError(
                    f"--bids-filter-file {path}: {query!r} asks for {entity!r}, which is no "
                    "entity.",
                    mend=nearest(entity, ENTITIES),
                )
    return {
        query: {k.replace("resolution", "res"): _allowed(v) for k, v in wanted.items()}
        for query, wanted in found.items()
    }


def _allowed(value: Any) -> tuple[str, ...]:
    several = value if isinstance(value, list) else [value]
    return tuple(ABSENT if v is None else PRESENT if v == "*" else str(v) for v in several)


def _fits(found: Found, entity: str, allowed: tuple[str, ...]) -> bool:
    label = found.get(entity)
    if entity in ("run", "echo"):
        return _number(label) in {_number(v) for v in allowed} or (not label and ABSENT in allowed)
    if entity == "extension":
        return label in {v if v.startswith(".") else f".{v}" for v in allowed}
    return label in allowed or (ABSENT if not label else PRESENT) in allowed


def _number(label: str) -> str:
    return str(int(label)) if label.isdigit() else label
