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
ARROW, AT = "->", "@"
Sides = tuple[tuple[str, tuple[str, ...]], ...]
Where = tuple[tuple[str, str], ...]


class AbsentConditionError(ConfigError):
    """A comparison names a condition that no sample has."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Sides that a classifier tells apart.

    Parameters
    ----------
    name
        ``a vs b``, sides sorted by name; ``all`` for every condition at once.
    sides
        Name and conditions of each side, sorted by name; no condition on two sides. Where
        classifiers are tested on others, in the order in which they were typed.
    tested
        The sides that classifiers are tested on, in the order of `sides`; () = the same.
    taught_where, tested_where
        Columns of the sample table and their values: samples that teach, and that are tested;
        () = all.
    """

    name: str
    sides: Sides
    tested: Sides = ()
    taught_where: Where = ()
    tested_where: Where = ()

    @property
    def side_of(self) -> dict[str, int]:
        """Map each condition that teaches to the number of its side."""
        return _numbers(self.sides)

    @property
    def tested_side_of(self) -> dict[str, int]:
        """Map each condition that is tested to the number of its side."""
        return _numbers(self.tested or self.sides)

    @property
    def is_crossed(self) -> bool:
        """Whether classifiers are tested on other samples than those that teach."""
        return bool(self.tested or self.taught_where or self.tested_where)

    @property
    def groups(self) -> frozenset[frozenset[str]]:
        """The conditions of each side that teaches, whatever the sides are called."""
        return frozenset(frozenset(names) for _, names in self.sides)

    @property
    def columns(self) -> list[str]:
        """Columns of the sample table that say where samples teach and are tested."""
        return sorted({name for name, _ in (*self.taught_where, *self.tested_where)})

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the sides."""
        return tuple(name for name, _ in self.sides)

    @property
    def tested_labels(self) -> tuple[str, ...]:
        """Names of the sides that are tested, in the same order."""
        return tuple(name for name, _ in self.tested or self.sides)


def parse(comparisons: Sequence[str], conditions: Iterable[str]) -> list[Comparison]:
    """Turn comparisons as they are typed into sides.

    A comparison that tells the same conditions apart as an earlier one is left out, so that no
    test stands twice in the family (with two conditions, ``pairs`` and ``all`` are one). One that
    is typed gives its name to the same of ``pairs``.

    Parameters
    ----------
    comparisons
        ``pairs`` (every pair of conditions), ``all`` (all at once), ``a vs b``, or
        ``face:female+male vs vehicle:bike+car`` with any number of sides. ``a vs b -> c vs d``
        learns a and b and is tested on c and d (cross-decoding); ``@ COLUMN=VALUE`` says of which
        samples, as in ``a vs b @ position=left -> @ position=right``.
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
    out: dict[object, Comparison] = {}
    names: dict[str, str] = {}
    for text in comparisons:
        for made in _read(text, known):
            same: object = frozenset(members for _, members in made.sides)
            if made.is_crossed:
                same = made.name
            is_typed = text not in (PAIRS, ALL)
            if same in out:
                if not is_typed or names[out[same].name] not in (PAIRS, ALL):
                    continue
                names.pop(out[same].name)
            if made.name in names:
                raise ConfigError(
                    f"The comparisons {names[made.name]!r} and {text!r} have one name, "
                    f"{made.name!r}, for different conditions.",
                    mend="Give their sides other names, as in 'name:a+b vs other:c+d'.",
                )
            names[made.name] = text
            out[same] = made
    return list(out.values())


def parse_known(
    comparisons: Sequence[str], conditions: Iterable[str]
) -> tuple[list[Comparison], dict[str, ConfigError]]:
    """Parse those comparisons whose conditions exist: of some, a participant may have shown none.

    Parameters
    ----------
    comparisons, conditions
        As for `parse`.

    Returns
    -------
    parsed
    absent : by comparison as it is typed
        What is wrong with the others.

    Raises
    ------
    ConfigError
        As `parse` does; of conditions that do not exist, if no comparison is left.
    NotEnoughDataError
        As `parse` does.

    Examples
    --------
    >>> found, absent = parse_known(["cat vs dog", "cat vs car"], ["cat", "dog"])
    >>> [one.name for one in found], list(absent)
    (['cat vs dog'], ['cat vs car'])
    """
    known, kept = sorted(set(conditions)), []
    absent: dict[str, ConfigError] = {}
    for text in comparisons:
        try:
            if len(known) > 1 and text not in (PAIRS, ALL):
                _read(text, known)
            kept.append(text)
        except AbsentConditionError as err:
            absent[text] = err
    if absent and not kept:
        raise next(iter(absent.values()))
    return parse(kept, known), absent


def _read(text: str, known: Sequence[str]) -> list[Comparison]:
    if text == PAIRS:
        return [_comparison([(a, (a,)), (b, (b,))]) for a, b in combinations(known, 2)]
    if text == ALL:
        return [_comparison([(one, (one,)) for one in known], name=ALL)]
    is_plain = all(part.strip() in known for part in re.split(r"\s+vs\.?\s+", text.strip()))
    if not is_plain and (ARROW in text or re.search(rf"(^|\s){AT}", text)):
        return [_crossed(text, known)]
    return [_comparison(_sides(text, text, known))]


def _crossed(text: str, known: Sequence[str]) -> Comparison:
    """Read a comparison that says who teaches and who is tested."""
    halves = [half.strip() for half in text.split(ARROW)]
    if len(halves) > 2:
        raise ConfigError(
            f"The comparison {text!r} has {len(halves) - 1} arrows; one is needed.",
            mend="Type 'a vs b -> c vs d'.",
        )
    told = [re.split(rf"(?:^|\s+){AT}\s*", half, maxsplit=1) for half in halves]
    sides = [_sides(half[0].strip(), text, known) if half[0].strip() else [] for half in told]
    where = [_where(half[1], text) if len(half) > 1 else () for half in told]
    if len(halves) == 1:  # both halves are of some samples alone
        sides, where = [sides[0], []], [where[0], where[0]]
    if not sides[0] or (sides[1] and len(sides[1]) != len(sides[0])):
        raise ConfigError(
            f"The comparison {text!r} has {len(sides[0])} side(s) before the arrow and "
            f"{len(sides[1])} after it.",
            mend="Give as many on both, as in 'a vs b -> c vs d'; none after it = the same.",
        )
    made = Comparison(" ".join(text.split()), tuple(sides[0]), tuple(sides[1]), *where)
    both = made.side_of.keys() & made.tested_side_of.keys()
    for one in sorted(both):
        if made.side_of[one] != made.tested_side_of[one]:
            raise ConfigError(
                f"The comparison {text!r} has {one!r} on side {made.side_of[one] + 1} before the "
                f"arrow and on side {made.tested_side_of[one] + 1} after it.",
                mend="Name sides in one order before and after the arrow.",
            )
    return made


def _where(text: str, whole: str) -> Where:
    """Read ``COLUMN=VALUE, COLUMN=VALUE``."""
    found = [part.partition("=") for part in text.split(",")]
    if any(not (column.strip() and sign and value.strip()) for column, sign, value in found):
        raise ConfigError(
            f"The comparison {whole!r} says {text.strip()!r} of samples.",
            mend="Type @ COLUMN=VALUE, such as 'a vs b @ position=left -> @ position=right'.",
        )
    return tuple(sorted((column.strip(), value.strip()) for column, _, value in found))


def _sides(part: str, text: str, known: Sequence[str]) -> list[tuple[str, tuple[str, ...]]]:
    """Read the sides of a comparison, or of half of one."""
    parts = [one.strip() for one in re.split(r"\s+vs\.?\s+", part.strip())]
    if len(parts) < 2:
        raise ConfigError(
            f"The comparison {text!r} has one side; two are needed.",
            mend="Type 'pairs', 'all', 'a vs b' or 'name:a+b vs other:c+d'. "
            + nearest(text, [*known, PAIRS, ALL]),
        )
    sides = [_side(one, text, known) for one in parts]
    members = [one for _, side in sides for one in side]
    labels = [name for name, _ in sides]
    for what, found in (("condition", members), ("side", labels)):
        if twice := sorted({one for one in found if found.count(one) > 1}):
            raise ConfigError(
                f"The comparison {text!r} names the {what} {twice[0]!r} twice.",
                mend=f"Name each {what} once.",
            )
    return sides


def _numbers(sides: Sides) -> dict[str, int]:
    return {one: k for k, (_, members) in enumerate(sides) for one in members}


def _side(part: str, text: str, known: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    if part in known:  # also where a condition's name holds a colon or a plus
        return part, (part,)
    name, colon, rest = part.partition(":")
    members = [one.strip() for one in (rest if colon else part).split("+")]
    for one in members:
        if one not in known:
            raise AbsentConditionError(
                f"The comparison {text!r} names the condition {one!r}, which no sample has.",
                mend=nearest(one, known),
            )
    return (name.strip() if colon else part), tuple(sorted(members))


def _comparison(
    sides: Iterable[tuple[str, tuple[str, ...]]], *, name: str | None = None
) -> Comparison:
    ordered = tuple(sorted(sides))
    return Comparison(name or " vs ".join(label for label, _ in ordered), ordered)
