"""The section on the network's twin of decoding, and what is said of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from bids_dnn.containers.result import Result
from bids_dnn.report.decoders import classifier_and_folds
from bids_dnn.report.parts import Picture, Section, counted, listed, picture, table_of
from bids_dnn.report.shown import ALPHA, floor_text, nothing_can_be
from bids_dnn.report.twin_figures import (
    hues_of,
    noise_bars,
    noise_of,
    panels_of,
    titles_of,
    twin_heat_maps,
    twin_patterns,
)

INTERVALS = {
    "t": "95 % corrected resampled t intervals over folds",
    "bootstrap": "95 % bootstrap intervals over stimuli",
}
KEY = ["network", "layer", "snr"]


def twin_section(result: Result, colors: Mapping[str, str], *, link: str = "") -> Section:
    """Return the section on networks decoded beside regions.

    Parameters
    ----------
    result
        Of the analysis ``twin``.
    colors
        Of each region.
    link
        Where its main table lies, from the page.
    """
    if "is_named" not in result.table:
        return Section(
            "twin",
            "The network's twin",
            "Which layer, under how much noise, tells conditions apart as a region does?",
            "This result was left by an earlier version, which did not test the nearest layer. "
            "Run --analysis twin again.",
            (),
            (table_of(result.table, result.columns, caption="As it was left.", link=link),),
            "",
        )
    table, network = result.table, result.extras["network"]
    told = result.extra_columns.get("network", {})
    pictures = [_bars_picture(result)]
    patterns = patterns_of(result)
    if not patterns.empty:
        pictures.append(_pattern_picture(result, patterns, colors))
    if table["rho"].notna().any():
        pictures.append(_heat_picture(table))
    return Section(
        "twin",
        "The network's twin",
        "Which layer, under how much noise, tells conditions apart as a region does?",
        twin_answer(result),
        tuple(pictures),
        (
            table_of(
                table,
                result.columns,
                caption="One row a region, layer and level of noise.",
                link=link,
            ),
            table_of(
                network,
                result.columns | told,
                caption="One row a layer, level of noise and comparison.",
            ),
        ),
        _how(result) + floor_text(network),
    )


def twin_answer(result: Result) -> str:
    """Say in a sentence or two which layer is nearest, and what is decoded from it."""
    best = result.table[result.table["best"]]
    network = result.extras["network"]
    n = int((network["p_corrected"] < ALPHA).sum())
    above = nothing_can_be(network) or (
        f"{n} of {len(network)} scores of layers lie above chance (corrected p < {ALPHA:g})."
    )
    if best.empty:
        fewest = int(result.table["n_comparisons"].min()) if len(result.table) else 0
        what = counted(fewest, "comparison")
        return f"Nobody can tell: {what} in common make no rank correlation. {above}"
    parts = [
        f"{row['region']}: {row['layer']} of {row['network']} {noise_of(row['snr'])} "
        f"(rho = {row['rho']:.2f}, corrected p = {row['p_corrected']:.2g})"
        for row in best[best["is_named"]].to_dict("records")
    ]
    found = f"Nearest by rank over comparisons: {'; '.join(parts)}. " if parts else ""
    return found + _unnamed(result, best[~best["is_named"]]) + above


def _unnamed(result: Result, best: pd.DataFrame) -> str:
    """Say why no layer is named for regions, "" where there are none."""
    said = ""
    undecoded = [str(name) for name in best.loc[~best["is_decoded"], "region"]]
    if undecoded:
        floor = nothing_can_be(result.extras["regions"])
        why = "no comparison is told above chance there (corrected p < 0.05)"
        said += f"No layer can be named for {listed(undecoded)}: {why}. {floor}"
    rest = best[best["is_decoded"]]
    if len(rest):
        texts = [
            f"{row['region']} (rho = {row['rho']:.2f}, p = {row['p_corrected']:.2g})"
            for row in rest.to_dict("records")
        ]
        said += (
            f"No layer can be told from unrelated ones for {listed(texts)}: the best of as many "
            "of these can have as high a rho. "
        )
    return said


def patterns_of(result: Result) -> pd.DataFrame:
    """Return the scores of regions beside those of their nearest layers and levels.

    Parameters
    ----------
    result
        Of the analysis ``twin``, of a participant or of the group.

    Returns
    -------
    patterns
        ``region``, ``comparison``, ``brain``, ``network``, ``chance``; no row of a region in
        which a participant has nothing decoded.
    """
    network = result.extras["network"][[*KEY, "comparison", "score"]]
    made = _beside(result)[["region", *KEY]].merge(network, on=KEY)
    made = made.rename(columns={"score": "network", "network": "name"})
    regions = result.extras["regions"].rename(columns={"score": "brain"})
    return made.merge(regions, on=["region", "comparison"])


def _beside(result: Result) -> pd.DataFrame:
    """Return the row of the nearest layer and level of each region that is drawn."""
    best = result.table[result.table["best"]]
    return best[best["is_decoded"]] if "is_decoded" in best else best


def twin_text(told: Mapping[str, Any]) -> str:
    """Describe the twin for the methods text, with citations.

    Parameters
    ----------
    told
        The settings of ``twin``, with those of ``decode`` for regions under that name; what is
        missing is as by default.
    """
    n = told.get("components", 100)
    reduced = (
        f"Their first {n} principal components were learnt on the training stimuli of each fold. "
        if n != "all"
        else ""
    )
    where = "each feature" if n == "all" else "each component"
    kind = {
        "isotropic": f"as strong on {where}",
        "proportional": "its variance a fixed share of that of each principal component",
    }[told.get("noise", "isotropic")]
    levels = [f"{one:g}" for one in told.get("snr", ()) if one != "inf"]
    ways = ["without noise"] if "inf" in told.get("snr", ()) else []
    if levels:
        ways.append(
            f"with Gaussian noise added to all stimuli ({kind}), at ratios of {listed(levels)} "
            "of the mean squared distance of the training stimuli from their mean to the expected "
            f"squared length of the noise, as means over {told.get('draws', 20)} draws"
        )
    of_regions = classifier_and_folds(told.get("decode", {}))
    return (
        f"Beside layers of networks, regions were decoded with {of_regions}. The same "
        "comparisons were decoded from the features of each layer, one pattern a "
        f"stimulus, in {told.get('n_folds', 5)} folds of stimuli of each condition, with the "
        f"same classifier. {reduced}Scores were taken "
        f"{' and '.join(ways)}. Labels of stimuli were exchanged within folds "
        f"{told.get('permutations', 1000)} times [@ojala2010; @phipson2010], under the same "
        f"{counted(told.get('null_draws', 5), 'draw')} of the noise. Corrected p hold over "
        "layers, levels and comparisons by the maximum statistic [@westfall1993]. Regions and "
        "layers were compared by Spearman's correlation over comparisons of their scores, as "
        "shares of what lies between chance and one, with a 95 % bootstrap interval over "
        "comparisons and draws [@efron1993]. The highest rho of a region was tested against the "
        "highest of all layers and levels [@westfall1993] under exchanges of conditions between "
        "region and network [@kriegeskorte2008], with which comparisons move, or of single "
        "comparisons where those asked for do not allow that. A layer was named only where p was "
        "0.05 or less and the region was decoded above chance."
    )


def _how(result: Result) -> str:
    settings = result.meta.get("settings", {})
    n = settings.get("n_components")
    kept = f"the first {n} principal components" if n else "all features"
    return (
        f"Of each layer, {kept} were used, learnt on the training stimuli of each fold. Noise is "
        "told by its signal-to-noise ratio: the mean squared distance of training stimuli from "
        "their mean, over the expected squared length of the noise. rho compares shares of what "
        "lies between chance and one; its interval is over comparisons, which share conditions, "
        "and draws of the noise. The highest rho of many layers and levels seems higher than it "
        "is; its p counts that, by the highest under exchanges of "
        f"{_exchanged(result)} between region and network, region by "
        "region. Pictures that train the region's classifier may be shown in the runs that test "
        "it, those of the network never are."
    )


def _exchanged(result: Result) -> str:
    told = set(result.table["exchanged"])
    return (
        "conditions" if told == {"conditions"} else listed(sorted(told - {""}) or ["conditions"])
    )


def _bars_picture(result: Result) -> Picture:
    table = result.extras["network"]
    settings = result.meta.get("settings", {})
    return bars_picture(
        "twin_noise",
        table,
        f"Bars: means over {counted(int(table['n_draws'].max()), 'draw')} of the noise (one "
        f"without noise). Lines: {INTERVALS[settings.get('interval', 't')]}. Dashed: chance. "
        "Stars: corrected p * < 0.05, ** < 0.01, *** < 0.001.",
    )


def bars_picture(name: str, table: pd.DataFrame, caption: str) -> Picture:
    """Draw what is decoded from layers, by level of noise.

    Parameters
    ----------
    name
        Of the picture.
    table
        As `twin_figures.noise_bars` takes it.
    caption
        What bars, lines and stars are; what is not drawn is added.
    """
    layers, shown = table.drop_duplicates(["network", "layer"]), panels_of(table)
    for n, n_all, what in (
        (len(shown), len(layers), "layers, from first to last"),
        (len(hues_of(table)), table["comparison"].nunique(), "comparisons told best"),
    ):
        if n < n_all:
            caption += f" {n} of {n_all} {what}; all are in the table."
    return picture(
        name,
        lambda theme: noise_bars(table, theme=theme),
        alt=f"Bars of accuracy by level of noise, a color for each of "
        f"{counted(len(hues_of(table)), 'comparison')}, for {counted(len(shown), 'layer')}.",
        caption=caption,
    )


def _pattern_picture(result: Result, patterns: pd.DataFrame, colors: Mapping[str, str]) -> Picture:
    best = _beside(result)
    titles = titles_of(best, list(dict.fromkeys(patterns["region"])))
    return picture(
        "twin_patterns",
        lambda theme: twin_patterns(patterns, titles, colors, theme=theme),
        alt="Bars of accuracy by comparison, of each region beside its nearest layer.",
        caption="Each region that is decoded, beside the layer and level of noise whose scores "
        "have the most similar ranks, with the 95 % interval of rho and its p. Where no layer is "
        "named, the best of as many unrelated ones can be as near. Dashed: chance.",
    )


def _heat_picture(table: pd.DataFrame) -> Picture:
    n = counted(table["region"].nunique(), "region")
    return picture(
        "twin_rho",
        lambda theme: twin_heat_maps(table, theme=theme),
        alt=f"Heat maps of rank correlations by layer and level of noise, for {n}.",
        caption="Rank correlation of a region's scores with those of a layer, over comparisons. "
        "Boxed: the highest of a region for which a layer can be named. Hatched: not known.",
    )
