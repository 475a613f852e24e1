"""Whether regions and layers are alike beyond an accident of the conditions that all saw."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bids_dnn.containers.result import Result
from bids_dnn.group.watch import Progress
from bids_dnn.stats.inference import permutation_p
from bids_dnn.stats.loo_ceiling import loo_ceiling
from bids_dnn.stats.orders import FEWEST_COMPARISONS, Orders, Sides, mean_rho, orders_of

Float = NDArray[np.float64]
LAYER = ["network", "layer", "snr"]
TIES = 8  # digits of shares: tables keep nine of scores and chances, so that more is rounding
COLUMNS = {
    "p_conditions": "One-sided p of the mean rho by the highest mean of all layers and levels for "
    "this region, under exchanges of what `exchanged` says, the same in all participants: whether "
    "it is more than the best of as many unrelated layers would have of these participants. As "
    "p_participants of rows that most have.",
    "p_conditions_floor": "Smallest p_conditions that can come out of so many exchanges.",
    "exchanged": "What was exchanged between region and network: conditions, with which "
    "comparisons move, or single comparisons where those asked for do not allow that.",
    "n_comparisons": "Comparisons over which p_conditions and the bounds are taken: those that "
    "most participants have.",
    "lower": "Lower bound of the noise ceiling of rho: mean correlation of a participant's scores "
    "with the mean of the others', in ranks; n/a under 2 participants or 4 comparisons.",
    "upper": "Upper bound: the same with the mean of all, which no pattern that is one for all "
    "participants can exceed (each has a run of the network of its own, on the stimuli seen).",
    "missing_comparisons": "Participants who lack comparisons that most have, or whose own are of "
    "other conditions; p_conditions and the bounds are without them.",
}


@dataclass(frozen=True, slots=True, eq=False)
class _Own:
    """What is decoded in one participant, as shares of what lies between chance and one."""

    brain: pd.Series[float]  # by comparison
    net: pd.DataFrame  # a row a layer and level, a column a comparison

    def names(self) -> set[str]:
        """Return the comparisons that region and all layers have."""
        known = self.net.columns[self.net.notna().all()]
        return {str(name) for name in self.brain.index if name in known}


def alike(results: Mapping[str, Result]) -> tuple[dict[str, Result], dict[str, Sides]]:
    """Leave out what is decoded of comparisons that are of other conditions than in most.

    Parameters
    ----------
    results
        Of the analysis ``twin``, by participant; one of an earlier version tells no conditions.

    Returns
    -------
    results
        Without these rows of ``regions`` and ``network``.
    sides
        The conditions of each comparison, in most participants.
    """
    found: dict[str, Counter[Sides]] = {}
    for one in results.values():
        for name, own in _told(one).items():
            found.setdefault(name, Counter())[own] += 1
    sides = {name: counts.most_common(1)[0][0] for name, counts in found.items()}
    made = {}
    for label, one in results.items():
        other = [name for name, own in _told(one).items() if own != sides[name]]
        extras = {
            name: one.extras[name][~one.extras[name]["comparison"].isin(other)]
            for name in ("regions", "network")
        }
        made[label] = replace(one, extras=one.extras | extras)
    return made, sides


def exchange(
    results: Mapping[str, Result],
    sides: Mapping[str, Sides],
    rows: pd.DataFrame,
    *,
    seed: int,
    progress: Progress,
) -> tuple[pd.DataFrame, list[str]]:
    """Compare the mean rho of each region's layers with the highest under exchanged conditions.

    Parameters
    ----------
    results, sides
        From `alike`.
    rows
        ``region``, ``network``, ``layer``, ``snr`` of each row of the group, and ``is_common``:
        whether the row is one of the family.
    seed
        Of random exchanges.
    progress
        Of regions.

    Returns
    -------
    columns
        `COLUMNS`, of the same rows.
    warnings
        Who is not in, and why.
    """
    owns = {label: _owns(results[label]) for label in sorted(results)}
    found, missing = [], {}
    known: dict[tuple[str, ...], Orders] = {}  # of regions with the same comparisons
    unknown: dict[str, float | str] = dict.fromkeys(COLUMNS, np.nan) | {"exchanged": ""}
    n_regions = rows["region"].nunique()
    for region, part in rows.groupby("region", sort=False):
        there = {label: own[str(region)] for label, own in owns.items() if region in own}
        names = _most(there)
        short = [label for label, own in there.items() if not set(names) <= own.names()]
        kept = [own for label, own in there.items() if label not in short]
        made = part[[*LAYER, "is_common"]].assign(**unknown)
        made["n_comparisons"], made["missing_comparisons"] = len(names), ", ".join(short)
        if len(names) >= FEWEST_COMPARISONS and kept:
            if (key := tuple(names)) not in known:
                rng = np.random.default_rng(seed)
                known[key] = orders_of([sides[name] for name in names], rng)
            made = _tested(made, kept, names=names, orders=known[key])
        found.append(made)
        missing[str(region)] = short
        progress(len(found), n_regions)
    return pd.concat(found).sort_index()[list(COLUMNS)], _said(missing, results)


def _told(result: Result) -> dict[str, Sides]:
    """Return the conditions of a participant's comparisons; an earlier version told none."""
    return {
        str(name): frozenset(map(frozenset, groups))
        for name, groups in result.meta.get("sides", {}).items()
    }


def _owns(result: Result) -> dict[str, _Own]:
    """Return what is decoded in a participant by region, of comparisons whose sides are told."""
    net, regions = (
        _shares(table[table["comparison"].isin(_told(result))])
        for table in (result.extras["network"], result.extras["regions"])
    )
    of_layers = net.pivot(index=LAYER, columns="comparison", values="share")
    every = dict.fromkeys(map(str, result.table["region"]))
    shares = {region: regions[regions["region"] == region] for region in every}
    return {
        region: _Own(own.set_index("comparison")["share"].dropna(), of_layers)
        for region, own in shares.items()
    }


def _shares(table: pd.DataFrame) -> pd.DataFrame:
    share = (table["score"] - table["chance"]) / (1 - table["chance"])
    return table.assign(share=share.round(TIES))


def _most(there: Mapping[str, _Own]) -> list[str]:
    """Return the comparisons that more than half of the participants have, sorted."""
    counts = Counter(name for one in there.values() for name in one.names())
    return sorted(name for name, n in counts.items() if 2 * n > len(there))


def _tested(
    made: pd.DataFrame, there: Sequence[_Own], *, names: list[str], orders: Orders
) -> pd.DataFrame:
    """Fill the rows of a region: bounds, and p under exchanges."""
    brains = np.array([own.brain[names].to_numpy(float) for own in there])
    ceiling = loo_ceiling(brains, is_ranked=True)
    made = made.assign(lower=ceiling.lower, upper=ceiling.upper)
    layers = pd.MultiIndex.from_frame(made[LAYER])
    nets = np.stack([own.net.reindex(layers)[names].to_numpy(float) for own in there])
    nets[:, ~made["is_common"].to_numpy(bool)] = np.nan
    rho = mean_rho(brains, nets, np.arange(len(names))[None])[0]
    if np.isnan(rho).all():
        return made
    null = np.nanmax(mean_rho(brains, nets, orders.order), axis=1)
    return made.assign(
        p_conditions=[permutation_p(one, null, enumerated=orders.enumerated) for one in rho],
        p_conditions_floor=orders.floor,
        exchanged=orders.exchanged,
    )


def _said(missing: Mapping[str, Sequence[str]], results: Mapping[str, Result]) -> list[str]:
    """Say who is not in the exchanges of which regions, and why."""
    old = [f"sub-{label}" for label in sorted(results) if not _told(results[label])]
    said = []
    if old:
        said.append(
            f"The twin of {', '.join(old)} was made by an earlier version, which did not tell the "
            "conditions of its comparisons: run its participant level again."
        )
    by: dict[tuple[str, ...], list[str]] = {}
    for region, short in missing.items():
        if labels := tuple(f"sub-{label}" for label in short if f"sub-{label}" not in old):
            by.setdefault(labels, []).append(region)
    return said + [
        f"Twin: {', '.join(labels)} {'lack' if len(labels) > 1 else 'lacks'} comparisons of "
        f"{', '.join(regions)} that most have (of these conditions), so that p_conditions and the "
        f"bounds are without {'them' if len(labels) > 1 else 'it'}."
        for labels, regions in by.items()
    ]
