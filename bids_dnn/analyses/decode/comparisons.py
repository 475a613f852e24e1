"""Which conditions are told apart: from the words of the user to sides with names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

from bids_dnn.errors import ConfigError, NotEnoughDataError, nearest

PAIRS = "pairs"
MOST_CONDITIONS = 200  # whose pairs are 19,900; more are single pictures
ALL = "all"


@dataclass(frozen=True, slots=True)
class Comparison:
    """Sides that a classifier tells apart.

    Parameters
    ----------
    name
        ``a vs b``, sides sorted by name; ``all`` for every condition at once.
    sides
        Name and conditions of each side, sorted by name; no condition on two sides.
    """

    name: str
    sides: tuple[tuple[str, tuple[str, ...]], ...]

    @property
    def side_of(self) -> dict[str, int]:
        """Map each condition to the number of its side."""
        return {one: k for k, (_, members) in enumerate(self.sides) for one in members}

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the sides."""
        return tuple(name for name, _ in self.sides)


def parse(comparisons: Sequence[str], conditions: Iterable[str]) -> list[Comparison]:
    """Turn comparisons as they are typed into sides.

    A comparison that tells the same conditions apart as an earlier one is left out, so that no
    test stands twice in the family (with two conditions, ``pairs`` and ``all`` are one).

    Parameters
    ----------
    comparisons
        ``pairs`` (every pair of conditions), ``all`` (all at once), ``a vs b``, or
        ``face:female+male vs vehicle:bike+car`` with any number of sides.
    conditions
        Those that the samples have.

    Returns
    -------
    parsed
        In the order asked for.

    Raises
    ------
    ConfigError
        If a condition does not exist or stands on two sides, a comparison has one side, or two
        different comparisons have one name.
    NotEnoughDataError
        If there are fewer than two conditions, or too many for ``pairs`` or ``all``.

    Examples
    --------
    >>> [one.name for one in parse(["pairs", "all"], ["dog", "cat", "car"])]
    ['car vs cat', 'car vs dog', 'cat vs dog', 'all']
    >>> parse(["living:dog+cat vs car"], ["dog", "cat", "car"])[0].sides
    (('car', ('car',)), ('living', ('cat', 'dog')))
    """
    known = sorted(set(conditions))
    if len(known) < 2:
        raise NotEnoughDataError(
            f"The samples have {len(known)} condition(s) {known}, and decoding needs two.",
            mend="Check the trial_type column of the events, or run with --analysis encode.",
        )
    if len(known) > MOST_CONDITIONS and {PAIRS, ALL} & set(comparisons):
        raise NotEnoughDataError(
            f"The samples have {len(known)} conditions, most likely one for each picture; all "
            f"pairs of them, or all at once, are decoded for {MOST_CONDITIONS} at most.",
            mend="Name comparisons under decode.comparisons in analysis.toml, such as "
            "'name:a+b vs other:c+d', or run with --analysis encode.",
        )
    out: dict[frozenset[tuple[str, ...]], Comparison] = {}
    names: dict[str, str] = {}
    for text in comparisons:
        for made in _read(text, known):
            same = frozenset(members for _, members in made.sides)
            if same in out:
                continue
            if made.name in names:
                raise ConfigError(
                    f"The comparisons {names[made.name]!r} and {text!r} have one name, "
                    f"{made.name!r}, for different conditions.",
                    mend="Give their sides other names, as in 'name:a+b vs other:c+d'.",
                )
            names[made.name] = text
            out[same] = made
    return list(out.values())


def _read(text: str, known: Sequence[str]) -> list[Comparison]:
    if text == PAIRS:
        return [_comparison([(a, (a,)), (b, (b,))]) for a, b in combinations(known, 2)]
    if text == ALL:
        return [_comparison([(one, (one,)) for one in known], name=ALL)]
    parts = [part.strip() for part in re.split(r"\s+vs\.?\s+", text.strip())]
    if len(parts) < 2:
        raise ConfigError(
            f"The comparison {text!r} has one side; two are needed.",
            mend="Type 'pairs', 'all', 'a vs b' or 'name:a+b vs other:c+d'. "
            + nearest(text, [*known, PAIRS, ALL]),
        )
    sides = [_side(part, text, known) for part in parts]
    members = [one for _, side in sides for one in side]
    labels = [name for name, _ in sides]
    for what, found in (("condition", members), ("side", labels)):
        if twice := sorted({one for one in found if found.count(one) > 1}):
            raise ConfigError(
                f"The comparison {text!r} names the {what} {twice[0]!r} twice.",
                mend=f"Name each {what} once.",
            )
    return [_comparison(sides)]


def _side(part: str, text: str, known: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    if part in known:  # also where a condition's name holds a colon or a plus
        return part, (part,)
    name, colon, rest = part.partition(":")
    members = [one.strip() for one in (rest if colon else part).split("+")]
    for one in members:
        if one not in known:
            raise ConfigError(
                f"The comparison {text!r} names the condition {one!r}, which no sample has.",
                mend=nearest(one, known),
            )
    return (name.strip() if colon else part), tuple(sorted(members))


def _comparison(
    sides: Iterable[tuple[str, tuple[str, ...]]], *, name: str | None = None
) -> Comparison:
    ordered = tuple(sorted(sides))
    return Comparison(name or " vs ".join(label for label, _ in ordered), ordered)
