"""Searchlights of participants, one comparison at a time, over the units that they share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bids_dnn.containers.nulls import NullMap
from bids_dnn.containers.result import Result
from bids_dnn.errors import ShapeError
from bids_dnn.group.clusters import ChanceMaps
from bids_dnn.group.maps import Alike, Float

Chance = Mapping[str, NullMap]  # maps under exchanged labels, by model
SCORES = ("accuracy", "balancedaccuracy", "spearman")  # what maps of scores are called
P = "p"  # of a participant's units


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """One comparison over the participants who have a map of it.

    Parameters
    ----------
    comparison, model
        Its name, and the label of its maps.
    stat
        What the map of scores is called; that of the first participant.
    labels
        Of the participants.
    values : (n_units, n_participants)
        Their scores; NaN = not measured.
    p : (n_units, n_participants)
        Their own p; None where nobody left one.
    common : (n_common,)
        Units that all of them have measured.
    chance
        Of each participant over the common units; a None where one left no exchanged maps.
    base
        Score expected by chance, mean over participants.
    n_classes
        Sides of the comparison.
    metrics
        What scores are, in the words of the tables.
    """

    comparison: str
    model: str
    stat: str
    labels: tuple[str, ...]
    values: Float
    p: Float | None
    common: NDArray[np.intp]
    chance: tuple[ChanceMaps | None, ...]
    base: float
    n_classes: int
    metrics: tuple[str, ...]

    @property
    def without(self) -> tuple[str, ...]:
        """Participants who left no maps under exchanged labels."""
        pairs = zip(self.labels, self.chance, strict=True)
        return tuple(label for label, one in pairs if one is None)

    @property
    def null(self) -> list[ChanceMaps]:
        """Exchanged maps of all participants; empty where somebody left none."""
        made = [one for one in self.chance if one is not None]
        return made if len(made) == len(self.labels) else []

    @property
    def n_maps(self) -> int:
        """Exchanged maps of the participant who has the fewest."""
        return min((len(one.null) for one in self.null), default=0)


def comparisons_of(results: Mapping[str, Result]) -> dict[str, str]:
    """Return the label of the maps of each comparison, in the order of the tables.

    Parameters
    ----------
    results
        Of participants.

    Raises
    ------
    ShapeError
        If a table has not one row for each map of scores, or one comparison has two labels.
    """
    found: dict[str, str] = {}
    for name, one in results.items():
        rows = [str(text) for text in one.table["comparison"]]
        models = [made.model for made in one.maps if made.stat in SCORES]
        if len(rows) != len(models):
            raise ShapeError(
                f"The searchlight of sub-{name} has {len(rows)} rows and {len(models)} maps of "
                "scores.",
                mend="Run that participant again with this version.",
            )
        for comparison, model in zip(rows, models, strict=True):
            if found.setdefault(comparison, model) != model:
                raise ShapeError(
                    f"The maps of {comparison!r} are called {found[comparison]!r} in one "
                    f"participant and {model!r} in sub-{name}.",
                    mend="Run the participants with the same comparisons, in the same order.",
                )
    return found


def part_of(alike: Alike, chance: Mapping[str, Chance], comparison: str, model: str) -> Part:
    """Return the scores of one comparison, and what they are compared with.

    Parameters
    ----------
    alike
        The participants.
    chance
        Of each participant, by label of a comparison.
    comparison, model
        Its name and the label of its maps.

    Raises
    ------
    ShapeError
        If exchanged maps are of other units than the participant's map.
    """
    own = {
        name: [made for made in one.maps if made.stat in SCORES and made.model == model]
        for name, one in alike.results.items()
    }
    labels = tuple(name for name, made in own.items() if made)
    those = Alike({name: alike.results[name] for name in labels}, alike.space)
    values = those.values(SCORES, model)
    if values is None:
        values = np.empty((0, 0))
    common = np.flatnonzero(np.isfinite(values).all(axis=1))
    rows = [
        one.table.loc[one.table["comparison"] == comparison].iloc[0]
        for one in those.results.values()
    ]
    return Part(
        comparison=comparison,
        model=model,
        stat=own[labels[0]][0].stat,
        labels=labels,
        values=values,
        p=those.values([P], model),
        common=common,
        chance=tuple(
            _chance_of(those, name, chance.get(name, {}).get(model), values[common, k], common)
            for k, name in enumerate(labels)
        ),
        base=float(np.mean([row["chance"] for row in rows])),
        n_classes=int(rows[0]["n_classes"]),
        metrics=tuple(sorted({str(row["metric"]) for row in rows})),
    )


def _chance_of(
    alike: Alike,
    name: str,
    given: NullMap | None,
    scores: Float,
    common: NDArray[np.intp],
) -> ChanceMaps | None:
    """Return a participant's exchanged maps over the common units."""
    if given is None:
        return None
    null, share = given.values, given.share
    units = alike.units_of(alike.results[name])
    if null.shape[1:] != units.shape:
        raise ShapeError(
            f"The exchanged maps of sub-{name} have shape {null.shape}, its map has "
            f"{len(units)} units.",
            mend="Run that participant again.",
        )
    return ChanceMaps(scores, null[:, np.searchsorted(units, common)], share)
