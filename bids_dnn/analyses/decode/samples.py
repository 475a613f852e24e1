"""The samples that are decoded: those with a condition, averaged or drawn evenly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bids_dnn.analyses.decode.comparisons import Comparison, parse_known
from bids_dnn.containers.responses import Responses
from bids_dnn.errors import ConfigError, nearest

Codes = NDArray[np.integer[Any]]
Mask = NDArray[np.bool_]
MOST_SHOWN = 12  # values of a column that are offered


def texts(column: pd.Series[Any]) -> NDArray[np.object_]:
    """Return a column of the sample table as text, "" where it is missing."""
    return np.asarray(column.fillna("").astype(str), dtype=object)


def with_condition(responses: Responses) -> Responses:
    """Return the samples that have a condition."""
    return responses.select(np.asarray(texts(responses.samples["condition"]) != "", dtype=bool))


def number_trials(samples: pd.DataFrame) -> Codes:
    """Return the unit that the null exchanges for each sample: its trial.

    The volumes of a block share its noise, so that exchanging them one by one would take for
    independent what is not.

    Parameters
    ----------
    samples : n_samples rows
        With ``run`` and ``condition``; samples of one run, ``trial`` and condition are one
        unit. Without ``trial``, or where it is missing, each sample is a unit of its own.

    Returns
    -------
    units : (n_samples,)
        Numbered from 0 in order of appearance.

    Examples
    --------
    >>> number_trials(pd.DataFrame({"run": "1", "condition": "cat", "trial": [4, 4, 7]}))
    array([0, 0, 1])
    """
    alone = np.arange(len(samples), dtype=np.intp)
    if "trial" not in samples:
        return alone
    known = samples["trial"].notna().to_numpy(dtype=np.bool_)
    columns = ["run", "condition", "trial"]
    keys = samples[columns].astype(object).where(samples[columns].notna(), "")
    keys["alone"] = np.where(known, -1, alone)
    return np.asarray(keys.groupby(list(keys), sort=False).ngroup(), dtype=np.intp)


def averaged(responses: Responses, n: int, *, columns: Sequence[str] = ()) -> Responses:
    """Average n trials of one condition and run at a time ("pseudo-trials").

    Trials go together in their order of appearance; the last ones join the others, so that none
    is lost. All samples of a trial go together.

    Parameters
    ----------
    responses
        Samples with a condition.
    n : at least 1
        1 = nothing is averaged.
    columns
        Further columns of the sample table whose values are kept apart, as folds are made by them,
        or samples told apart.

    Returns
    -------
    responses
        A row a pseudo-trial, with the first of its samples in the sample table; numeric columns
        are averaged, and ``trial`` is taken out.

    Raises
    ------
    ConfigError
        If `n` is below 1.

    References
    ----------
    Isik et al. (2014), J. Neurophysiol. 111:91, doi:10.1152/jn.00394.2013 (averages of trials).
    """
    if n < 1:
        raise ConfigError(
            f"average is {n}; at least 1 trial makes a sample.",
            mend="Set decode.average in analysis.toml, or leave it out.",
        )
    if n == 1:
        return responses
    samples = responses.samples.reset_index(drop=True)
    trials = number_trials(samples)
    apart = list(dict.fromkeys(["run", "condition", *columns]))
    group = np.empty(len(samples), dtype=np.intp)
    n_groups = 0
    for rows in samples.groupby(apart, sort=False, dropna=False).indices.values():
        own, place = np.unique(trials[rows], return_inverse=True)
        n_parts = max(1, len(own) // n)
        group[rows] = n_groups + np.minimum(place // n, n_parts - 1)
        n_groups += n_parts
    _, first, group = np.unique(group, return_index=True, return_inverse=True)
    order = np.argsort(first, kind="stable")  # pseudo-trials in order of appearance
    group = np.argsort(order)[group]
    counts = np.bincount(group)
    weights = np.zeros((len(counts), len(samples)))
    weights[group, np.arange(len(samples))] = 1 / counts[group]
    table = (
        samples.iloc[first[order]].reset_index(drop=True).drop(columns="trial", errors="ignore")
    )
    for name in table.select_dtypes("number"):
        table[name] = samples[name].groupby(group).mean().to_numpy()
    if "stimulus" in table:  # an average of several stimuli shows none of them
        n_stimuli = samples["stimulus"].groupby(group).nunique().to_numpy()
        table["stimulus"] = np.where(n_stimuli == 1, table["stimulus"], "")
    return Responses(
        (weights @ responses.values).astype(np.float32),
        table,
        responses.space,
        responses.scale,
        responses.independence,
    )


def short_averages(responses: Responses, n: int, *, columns: Sequence[str] = ()) -> list[str]:
    """Warn where there are fewer trials than `averaged` is told to average.

    Parameters
    ----------
    responses, n, columns
        As for `averaged`.
    """
    samples = responses.samples.reset_index(drop=True)
    trials = number_trials(samples)
    apart = list(dict.fromkeys(["run", "condition", *columns]))
    found = samples.groupby(apart, sort=False, dropna=False).indices.values()
    counts = [len(np.unique(trials[rows])) for rows in found]
    short = [one for one in counts if one < n]
    if not short:
        return []
    few, most = min(short), max(short)
    number = f"{few}" if few == most else f"{few} to {most}"
    return [
        f"decode.average is {n}, but in {len(short)} of {len(counts)} combinations of "
        f"{', '.join(apart)} there are {number} trials: all of them make one sample. "
        f"{max(few // 2, 1)} trials a sample or fewer leave two or more of each."
    ]


def evenly(codes: Codes, runs: Codes, units: Codes, rng: np.random.Generator) -> Mask:
    """Mark samples so that all sides have as many units in each run, drawn at random.

    Parameters
    ----------
    codes : (k, n)
        Side of each sample (-1 = none), under each of k labelings.
    runs, units : (n,)
        Run and trial of each sample; the samples of a trial have one side.
    rng

    Returns
    -------
    keep : (k, n) bool
        Where a side is missing in a run, the others are left out of that run.

    Examples
    --------
    >>> codes = np.array([[0, 0, 0, 1]])
    >>> int(evenly(codes, np.zeros(4, int), np.arange(4), np.random.default_rng(0)).sum())
    2
    """
    keep = np.zeros(codes.shape, dtype=np.bool_)
    sides = range(int(codes.max(initial=-1)) + 1)
    for run in np.unique(runs):
        own = np.flatnonzero(runs == run)
        _, first, place = np.unique(units[own], return_index=True, return_inverse=True)
        told = codes[:, own[first]]  # (k, n_units)
        counts = np.stack([(told == side).sum(axis=1) for side in sides])
        fewest = counts.min(axis=0)[:, None]
        keys = rng.random(told.shape)
        taken = np.zeros(told.shape, dtype=np.bool_)
        for side in sides:
            among = np.where(told == side, keys, np.inf)
            rank = among.argsort(axis=1).argsort(axis=1)
            taken |= (told == side) & (rank < fewest)
        keep[:, own] = taken[:, place]
    return keep


def named_columns(found: Sequence[Comparison], responses: Responses) -> dict[str, Any]:
    """Return the columns of the sample table that comparisons name, as text (n_samples,).

    Raises
    ------
    ConfigError
        If one is not there.
    """
    made: dict[str, NDArray[np.object_]] = {}
    for comparison in found:
        for column in comparison.columns:
            if column not in responses.samples:
                raise ConfigError(
                    f"The comparison {comparison.name!r} names {column!r}, which is no column of "
                    "the samples.",
                    mend=nearest(column, map(str, responses.samples.columns)),
                )
            made[column] = _as_typed(responses.samples[column])
    return made


def known_comparisons(
    comparisons: Sequence[str], responses: Responses
) -> tuple[list[Comparison], dict[str, ConfigError]]:
    """Parse those comparisons whose conditions and values of columns some samples have.

    Parameters
    ----------
    comparisons
        As they are typed.
    responses
        Samples with a condition.

    Returns
    -------
    found
    absent : by comparison
        What is wrong with the others.

    Raises
    ------
    ConfigError
        As `parse_known` does; if there is no such column, or no comparison is left.
    NotEnoughDataError
        If there are fewer than two conditions.
    """
    found, absent = parse_known(comparisons, set(texts(responses.samples["condition"])) - {""})
    columns = named_columns(found, responses)
    kept = []
    for one in found:
        if why := _absent_value(one, columns):
            absent[one.name] = why
        else:
            kept.append(one)
    if absent and not kept:
        raise next(iter(absent.values()))
    return kept, absent


def _absent_value(comparison: Comparison, columns: Mapping[str, Any]) -> ConfigError | None:
    """Tell which value no sample has, None where all are there."""
    for column, value in (*comparison.taught_where, *comparison.tested_where):
        if value not in set(columns[column]):
            return ConfigError(
                f"The comparison {comparison.name!r} asks for {column}={value}, which no sample "
                "has.",
                mend=nearest(value, sorted(set(columns[column]) - {""})[:MOST_SHOWN]),
            )
    return None


def _as_typed(column: pd.Series[Any]) -> NDArray[np.object_]:
    """Return a column as text, whole numbers without a point."""
    words = texts(column)
    if pd.api.types.is_numeric_dtype(column):
        return np.array([word.removesuffix(".0") for word in words], dtype=object)
    return words
