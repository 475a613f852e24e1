"""Whether a score holds for the group: one row a region and comparison or layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bids_dnn.containers.nulls import Nulls
from bids_dnn.containers.result import EVERY, Result
from bids_dnn.group import contrasts, prevalence, sessions
from bids_dnn.group.choices import Choices
from bids_dnn.group.family import FURTHER, Family, corrected, family_of
from bids_dnn.group.people import ALONE, People, numbers_of
from bids_dnn.stats.inference import t_interval
from bids_dnn.stats.metrics import finite_mean, within_range
from bids_dnn.stats.participants import NUMBERS, compare_with_zero
from bids_dnn.stats.power import sd_over_runs
from bids_dnn.stats.ranks import signed_rank

Float = NDArray[np.float64]
OWN = ("p", "p_floor")  # of participants, for prevalence
CORRECTED = {"sign-flip": "p", "t": "p_t", "wilcoxon": "p_wilcoxon"}

COLUMNS = {
    "region": "Name of the region.",
    "comparison": "What was told apart: two conditions or sets of them, or `all` at once.",
    "estimator": "How responses were predicted.",
    "network": "Name of the network; * = all of them.",
    "layer": "Module path of the layer; chosen layer = each unit's, by training images alone.",
    "snr": "Signal-to-noise ratio of the noise on a layer's features; inf = without noise.",
    "target": "units = scores of a region's units, averaged; mean = of the units' mean response.",
    "metric": "What `score` is; several where participants differ.",
    "n_participants": "Participants with a score here (and with all covariates).",
    "score": "Mean of the participants' scores.",
    "ci_low": "Lower end of the 95 % t interval of the mean over participants, at the mean of the "
    "covariates where there are some, cut to what the metric can be; n/a under two.",
    "ci_high": "Upper end of that interval.",
    "chance": "Mean over participants of the score expected by chance.",
    "ceiling": "Mean over participants of the noise ceiling.",
    "normalized": "Mean over participants of score divided by ceiling.",
    "p": "One-sided p of the sign-flip permutation test over participants.",
    "p_floor": "Smallest p that the first of the tests can give with so many participants; n/a "
    "for t tests.",
    "p_t": "One-sided p of a t test over participants, which takes scores as normal; n/a where "
    "all of them score alike.",
    "p_wilcoxon": "One-sided exact p of Wilcoxon's signed ranks; scores at chance are left out.",
    "p_corrected": "p of the first of the tests, corrected over all rows of this metric and "
    "target in the analysis.",
    **sessions.COLUMNS,
    **prevalence.COLUMNS,
    "missing": "Participants without a score here (or without a covariate).",
    "best": "Highest mean score of its region.",
}


SINGLES = {
    "score": "The participant's score.",
    "chance": "Score expected by chance.",
    "ceiling": "Noise ceiling.",
    "normalized": "Score divided by ceiling.",
    "n_runs": "Runs, each left out once.",
    "run_sd": "SD of the score over the runs left out, from its interval (for bids_dnn_tools "
    "power); n/a under 3 runs.",
}


@dataclass(frozen=True, slots=True, eq=False)
class About:
    """What is known of participants beside their scores.

    Parameters
    ----------
    expected
        Participants who should be there; those of the table by default.
    people
        What participants.tsv says of them.
    nulls
        Scores of decoding under exchanged labels, by participant, for prevalence.
    sessions
        Scores of single sessions, for the mixed model (see `sessions.mixed_columns`).
    """

    expected: Sequence[str] = ()
    people: People = field(default_factory=dict)
    nulls: Mapping[str, Nulls] = field(default_factory=dict)
    sessions: pd.DataFrame = field(default_factory=pd.DataFrame)


def test_group(  # no pytest: a function of the house, so PT028 is none of its business
    table: pd.DataFrame,
    *,
    analysis: str,
    choices: Choices = Choices(),  # noqa: B008, PT028 (frozen)
    about: About = About(),  # noqa: PT028 (frozen)
) -> Result:
    """Test in each region, for each comparison or layer, whether the group is above chance.

    Decoding scores are tested less each participant's own chance level, encoding scores and
    rank correlations of the twin against zero.

    Parameters
    ----------
    table
        As `stack` returns it: ``participant``, the keys of the analysis, ``score`` and what
        gives it its scale; ``metric`` where rows differ in what their score is; ``p`` and
        ``p_floor`` of participants for prevalence.
    analysis
        ``decode``, ``encode`` or ``twin``.
    choices
        The settings. The family is the whole analysis.
    about
        Who should be there, what participants.tsv says of them, and their nulls.

    Returns
    -------
    result
        Its table has one row a region and comparison or layer, in the order of `table`; the
        extra ``participants`` holds the single scores, the extra ``contrasts`` the differences
        that were asked for. What a single participant cannot give is NaN, and
        ``meta["warnings"]`` says so.

    Raises
    ------
    ConfigError
        If there is no such analysis, or a contrast or covariate does not exist.
    ShapeError
        If `table` lacks a column, or holds a participant twice in one row's place.
    NotEnoughDataError
        If covariates tell two groups apart by themselves.

    References
    ----------
    Nichols & Holmes (2002), Human Brain Mapping 15:1, doi:10.1002/hbm.1058.
    Benjamini & Hochberg (1995), J. R. Stat. Soc. B 57:289,
    doi:10.1111/j.2517-6161.1995.tb02031.x.
    """
    numbers = ["score", *FURTHER.get(analysis, ()), *OWN]
    family = family_of(table, analysis=analysis, numbers=numbers)
    everyone = sorted(set(about.expected) | set(family.labels))
    covariates = numbers_of(about.people, choices.covariates, family.labels)
    there = np.isfinite(family.columns["score"]) & ~np.isnan(covariates).any(axis=1)
    made = family.places.copy()
    if "metric" in table and "metric" not in made:
        made["metric"] = _metrics(table, family)
    for name, values in _described(family, there, analysis).items():
        made[name] = values
    made["missing"] = [
        ", ".join(sorted(set(everyone) - {family.labels[k] for k in np.flatnonzero(row)}))
        for row in there
    ]
    for name, values in _tests(family, choices, covariates, made).items():
        made[name] = values
    if "metric" in made:
        ends = zip(made["ci_low"], made["ci_high"], made["metric"], strict=True)
        cut = [within_range((low, high), str(metric)) for low, high, metric in ends]
        made["ci_low"], made["ci_high"] = np.array(cut, dtype=np.float64).reshape(-1, 2).T
    warnings = _warnings(int(made["n_participants"].max()), made, choices)
    warnings += _chances(family, there)
    if "mixed" in choices.tests:
        columns, said = sessions.mixed_columns(family, about.sessions, analysis=analysis)
        made = made.assign(**columns)
        warnings += said
    if "prevalence" in choices.tests:
        columns, said = prevalence.prevalence_columns(
            family, about.nulls, analysis=analysis, seed=choices.seed
        )
        made = made.assign(**columns)
        warnings += said
    if analysis == "encode":
        made["best"] = _best(made, family.names)
    made = made[[name for name in COLUMNS if name in made]]
    extras = {"participants": _singles(table, family, analysis)}
    if choices.contrasts:
        differences, said = contrasts.contrast_table(
            family, analysis=analysis, choices=choices, people=about.people, everyone=everyone
        )
        warnings += said
        if len(differences):
            extras["contrasts"] = differences
    return Result(
        analysis=analysis,
        table=made,
        columns={name: COLUMNS[name] for name in made.columns},
        meta=_facts(family, choices, about) | {"warnings": warnings},
        extras=extras,
        extra_columns={"participants": SINGLES}
        | ({"contrasts": contrasts.COLUMNS} if "contrasts" in extras else {}),
    )


def _singles(table: pd.DataFrame, family: Family, analysis: str) -> pd.DataFrame:
    """Return the single scores, of decoding with how much they vary over runs."""
    own = ["participant", *family.places.columns, "score", *FURTHER[analysis]]
    made = table[own].reset_index(drop=True)
    if analysis == "decode" and {"ci_low", "ci_high", "n_runs"} <= set(table.columns):
        low, high, score, n_runs = (
            table[name].to_numpy(dtype=np.float64)
            for name in ("ci_low", "ci_high", "score", "n_runs")
        )
        made["n_runs"] = table["n_runs"].to_numpy()
        made["run_sd"] = sd_over_runs(low, high, score, n_runs)
    return made


def _metrics(table: pd.DataFrame, family: Family) -> list[str]:
    """Return the metrics of each row, which may differ between participants."""
    keys = list(family.places.columns)
    known = table[np.isfinite(table["score"])]
    told = {
        place: ", ".join(sorted(set(part)))
        for place, part in known.groupby(keys, sort=False, dropna=False)["metric"]
    }
    return [told.get(place, "") for place in family.places.itertuples(index=False, name=None)]


def _described(family: Family, there: NDArray[np.bool_], analysis: str) -> dict[str, Any]:
    made: dict[str, Any] = {"n_participants": there.sum(axis=1)}
    for name in ("score", *FURTHER[analysis]):
        values = np.where(there, family.columns[name], np.nan)
        made[name] = np.array([finite_mean(row) for row in values])
    ends = [t_interval(row) for row in np.where(there, family.columns["score"], np.nan)]
    made["ci_low"], made["ci_high"] = np.array(ends, dtype=np.float64).reshape(-1, 2).T
    return made


def _tests(
    family: Family, choices: Choices, covariates: Float, made: pd.DataFrame
) -> dict[str, Float]:
    n_rows = len(family.above)
    told = {name: np.full(n_rows, np.nan) for name in NUMBERS}
    for rows in family.parts():
        found = compare_with_zero(
            family.above[rows],
            covariates=covariates if choices.covariates else None,
            seed=choices.seed,
        )
        for name in told:
            if hasattr(found, name):
                told[name][rows] = getattr(found, name)
    out = {name: np.full(n_rows, np.nan) for name in ("p", "p_floor", "p_t")}
    if "sign-flip" in choices.tests:
        out["p"] = told["p"]
    if "t" in choices.tests:
        out["p_t"] = told["p_t"]
    if "wilcoxon" in choices.tests:
        ranked = np.array([signed_rank(row) for row in family.above]).reshape(-1, 2)
        out["p_wilcoxon"] = ranked[:, 0]
    if choices.first_test == "sign-flip":
        out["p_floor"] = told["p_floor"]
    elif choices.first_test == "wilcoxon":
        out["p_floor"] = ranked[:, 1]
    first = out[CORRECTED[choices.first_test]] if choices.first_test else out["p"]
    out["p_corrected"] = corrected(first, told["p_corrected"], family.names, choices.correct)
    if choices.covariates:  # the interval is that of the model
        moved = made["score"].to_numpy(dtype=np.float64) - told["estimate"]
        out |= {"ci_low": told["low"] + moved, "ci_high": told["high"] + moved}
    return out


def _best(made: pd.DataFrame, names: NDArray[np.object_]) -> NDArray[np.bool_]:
    single = made["network"] != EVERY
    family = pd.Series(names, index=made.index)
    top = made["score"].where(single).groupby([made["region"], family]).transform("max")
    return (single & (made["score"] == top)).to_numpy()


def _facts(family: Family, choices: Choices, about: About) -> dict[str, Any]:
    return {
        "level": "group",
        "participants": list(family.labels),
        "missing_participants": sorted(set(about.expected) - set(family.labels)),
        "tests": list(choices.tests),
        "correction": choices.correct,
        "covariates": list(choices.covariates),
        "contrasts": list(choices.contrasts),
        "interval": "95 % t interval of the mean over participants",
        "seed": choices.seed,
    }


def _chances(family: Family, there: NDArray[np.bool_]) -> list[str]:
    """Say of which comparisons participants differ in what is expected by chance."""
    if "chance" not in family.columns or "comparison" not in family.places:
        return []
    chances = np.where(there, family.columns["chance"], np.nan)
    told: dict[str, str] = {}
    for name, row in zip(family.places["comparison"], chances, strict=True):
        levels: dict[float, list[str]] = {}
        for label, level in zip(family.labels, row, strict=True):
            if np.isfinite(level):
                levels.setdefault(round(float(level), 9), []).append(f"sub-{label}")
        if len(levels) > 1:
            told.setdefault(
                str(name), "; ".join(f"{k:.3g} in {', '.join(levels[k])}" for k in sorted(levels))
            )
    return [
        f"{name}: chance differs between participants ({each}), who have other numbers of sides. "
        "Tests take each one's own chance; the mean score compares with the mean chance."
        for name, each in told.items()
    ]


def _warnings(n_max: int, made: pd.DataFrame, choices: Choices) -> list[str]:
    if n_max < 2:
        return [ALONE]
    if (made["p_floor"] > 0.05).all():
        what = {"wilcoxon": "signed-rank"}.get(choices.first_test, choices.first_test)
        return [
            f"With {n_max} participants the {what} test cannot give a p below "
            f"{made['p_floor'].min():.3g}."
        ]
    return []
