"""How reliable each unit's and each region's responses are, by every method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bids_dnn.analyses.ceiling.profiles import COLUMNS as PROFILES
from bids_dnn.analyses.ceiling.profiles import response_profiles
from bids_dnn.containers.responses import Responses
from bids_dnn.containers.result import Result, StatMap
from bids_dnn.containers.roi import Roi
from bids_dnn.stats.ceiling import by_fev, ceiling_of, fev, ncsnr, signal_to_noise, split_half
from bids_dnn.stats.leakage import ceiling_doubts
from bids_dnn.stats.metrics import finite_mean
from bids_dnn.stats.regions import RegionUnits, region_units

Array = NDArray[np.float64]
COLUMNS = {
    "region": "Name of the region",
    "method": "ncsnr = share of signal in the variance of the mean over repeats, from the "
    "components of variance (Allen 2022); split-half = the same from how halves of the repeats "
    "agree, stepped up by Spearman and Brown; fev = the same from the fraction of explainable "
    "variance (Cadena 2019)",
    "metric": "reliability = share of signal in the variance of the mean over repeats",
    "score": "Mean over the region's units of that reliability; -1 to 1, about 0 for noise",
    "ceiling": "Its square root: the highest correlation of a prediction with the mean over "
    "repeats; n/a where the score is not above zero",
    "score_single": "Mean over units of the reliability of one response (ncsnr and fev); n/a for "
    "split-half",
    "n_units": "Units of the region that have an estimate",
    "item": "stimulus, or condition where no stimulus is known: what repeats",
    "n_items": "Stimuli (or conditions) that were shown",
    "n_repeated_items": "Those that were shown more than once, on which the estimate rests",
    "n_repeats": "Their mean number of repeats",
}


MAPS = {
    "ncsnr": "SD of signal / SD of noise of single responses; 0 and more",
    "noiseceiling": "Highest correlation that noise allows for the mean over repeats; 0 to 1",
    "splithalf": "Reliability of the mean over repeats; -1 to 1",
    "fev": "Fraction of explainable variance of single responses; at most 1",
}


def estimate_ceilings(responses: Responses, rois: Sequence[Roi], *, seed: int) -> Result:
    """Estimate noise ceilings of each unit and region from what was shown more than once.

    Parameters
    ----------
    responses
        Samples without a stimulus are left out; where no sample has one, conditions repeat.
    rois
        On the space of the responses; where there is none, all units are one region.
    seed
        Of the split halves.

    Returns
    -------
    result
        One row a region and method; maps ``ncsnr`` (ratio), ``noiseceiling`` (highest r, from
        ncsnr), ``splithalf`` (reliability) and ``fev`` over the units of all regions, NaN where
        they cannot be told; extra ``profiles`` (see `profiles.response_profiles`).

    Raises
    ------
    NotEnoughDataError
        If a region has no measured unit.
    SpaceError
        If a region lies on another space.

    References
    ----------
    Allen et al. (2022), Nat. Neurosci. 25:116, doi:10.1038/s41593-021-00962-x.
    Cadena et al. (2019), PLOS Comput. Biol. 15:e1006897, doi:10.1371/journal.pcbi.1006897.
    Spearman (1910), Br. J. Psychol. 3:271, doi:10.1111/j.2044-8295.1910.tb00206.x.
    """
    repeated, names = _repeated(responses.samples)
    used = names != ""
    counts = pd.Series(names[used]).value_counts()
    regions = region_units(responses, rois)
    units = np.unique(np.concatenate([region.units for region in regions]))
    values = responses.values[used][:, units]
    shown = [str(name) for name in names[used]]
    runs = responses.samples["run"].to_numpy(dtype=object)[used]
    made = {
        "ncsnr": ncsnr(values, shown),
        "split-half": split_half(values, shown, np.random.default_rng([seed, 4])),
        "fev": by_fev(values, shown),
    }
    ratio, fraction = signal_to_noise(values, shown), fev(values, shown)
    power = np.where(np.isfinite(ratio), ratio, 0.0) ** 2
    of_one = np.where(np.isinf(ratio), 1.0, power / (1 + power))
    single = {"ncsnr": np.where(np.isnan(ratio), np.nan, of_one), "fev": fraction}
    about = {
        "item": repeated,
        "n_items": len(counts),
        "n_repeated_items": int((counts > 1).sum()),
        "n_repeats": float(counts[counts > 1].mean()) if (counts > 1).any() else 1.0,
    }
    rows = [
        _row(region, name, estimate, single.get(name), units) | about
        for region in regions
        for name, estimate in made.items()
    ]
    columns = {one.name: np.searchsorted(units, one.units) for one in regions}
    on = f"{about['n_repeated_items']} {repeated} names"
    on += f", {about['n_repeats']:.3g} repeats on average"
    maps = {
        "ncsnr": ratio,
        "noiseceiling": ceiling_of(made["ncsnr"]),
        "splithalf": made["split-half"],
        "fev": fraction,
    }
    return Result(
        analysis="ceiling",
        table=pd.DataFrame(rows)[list(COLUMNS)],
        columns=COLUMNS,
        maps=tuple(
            StatMap(stat, found.astype(np.float32), "", f"{MAPS[stat]}; rests on {on}.")
            for stat, found in maps.items()
        ),
        space=responses.space.select(units),
        extras={"profiles": response_profiles(values, shown, columns)},
        extra_columns={"profiles": PROFILES},
        meta=about
        | {
            "independence": responses.independence,
            "samples_without_name": int((~used).sum()),
            "seed": seed,
            "warnings": _without(about)
            or ceiling_doubts(shown, runs=list(runs), independence=responses.independence),
        },
    )


def _without(about: Mapping[str, Any]) -> list[str]:
    """Say that nothing repeats, where nothing does."""
    if about["n_repeated_items"]:
        return []
    return [
        f"No noise ceiling can be told: none of the {about['n_items']} {about['item']} names "
        "repeats in these responses."
    ]


def _repeated(samples: pd.DataFrame) -> tuple[str, NDArray[np.object_]]:
    stimuli = samples["stimulus"].fillna("").astype(str).to_numpy(dtype=object)
    if (stimuli != "").any():
        return "stimulus", stimuli
    return "condition", samples["condition"].fillna("").astype(str).to_numpy(dtype=object)


def _row(
    region: RegionUnits,
    method: str,
    estimate: Array,
    single: Array | None,
    units: NDArray[np.intp],
) -> dict[str, Any]:
    columns = np.searchsorted(units, region.units)
    score = finite_mean(estimate[columns])
    return {
        "region": region.name,
        "method": method,
        "metric": "reliability",
        "score": score,
        "ceiling": float(ceiling_of(np.array([score]))[0]),
        "score_single": np.nan if single is None else finite_mean(single[columns]),
        "n_units": int(np.isfinite(estimate[columns]).sum()),
    }
