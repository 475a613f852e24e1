"""How well one model could do in all participants: ceilings from how they agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bids_dnn.containers.rdm import Rdm
from bids_dnn.containers.result import Result
from bids_dnn.errors import NotEnoughDataError
from bids_dnn.group.people import ALONE
from bids_dnn.stats.loo_ceiling import LEAST_ITEMS, LEAST_PEOPLE, LooCeiling, loo_ceiling
from bids_dnn.stats.metrics import finite_mean

Float = NDArray[np.float64]
METRICS = {"encoding": "pearson", "rsa": "pearson of ranks"}
ITEMS = {"encoding": ("stimulus", "stimuli"), "rsa": ("condition", "conditions")}
# Three conditions have three dissimilarities, whose ranks agree wholly by chance in one of six.
LEAST = {"encoding": LEAST_ITEMS, "rsa": 4}
NAMED = 3  # of what is missing, in a sentence
OWN = "own_"
COLUMNS = {
    "region": "Name of the region.",
    "kind": "encoding = of the region's mean response to each stimulus; rsa = of the "
    "dissimilarities of conditions (1 - Pearson's r over units, mean patterns over runs).",
    "metric": "What is bounded: Pearson's r, or that of ranks of dissimilarities.",
    "n_participants": "Participants in this row.",
    "n_items": "Stimuli (encoding) or conditions (rsa) that all of them have, which were used.",
    "n_items_any": "Those that one of them has at least.",
    "lower": "Lower bound of the noise ceiling: mean over participants of the correlation with "
    "the mean of the others; n/a under 2 participants, 3 stimuli or 4 conditions.",
    "lower_ci_low": "Lower end of its 95 % jackknife interval over participants; n/a under 3.",
    "lower_ci_high": "Upper end of that interval.",
    "upper": "Upper bound: mean over participants of the correlation with the mean of all, "
    "which no model can exceed.",
    "upper_ci_low": "Lower end of its 95 % jackknife interval over participants; n/a under 3.",
    "upper_ci_high": "Upper end of that interval.",
    "missing": "Participants who lack this.",
}
SINGLES = {
    "participant": "Label of the participant.",
    "with_others": "Correlation with the mean of the other participants.",
    "with_all": "Correlation with the mean of all participants.",
}


@dataclass(frozen=True, slots=True, eq=False)
class Left:
    """What participants left, by their labels.

    Parameters
    ----------
    profiles
        Of each region to each stimulus: ``region``, ``stimulus``, ``response``.
    rdms
        Of conditions, by region.
    own
        Each participant's own noise ceilings: ``region``, ``method``, ``ceiling``.
    expected
        Who should be there.
    """

    profiles: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    rdms: Mapping[str, Mapping[str, Rdm]] = field(default_factory=dict)
    own: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    expected: Sequence[str] = ()


@dataclass(frozen=True, slots=True, eq=False)
class _Place:
    """The profiles of one region and kind, and which items their participants share."""

    region: str
    kind: str
    ceiling: LooCeiling
    labels: tuple[str, ...]
    n_items: int
    n_items_any: int
    lacking: Mapping[str, tuple[str, ...]]


def group_ceilings(left: Left) -> Result:
    """Bound in each region how well one model could correlate with all participants.

    Participants agree in their own units' mean responses and dissimilarities, so that they need
    no common space.

    Parameters
    ----------
    left
        What participants left. Stimuli and conditions that one of them lacks are left out of all,
        and named.

    Returns
    -------
    result
        One row a region and kind; `extras` holds ``participants``, the correlations of each.

    Raises
    ------
    NotEnoughDataError
        If nobody left anything.

    References
    ----------
    Nili et al. (2014), PLOS Comput. Biol. 10:e1003553, doi:10.1371/journal.pcbi.1003553.
    """
    there = sorted(
        {label for found in (left.profiles, left.rdms) for label, one in found.items() if len(one)}
    )
    if not there:
        raise NotEnoughDataError(
            f"None of the {len(left.expected)} participants has left profiles of stimuli or "
            "patterns of conditions.",
            mend="Run the participant level again, with --analysis ceiling.",
        )
    expected = sorted({*left.expected, *there})
    places = [
        _place(kind, region, tables)
        for kind, found in (("encoding", _profiles(left)), ("rsa", _pairs(left)))
        for region, tables in found.items()
    ]
    methods = list(
        dict.fromkeys(name for label in sorted(left.own) for name in left.own[label]["method"])
    )
    words = COLUMNS | {
        own_column(name): f"Mean over participants of their own noise ceilings by {name}, of the "
        "region's single units (see their tables); n/a for rsa."
        for name in methods
    }
    rows = [_row(one, left, methods, expected) for one in places]
    singles = [
        {
            "region": one.region,
            "kind": one.kind,
            "participant": label,
            "with_others": one.ceiling.with_others[k],
            "with_all": one.ceiling.with_all[k],
        }
        for one in places
        for k, label in enumerate(one.labels)
    ]
    return Result(
        analysis="ceiling",
        table=pd.DataFrame(rows, columns=list(words)),
        columns=words,
        meta={
            "level": "group",
            "participants": there,
            "missing_participants": sorted(set(expected) - set(there)),
            "kinds": list(dict.fromkeys(one.kind for one in places)),
            "missing_items": _missing_items(places),
            "warnings": [ALONE]
            if len(there) < LEAST_PEOPLE
            else list(dict.fromkeys(text for one in places for text in _said(one))),
        },
        extras={"participants": pd.DataFrame(singles, columns=["region", "kind", *SINGLES])},
        extra_columns={"participants": SINGLES},
    )


def own_column(method: str) -> str:
    """Return the column of the participants' own ceilings by a method.

    Examples
    --------
    >>> own_column("split-half")
    'own_split_half'
    """
    return OWN + method.replace("-", "_")


def _profiles(left: Left) -> dict[str, dict[str, pd.DataFrame]]:
    """Return for each region each participant's responses, one row of stimuli."""
    made: dict[str, dict[str, pd.DataFrame]] = {}
    for label in sorted(left.profiles):
        for region, part in left.profiles[label].groupby("region", sort=False):
            values = part.set_index("stimulus")["response"]
            made.setdefault(str(region), {})[label] = values.to_frame().T
    return made


def _pairs(left: Left) -> dict[str, dict[str, pd.DataFrame]]:
    """Return for each region each participant's dissimilarities, a matrix of conditions."""
    made: dict[str, dict[str, pd.DataFrame]] = {}
    for label in sorted(left.rdms):
        for region, rdm in left.rdms[label].items():
            matrix = pd.DataFrame(rdm.matrix(), index=rdm.stimuli, columns=rdm.stimuli)
            made.setdefault(region, {})[label] = matrix
    return made


def _place(kind: str, region: str, tables: Mapping[str, pd.DataFrame]) -> _Place:
    every = sorted({str(name) for one in tables.values() for name in one.columns})
    common = [name for name in every if all(name in one.columns for one in tables.values())]
    if kind == "rsa":
        above = np.triu_indices(len(common), k=1)
        rows = [one.loc[common, common].to_numpy(float)[above] for one in tables.values()]
    else:
        rows = [one[common].to_numpy(float)[0] for one in tables.values()]
    profiles = np.array(rows)
    if len(common) < LEAST[kind]:
        profiles = profiles[:, :0]
    made = loo_ceiling(profiles, is_ranked=kind == "rsa")
    lacking = {
        label: tuple(name for name in every if name not in one.columns)
        for label, one in tables.items()
    }
    return _Place(
        region,
        kind,
        made,
        tuple(tables),
        len(common),
        len(every),
        {label: names for label, names in lacking.items() if names},
    )


def _row(
    one: _Place, left: Left, methods: Sequence[str], expected: Sequence[str]
) -> dict[str, Any]:
    made = one.ceiling
    known = {
        label for label, r in zip(one.labels, made.with_all, strict=True) if np.isfinite(r)
    } or set(one.labels)
    return {
        "region": one.region,
        "kind": one.kind,
        "metric": METRICS[one.kind],
        "n_participants": made.n_participants,
        "n_items": one.n_items,
        "n_items_any": one.n_items_any,
        "lower": made.lower,
        "lower_ci_low": made.lower_interval[0],
        "lower_ci_high": made.lower_interval[1],
        "upper": made.upper,
        "upper_ci_low": made.upper_interval[0],
        "upper_ci_high": made.upper_interval[1],
        "missing": ", ".join(name for name in expected if name not in known),
    } | {
        own_column(name): _own(left, one.region, name) if one.kind == "encoding" else np.nan
        for name in methods
    }


def _own(left: Left, region: str, method: str) -> float:
    """Return the mean over participants of their own ceilings, of those who have one."""
    found = [
        value
        for table in left.own.values()
        for value in table.loc[
            (table["region"] == region) & (table["method"] == method), "ceiling"
        ]
    ]
    return finite_mean(np.array(found, dtype=float))


def _missing_items(places: Sequence[_Place]) -> dict[str, dict[str, list[str]]]:
    """Return what each participant lacks that another one has, by kind."""
    made: dict[str, dict[str, list[str]]] = {}
    for one in places:
        for label, names in one.lacking.items():
            own = made.setdefault(one.kind, {}).setdefault(label, [])
            own += [name for name in names if name not in own]
    return made


def _said(one: _Place) -> list[str]:
    """Say what is missing, and why there is no ceiling where there is none."""
    what = f"Ceilings over participants ({one.kind})"
    said = []
    for label, names in one.lacking.items():
        shown = ", ".join(names[:NAMED]) + (", ..." if len(names) > NAMED else "")
        said.append(
            f"{what}: sub-{label} lacks {len(names)} of {one.n_items_any} "
            f"{ITEMS[one.kind][1]} ({shown}), which were left out of all participants."
        )
    n_people = len(one.labels)
    n, least = one.n_items, LEAST[one.kind]
    if n_people >= LEAST_PEOPLE and min(n, one.ceiling.n_items) < LEAST_ITEMS:
        found = f"{n} {ITEMS[one.kind][n != 1]}"
        if n >= least:
            found = f"{one.ceiling.n_items} values of {found}"
        said.append(
            f"{what}: none in {one.region}, for its {n_people} participants share {found}, and "
            f"{least if n < least else LEAST_ITEMS} are needed."
        )
    elif one.ceiling.n_participants < LEAST_PEOPLE:
        said.append(
            f"{what}: none in {one.region}, for {one.ceiling.n_participants} participant has "
            f"responses that vary there, and {LEAST_PEOPLE} are needed."
        )
    elif flat := [
        f"sub-{label}"
        for label, r in zip(one.labels, one.ceiling.with_all, strict=True)
        if np.isnan(r)
    ]:
        said.append(f"{what}: {', '.join(flat)} left out of {one.region}, where nothing varies.")
    return said
