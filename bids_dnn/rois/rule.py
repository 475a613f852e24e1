"""What a region is made of: terms, and joins of terms."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from bids_dnn.errors import ConfigError, nearest

Operator = Literal["|", "&", "-"]
OPERATORS: dict[str, Operator] = {"|": "|", "&": "&", "-": "-"}
BINDING: dict[Operator, int] = {"|": 1, "-": 1, "&": 2}
HEMI_IN_PATH = "hemi"  # {hemi} is no column: it stands for L and R, or lh and rh


def _is_count(value: str) -> bool:
    return value.isdecimal() and int(value) > 0


def _is_number(value: str) -> bool:
    return re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)", value) is not None


def _is_rate(value: str) -> bool:
    return _is_number(value) and 0 < float(value) < 1


def _is_hemisphere(value: str) -> bool:
    return value in ("L", "R")


Check = tuple[Callable[[str], bool], str]
TEXT: Check = (bool, "a word")
HEMI: dict[str, Check] = {"hemi": (_is_hemisphere, "L or R")}
ATLAS: dict[str, Check] = {**HEMI, "desc": TEXT, "res": TEXT, "den": TEXT, "scale": TEXT}
LOCALIZER: dict[str, Check] = {
    **HEMI,
    "task": TEXT,
    "session": TEXT,
    "run": TEXT,
    "within": (bool, "a rule, such as atlas:parcels:FFA"),
    "top": (_is_count, "a number of units"),
    "z": (_is_number, "a number"),
    "fdr": (_is_rate, "a rate between 0 and 1"),
}
KINDS: dict[str, dict[str, Check]] = {  # options of each kind of term
    "file": HEMI,
    "mask": HEMI,
    "area": HEMI,
    "benson": HEMI,
    "wang15": HEMI,
    "sphere": HEMI,
    "atlas": ATLAS,
    "aparc": HEMI,
    "aparc.a2009s": HEMI,
    "aparc.DKTatlas": HEMI,
    "annot": HEMI,
    "localizer": LOCALIZER,
}


@dataclass(frozen=True, slots=True)
class Term:
    """One set of units, as a kind of source names it.

    Parameters
    ----------
    kind
        A key of `KINDS`, such as ``benson``; ``file`` for a path.
    argument
        What stands behind the colon; for a file the path, with ``@SPACE`` where it was given.
    options
        What stands behind the commas, by name.
    """

    kind: str
    argument: str
    options: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        start = "" if self.kind == "file" else f"{self.kind}:"
        argument = _quoted(self.argument)
        is_term = argument.partition(":")[0] in KINDS
        if not start and (is_term or argument.startswith("(")):  # or it would be read as such
            argument = f'"{argument}"'
        said = [start + argument]
        for key, value in self.options.items():
            quoted = _quoted(value)
            is_joined = key == "within" and quoted != value
            said.append(f"{key}=({value})" if is_joined else f"{key}={quoted}")
        return ", ".join(said)


@dataclass(frozen=True, slots=True)
class Join:
    """Two rules joined: ``|`` = in either, ``&`` = in both, ``-`` = in the left one only."""

    operator: Operator
    left: Rule
    right: Rule

    def __str__(self) -> str:
        own = BINDING[self.operator]
        left, right = str(self.left), str(self.right)
        if isinstance(self.left, Join) and BINDING[self.left.operator] < own:
            left = f"({left})"
        if isinstance(self.right, Join) and BINDING[self.right.operator] <= own:
            right = f"({right})"
        return f"{left} {self.operator} {right}"


Rule = Term | Join


def to_json(rule: Rule) -> dict[str, Any]:
    """Return a rule as plain values; `from_json` makes the rule of them again."""
    if isinstance(rule, Term):
        return {"kind": rule.kind, "argument": rule.argument, "options": dict(rule.options)}
    return {
        "operator": rule.operator,
        "left": to_json(rule.left),
        "right": to_json(rule.right),
    }


def from_json(told: Mapping[str, Any]) -> Rule:
    """Return the rule that `to_json` turned into plain values."""
    if "operator" in told:
        operator = OPERATORS[told["operator"]]
        return Join(operator, from_json(told["left"]), from_json(told["right"]))
    return Term(told["kind"], told["argument"], dict(told["options"]))


def columns(rule: Rule) -> tuple[str, ...]:
    """Return the columns of participants.tsv that a rule takes values from, as ``{column}``.

    Examples
    --------
    >>> columns(Term("benson", "V1@({x},{y})r1deg"))
    ('x', 'y')
    """
    if isinstance(rule, Join):
        return tuple(dict.fromkeys(columns(rule.left) + columns(rule.right)))
    said = " ".join([rule.argument, *rule.options.values()])
    found = dict.fromkeys(re.findall(r"\{(\w+)\}", said))
    return tuple(name for name in found if name != HEMI_IN_PATH)


def fill(rule: Rule, row: Mapping[str, str]) -> Rule:
    """Put a participant's values in place of ``{column}``; ``{hemi}`` stays.

    Parameters
    ----------
    rule
        Of a region.
    row
        Of participants.tsv, by column.

    Raises
    ------
    ConfigError
        If the table lacks a column, or the participant has no value in it.
    """
    for name in columns(rule):
        if row.get(name, "n/a") in ("", "n/a"):
            what = "has no value there" if name in row else "is no column of participants.tsv"
            raise ConfigError(
                f"The region rule '{rule}' takes {{{name}}} from participants.tsv, but {name!r} "
                f"{what}.",
                mend=nearest(name, row) if name not in row else f"Fill in {name}.",
            )
    if isinstance(rule, Join):
        return replace(rule, left=fill(rule.left, row), right=fill(rule.right, row))
    options = {key: _filled(value, row) for key, value in rule.options.items()}
    return replace(rule, argument=_filled(rule.argument, row), options=options)


def _filled(text: str, row: Mapping[str, str]) -> str:
    return re.sub(r"\{(\w+)\}", lambda m: m[0] if m[1] == HEMI_IN_PATH else str(row[m[1]]), text)


def _quoted(text: str) -> str:
    """Put double quotes around what the grammar would otherwise take apart."""
    depth, is_apart = (
        0,
        text != text.strip() or re.search(r"[|&]|\s-(\s|$)|\s[\w.]+:", text) is not None,
    )
    for sign in text:
        depth += {"(": 1, ")": -1}.get(sign, 0)
        is_apart |= depth < 0 or (sign == "," and not depth)
    return f'"{text}"' if is_apart or depth else text
