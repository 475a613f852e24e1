"""The units that training runs choose, run by run, and what is told of the choice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bids_dnn.analyses.decode.tasks import Task, texts
from bids_dnn.containers.responses import Responses
from bids_dnn.containers.result import Result, StatMap
from bids_dnn.containers.space import Space
from bids_dnn.errors import ShapeError
from bids_dnn.stats import leakage
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
            maps=(StatMap("chosen", shares, "", text),),
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
    tasks: Sequence[Task],
) -> ChosenUnits:
    """Choose units on all samples but those of a run, for each run in turn.

    Samples of all conditions choose, also of those that a comparison does not tell apart, so
    that the choice is one for all comparisons and labelings.

    Parameters
    ----------
    choose
        None = all units are taken.
    responses
    regions
        Of the responses.
    tasks
        Whose folds leave runs out.

    Raises
    ------
    LeakageError
        If samples choose that a task tests in that fold.
    ShapeError
        If `choose` does not answer with marks of each region's units.
    """
    runs = sorted({fold.name for task in tasks for fold in task.folds})
    if choose is None:
        every = [np.ones(region.units.size, dtype=np.bool_) for region in regions]
        return ChosenUnits(regions, dict.fromkeys(runs, every))
    of_sample = texts(responses.samples["run"])
    made: dict[str, list[Mask]] = {}
    for run in runs:
        train = np.asarray(of_sample != run, dtype=np.bool_)
        for task in tasks:
            leakage.check_choice(
                own := [fold for fold in task.folds if fold.name == run],
                chosen_on=[train[task.rows]] * len(own),
                groups=list(of_sample[task.rows]),
                what="units",
            )
        made[run] = _marks(choose(train), regions)
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
