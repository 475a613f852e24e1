"""Pictures of stimuli -> the pairs of a same/different task."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

from bids_dnn.analyses.samediff.augment import Picture
from bids_dnn.analyses.samediff.material import Draw, Material
from bids_dnn.analyses.samediff.pairs import completed, draw_pairs, draw_split, unbalanced
from bids_dnn.analyses.samediff.split import FEWEST, deal, deal_exemplars
from bids_dnn.containers.network import Card
from bids_dnn.errors import (
    ConfigError,
    LeakageError,
    MissingInputError,
    NotEnoughDataError,
    UnreadableError,
    nearest,
)
from bids_dnn.files import fingerprint
from bids_dnn.report.parts import counted
from bids_dnn.stimuli.load import MAX_PIXELS, Loader
from bids_dnn.stimuli.table import Stimuli, read_stimuli, same_pictures, same_warning
from bids_dnn.stimuli.transform import transformed
from bids_dnn.stimuli.transform_parse import Transform, parse_transforms

LEAST_PX = 4  # of an exemplar on the canvas


@dataclass(frozen=True, slots=True)
class Task:
    """Which pairs are shown, and where.

    Parameters
    ----------
    stimuli_dir
        A folder of pictures; their categories from ``stimuli.tsv`` or the folders.
    categories
        Those that are used; none = all.
    pairs
        A table of pairs of the user's own, with ``first`` and ``second``; None = drawn.
    orientations
    n_same, n_different : int
        Of each category; 0 = one for each exemplar.
    validation, test : float
        Shares of the exemplars.
    size_deg, field_deg, eccentricity_deg : float
        Width of an exemplar and of the canvas, and how far the center of an exemplar is from
        that of the canvas, in degrees of visual angle.
    seed : int
    max_pixels : int
        Of one picture.
    """

    stimuli_dir: Path
    categories: tuple[str, ...] = ()
    pairs: Path | None = None
    orientations: tuple[str, ...] = ("normal", "inverted")
    n_same: int = 0
    n_different: int = 0
    validation: float = 0.2
    test: float = 0.2
    size_deg: float = 3.3
    field_deg: float = 13.2
    eccentricity_deg: float = 7.0
    seed: int = 0
    max_pixels: int = MAX_PIXELS


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """The material of a task, and what must be told of it.

    Parameters
    ----------
    material
    left_out
        Pairs whose exemplars fell on both sides of the split.
    notes
        Sentences.
    sha256
        Of each picture that is used.
    item_px : int
        Side of an exemplar on the canvas.
    """

    material: Material
    left_out: pd.DataFrame
    notes: tuple[str, ...]
    sha256: dict[str, str] = field(default_factory=dict)
    item_px: int = 0


def prepare(task: Task, card: Card) -> Prepared:
    """Read the exemplars of a task, draw or read its pairs, and split them.

    Parameters
    ----------
    task
    card
        Of the network: how large a canvas is, and how pictures are resized.

    Raises
    ------
    MissingInputError
        If the folder, the table of pairs, a column of it or a picture is not there.
    ConfigError
        If a category or orientation does not exist, or exemplars do not fit onto the canvas.
    NotEnoughDataError
        If a category has too few exemplars.
    LeakageError
        If a split that is given leaks.
    UnreadableError
        If a picture or the table of pairs cannot be read.
    """
    stimuli = read_stimuli(task.stimuli_dir)
    names, notes = _exemplars(stimuli, task)
    digests = {name: fingerprint(stimuli.files[name][0]) for name in names}
    groups = same_pictures(digests)
    if groups:
        if task.pairs is None:
            _refuse_split_copies(groups, stimuli)
        notes.append(same_warning(groups))
        again = {name for group in groups for name in group[1:]}
        names = [name for name in names if name not in again]
    categories = {name: str(stimuli.table.loc[name, "category"]) for name in names}
    alike = {name: group[0] for group in groups for name in group}
    pairs, left_out = _pairs(task, categories, stimuli, alike)
    if len(left_out):
        notes.append(
            f"{len(left_out)} of {len(left_out) + len(pairs)} pairs (as shown) are left out, "
            "because their exemplars fall into different parts of the split."
        )
    if uneven := unbalanced(pairs[pairs["split"] == "test"]):
        notes.append(
            f"One label has more of {counted(len(uneven), 'exemplar')} of the test, such as "
            f"{uneven[0]}, than the other: answers to single exemplars could pass for sameness, "
            "and p may be too small."
        )
    used = sorted({*pairs["first"], *pairs["second"]})
    item_px = round(task.size_deg / task.field_deg * card.size_px)
    if item_px < LEAST_PX:
        raise ConfigError(
            f"An exemplar of {task.size_deg:g} degrees is {item_px} pixels wide on a canvas of "
            f"{task.field_deg:g} degrees and {card.size_px} pixels; {LEAST_PX} at least were "
            "expected.",
            mend="Type a larger --size-deg or a smaller --field-deg.",
        )
    loader = Loader(stimuli.files, item_px, card.resize, card.interpolation, (), task.max_pixels)
    pictures = np.stack([loader(name) for name in used]).astype(np.float32) / np.float32(255)
    draw = drawer(task, card)
    material = Material(pairs, tuple(used), pictures, draw)
    told = {name: digests[name] for name in used}
    return Prepared(material, left_out, tuple(notes), told, item_px)


def drawer(task: Task, card: Card) -> Draw:
    """Return what puts two exemplars onto a canvas.

    Parameters
    ----------
    task
        Where they lie.
    card
        How large the canvas is.

    Raises
    ------
    ConfigError
        If they do not fit, or one would cover the other.
    """
    given = (
        f"size={task.size_deg!r}, field={task.field_deg!r}, eccentricity={task.eccentricity_deg!r}"
    )
    rules: dict[str, tuple[Transform, ...]] = {
        way: parse_transforms([f"pair(orientation={way}, {given})"]) for way in task.orientations
    }

    def draw(first: Picture, second: Picture, orientation: str) -> Picture:
        made = transformed(
            [first, second],
            rules[orientation],
            size_px=card.size_px,
            resize=card.resize,
            interpolation=card.interpolation,
            stimulus="",
        )
        return np.clip(made, 0, 1)

    return draw


def _exemplars(stimuli: Stimuli, task: Task) -> tuple[list[str], list[str]]:
    """Return the stimuli that are exemplars, and notes on those that are not."""
    table = stimuli.table
    known = sorted({str(one) for one in table["category"]} - {""})
    if not known:
        raise MissingInputError(
            f"{task.stimuli_dir} holds {len(table)} pictures, and nothing says of which category.",
            mend="Put them into a folder for each category, or give stimuli.tsv a column "
            "category.",
        )
    for name in task.categories:
        if name not in known:
            raise ConfigError(f"There is no category {name!r}.", mend=nearest(name, known))
    wanted = set(task.categories or known)
    composed = [name for name, files in stimuli.files.items() if len(files) > 1]
    without = [name for name in table.index if not table.loc[name, "category"]]
    notes = [*stimuli.notes]
    if composed:
        notes.append(f"{len(composed)} composed stimuli are no exemplars, such as {composed[0]}.")
    if without:
        notes.append(f"{len(without)} stimuli have no category, such as {without[0]}.")
    kept = [
        str(name)
        for name in table.index
        if table.loc[name, "category"] in wanted and name not in set(composed)
    ]
    return kept, notes


def _refuse_split_copies(groups: Sequence[Sequence[str]], stimuli: Stimuli) -> None:
    """Raise where a table gives one picture, under several names, to several parts."""
    for group in groups:
        told = {name: str(stimuli.table.loc[name, "split"]) for name in group}
        if len(set(told.values()) - {""}) > 1:
            named = ", ".join(f"{name!r} ({part})" for name, part in told.items())
            raise LeakageError(
                f"stimuli.tsv gives one picture to several parts of the split: {named}.",
                mend="Give all copies of a picture to one part, or leave copies out.",
            )


def _pairs(
    task: Task, categories: Mapping[str, str], stimuli: Stimuli, alike: Mapping[str, str]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the pairs with their split, and those that are left out."""
    if task.pairs is not None:
        given = _read_pairs(task.pairs, categories, task.orientations, alike)
        if "split" in given:
            return given, given.iloc[:0]
        return draw_split(given, validation=task.validation, test=task.test, seed=task.seed)
    told = {name: str(stimuli.table.loc[name, "split"]) for name in categories}
    if all(told.values()):
        parts = _with_validation(told, categories, task)
    else:
        parts = deal_exemplars(
            categories, validation=task.validation, test=task.test, seed=task.seed
        )
    drawn = draw_pairs(
        categories,
        parts,
        n_same=task.n_same or None,
        n_different=task.n_different or None,
        orientations=task.orientations,
        seed=task.seed,
    )
    return drawn, drawn.iloc[:0]


def _with_validation(
    told: Mapping[str, str], categories: Mapping[str, str], task: Task
) -> dict[str, str]:
    """Take exemplars for validation from those that a table gives to training."""
    parts = dict(told)
    names: dict[str, list[str]] = {}
    for name in sorted(told):
        if told[name] == "train":
            names.setdefault(categories[name], []).append(name)
    enough = {key: own for key, own in names.items() if len(own) >= 2 * FEWEST}
    if task.validation and len(enough) == len(names):
        dealt = deal(enough, validation=0, test=task.validation, seed=[task.seed])
        parts |= {name: "validation" for name, part in dealt.items() if part == "test"}
    return parts


def _read_pairs(
    path: Path,
    categories: Mapping[str, str],
    orientations: Sequence[str],
    alike: Mapping[str, str],
) -> pd.DataFrame:
    """Read a table of pairs, each in each orientation unless it says in which."""
    try:
        text = path.read_text(encoding="utf-8-sig")
        table = pd.read_csv(io.StringIO(text), sep="\t", dtype=str, keep_default_na=False)
    except FileNotFoundError as err:
        raise MissingInputError(f"There is no table {path}.", mend="Correct --pairs.") from err
    except (OSError, ValueError) as err:
        raise UnreadableError(
            f"{path} cannot be read as a table: {err}.",
            mend="Save it as text in UTF-8, its columns separated by tabs.",
        ) from err
    if table.empty:
        raise NotEnoughDataError(f"{path} holds no pair.", mend="Give a row for each pair.")
    for side in ("first", "second"):
        if side in table:
            table[side] = [_known(name, categories, alike, path) for name in table[side]]
    if {"first", "second"} <= set(table):
        table["category"] = table["first"].map(categories)
        mixed = table[table["category"] != table["second"].map(categories)]
        if len(mixed):
            one, two = mixed.iloc[0][["first", "second"]]
            raise ConfigError(
                f"{path} has {len(mixed)} pairs of two categories, such as {one!r} "
                f"({categories[one]}) and {two!r} ({categories[two]}); both of one were expected.",
                mend="Pair exemplars of one category, so that the category tells nothing.",
            )
    if "orientation" not in table:
        ways = product(range(len(table)), orientations)
        rows, names = zip(*ways, strict=True)
        table = table.iloc[list(rows)].assign(orientation=list(names))
    made = completed(table)
    return made[made["orientation"].isin(orientations)].reset_index(drop=True)


def _known(name: str, categories: Mapping[str, str], alike: Mapping[str, str], path: Path) -> str:
    """Return the exemplar that a table names."""
    own = alike.get(name, name)
    if own not in categories:
        raise MissingInputError(
            f"{path} names {name!r}, which is no exemplar.", mend=nearest(name, categories)
        )
    return own
