"""The section on searchlights over participants."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bids_dnn.report.canvas import shorten
from bids_dnn.report.light_contrasts import (
    contrast_answer,
    contrast_how,
    contrast_pictures,
    contrast_tables,
)
from bids_dnn.report.maps import found_pictures, map_pictures
from bids_dnn.report.parts import (
    Number,
    Picture,
    Section,
    Table,
    counted,
    decimals,
    table_of,
    units,
)
from bids_dnn.report.searchlight import question_of
from bids_dnn.report.shown import ALPHA, Shown
from bids_dnn.stats.spheres import RSA, SCORES

COUNTS = ("n_clusters", "n_significant")  # -1 = none were looked for
HIDDEN = ("peak_unit",)  # numbers of units, which only the maps explain
MOST_DRAWN = 4  # comparisons
MOST_CLUSTERS = 60  # rows of the table on the page
_AVERAGED = "Maps of searchlights were averaged over participants."
_CALLED = "; clusters are called significant by the largest cluster of each chance map"
_CONTRAST_CLUSTERS = (
    " Clusters of contrasts, units with a t above that of p = {p:g}, were compared with the "
    "largest one of each flip or exchange [@nichols2002]."
)


def searchlight(shown: Shown) -> Section:
    """Return the section on a searchlight over participants.

    Parameters
    ----------
    shown
        Of the group's analysis ``searchlight``.
    """
    return Section(
        shown.name,
        "Searchlight",
        question_of(shown.result.table),
        " ".join(filter(None, (searchlight_answer(shown), contrast_answer(shown)))),
        (*searchlight_pictures(shown), *contrast_pictures(shown)),
        (
            table_of(
                shown.result.table.drop(columns="highest_unit").assign(
                    **{name: _known(shown.result.table[name]) for name in COUNTS}
                ),
                shown.result.columns,
                caption="One row a comparison.",
                link=shown.link,
            ),
            *cluster_tables(shown),
            *contrast_tables(shown),
        ),
        searchlight_how(shown),
    )


def searchlight_pictures(shown: Shown) -> list[Picture]:
    """Draw clusters, means, overlap and prevalence of the comparisons that lie highest.

    Correlations of dissimilarities are drawn apart from accuracies: they share no scale.
    """
    is_rsa = (shown.result.table["metric"] == RSA).to_numpy(bool)
    made = []
    for rows, end in ((~is_rsa, ""), (is_rsa, "_rsa" if (~is_rsa).any() else "")):
        made += _pictures(shown, rows, f"{shown.name}{end}")
    return made


def _pictures(shown: Shown, rows: NDArray[np.bool_], start: str) -> list[Picture]:
    """Draw some rows; names of pictures start alike."""
    space = shown.result.space
    chosen = _chosen(shown, rows)
    if space is None or not chosen:
        return []
    n_all = int(rows.sum())
    what = "comparisons" if (shown.result.table["metric"][rows] != RSA).any() else "models"
    more = "" if len(chosen) == n_all else f" of the {len(chosen)} highest of {n_all} {what}"
    label = f"{_metric(shown.result.table[rows])} above chance"
    made, behind = [], (shown.backdrop, shown.brain)
    clusters = [(one.title, one.clusters) for one in chosen if one.clusters is not None]
    if clusters:
        made += found_pictures(
            f"{start}_clusters",
            clusters,
            space,
            behind,
            label=label,
            what=f"Mean {label} in clusters with p < {ALPHA:g} over the map{more}",
        )
    for name, values, unit, what in (
        ("maps", [one.above for one in chosen], label, f"Mean {label}{more}"),
        (
            "overlap",
            [one.of("overlap") for one in chosen],
            "participants",
            f"In how many participants p is below {ALPHA:g}, not corrected{more}",
        ),
        (
            "prevalence",
            [one.of("prevalencebound") for one in chosen],
            "share of the population",
            f"Lower bound of how many have an effect, corrected over the map{more}",
        ),
    ):
        drawn = [
            (one.title, own) for one, own in zip(chosen, values, strict=True) if own is not None
        ]
        if drawn:
            made += map_pictures(f"{start}_{name}", drawn, space, behind, label=unit, what=what)
    return made


@dataclass(frozen=True, slots=True, eq=False)
class _Chosen:
    """A comparison that is drawn, with its maps (n_units,) by their stat."""

    title: str
    chance: float
    numbers: tuple[int, ...]  # of the clusters that are drawn
    maps: Mapping[str, NDArray[np.float32]]

    def of(self, stat: str) -> NDArray[np.float64] | None:
        made = self.maps.get(stat)
        return None if made is None else made.astype(np.float64)

    @property
    def above(self) -> NDArray[np.float64]:
        values = next(self.maps[stat] for stat in SCORES if stat in self.maps)
        return values.astype(np.float64) - self.chance

    @property
    def clusters(self) -> NDArray[np.float64] | None:
        labels = self.of("cluster")
        return (
            None if labels is None else np.where(np.isin(labels, self.numbers), self.above, np.nan)
        )


def _chosen(shown: Shown, rows: NDArray[np.bool_]) -> list[_Chosen]:
    """Return those of some rows that lie highest above chance, in the order of the table."""
    table, clusters = shown.result.table, shown.result.extras["clusters"]
    models = [made.model for made in shown.result.maps if made.stat in SCORES]
    above = (table["highest"] - table["chance"]).fillna(-np.inf).to_numpy(float)
    order = np.argsort(-above, kind="stable")
    kept = np.sort(order[rows[order]][:MOST_DRAWN])
    made = []
    for row in kept if models else ():
        name = str(table["comparison"].iloc[row])
        own = clusters[(clusters["comparison"] == name) & (clusters["p_fwe"] < ALPHA)]
        maps = {one.stat: one.values for one in shown.result.maps if one.model == models[row]}
        numbers = tuple(int(one) for one in own["cluster"])
        made.append(_Chosen(shorten(name, 60), float(table["chance"].iloc[row]), numbers, maps))
    return made


def _metric(rows: pd.DataFrame) -> str:
    found = dict.fromkeys(map(str, rows["metric"]))
    return _words(next(iter(found))) if len(found) == 1 else "accuracy"


def _words(metric: str) -> str:
    return "Spearman's rho" if metric == RSA else metric.replace("_", " ")


def searchlight_numbers(shown: Shown) -> list[Number]:
    """Return the highest mean score of the comparison that lies furthest above chance."""
    rows = shown.result.table.dropna(subset="highest")
    if rows.empty:
        return []
    row = rows.iloc[int((rows["highest"] - rows["chance"]).to_numpy().argmax())]
    n = int(row["n_significant"])
    told = "" if n < 0 else f"; {counted(n, 'cluster')} (p < {ALPHA:g} over the map)"
    return [
        Number(
            decimals(row["highest"], 2),
            f"highest mean {_words(str(row['metric']))} for {row['comparison']} around "
            f"a {shown.unit}",
            f"chance {row['chance']:.2f}{told}",
        )
    ]


def searchlight_answer(shown: Shown) -> str:
    """Return how many clusters each comparison has, in a sentence or two."""
    table = shown.result.table
    if table.empty:
        return "No participant has maps in a space that all share."
    parts = []
    for row in table.to_dict("records"):
        highest = f"highest mean {decimals(row['highest'], 2)}, chance {row['chance']:.2f}"
        n = int(row["n_significant"])
        found = "no clusters were looked for" if n < 0 else counted(n, "cluster")
        parts.append(f"{row['comparison']}: {found} ({highest})")
    return f"Clusters above chance (p < {ALPHA:g} over the map): {'; '.join(parts)}."


def cluster_tables(shown: Shown) -> list[Table]:
    """Return the table of clusters, the rarest first, where there are some."""
    rows = shown.result.extras.get("clusters")
    if rows is None or rows.empty:
        return []
    order = rows.sort_values("p_fwe", kind="stable").drop(columns=list(HIDDEN))
    told = shown.result.columns | shown.result.extra_columns.get("clusters", {})
    more = "" if len(order) <= MOST_CLUSTERS else f" The {MOST_CLUSTERS} rarest of {len(order)}."
    return [
        table_of(
            _shown(order[:MOST_CLUSTERS]),
            told,
            caption=f"One row a cluster, the rarest first.{more}",
        )
    ]


def _shown(rows: pd.DataFrame) -> pd.DataFrame:
    """Return clusters without columns that say nothing."""
    numbers = rows.select_dtypes("number").columns
    return rows.drop(columns=[name for name in numbers if rows[name].isna().all()])


def lights_text(told: Mapping[str, Any], lights: Mapping[str, Any]) -> str:
    """Return what the methods text says of searchlights over participants, with citations.

    Parameters
    ----------
    told
        The settings of [group]; ``made`` of them, where it is there, names the maps that came
        out, so that nothing is said of what was left out.
    lights
        The settings of [searchlight]; what is missing is as by default.
    """
    made = told.get("made", ("pchance", "cluster", "prevalencebound"))
    if "pchance" not in made:
        return _AVERAGED
    is_decoded = bool(lights.get("comparisons", ("all",)))
    means = []
    if is_decoded:
        means.append(
            f"{told.get('n_maps', 10_000):,} chance maps of the group, means of one map of each "
            "participant, under exchanged labels or as it is"
        )
    has_models = bool(lights.get("models") or lights.get("categories"))
    if has_models:
        means.append("means over participants of the maps under one exchange of items")
    has_clusters = "cluster" in made
    clusters = f", and each cluster of units with p < {told.get('p_unit', 0.001):g},"
    text = (
        f"{_AVERAGED} Each unit{clusters * has_clusters} was compared with "
        f"{' (decoding), or with '.join(means)}{' (dissimilarities)' * (len(means) > 1)} "
        f"[@stelzer2013]{_CALLED * has_clusters}."
    )
    if "contrastcluster" in made:
        text += _CONTRAST_CLUSTERS.format(p=told.get("p_unit", 0.001))
    if has_models:
        text += (
            " As all participants saw the same items, each exchange was one and the same for all "
            "of them; p of flipped signs generalizes over participants, not over stimuli."
        )
    is_asked = "prevalence" in told.get("tests", ()) and "prevalencebound" in made
    if not is_asked or not is_decoded:
        return text
    return (
        f"{text} At each unit the prevalence was bounded from below by the lowest score of all "
        "participants, corrected over the map by the largest of these [@allefeld2016]."
    )


def _known(counts: pd.Series[int]) -> list[str]:
    return [f"{n:,}" if n >= 0 else "n/a" for n in counts]


def searchlight_how(shown: Shown) -> str:
    """Say how maps were averaged and clusters were found, in a few sentences."""
    table = shown.result.table
    if table.empty:
        return ""
    parts = ["Maps are means over participants."]
    parts += _compared_how(shown)
    parts += contrast_how(shown)
    if np.isfinite(table["highest"]).any():
        parts.append(
            "Overlap counts participants whose own p is below 0.05, which is not corrected: 5 % "
            "of them are so by chance."
        )
    return " ".join(parts)


def _compared_how(shown: Shown) -> list[str]:
    """Say how means were compared with maps under exchanged labels, where they were."""
    told, stats = shown.result.meta, {made.stat for made in shown.result.maps}
    if "pchance" not in stats:
        return []
    table = shown.result.table[shown.result.table["n_maps"] > 0]
    has_clusters = bool((table["n_clusters"] >= 0).any())
    is_paired = table["metric"] == RSA
    drawn = table.loc[~is_paired, "n_maps"]
    n = int((table[table["n_clusters"] >= 0] if has_clusters else table)["n_common"].min())
    what = "Clusters are looked for" if has_clusters else "Means are compared with chance maps"
    parts = [f"{what} among the {units(n, shown.unit)} that all have measured."]
    if len(drawn):
        parts.append(
            f"{told['n_chance_maps']:,} chance maps of the group are means of one map of each "
            f"participant (of {int(drawn.min()):,} or more under exchanged labels, and the one "
            "as it is)."
        )
    if is_paired.any():
        parts.append(
            "Where dissimilarities are compared, a chance map of the group is the mean of all "
            "participants' maps under one exchange of items, the same for all; flipped signs "
            "tell of other participants, not of other stimuli."
        )
    if has_clusters:
        parts.append(
            f"A unit is part of a cluster where its mean is as rare as p = {told['p_unit']:g} "
            "among them; p over the map is the share of chance maps whose largest cluster is at "
            "least as large (Stelzer et al., 2013)."
        )
    return parts
