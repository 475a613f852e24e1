"""What is said of tests over participants, on the page and in the methods text."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from bids_dnn.containers.result import StatMap
from bids_dnn.report.estimators import uncited
from bids_dnn.report.maps import found_pictures, map_pictures
from bids_dnn.report.parts import Picture, Table, table_of
from bids_dnn.report.shown import ALPHA, Shown, is_significant, ordered

P_STATS = {  # maps of p of flipped signs, and how they are called
    "q": "q (false discovery rate)",
    "pmax": "p (corrected by the largest t)",
    "ptfce": "p (corrected by the largest cluster-enhanced t)",
    "p": "p (not corrected)",
}
_TESTS = {
    "sign-flip": "by flipping signs [@nichols2002]",
    "t": "by t tests",
    "wilcoxon": "by Wilcoxon's signed ranks [@wilcoxon1945]",
}
_MORE = {
    "sign-flip": "All flips were enumerated for small groups, so that the smallest possible p is "
    "one over their number.",
    "t": "The t test takes scores as normally distributed.",
    "wilcoxon": "Signed ranks are exact and leave out scores at chance.",
}
_P_OF = {"sign-flip": "flips", "t": "t tests", "wilcoxon": "signed ranks"}
_CORRECT = {
    "fdr": "control the false discovery rate over {rows} [@benjamini1995]",
    "max": "control the family-wise error over {rows} by the largest t of each flip "
    "[@westfall1993; @nichols2002]",
    "tfce": "control the family-wise error over {rows} by the largest t of each flip "
    "[@westfall1993; @nichols2002]",
    "none": "are as they were, for nothing was corrected",
}
_ENHANCED = (
    "Maps of voxels (and of vertices whose mesh was at hand) were corrected by the largest "
    "cluster-enhanced t of each flip, exactly integrated over heights (E = 0.5, on surfaces 1; "
    "H = 2) [@smith2009]."
)
_MIXED = (
    "Scores of sessions were fitted with a mixed model, participants as a random effect, by "
    "restricted maximum likelihood [@laird1982]."
)
_PREVALENCE = (
    "The prevalence of an effect was estimated from the number of participants whose own p is at "
    "most 0.05, as posterior mode with 95 % highest-density interval [@ince2021]"
)
_BOUNDED = (
    ", and, where scores under exchanged labels are there, bounded from below by the minimum "
    "statistic [@allefeld2016], exact over all combinations of the participants' permutations"
)
_ALL_COUNTED = "Prevalence is of all with a score, also of those without a covariate."
_ADJUSTED = (
    "Means are those at the mean of {names}, whose share was taken away before flips and "
    "exchanges [@freedman1983; @winkler2014]."
)
_CONTRASTS = (
    "Contrasts within participants were tested by flipping the signs of differences, those "
    "between groups by exchanging labels under Welch's t [@welch1947] (with covariates, the t of "
    "the linear model); their corrected p are over {what} of each contrast."
)


def group_text(told: Mapping[str, Any]) -> str:
    """Return the paragraph of the methods text on tests over participants.

    Parameters
    ----------
    told
        The settings of [group]; ``made`` of them, where it is there, names what came out
        (`made_of`), so that nothing is said of what was left out.
    """
    tests = [name for name in told.get("tests", ()) if name in _TESTS]
    parts = []
    if tests:
        parts.append(
            "Over participants, the mean of each score was tested one-sided (decoding against "
            f"chance, encoding against zero) {_joined([_TESTS[name] for name in tests])}."
        )
        parts += [_MORE[name] for name in tests]
    parts.append("Intervals are 95 % t intervals of the mean over participants.")
    if tests and told.get("correct") in _CORRECT:
        parts.append(_corrected(tests[0], str(told["correct"]), "the rows of an analysis"))
    if told.get("correct") == "tfce" and _is_made(told, "ptfce"):
        parts.append(_ENHANCED)
    return " ".join([*parts, *_further(told)])


def made_of(tables: Iterable[pd.DataFrame]) -> set[str]:
    """Return the columns in which at least one row has a value.

    Examples
    --------
    >>> made_of([pd.DataFrame({"p": [0.5, np.nan], "mean_mixed": [np.nan, np.nan]})])
    {'p'}
    """
    return {str(name) for table in tables for name in table if table[name].notna().any()}


def group_how(shown: Shown, *, less: str = "") -> str:
    """Say beside a figure how a group was tested.

    Parameters
    ----------
    shown
        A result of the group.
    less
        What is taken from each score before it is tested, such as ``its chance level``.
    """
    told = shown.result.meta | {"made": made_of([shown.result.table, *_contrasts(shown)])}
    tests = [name for name in told.get("tests", ()) if name in _TESTS]
    parts = []
    if tests:
        what = f"Each score less {less}" if less else "Each score"
        how = _joined([_TESTS[name] for name in tests])
        parts.append(f"{what} was tested one-sided against zero {how}.")
        parts.append(_corrected(tests[0], str(told.get("correction", "none")), "this table"))
    parts += _further(told)
    if "prevalence_largest" in shown.result.table:
        most = shown.result.table["prevalence_largest"].max()
        parts.append(
            f"So many participants and permutations can prove a prevalence of {most:.2f} at most."
            if np.isfinite(most)
            else "So many participants and permutations can prove no prevalence."
        )
    return uncited(" ".join(parts))


def _contrasts(shown: Shown) -> list[pd.DataFrame]:
    rows = shown.result.extras.get("contrasts")
    return [] if rows is None else [rows]


def contrast_tables(shown: Shown) -> list[Table]:
    """Return the table of contrasts, where some were asked for."""
    rows = shown.result.extras.get("contrasts")
    if rows is None:
        return []
    told = shown.result.columns | shown.result.extra_columns.get("contrasts", {})
    return [table_of(ordered(rows), told, caption=f"Contrasts. {contrast_answer(rows)}")]


def overlap_pictures(shown: Shown, best: Sequence[tuple[str, StatMap]]) -> list[Picture]:
    """Draw in how many participants units are significant, where the group has such maps.

    Parameters
    ----------
    shown
        A result.
    best
        Title and map of the models that are drawn.
    """
    counts = {made.model: made for made in shown.result.maps if made.stat == "overlap"}
    found = [
        (title, counts[made.model].values.astype(float))
        for title, made in best
        if made.model in counts
    ]
    if shown.result.space is None or not found:
        return []
    return map_pictures(
        f"{shown.name}_overlap",
        found,
        shown.result.space,
        (shown.backdrop, shown.brain),
        label="participants",
        what="In how many participants q is below 0.05",
    )


def significant_pictures(shown: Shown, best: Sequence[tuple[str, StatMap]]) -> list[Picture]:
    """Draw where the means of a group are significant, where it has such maps.

    Parameters
    ----------
    shown
        A result.
    best
        Title and map of the models that are drawn.
    """
    space = shown.result.space
    p_of = {made.model: made for made in shown.result.maps if made.stat in P_STATS}
    found = [
        (title, np.where(p_of[made.model].values < ALPHA, made.values, np.nan).astype(float))
        for title, made in best
        if made.model in p_of
    ]
    if space is None or not found or not shown.is_group:
        return []
    said = {made.stat for made in p_of.values()}
    return found_pictures(
        f"{shown.name}_found",
        found,
        space,
        (shown.backdrop, shown.brain),
        what=f"Mean r where {' or '.join(P_STATS[one] for one in sorted(said))} is below {ALPHA}",
    )


def contrast_answer(rows: pd.DataFrame) -> str:
    """Return how often each contrast holds, in a sentence.

    Parameters
    ----------
    rows
        The extra table ``contrasts`` of a group.
    """
    parts = []
    for text, part in rows.groupby("contrast", sort=False):
        n = int(part.apply(is_significant, axis=1).sum())
        floor = float(part["p_floor"].min())
        weak = f" (no p can fall below {floor:.3g})" if floor >= ALPHA else ""
        parts.append(f"{text}: {n} of {len(part)}{weak}")
    return f"Rows with corrected p < {ALPHA:g}: {'; '.join(parts)}."


def _corrected(test: str, correct: str, rows: str) -> str:
    return f"Corrected p (of {_P_OF[test]}) {_CORRECT[correct].format(rows=rows)}."


def _further(told: Mapping[str, Any]) -> list[str]:
    names = list(told.get("covariates") or ())
    parts = [_ADJUSTED.format(names=_joined(names))] if names else []
    of_maps = told.get("made") is not None and _is_made(told, "contrastmap")
    if told.get("contrasts") and _is_made(told, "difference"):
        what = "the units" if of_maps else "the rows"
        if of_maps and _is_made(told, "contrast"):
            what = "the rows of a table, or the units of a map,"
        parts.append(_CONTRASTS.format(what=what))
    if "mixed" in told.get("tests", ()) and _is_made(told, "mean_mixed"):
        parts.append(_MIXED)
    if "prevalence" in told.get("tests", ()) and _is_made(told, "prevalence"):
        parts.append(f"{_PREVALENCE}{_BOUNDED if _is_made(told, 'p_global') else ''}.")
        parts += [_ALL_COUNTED] * bool(names)
    return parts


def _is_made(told: Mapping[str, Any], column: str) -> bool:
    """Tell whether a column came out; where that is not known, it did."""
    made: Collection[str] | None = told.get("made")
    return made is None or column in made


def _joined(words: Sequence[str]) -> str:
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last
