"""Contrasts over participants: between rows of the same people, and between groups of people."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bids_dnn.errors import ConfigError, nearest
from bids_dnn.group.choices import Choices
from bids_dnn.group.family import APART, KEYS, Family, corrected
from bids_dnn.group.people import People, columns_of, numbers_of, texts_of
from bids_dnn.stats.participants import Findings, compare_groups, compare_with_zero

SIDES = re.compile(r"\s+(>|!=)\s+")
EXAMPLES = (
    "'region: FFA > V1', 'comparison: face vs house > body vs tool' or 'group: patient > control'"
)
OF_TABLES = tuple(dict.fromkeys(key for keys in KEYS.values() for key in keys))
COLUMNS = {
    "contrast": "The contrast: > one-sided, != two-sided.",
    "n_participants": "Participants with both scores, or of both groups.",
    "n_first": "Participants of the first group; n/a within participants.",
    "difference": "Mean of the first less the second (decoding less chance), at the mean of the "
    "covariates where there are some.",
    "ci_low": "Lower end of the 95 % t interval of the difference (Welch's between groups).",
    "ci_high": "Upper end of that interval.",
    "p": "Permutation p: signs of differences flipped within participants, labels of groups "
    "exchanged between them.",
    "p_floor": "Smallest p that so many participants can give.",
    "p_corrected": "p corrected over the rows of this contrast (and metric and target).",
    "p_t": "p of a paired t test, of Welch's t test between groups, or of the linear model with "
    "covariates.",
    "n_permutations": "Flips or exchanges, all of them where they are fewer than asked for.",
    "missing": "Participants who are not in, for want of a score, a group or a covariate.",
}


@dataclass(frozen=True, slots=True)
class Contrast:
    """A difference that is tested.

    Parameters
    ----------
    text
        As it was asked for.
    what
        A column of the table of scores (``region``, ``comparison`` ...), or of participants.tsv.
    first, second
        Values of it.
    is_two_sided
        Whether both directions count.
    """

    text: str
    what: str
    first: str
    second: str
    is_two_sided: bool

    @property
    def is_within(self) -> bool:
        """Whether each participant has both sides."""
        return self.what in OF_TABLES


def parse_contrast(text: str) -> Contrast:
    """Read ``WHAT: A > B`` (one-sided) or ``WHAT: A != B`` (two-sided).

    Parameters
    ----------
    text
        `WHAT` is ``region``, ``comparison``, ``network``, ``layer`` or ``snr``, or else a column
        of participants.tsv.

    Raises
    ------
    ConfigError
        If there are not two different sides of something.

    Examples
    --------
    >>> made = parse_contrast("region: FFA > V1")
    >>> made.what, made.first, made.second, made.is_two_sided
    ('region', 'FFA', 'V1', False)
    """
    what, colon, rest = text.partition(":")
    parts = SIDES.split(rest.strip())
    if not (colon and what.strip()) or len(parts) != 3 or not (parts[0] and parts[2]):
        raise ConfigError(
            f"The contrast {text!r} does not say what is compared, and which side is above which.",
            mend=f"Type {EXAMPLES}; != in place of > tests both directions.",
        )
    first, sign, second = parts
    if first == second:
        raise ConfigError(
            f"The contrast {text!r} compares {first!r} with itself.", mend="Name two sides."
        )
    return Contrast(text.strip(), what.strip(), first, second, sign == "!=")


def parse_contrasts(texts: Sequence[str], people: People) -> list[Contrast]:
    """Read contrasts, and refuse those that no table and no participant knows.

    Parameters
    ----------
    texts
        As `parse_contrast` reads them.
    people
        Of participants.tsv.

    Raises
    ------
    ConfigError
        If one cannot be read, comes twice, or compares what is neither in tables nor a column, or
        groups of whom there is nobody.
    """
    made = [parse_contrast(text) for text in texts]
    for i, one in enumerate(made):
        if one in made[:i]:
            raise ConfigError(f"The contrast {one.text!r} comes twice.", mend="Name it once.")
        if one.is_within:
            continue
        columns = [name for name in columns_of(people) if name != "participant_id"]
        if one.what not in columns:
            raise ConfigError(
                f"The contrast {one.text!r} compares {one.what!r}, which is neither "
                f"{', '.join(OF_TABLES)} nor a column of participants.tsv.",
                mend=nearest(one.what, [*OF_TABLES, *columns]),
            )
        known = set(texts_of(people, one.what, list(people))) - {""}
        for side in (one.first, one.second):
            if side not in known:
                raise ConfigError(
                    f"The contrast {one.text!r} names {side!r}, which is {one.what} of no "
                    "participant.",
                    mend=nearest(side, known),
                )
    return made


def check_sides(contrast: Contrast, known: Collection[str]) -> None:
    """Refuse a contrast within participants whose sides no table has.

    Parameters
    ----------
    contrast
        Of a column of the table.
    known
        What stands in that column.

    Raises
    ------
    ConfigError
        If one of its sides is not among them.
    """
    for side in (contrast.first, contrast.second):
        if side not in known:
            raise ConfigError(
                f"The contrast {contrast.text!r} names the {contrast.what} {side!r}, which no "
                "participant has.",
                mend=nearest(side, known),
            )


def contrast_table(
    family: Family, *, analysis: str, choices: Choices, people: People, everyone: Sequence[str]
) -> tuple[pd.DataFrame, list[str]]:
    """Test each contrast in each place of the table where it can be.

    Parameters
    ----------
    family
        The scores.
    analysis
        ``decode``, ``encode`` or ``twin``; contrasts of columns that it has not are left to the
        others.
    choices
        Contrasts, covariates, correction and seed.
    people
        Of participants.tsv.
    everyone
        Participants who should be there.

    Returns
    -------
    table
        One row a contrast and place; the column that it compares is empty.
    warnings
        Sentences.

    Raises
    ------
    ConfigError
        If a contrast cannot be read, or names what does not exist.
    NotEnoughDataError
        If covariates tell two groups apart by themselves.
    """
    rows: list[dict[str, Any]] = []
    warnings = []
    numbers = numbers_of(people, choices.covariates, family.labels)
    for contrast in parse_contrasts(choices.contrasts, people):
        if contrast.is_within and contrast.what not in KEYS[analysis]:
            continue
        groups = None if contrast.is_within else _groups(contrast, family, people)
        pairs = list(_pairs(contrast, family) if groups is None else _places(family))
        if not pairs:
            warnings.append(
                f"The contrast {contrast.text!r} has no two rows that differ in it alone."
            )
            continue
        # who belongs to neither group is out
        keep = np.ones(len(family.labels), dtype=bool) if groups is None else groups >= 0
        compared = _Compared(
            labels=tuple(np.array(family.labels)[keep]),
            places=[place for place, _ in pairs],
            values=np.array([value for _, value in pairs])[:, keep],
            numbers=numbers[keep],
            is_first=None if groups is None else groups[keep] == 1,
        )
        made = _tested(contrast, compared, choices=choices, everyone=everyone)
        warnings += _unmet(contrast, made, choices)
        rows += made
    return pd.DataFrame(rows), warnings


@dataclass(frozen=True, slots=True, eq=False)
class _Compared:
    """What one contrast compares."""

    labels: tuple[str, ...]  # of its participants
    places: list[dict[str, Any]]  # of each row
    values: NDArray[np.float64]  # (n_rows, n_participants), differences or scores
    numbers: NDArray[np.float64]  # (n_participants, n_covariates)
    is_first: NDArray[np.bool_] | None  # (n_participants,), between groups


def _groups(contrast: Contrast, family: Family, people: People) -> NDArray[np.intp]:
    """Return 1 for the first group, 0 for the second, -1 for neither (n_participants,)."""
    codes = {contrast.first: 1, contrast.second: 0}
    texts = texts_of(people, contrast.what, family.labels)
    return np.array([codes.get(text, -1) for text in texts], dtype=np.intp)


def _places(family: Family) -> Iterator[tuple[dict[str, Any], NDArray[np.float64]]]:
    for place, values in zip(family.places.to_dict("records"), family.above, strict=True):
        yield {str(key): value for key, value in place.items()}, values


def _pairs(
    contrast: Contrast, family: Family
) -> Iterator[tuple[dict[str, Any], NDArray[np.float64]]]:
    """Give the differences (n_participants,) of rows that differ in one column alone."""
    check_sides(contrast, set(family.places[contrast.what].astype(str)))
    others = [name for name in family.places if name != contrast.what]
    at = {
        tuple(row): i for i, row in enumerate(family.places[[contrast.what, *others]].to_numpy())
    }
    for (side, *rest), i in at.items():
        j = at.get((contrast.second, *rest))
        if side == contrast.first and j is not None:
            place: dict[str, Any] = dict(zip(map(str, others), rest, strict=True))
            yield place | {contrast.what: ""}, family.above[i] - family.above[j]


def _tested(
    contrast: Contrast, compared: _Compared, *, choices: Choices, everyone: Sequence[str]
) -> list[dict[str, Any]]:
    values, places, is_first = compared.values, compared.places, compared.is_first
    how: dict[str, Any] = {"covariates": compared.numbers if choices.covariates else None}
    how |= {"seed": choices.seed, "is_two_sided": contrast.is_two_sided}
    there = np.isfinite(values) & ~np.isnan(compared.numbers).any(axis=1)
    names = np.array([" ".join(str(x.get(key, "")) for key in APART) for x in places], object)
    rows: list[dict[str, Any]] = [{}] * len(places)
    for name in dict.fromkeys(names):
        own = np.flatnonzero(names == name)
        found = (
            compare_with_zero(values[own], **how)
            if is_first is None
            else compare_groups(values[own], is_first, **how)
        )
        p = corrected(found.p, found.p_corrected, names[own], choices.correct)
        for k, i in enumerate(own):
            known = {compared.labels[j] for j in np.flatnonzero(there[i])}
            n_first = np.nan if is_first is None else int((there[i] & is_first).sum())
            rows[i] = (
                {"contrast": contrast.text}
                | places[i]
                | {"n_participants": len(known), "n_first": n_first}
                | _row(found, k)
                | {"p_corrected": p[k]}
                | {"missing": ", ".join(label for label in everyone if label not in known)}
            )
    return rows


def _unmet(contrast: Contrast, rows: Sequence[Mapping[str, Any]], choices: Choices) -> list[str]:
    """Say why rows have no difference, where there are such."""
    n = sum(bool(np.isnan(row["difference"])) for row in rows)
    if not n:
        return []
    needed = (
        "a participant with both scores"
        if contrast.is_within
        else f"two participants with a score of each of {contrast.first!r} and {contrast.second!r}"
    )
    more = ", and enough participants for the covariates"
    return [
        f"The contrast {contrast.text!r} is n/a in {n} of {len(rows)} rows: it needs "
        f"{needed}{more * bool(choices.covariates)}."
    ]


def _row(found: Findings, k: int) -> dict[str, Any]:
    return {
        "difference": found.estimate[k],
        "ci_low": found.low[k],
        "ci_high": found.high[k],
        "p": found.p[k],
        "p_floor": found.p_floor[k],
        "p_t": found.p_t[k],
        "n_permutations": int(found.n_permutations[k]),
    }
