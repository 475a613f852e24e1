"""Confounds by tokens: ``24-HMP_8-Phys_SpikeReg_cosine`` -> the columns that it names."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from bids_dnn.errors import ConfigError, MissingInputError, nearest

PARTS = ("", "_derivative1", "_power2", "_derivative1_power2")
AXES = tuple(f"{kind}_{axis}" for kind in ("trans", "rot") for axis in "xyz")
FAMILIES: dict[str, tuple[tuple[str, ...], dict[int, int]]] = {  # size -> how many of PARTS
    "HMP": (AXES, {6: 1, 12: 2, 24: 4}),
    "GS": (("global_signal",), {1: 1, 2: 2, 4: 4}),
    "Phys": (("white_matter", "csf"), {2: 1, 4: 2, 8: 4}),
}
FIXED: dict[str, tuple[str, ...]] = {
    f"{size}-{name}": tuple(base + part for part in PARTS[:n_parts] for base in bases)
    for name, (bases, sizes) in FAMILIES.items()
    for size, n_parts in sizes.items()
}
COMPONENTS = {"10-aCompCor": 5, "50-aCompCor": None}  # of each tissue; None = half of its variance
MASKS = ("CSF", "WM")
HALF = 0.5 - 1e-6  # of the variance of a tissue
DRIFT = "cosine"
BY_NAME = {DRIFT: "cosine", "SpikeReg": "motion_outlier"}
NULL = "Null"
TOKENS = (*FIXED, *COMPONENTS, *BY_NAME, NULL)


def parse(text: str, *, strategies: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the tokens of a strategy, each once.

    Parameters
    ----------
    text
        Tokens joined by ``_``: ``6-HMP``, ``12-HMP``, ``24-HMP`` (motion; with derivatives; with
        squares of both), ``1-GS``, ``2-GS``, ``4-GS`` (global signal, likewise), ``2-Phys``,
        ``4-Phys``, ``8-Phys`` (white matter and CSF, likewise), ``10-aCompCor`` (the first five
        components of CSF and of white matter), ``50-aCompCor`` (those that explain half of
        the variance of each), ``SpikeReg`` (one column for each volume with motion), ``cosine``
        (slow drift), or ``Null`` alone (nothing).
    strategies
        Other names that would have been right, for the error.

    Raises
    ------
    ConfigError
        If a token does not exist, or ``Null`` stands beside others.

    Examples
    --------
    >>> parse("24-HMP_8-Phys_SpikeReg_cosine")
    ('24-HMP', '8-Phys', 'SpikeReg', 'cosine')
    """
    tokens = tuple(dict.fromkeys(text.split("_")))
    for token in tokens:
        if token not in TOKENS:
            whole = text in (token, "") or text.replace("_", "").isalpha()
            named, choices = (text, (*strategies, *TOKENS)) if whole else (token, TOKENS)
            raise ConfigError(
                f"responses.confounds is {text!r}, in which {named!r} is no strategy.",
                mend=_nearest(named, choices),
            )
    if NULL in tokens and len(tokens) > 1:
        raise ConfigError(
            f"responses.confounds is {text!r}, but Null means that nothing is regressed out.",
            mend=f"Write Null alone, or {'_'.join(t for t in tokens if t != NULL)!r}.",
        )
    return tokens


def _nearest(token: str, choices: Sequence[str]) -> str:
    """Offer the sizes that a family has where only the size is wrong."""
    family = token.rpartition("-")[2].lower()
    sizes = [c for c in choices if "-" in c and c.rpartition("-")[2].lower() == family]
    if sizes:
        return f"Did you mean {' or '.join(map(repr, sizes))}?"
    return nearest(token, choices)


def needs_json(tokens: Sequence[str]) -> bool:
    """Tell whether the JSON beside the table is needed."""
    return any(token in COMPONENTS for token in tokens)


def columns(
    tokens: Sequence[str], there: Sequence[str], described: Mapping[str, Any], *, table: str
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the columns of a table that tokens name.

    Parameters
    ----------
    tokens
        As `parse` returns them.
    there
        Columns of the table.
    described
        Its JSON: for each column what it is; only components are looked up.
    table
        Name of the table, for the error.

    Returns
    -------
    names
        Each once, by token. ``SpikeReg`` may name none: a run without motion has no outliers.
    notes
        What is less than its token promises, a sentence each.

    Raises
    ------
    MissingInputError
        If a column is not there.
    """
    names: list[str] = []
    missing: list[str] = []
    notes: list[str] = []
    for token in tokens:
        if token in FIXED:
            found = FIXED[token]
        elif token in COMPONENTS:
            found, short = _components(token, described)
            missing += [f"components of {mask} ({token})" for mask in MASKS if short[mask] == 0]
            notes += _few(token, short)
        elif token == NULL:
            found = ()
        else:
            found = tuple(name for name in there if name.startswith(BY_NAME[token]))
            if not found and token == DRIFT:
                missing.append("cosineXX")
        names += found
    missing += [name for name in dict.fromkeys(names) if name not in there]
    if missing:
        raise MissingInputError(
            f"{table} lacks {len(missing)} columns that {'_'.join(tokens)!r} needs: "
            f"{', '.join(missing)}. There are: {listed(there)}.",
            mend="Set responses.confounds to tokens whose columns are there, or run fMRIPrep "
            "again with a version that makes them.",
        )
    return tuple(dict.fromkeys(names)), tuple(notes)


def _components(
    token: str, described: Mapping[str, Any]
) -> tuple[tuple[str, ...], dict[str, int]]:
    """Return the retained components by tissue, in the order of their numbers, and how many."""
    most, found, counts = COMPONENTS[token], [], {}
    for mask in MASKS:
        of_mask = [
            name
            for name, about in described.items()
            if isinstance(about, dict)
            and (about.get("Method"), about.get("Mask")) == ("aCompCor", mask)
            and about.get("Retained", True)
            and not name.startswith("dropped")
            and (most is not None or _before(about) < HALF)
        ]
        taken = sorted(of_mask, key=_number)[:most]
        counts[mask] = len(taken)
        found += taken
    return tuple(found), counts


def _before(about: Mapping[str, Any]) -> float:
    """Return which share of the variance the components before one explain; 0 if not told.

    With ``--return-all-components`` the table holds more of them than explain half.
    """
    up_to, own = (about.get(f"{name}VarianceExplained") for name in ("Cumulative", ""))
    return 0.0 if up_to is None or own is None else float(up_to) - float(own)


def _few(token: str, counts: Mapping[str, int]) -> list[str]:
    most = COMPONENTS[token]
    if most is None or min(counts.values()) == 0 or min(counts.values()) >= most:
        return []
    made = " and ".join(f"{n} of {mask}" for mask, n in counts.items())
    return [f"{token} found fewer than {most} components of each tissue ({made})."]


def _number(name: str) -> tuple[int, str]:
    digits = re.search(r"\d+$", name)
    return (int(digits.group()) if digits else -1), name


def listed(names: Sequence[str]) -> str:
    """Name columns, those that differ in their number just once."""
    kinds = list(dict.fromkeys(re.sub(r"\d+$", "XX", name) for name in names))
    more = f" and {len(kinds) - 40} more" if len(kinds) > 40 else ""
    return (", ".join(kinds[:40]) or "none") + more
