"""The units that training runs choose, run by run, and what is told of the choice."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bids_dnn.analyses.decode.tasks import texts
from bids_dnn.containers.responses import Responses
from bids_dnn.containers.result import StatMap
from bids_dnn.containers.space import Space
from bids_dnn.errors import ShapeError
from bids_dnn.stats import leakage
from bids_dnn.stats.folds import Fold
from bids_dnn.stats.regions import RegionUnits, UnitLearner

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

    def table(self) -> pd.DataFrame:
        """Return how many units each region has where each run is left out."""
        rows = [
            (region.name, run, int(marks[r].sum()), region.units.size)
            for r, region in enumerate(self.regions)
            for run, marks in self.marks.items()
        ]
        return pd.DataFrame(rows, columns=["region", *COLUMNS])

    def share_map(self, space: Space) -> tuple[StatMap, Space]:
        """Map in how many of the runs' choices each unit was taken; of several regions, the most.

        Parameters
        ----------
        space
            Of the responses.

        Returns
        -------
        made, own
            The map, and the places of its units.
        """
        units = np.unique(np.concatenate([region.units for region in self.regions]))
        share = np.zeros(len(units))
        for r, region in enumerate(self.regions):
            taken = np.mean([marks[r] for marks in self.marks.values()], axis=0)
            places = np.searchsorted(units, region.units)
            share[places] = np.maximum(share[places], taken)
        text = "Share of the runs without which the unit was chosen by the other runs' samples."
        return StatMap("chosen", share.astype(np.float32), "", text), space.select(units)

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
    choose: UnitLearner,
    responses: Responses,
    regions: Sequence[RegionUnits],
    runs: Iterable[str],
) -> ChosenUnits:
    """Choose units on all samples but those of a run, for each run in turn.

    Samples of all conditions choose, also of those that a comparison does not tell apart, so
    that the choice is one for all comparisons and labelings.

    Parameters
    ----------
    choose
    responses
    regions
        Of the responses.
    runs
        To be left out.

    Raises
    ------
    ShapeError
        If `choose` does not answer with marks of each region's units.
    """
    of_sample = texts(responses.samples["run"])
    sizes = [region.units.size for region in regions]
    made: dict[str, list[Mask]] = {}
    for run in runs:
        train = np.asarray(of_sample != run, dtype=np.bool_)
        left_out = Fold(run, train, np.logical_not(train))
        leakage.check_choice([left_out], chosen_on=[train], groups=list(of_sample), what="units")
        marks = [np.asarray(one) for one in choose(train)]
        shapes = [one.shape for one in marks]
        if shapes != [(size,) for size in sizes] or any(one.dtype != np.bool_ for one in marks):
            raise ShapeError(
                f"The learner of units answers with marks of shapes {shapes}, and the regions "
                f"have {sizes} units.",
                mend="Make it of the same responses and regions as are decoded.",
            )
        made[run] = marks
    return ChosenUnits(regions, made)
