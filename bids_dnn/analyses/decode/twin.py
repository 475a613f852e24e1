"""Which layer and level of noise reproduce a region's pattern of accuracies."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bids_dnn.analyses.decode.network import METRIC, Trial, TwinChoices
from bids_dnn.analyses.decode.network_tables import NETWORK_COLUMNS, network_table
from bids_dnn.analyses.decode.samples import texts
from bids_dnn.containers.features import FeatureGram
from bids_dnn.containers.result import Result
from bids_dnn.stats.inference import permutation_p
from bids_dnn.stats.orders import FEWEST_COMPARISONS, Orders, mean_rho, orders_of
from bids_dnn.stats.rank_correlation import spearman

Array = NDArray[np.float64]
N_BOOTSTRAP = 1000
LEAST_KNOWN = 0.5  # of bootstrap samples, whose ranks differ
ALPHA = 0.05

COLUMNS = {
    "region": "Name of the region",
    "network": NETWORK_COLUMNS["network"],
    "layer": NETWORK_COLUMNS["layer"],
    "snr": NETWORK_COLUMNS["snr"],
    "rho": "Spearman correlation over comparisons of the region's and the layer's scores, each as "
    "a share of what lies between chance and one; n/a under 4 comparisons, or where one of them "
    "does not vary",
    "ci_low": "Lower end of the 95 % bootstrap interval of rho, over comparisons and draws of the "
    "noise; participants, trials and stimuli stay as they were. It knows neither the noise of the "
    "region's scores nor that the best of many was chosen: see p_corrected",
    "ci_high": "Upper end of that interval",
    "p_corrected": "p of rho, one-sided, by the highest rho of all layers and levels for this "
    "region under exchanges of what `exchanged` says; for each region by itself",
    "p_floor": "Smallest p_corrected that can come out of so many exchanges",
    "exchanged": "What was exchanged between region and network: conditions, with which "
    "comparisons move, or single comparisons where those asked for do not allow that",
    "n_comparisons": "Comparisons with a score in both",
    "is_decoded": "Whether one of these comparisons or more is told above chance in the region "
    "(p_corrected < 0.05 in the table of regions; p_fdr where there is no p_corrected)",
    "best": "Whether rho is the highest of all layers and levels for this region, which makes it "
    "higher than it would be in new data",
    "is_named": "Whether it is the best, its p_corrected is 0.05 or less, and the region "
    "is_decoded: only then can a layer be named for the region",
}
REGION_COLUMNS = {
    "region": COLUMNS["region"],
    "comparison": "Conditions told apart; 'all' = every condition at once",
    "score": "Balanced accuracy of decoding the region, with the settings of [decode]",
    "chance": "Score expected by chance",
    "p_corrected": "p of decoding, by the maximum statistic over regions and comparisons",
    "p_fdr": "p of decoding, adjusted for the false discovery rate over them",
    "p_floor": "Smallest p of decoding that can come out",
}


def conditions_of_stimuli(
    samples: pd.DataFrame, grams: Sequence[FeatureGram]
) -> tuple[dict[str, str], list[str]]:
    """Return the condition of each stimulus, and what was left out.

    Parameters
    ----------
    samples
        With ``stimulus`` and ``condition``; "" is none.
    grams
        Only stimuli that each of them has count.

    Returns
    -------
    conditions
        By stimulus.
    warnings
        Stimuli without features, or that were shown under several conditions, are left out.

    Examples
    --------
    >>> told = pd.DataFrame({"stimulus": ["a", "a", "b"], "condition": ["x", "x", "y"]})
    >>> conditions_of_stimuli(told, [])
    ({'a': 'x', 'b': 'y'}, [])
    """
    stimuli, conditions = texts(samples["stimulus"]), texts(samples["condition"])
    found: dict[str, set[str]] = {}
    for stimulus, condition in zip(stimuli, conditions, strict=True):
        if stimulus and condition:
            found.setdefault(str(stimulus), set()).add(str(condition))
    made = {name: next(iter(own)) for name, own in sorted(found.items()) if len(own) == 1}
    several = sorted(name for name, own in found.items() if len(own) > 1)
    absent = sorted(name for name in made if any(name not in gram.stimuli for gram in grams))
    warnings = [
        f"{len(names)} stimuli {what}, such as {names[0]!r}: networks are decoded without them."
        for names, what in (
            (several, "were shown under several conditions"),
            (absent, "have no features"),
        )
        if names
    ]
    return {name: one for name, one in made.items() if name not in set(absent)}, warnings


def twin(
    decoded: Result, trials: Sequence[Trial], choices: TwinChoices, warnings: Sequence[str] = ()
) -> Result:
    """Compare a participant's regions with the layers of networks, by what is decoded from each.

    Parameters
    ----------
    decoded
        Of `decoding.decode`, the same comparisons.
    trials
        Of `network.decode_network`.
    choices
        The settings of the networks.
    warnings
        Further ones.

    Returns
    -------
    result
        One row a region, layer and level of noise; `extras` holds ``network`` (a row a layer,
        level and comparison) and ``regions`` (what is decoded from each).

    References
    ----------
    Spearman (1904), Am. J. Psychol. 15:72, doi:10.2307/1412159.
    Efron & Tibshirani (1993), An Introduction to the Bootstrap, ISBN 978-0-412-04231-7.
    """
    scores = decoded.extras["metrics"]
    key = ["region", "comparison"]
    regions = scores.loc[scores["metric"] == METRIC, [*key, "score", "chance"]].merge(
        decoded.table[[*key, "p_corrected", "p_fdr", "p_floor"]], on=key, how="left"
    )
    table = match(regions, trials, seed=choices.seed)
    told = list(warnings)
    names = {trial.task.comparison.name for trial in trials}
    if crossed := [one for one in dict.fromkeys(regions["comparison"]) if one not in names]:
        told.append(
            f"{len(crossed)} comparison(s) are of regions only, such as {crossed[0]!r}: layers "
            "are not decoded across conditions or samples, nor where a condition has no stimuli."
        )
    if len(known := sorted(set(table["n_comparisons"]))) and known[0] < FEWEST_COMPARISONS:
        told.append(
            f"Regions and layers have {known[0]} comparison(s) in common, and a rank correlation "
            f"needs {FEWEST_COMPARISONS}: name more under decode.comparisons."
        )
    return Result(
        analysis="twin",
        table=table,
        columns=COLUMNS,
        meta=_facts(decoded, trials, choices) | {"warnings": told},
        extras={
            "network": network_table(
                trials, interval=choices.interval, n_permutations=choices.n_permutations
            ),
            "regions": regions,
        },
        extra_columns={"network": NETWORK_COLUMNS, "regions": REGION_COLUMNS},
    )


def match(regions: pd.DataFrame, trials: Sequence[Trial], *, seed: int) -> pd.DataFrame:
    """Correlate the scores of each region with those of each layer and level of noise.

    Scores count as shares of what lies between chance and one, so that a comparison of many
    sides does not rank low in both for its chance level alone. The interval comes from drawing
    comparisons, and the draws of the noise, with replacement. Comparisons share conditions, so
    that it says how much rho hangs on single ones, no more. Whether the highest rho of a region
    is more than the best of as many unrelated layers and levels would reach is told by p: what
    `orders.orders_of` exchanges is exchanged for all of them at once.

    Parameters
    ----------
    regions
        ``region``, ``comparison``, ``score``, ``chance``, ``p_corrected``, ``p_fdr``.
    trials
        Of all layers.
    seed
        Of the bootstrap and the exchanges.

    Returns
    -------
    table
        With the columns `COLUMNS`.

    References
    ----------
    Westfall & Young (1993), Resampling-Based Multiple Testing, ISBN 978-0-471-55761-6.
    """
    by_layer: dict[tuple[str, str, float], list[Trial]] = {}
    for one in trials:
        by_layer.setdefault((one.network, one.layer, one.snr), []).append(one)
    known: dict[tuple[str, ...], Orders] = {}  # of regions with the same comparisons
    tables = [
        _of_region(str(name), own.set_index("comparison"), by_layer, (seed, known))
        for name, own in regions.groupby("region", sort=False)
    ]
    return pd.concat(tables, ignore_index=True)[list(COLUMNS)]


def _of_region(
    name: str,
    own: pd.DataFrame,
    by_layer: Mapping[tuple[str, str, float], list[Trial]],
    drawn: tuple[int, dict[tuple[str, ...], Orders]],
) -> pd.DataFrame:
    """Compare one region with all layers and levels, which hold the same comparisons."""
    seed, known = drawn
    above = ((own["score"] - own["chance"]) / (1 - own["chance"])).dropna().to_dict()
    rows, net = [], []
    brain: Array = np.zeros(0)
    for (network, layer, snr), found in by_layer.items():
        shared = [one for one in found if one.task.comparison.name in above]
        brain = np.array([above[one.task.comparison.name] for one in shared])
        draws = _shares(shared)  # (n_draws, n)
        rng = np.random.default_rng([seed, zlib.crc32(f"{name}/{network}/{layer}".encode())])
        where = {"region": name, "network": network, "layer": layer, "snr": snr}
        rows.append(where | _correlated(brain, draws, rng) | {"n_comparisons": len(shared)})
        net.append(draws.mean(axis=0))
    table = pd.DataFrame(rows).assign(p_corrected=np.nan, p_floor=np.nan, exchanged="")
    names = [one.task.comparison.name for one in shared]
    p = own["p_corrected"].fillna(own["p_fdr"]).loc[names]
    table["is_decoded"] = bool((p < ALPHA).any())
    if table["rho"].notna().any():
        if (key := tuple(names)) not in known:
            rng = np.random.default_rng([seed, zlib.crc32(b"orders")])
            known[key] = orders_of([one.task.comparison.groups for one in shared], rng)
        orders = known[key]
        null = np.nanmax(mean_rho(brain[None], np.stack(net)[None], orders.order), axis=1)
        table["p_corrected"] = [
            permutation_p(rho, null, enumerated=orders.enumerated) for rho in table["rho"]
        ]
        table["p_floor"], table["exchanged"] = orders.floor, orders.exchanged
    table["best"] = table.index == (table["rho"].idxmax() if table["rho"].notna().any() else -1)
    table["is_named"] = table["best"] & table["is_decoded"] & (table["p_corrected"] <= ALPHA)
    return table


def _shares(shared: Sequence[Trial]) -> Array:
    """Return the scores of a layer in each draw, as shares of what lies above chance."""
    if not shared:
        return np.zeros((1, 0))
    chance = np.array([1 / len(one.task.comparison.sides) for one in shared])
    draws = np.stack([one.scores for one in shared], axis=1)
    made: Array = (draws - chance) / (1 - chance)
    return made


def _correlated(brain: Array, draws: Array, rng: np.random.Generator) -> dict[str, Any]:
    """Return rho with its interval, of what a region and a layer have in common."""
    made: dict[str, Any] = {"rho": np.nan, "ci_low": np.nan, "ci_high": np.nan}
    n = len(brain)
    if n < FEWEST_COMPARISONS:
        return made
    made["rho"] = float(spearman(brain[None], draws.mean(axis=0)[None])[0])
    if not np.isfinite(made["rho"]):
        return made
    which = rng.integers(n, size=(N_BOOTSTRAP, n))
    drawn = rng.multinomial(len(draws), np.full(len(draws), 1 / len(draws)), size=N_BOOTSTRAP)
    net = np.take_along_axis(drawn / len(draws) @ draws, which, axis=1)
    rho = spearman(brain[which], net)
    known = rho[np.isfinite(rho)]
    if len(known) >= LEAST_KNOWN * N_BOOTSTRAP:
        made["ci_low"], made["ci_high"] = map(float, np.percentile(known, [2.5, 97.5]))
    return made


def _facts(decoded: Result, trials: Sequence[Trial], choices: TwinChoices) -> dict[str, Any]:
    first = trials[0].task.labels
    told = asdict(choices)
    return {
        "folds": f"{choices.n_folds} folds of stimuli, those of each condition dealt evenly",
        "settings": told | {"snr": [str(one) for one in choices.snr]},
        "permutation": "labels of stimuli exchanged within folds, the same draws of the noise for "
        "all labelings",
        "bootstrap": "of comparisons and draws of the noise",
        "n_stimuli": len(first),
        "seed": choices.seed,
        "sides": {
            one.task.comparison.name: sorted(map(sorted, one.task.comparison.groups))
            for one in trials
        },
        "decoded": {key: decoded.meta[key] for key in ("folds", "classifier", "preparation")},
    }
