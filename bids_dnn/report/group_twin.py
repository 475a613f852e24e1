"""The section on the network's twin over participants, and what is said of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from bids_dnn.containers.result import Result
from bids_dnn.report.group_figures import contrast_pictures
from bids_dnn.report.over_participants import contrast_tables, group_how
from bids_dnn.report.parts import (
    Number,
    Picture,
    Section,
    counted,
    decimals,
    listed,
    picture,
    table_of,
)
from bids_dnn.report.shown import ALPHA, Shown, ordered
from bids_dnn.report.twin import KEY, bars_picture, patterns_of
from bids_dnn.report.twin_figures import (
    nearest_lines,
    noise_of,
    titles_of,
    twin_heat_maps,
    twin_patterns,
)
from bids_dnn.stats.orders import FEWEST_COMPARISONS

CAPTIONS = {
    "network": "One row a layer, level of noise and comparison.",
    "regions": "One row a region and comparison.",
}


def group_twin_section(shown: Shown) -> Section:
    """Return the section on networks decoded beside regions, over participants.

    Parameters
    ----------
    shown
        Of the group's analysis ``twin``.
    """
    result = shown.result
    told = result.extra_columns
    pictures = [_bars_picture(shown)]
    if result.table["best"].any():
        pictures += [_pattern_picture(shown), _lines_picture(shown), _heat_picture(shown)]
    tables = [
        table_of(
            ordered(result.table),
            result.columns,
            caption="One row a region, layer and level of noise.",
            link=shown.link,
        )
    ]
    tables += [
        table_of(result.extras[name], told[name], caption=caption)
        for name, caption in CAPTIONS.items()
    ]
    return Section(
        shown.name,
        "The network's twin",
        "Which layer, under how much noise, tells conditions apart as a region does?",
        group_twin_answer(result),
        (*pictures, *contrast_pictures(shown, of="rho")),
        (*tables, *contrast_tables(shown)),
        _how(shown),
    )


def group_twin_answer(result: Result) -> str:
    """Say in a sentence or two which layer is nearest to each region, or why none can be named.

    Parameters
    ----------
    result
        Of the group's analysis ``twin``.
    """
    table = result.table
    best = table[table["best"]]
    if best.empty:
        return f"Nobody can tell: {_why_no_rho(table)}."
    named = [
        f"{row['region']}: {row['layer']} of {row['network']} {noise_of(row['snr'])} "
        f"(mean rho {_of_ceiling(row)}; {_two_p(row)})"
        for row in best[best["is_named"]].to_dict("records")
    ]
    found = f"Nearest by rank over comparisons: {'; '.join(named)}. " if named else ""
    found += _unnamed(best[~best["is_named"]])
    regions = [
        str(one) for one in dict.fromkeys(table["region"]) if one not in set(best["region"])
    ]
    rest = table[table["region"].isin(regions)]
    return f"{found}{f'{listed(regions)}: {_why_no_rho(rest)}.' if regions else ''}".strip()


def _why_no_rho(table: pd.DataFrame) -> str:
    fewest = int(table["n_comparisons"].min()) if len(table) else 0
    if fewest < FEWEST_COMPARISONS:
        return f"{counted(fewest, 'comparison')} make no rank correlation"
    return "the scores of regions, or of layers, do not vary over comparisons"


def _unnamed(best: pd.DataFrame) -> str:
    """Say why no layer is named for regions, "" where there are none."""
    if best.empty:
        return ""
    floor = float(best["p_participants_floor"].min())
    why = f"With so few, p over participants cannot fall below {floor:.3g}. "
    texts = [
        f"{row['region']} (nearest: {row['layer']}, rho = {row['rho']:.2f}; {_two_p(row)})"
        for row in best.to_dict("records")
    ]
    return f"{why * (floor > ALPHA)}No layer can be named for {listed(texts)}. "


def _two_p(row: dict[Any, Any]) -> str:
    parts = [
        f"{name} p = {row[column]:.2g}"
        for column, name in (
            ("p_participants", "over participants"),
            ("p_conditions", f"under exchanges of {row['exchanged'] or 'conditions'}"),
        )
        if np.isfinite(row[column])
    ]
    return ", ".join(parts) or "not tested"


def _of_ceiling(row: dict[Any, Any]) -> str:
    told = f"{row['rho']:.2f}"
    if not row["lower"] > 0:
        return told
    return f"{told}, where participants agree by {row['lower']:.2f} to {row['upper']:.2f}"


def group_twin_numbers(shown: Shown) -> list[Number]:
    """Return the nearest layer of the region for which it is named with the highest rho.

    Parameters
    ----------
    shown
        Of the group's analysis ``twin``.
    """
    named = shown.result.table[shown.result.table["is_named"]]
    if named.empty:
        return []
    row = named.sort_values("rho", kind="stable").to_dict("records")[-1]
    label = f"mean rho of {row['region']} and {row['layer']} of {row['network']}, its nearest"
    return [Number(f"rho = {decimals(row['rho'], 2)}", f"{label} layer", _two_p(row))]


def group_twin_text() -> str:
    """Return the paragraph of the methods text, with citations."""
    return (
        "Over participants, the mean rank correlation of each layer and level of noise with a "
        "region was tested in two ways. That it lies above zero in other people, too, was tested "
        "by flipping signs, against the largest t of all layers and levels for the region "
        "[@westfall1993; @nichols2002]. That it is more than the best of as many unrelated layers "
        "would have in these participants was tested by exchanges of conditions between region "
        "and network, the same for all participants (or of single comparisons where those asked "
        "for do not allow that), against the highest mean of all layers and levels "
        "[@kriegeskorte2008; @westfall1993]. A layer was named only where both p were 0.05 or "
        "less. Bounds of these correlations are how participants agree, in ranks [@nili2014]."
    )


def _how(shown: Shown) -> str:
    table = shown.result.table
    exchanged = listed(sorted(set(table["exchanged"]) - {""}) or ["conditions"])
    n = int(table["n_participants"].max())
    floors = [
        f"{name} cannot fall below {floor:.2g}. "
        for name in ("p_participants", "p_conditions")
        if np.isfinite(floor := float(table[f"{name}_floor"].min()))
    ]
    return (
        f"rho is the mean of {counted(n, 'participant')}: Spearman's correlation over comparisons "
        "of the scores of a region and of a layer, as shares of what lies between chance and one. "
        f"{group_how(shown)} Flipped signs say whether other people would have it with these "
        "conditions (p_participants: by the largest t of all layers and levels of a region), not "
        "whether it would hold for other conditions. All saw the same conditions, so that "
        "an accident of these is in all of them alike: p_conditions compares with the highest "
        f"mean rho of all layers and levels under exchanges of {exchanged} between region and "
        "network, the same in all participants, region by region. A layer is named where both p "
        f"are {ALPHA:g} or less; that says nothing of the next nearest, with which contrasts "
        f"compare. {''.join(floors)}The bounds are how participants agree: "
        "mean correlation of each with the mean of the others (lower), and of all (upper), in "
        "ranks."
    )


def _bars_picture(shown: Shown) -> Picture:
    told = {"ci_lowest": "ci_low", "ci_highest": "ci_high", "p_highest": "p_corrected"}
    return bars_picture(
        f"{shown.name}_noise",
        shown.result.extras["network"].rename(columns=told),
        "What is decoded from layers: means over participants, each on the stimuli that the "
        "participant saw. Lines: from the lowest to the highest end of participants' own "
        "intervals. Dashed: chance. Stars: the highest of participants' corrected p * < 0.05, "
        "** < 0.01, *** < 0.001.",
    )


def _pattern_picture(shown: Shown) -> Picture:
    best = _nearest(shown.result.table)
    patterns = patterns_of(shown.result)
    titles = titles_of(best, list(dict.fromkeys(patterns["region"])))
    return picture(
        f"{shown.name}_patterns",
        lambda theme: twin_patterns(patterns, titles, shown.colors, theme=theme),
        alt="Bars of mean accuracy by comparison, of each region beside its nearest layer.",
        caption="Mean scores of each region, beside the layer and level of noise with the "
        "highest mean rho, its 95 % t interval over participants, and the larger of its two p. "
        "Where no layer is named, it may be nearest by accident. Dashed: chance.",
    )


def _nearest(table: pd.DataFrame) -> pd.DataFrame:
    """Return the best row of each region, with the larger of its two p."""
    best = table[table["best"]]
    larger = best[["p_participants", "p_conditions"]].max(axis=1, skipna=False)
    return best.assign(p_corrected=larger)


def _lines_picture(shown: Shown) -> Picture:
    best = shown.result.table[shown.result.table["best"]]
    points = shown.points
    dots = best[["region", *KEY]] if points is None else points.merge(best[["region", *KEY]])
    return picture(
        f"{shown.name}_nearest",
        lambda theme: nearest_lines(best, dots, shown.colors, theme=theme),
        alt=f"The mean rho of the nearest layer in {counted(len(best), 'region')}, with a dot for "
        "each participant.",
        caption="rho of the nearest layer and level of each region. Full dots: means, with 95 % t "
        "intervals over participants; hollow dots: participants. Bars: how participants agree, "
        "from the lower to the upper bound. Stars: a layer can be named. The nearest of many "
        "seems nearer than it is.",
    )


def _heat_picture(shown: Shown) -> Picture:
    table = shown.result.table
    return picture(
        f"{shown.name}_rho",
        lambda theme: twin_heat_maps(table, theme=theme),
        alt="Heat maps of mean rank correlations by layer and level of noise, for "
        f"{counted(table['region'].nunique(), 'region')}.",
        caption="Mean over participants of the rank correlation of a region's scores with those "
        "of a layer. Boxed: the highest of a region for which a layer can be named. Hatched: not "
        "known.",
    )
