"""Searchlights of participants, one comparison at a time, over the units that they share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bids_dnn.containers.nulls import NullMap
from bids_dnn.containers.result import Result, distinct, model_label
from bids_dnn.errors import ShapeError
from bids_dnn.group.clusters import ChanceMaps
from bids_dnn.group.maps import Alike, Float
from bids_dnn.stats.spheres import RSA, SCORES

Chance = Mapping[str, NullMap]  # maps under exchanged labels, by model
EXCHANGES = "rsa_exchanges"  # facts of a participant: which exchanges of items were drawn
P = "p"  # of a participant's units
NEAR = 1e-9  # two levels of chance nearer than this are one


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """One comparison over the participants who have a map of it.

    Parameters
    ----------
    comparison, model
        Its name, and the label of the group's maps of it.
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
    base : (n_participants,)
        Score expected by chance in each.
    n_classes
        Sides of the comparison in each.
    items
        What tells the exchanges of items of each apart: how many items, and, where it is known,
        which exchanges.
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
    base: Float
    n_classes: tuple[int, ...]
    items: tuple[str, ...]
    metrics: tuple[str, ...]

    @property
    def is_paired(self) -> bool:
        """Whether exchanged maps are of items (RSA) that all participants saw, exchanged alike."""
        return RSA in self.metrics

    @property
    def is_one_chance(self) -> bool:
        """Whether the same score is expected by chance in all participants."""
        return bool(np.ptp(self.base) < NEAR)

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
    """Return the label of the group's maps of each comparison, in the order of the tables.

    Comparisons are the same where their names are. Labels of participants may differ: they have
    numbers where two names have the same letters, and a participant may lack one of them.

    Parameters
    ----------
    results
        Of participants.
    """
    found: dict[str, str] = {}
    for one in results.values():
        for name, metric in zip(one.table["comparison"], one.table["metric"], strict=True):
            network, layer = str(name), ""
            if metric == RSA:
                network, _, layer = network.partition(" ")
            found.setdefault(str(name), model_label(network, layer))
    return dict(zip(found, distinct([*found.values()]), strict=True))


def part_of(alike: Alike, chance: Mapping[str, Chance], comparison: str, model: str) -> Part:
    """Return the scores of one comparison, and what they are compared with.

    Parameters
    ----------
    alike
        The participants.
    chance
        Of each participant, by the participant's own label of a comparison.
    comparison, model
        Its name and the label of the group's maps.

    Raises
    ------
    ShapeError
        If a participant lacks the map that its table names, or exchanged maps are of other
        units than the participant's map.
    """
    own = {
        name: str(rows["map"].iloc[0])
        for name, one in alike.results.items()
        if len(rows := one.table.loc[one.table["comparison"] == comparison])
    }
    those = Alike(
        {name: _only(name, alike.results[name], own[name], model) for name in own}, alike.space
    )
    values = those.values(SCORES, model)
    if values is None:
        values = np.empty((0, 0))
    common = np.flatnonzero(np.isfinite(values).all(axis=1))
    rows = pd.DataFrame(
        [
            one.table.loc[one.table["comparison"] == comparison].iloc[0]
            for one in those.results.values()
        ]
    )
    stats = [made.stat for one in those.results.values() for made in one.maps]
    return Part(
        comparison=comparison,
        model=model,
        stat=next(stat for stat in stats if stat in SCORES),
        labels=tuple(own),
        values=values,
        p=those.values([P], model),
        common=common,
        chance=tuple(
            _chance_of(those, name, chance.get(name, {}).get(label), values[common, k], common)
            for k, (name, label) in enumerate(own.items())
        ),
        base=rows["chance"].to_numpy(dtype=np.float64),
        n_classes=tuple(int(n) for n in rows["n_classes"]),
        items=tuple(
            f"{n} {one.meta.get(EXCHANGES, '')}"
            for n, one in zip(rows["n_samples"], those.results.values(), strict=True)
        ),
        metrics=tuple(sorted(set(rows["metric"].astype(str)))),
    )


def _only(name: str, one: Result, own: str, model: str) -> Result:
    """Return a participant's result with the maps of one comparison, under the group's label."""
    maps = tuple(replace(made, model=model) for made in one.maps if made.model == own)
    if not any(made.stat in SCORES for made in maps):
        raise ShapeError(
            f"The searchlight of sub-{name} has no map of scores called {own!r}.",
            mend="Run that participant again with this version.",
        )
    return replace(one, maps=maps)


def _chance_of(
    alike: Alike,
    name: str,
    given: NullMap | None,
    scores: Float,
    common: NDArray[np.intp],
) -> ChanceMaps | None:
    """Return a participant's exchanged maps over the common units; None where there are none."""
    if given is None or not len(given.values):  # there may be one distinct labeling alone
        return None
    null, share = given.values, given.share
    units = alike.units_of(alike.results[name])
    if null.shape[1:] != units.shape:
        raise ShapeError(
            f"The exchanged maps of sub-{name} have shape {null.shape}, its map has "
            f"{len(units)} units.",
            mend="Run that participant again.",
        )
    order = np.argsort(units)
    return ChanceMaps(scores, null[:, order[np.searchsorted(units, common, sorter=order)]], share)
