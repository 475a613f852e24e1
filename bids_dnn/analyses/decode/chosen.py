"""The units that training runs choose, run by run, and what is told of the choice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bids_dnn.analyses.decode.samples import texts
from bids_dnn.containers.responses import Responses
from bids_dnn.containers.result import Result, StatMap
from bids_dnn.containers.space import Space
from bids_dnn.errors import ConfigError, ShapeError
from bids_dnn.stats import leakage
from bids_dnn.stats.folds import Fold
from bids_dnn.stats.regions import RegionUnits, UnitLearner, shares_taken

Mask = NDArray[np.bool_]

COLUMNS = {
    "run": "Run that is left out",
    "n_chosen": "Units of the region that the other runs chose, of whatever condition their "
    "samples are",
    "n_units": "Units of the region that were measured",
}


@dataclass(frozen=True, slots=True, eq=False)
class ChosenUnits:
    """Which units of each region are taken where a run is left out.

    Parameters
    ----------
    regions
    marks : by run, n_regions of (n_units_in_region,) bool
    """

    regions: Sequence[RegionUnits]
    marks: dict[str, list[Mask]]

    def alike(self, place: int) -> list[tuple[Mask, list[str]]]:
        """Return the sets of units that were taken of a region, each with its runs.

        Parameters
        ----------
        place
            Number of the region.
        """
        made: dict[bytes, tuple[Mask, list[str]]] = {}
        for run, marks in self.marks.items():
            made.setdefault(marks[place].tobytes(), (marks[place], []))[1].append(run)
        return list(made.values())

    def told_in(self, result: Result, space: Space) -> Result:
        """Add the choice to a result: how many units each region has, and a map of them.

        Parameters
        ----------
        result
        space
            Of the responses.
        """
        units = np.unique(np.concatenate([region.units for region in self.regions]))
        shares = shares_taken(
            [np.searchsorted(units, region.units) for region in self.regions],
            [np.stack(one) for one in zip(*self.marks.values(), strict=True)],
            len(units),
        )
        text = "Share of the runs without which the unit was chosen by the other runs' samples."
        return replace(
            result,
            maps=(StatMap("chosen", shares, "", text), *result.maps),
            space=space.select(units),
            extras={**result.extras, "choice": self._table()},
            extra_columns={"choice": COLUMNS},
        )

    def _table(self) -> pd.DataFrame:
        rows = [
            (region.name, run, int(marks[r].sum()), region.units.size)
            for r, region in enumerate(self.regions)
            for run, marks in self.marks.items()
        ]
        return pd.DataFrame(rows, columns=["region", *COLUMNS])

    def warnings(self) -> list[str]:
        """Say which regions have no score, as a fold has no unit of them."""
        told = []
        for r, region in enumerate(self.regions):
            none = [run for run, marks in self.marks.items() if not marks[r].any()]
            if none:
                told.append(
                    f"{region.name}: decode.units chose none of {region.units.size} units where "
                    f"run {none[0]!r} is left out ({len(none)} of {len(self.marks)} runs), so "
                    "that the region has no score there."
                )
        return told


def choose_by_run(
    choose: UnitLearner | None,
    responses: Responses,
    regions: Sequence[RegionUnits],
    folds: Sequence[Fold],
    *,
    runs: NDArray[np.object_],
    column: str = "run",
) -> ChosenUnits:
    """Choose units on all samples but those of a run, for each run in turn.

    Samples of all conditions choose, also of those that a comparison does not tell apart, so
    that the choice is one for all comparisons and labelings.

    Parameters
    ----------
    choose
        None = all units are taken.
    responses
        All samples, those without a condition too.
    regions
        Of the responses.
    folds
        Named by what they leave out.
    runs : (n,)
        Run of each sample that folds train on and test.
    column
        What folds leave out.

    Raises
    ------
    ConfigError
        If folds leave something else out than one run.
    LeakageError
        If samples of a run choose that its fold tests.
    ShapeError
        If `choose` does not answer with marks of each region's units.
    """
    names = [fold.name for fold in folds]
    if choose is None:
        every = [np.ones(region.units.size, dtype=np.bool_) for region in regions]
        return ChosenUnits(regions, dict.fromkeys(names, every))
    of_sample = texts(responses.samples["run"])
    if column != "run" or not set(names) <= set(of_sample):
        raise ConfigError(
            f"decode.units chooses units by the runs that train, and decode.folds leaves "
            f"{column} out in {len(names)} folds.",
            mend='Type folds = "run" under [decode], or leave units out.',
        )
    made: dict[str, list[Mask]] = {}
    for fold in folds:
        train = np.asarray(of_sample != fold.name, dtype=np.bool_)
        seen = np.isin(runs.astype(str), of_sample[train].astype(str))
        leakage.check_choice([fold], chosen_on=[seen], groups=list(runs), what="units")
        made[fold.name] = _marks(choose(train), regions)
    return ChosenUnits(regions, made)


def _marks(answer: Sequence[Mask], regions: Sequence[RegionUnits]) -> list[Mask]:
    """Check the marks that a learner answers with."""
    marks = [np.asarray(one) for one in answer]
    shapes, sizes = [one.shape for one in marks], [region.units.size for region in regions]
    if shapes != [(size,) for size in sizes] or any(one.dtype != np.bool_ for one in marks):
        raise ShapeError(
            f"The learner of units answers with marks of shapes {shapes}, and the regions "
            f"have {sizes} units.",
            mend="Make it of the same responses and regions as are decoded.",
        )
    return marks
