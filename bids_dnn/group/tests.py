"""Whether a score holds for the group: one row a region and comparison or layer."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bids_dnn.containers.result import EVERY, Result
from bids_dnn.errors import ConfigError, ShapeError, nearest
from bids_dnn.stats.inference import fdr, sign_flip, t_interval, t_one_sided
from bids_dnn.stats.metrics import finite_mean

Array = NDArray[np.floating[Any]]
Test = Literal["sign-flip", "t"]
Correction = Literal["fdr", "none"]
TESTS = ("sign-flip", "t")
CORRECTIONS = ("fdr", "none")
# What tells rows apart within a participant, and against what the score is tested.
KEYS = {"decode": ("region", "comparison"), "encode": ("region", "network", "layer")}
APART = ("estimator", "target", "metric")  # of encoding; what else may tell its rows apart
BASES = {"decode": "chance", "encode": None}
FURTHER = {"decode": ("chance",), "encode": ("ceiling", "normalized")}

COLUMNS = {
    "region": "Name of the region.",
    "comparison": "What was told apart: two conditions or sets of them, or `all` at once.",
    "estimator": "How responses were predicted.",
    "network": "Name of the network; * = all of them.",
    "layer": "Module path of the layer; chosen layer = each unit's, by training images alone.",
    "target": "units = scores of a region's units, averaged; mean = of the units' mean response.",
    "metric": "What `score` is; several where participants differ.",
    "n_participants": "Participants with a score here.",
    "score": "Mean of the participants' scores.",
    "ci_low": "Lower end of the 95 % t interval of the mean over participants; n/a under two.",
    "ci_high": "Upper end of the 95 % t interval of the mean over participants; n/a under two.",
    "chance": "Mean over participants of the score expected by chance.",
    "ceiling": "Mean over participants of the noise ceiling.",
    "normalized": "Mean over participants of score divided by ceiling.",
    "p": "One-sided p of the sign-flip permutation test over participants.",
    "p_floor": "Smallest p that the sign-flip test can give with so many participants.",
    "p_t": "One-sided p of a t test over participants, for reference.",
    "p_corrected": "p corrected over all rows of this metric and target in the analysis.",
    "missing": "Participants without a score here.",
    "best": "Highest mean score of its region.",
}


def test_group(  # no pytest: a function of the house, so PT028 is none of its business
    table: pd.DataFrame,
    *,
    analysis: str,
    tests: Sequence[str] = TESTS,  # noqa: PT028
    correct: str = "fdr",  # noqa: PT028
    seed: int = 0,  # noqa: PT028
    expected: Sequence[str] = (),  # noqa: PT028
) -> Result:
    """Test in each region, for each comparison or layer, whether the group is above chance.

    Decoding scores are tested less each participant's own chance level, encoding scores
    against zero.

    Parameters
    ----------
    table
        As `stack` returns it: ``participant``, the keys of the analysis, ``score`` and what
        gives it its scale; ``metric`` where rows differ in what their score is.
    analysis
        ``decode`` or ``encode``.
    tests
        ``sign-flip`` gives ``p`` and ``p_floor``; ``t`` gives ``p_t``.
    correct
        How ``p`` is corrected over the family, which is the whole analysis.
    seed
        Of the random sign flips, where there are too many to enumerate.
    expected
        Participants who should be there; those of `table` by default.

    Returns
    -------
    result
        Its table has one row a region and comparison or layer, in the order of `table`; the
        extra ``participants`` holds the single scores. What a single participant cannot give
        is NaN, and ``meta["warnings"]`` says so.

    Raises
    ------
    ConfigError
        If there is no such analysis, test or correction.
    ShapeError
        If `table` lacks a column, or holds a participant twice in one row's place.

    References
    ----------
    Nichols & Holmes (2002), Human Brain Mapping 15:1, doi:10.1002/hbm.1058.
    Benjamini & Hochberg (1995), J. R. Stat. Soc. B 57:289,
    doi:10.1111/j.2517-6161.1995.tb02031.x.
    """
    _check_names(analysis, tests, correct)
    keys = _keys(table, analysis)
    everyone = sorted(set(expected) | set(table["participant"]))
    rows = [
        _row(part, analysis=analysis, tests=tests, seed=seed, everyone=everyone)
        | dict(zip(keys, _tuple(place), strict=True))
        for place, part in table.groupby(keys, sort=False)
    ]
    made = pd.DataFrame(rows)
    apart = [name for name in APART if name in keys]
    family = made[apart].agg(" ".join, axis=1) if apart else pd.Series("", index=made.index)
    made["p_corrected"] = _corrected(made["p"], family, correct)
    if analysis == "encode":
        made["best"] = _best(made, family)
    made = made[[name for name in COLUMNS if name in made]]

    n_max = int(made["n_participants"].max())
    own = ["participant", *keys, "score", *FURTHER[analysis]]
    return Result(
        analysis=analysis,
        table=made,
        columns={name: COLUMNS[name] for name in made.columns},
        meta={
            "level": "group",
            "participants": [name for name in everyone if name in set(table["participant"])],
            "missing_participants": sorted(set(expected) - set(table["participant"])),
            "tests": list(tests),
            "correction": correct,
            "interval": "95 % t interval of the mean over participants",
            "seed": seed,
            "warnings": _warnings(n_max, made),
        },
        extras={"participants": table[own].reset_index(drop=True)},
    )


def _check_names(analysis: str, tests: Sequence[str], correct: str) -> None:
    if analysis not in KEYS:
        raise ConfigError(f"There is no analysis {analysis!r}.", mend=nearest(analysis, KEYS))
    for test in tests:
        if test not in TESTS:
            raise ConfigError(f"There is no group test {test!r}.", mend=nearest(test, TESTS))
    if correct not in CORRECTIONS:
        raise ConfigError(
            f"There is no correction {correct!r}.", mend=nearest(correct, CORRECTIONS)
        )


def _keys(table: pd.DataFrame, analysis: str) -> list[str]:
    # Which accuracy a comparison has, plain or balanced, may differ between participants.
    further = [name for name in APART if name in table] if analysis == "encode" else []
    keys = [*KEYS[analysis], *further]
    needed = ["participant", *keys, "score", *FURTHER[analysis]]
    if missing := [name for name in needed if name not in table]:
        raise ShapeError(
            f"The {analysis} table lacks the column(s) {missing}; it has {list(table.columns)}.",
            mend="Run the participant level again with this version.",
        )
    twice = table.duplicated(["participant", *keys])
    if twice.any():
        first = table.loc[twice, ["participant", *keys]].iloc[0].tolist()
        raise ShapeError(
            f"The {analysis} table holds {int(twice.sum())} row(s) twice, such as {first}.",
            mend="Give one table for each participant.",
        )
    return keys


def _tuple(place: Hashable) -> tuple[Any, ...]:
    return place if isinstance(place, tuple) else (place,)


def _row(
    part: pd.DataFrame, *, analysis: str, tests: Sequence[str], seed: int, everyone: list[str]
) -> dict[str, Any]:
    part = part[np.isfinite(part["score"])]
    base = BASES[analysis]
    scores = part["score"].to_numpy(float)  # (n_participants,)
    above = scores - (part[base].to_numpy(float) if base else 0.0)
    low, high = t_interval(scores)
    p, floor = sign_flip(above, seed=seed) if "sign-flip" in tests else (np.nan, np.nan)
    p_t = t_one_sided(above) if "t" in tests else np.nan
    metrics = {"metric": ", ".join(sorted(set(part["metric"])))} if "metric" in part else {}
    return (
        metrics
        | {
            "n_participants": len(scores),
            "score": finite_mean(scores),
            "ci_low": low,
            "ci_high": high,
            "p": p,
            "p_floor": floor,
            "p_t": p_t,
            "missing": ", ".join(
                name for name in everyone if name not in set(part["participant"])
            ),
        }
        | {name: finite_mean(part[name].to_numpy(float)) for name in FURTHER[analysis]}
    )


def _corrected(p: pd.Series[float], family: pd.Series[str], correct: str) -> Array:
    if correct == "none":
        return p.to_numpy(float)
    return p.groupby(family).transform(lambda part: fdr(part.to_numpy(float))).to_numpy(float)


def _best(made: pd.DataFrame, family: pd.Series[str]) -> NDArray[np.bool_]:
    single = made["network"] != EVERY
    top = made["score"].where(single).groupby([made["region"], family]).transform("max")
    return (single & (made["score"] == top)).to_numpy()


def _warnings(n_max: int, made: pd.DataFrame) -> list[str]:
    found = []
    if n_max < 2:
        found.append("One participant only: no interval over participants, and p cannot be < 0.5.")
    elif (made["p_floor"] > 0.05).all():
        found.append(
            f"With {n_max} participants the sign-flip test cannot give a p below "
            f"{made['p_floor'].min():.3g}."
        )
    return found
