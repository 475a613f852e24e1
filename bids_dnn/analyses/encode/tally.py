"""Score models as they come, and infer over all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bids_dnn.analyses.encode.choices import Choices
from bids_dnn.analyses.encode.data import Data
from bids_dnn.analyses.encode.exchange import exchanged_scores, merged_p
from bids_dnn.analyses.encode.explained import share_of_explainable
from bids_dnn.analyses.encode.identify_tables import CANDIDATES, IDENTIFIED, identify_model
from bids_dnn.analyses.encode.model import Model
from bids_dnn.analyses.encode.patterns import Patterns
from bids_dnn.analyses.encode.permutation import covariances, draw_shuffles
from bids_dnn.analyses.encode.scores import score_r2, score_units
from bids_dnn.analyses.encode.tables import (
    COLUMNS,
    UnitScores,
    score_row,
    unit_maps,
)
from bids_dnn.analyses.encode.units import unit_p, unit_p_in_folds
from bids_dnn.containers.result import CHOSEN, EVERY, StatMap
from bids_dnn.stats.inference import max_statistic, permutation_p
from bids_dnn.stats.regions import columns_of

Array = NDArray[np.float64]
Values = NDArray[np.floating[Any]]


@dataclass(slots=True, eq=False)
class Tally:
    """Scores of models, a row for each region and target.

    Parameters
    ----------
    data, choices
    chosen : n_regions of (n_folds, n_units of the region) bool
        Units whose patterns identify images.
    """

    data: Data
    choices: Choices
    chosen: Sequence[NDArray[np.bool_]]
    maps: list[StatMap] = field(default_factory=list)
    _rows: list[dict[str, Any]] = field(default_factory=list)
    _identified: list[dict[str, Any]] = field(default_factory=list)
    _sizes: list[dict[str, Any]] = field(default_factory=list)
    _operators: list[NDArray[np.float32]] = field(default_factory=list)
    _exchanged: list[Array] = field(default_factory=list)
    _shuffles: NDArray[np.intp] = field(init=False)
    _predicted: NDArray[np.intp] | slice = field(init=False)
    patterns: Patterns = field(init=False)
    _means: list[Array] = field(init=False)

    def __post_init__(self) -> None:
        rng = np.random.default_rng([self.choices.seed, 6])
        self._shuffles = draw_shuffles(self.data.folds, self.choices.n_permutations, rng)
        self._means = self.data.training_means()
        self._predicted = self.data.predicted()
        self.patterns = Patterns(self.data)

    def take(self, model: Model) -> None:
        """Score a model, and keep of it what inference needs; its predictions may then go."""
        data = self.data
        truth = columns_of(data.truth, model.columns)
        scores = self._scored(truth, model)
        if model.operator is None:
            self._exchanged.append(
                exchanged_scores(truth, model.guess, data.folds, model.places, self._shuffles)
            )
        units = scores.at(model.of_units(data.n_units))
        about = {"estimator": model.estimator, "network": model.network, "layer": model.layer}
        places = zip(data.places(), model.places, strict=True)
        for place, ((region, target, _), columns) in enumerate(places):
            row = score_row(model, columns, scores, units.p, (data, self.choices))
            named = {"region": region.name, "target": target} | about
            self._rows.append(named | row | {"_exact": model.operator is not None})
            if target == "units":
                found, sizes = identify_model(
                    model, columns, (data, self.choices), chosen=self.chosen[place // 2]
                )
                self._identified.append(named | found)
                self._sizes += [named | one for one in sizes]
                if model.layer != CHOSEN:
                    self.patterns.offer(model, place // 2, columns, row["score"])
        self.maps += unit_maps(units, model, (data, self.choices))

    def _scored(self, truth: Values, model: Model) -> UnitScores:
        """Score each prediction, and keep the operator for the test of regions."""
        data, folds = self.data, self.data.folds
        means = [mean[model.columns] for mean in self._means]
        r = score_units(truth, model.guess, folds)
        if model.operator is None:
            p = unit_p_in_folds(truth, model.guess, folds)
        else:
            operator = data.under_null(model.operator)
            rng = np.random.default_rng([self.choices.seed, 5])  # the same rotations for all
            p = unit_p(operator, truth, folds, rng)
            self._operators.append(operator[self._predicted])
        fev = np.full(truth.shape[1], np.nan)
        if data.showings is not None:
            own = data.showings.at(model.columns)
            fev = share_of_explainable(own, truth, model.guess, folds, means)
        return UnitScores(
            r,
            score_r2(truth, model.guess, folds, means),
            fev,
            np.where(np.isfinite(r), p, np.nan),
        )

    def identified(self) -> dict[str, pd.DataFrame]:
        """Return how many images were identified, for each region and model.

        Returns
        -------
        tables
            ``identification``; ``candidates``, by their number, where there were patterns.
        """
        made = {"identification": pd.DataFrame(self._identified, columns=list(IDENTIFIED))}
        if self._sizes:
            made["candidates"] = pd.DataFrame(self._sizes, columns=list(CANDIDATES))
        return made

    def table(self) -> pd.DataFrame:
        """Add p, corrected p and the best layer; rows go by estimator, region, target, layer."""
        out = pd.DataFrame(self._rows)
        n_places = 2 * len(self.data.regions)
        order = np.arange(len(out)).reshape(-1, n_places)
        out["p"], out["p_corrected"] = np.nan, np.nan
        exact = out["_exact"].to_numpy(dtype=np.bool_)
        if self._operators:
            self._permuted(out, exact)
        if self._exchanged:
            self._merged(out, ~exact)
        out["p_floor"] = np.where(exact, 1, min(2, len(self.data.folds))) / (
            self.choices.n_permutations + 1
        )
        out["n_permutations"] = self.choices.n_permutations
        out["best"] = _is_best(out)
        position = [
            k
            for name in dict.fromkeys(out["estimator"])
            for k in order[out["estimator"].to_numpy()[order[:, 0]] == name].T.ravel()
        ]
        return out.iloc[position].reset_index(drop=True)[list(COLUMNS)]

    def _permuted(self, out: pd.DataFrame, exact: NDArray[np.bool_]) -> None:
        """Exchange responses before the fit."""
        data, choices = self.data, self.choices
        rng = np.random.default_rng([choices.seed, 3])
        drawn = draw_shuffles(data.folds, choices.n_permutations, rng)
        # the data as they are come first
        shuffles = np.vstack([np.arange(len(data.stimuli)), drawn])
        places = (columns_of(data.truth, own) for *_, own in data.places())
        found = covariances(self._operators, places, shuffles, self._predicted)
        found = found.transpose(0, 2, 1).reshape(len(shuffles), -1)  # place within model
        known = np.isfinite(out.loc[exact, "score"].to_numpy(dtype=np.float64))
        observed = np.where(known, found[0], np.nan)
        p = [
            permutation_p(float(one), found[1:, k], enumerated=False)
            for k, one in enumerate(observed)
        ]
        out.loc[exact, "p"] = p
        out.loc[exact, "p_corrected"] = np.maximum(max_statistic(observed, found[1:]), p)

    def _merged(self, out: pd.DataFrame, others: NDArray[np.bool_]) -> None:
        """Exchange test images within folds; corrected over the models of an estimator."""
        names = out.loc[others, "estimator"].to_numpy()
        whole = np.concatenate(self._exchanged, axis=2)  # (n_folds, 1 + n, n_rows)
        known = np.isfinite(out.loc[others, "score"].to_numpy(dtype=np.float64))
        whole = np.where(known, whole, np.nan)
        for name in dict.fromkeys(names):
            own = names == name
            rows = out.index[others][own]
            out.loc[rows, "p"], out.loc[rows, "p_corrected"] = merged_p(whole[:, :, own])


def _is_best(out: pd.DataFrame) -> NDArray[np.bool_]:
    """Mark the highest score of each region, target and estimator among single layers."""
    single = out["network"] != EVERY
    keys = [out[name] for name in ("region", "target", "estimator")]
    highest = out["score"].where(single).groupby(keys).transform("max")
    marks: NDArray[np.bool_] = (single & (out["score"] == highest)).to_numpy(dtype=np.bool_)
    return marks
