"""What keeps searchlights of participants from being compared with exchanged maps, in words."""

from __future__ import annotations

from math import ceil, prod

from bids_dnn.group.choices import ROUNDING, Choices
from bids_dnn.group.lights import Part

MANY_MAPS = 100  # of a participant; with fewer, clusters are found too often
AGAIN = "Run all participants with the same items, maps under [searchlight] and random seed."


def hindrance(part: Part, choices: Choices) -> str:
    """Return why units cannot be compared with exchanged maps, "" where they can.

    Means of maps that are drawn anew in each participant must be rare enough. Where items are
    exchanged (`Part.is_paired`), the exchanges must be the same in all participants: these saw
    the same items, so that their scores go up and down together under one exchange, and means
    of independent ones are too near to zero.

    Parameters
    ----------
    part, choices
    """
    if part.without:
        named = ", ".join(f"sub-{name}" for name in part.without)
        return f"{named} left no maps under exchanged labels."
    if not len(part.common):
        return "no unit was measured in all participants."
    return _unpaired(part) if part.is_paired else _too_few(part, choices)


def _too_few(part: Part, choices: Choices) -> str:
    n = prod(len(one.null) + 1 for one in part.null)
    if n >= 1 / choices.p_unit - ROUNDING:
        return ""
    return (
        f"the participants' maps can be combined in {n} ways, so that no p can be as low as "
        f"{choices.p_unit:g}."
    )


def _unpaired(part: Part) -> str:
    if len(set(part.items)) > 1:
        return f"participants differ in items, or in how these were exchanged. {AGAIN}"
    counts = sorted({len(one.null) for one in part.null})
    if len(counts) > 1:
        return f"participants left {' and '.join(map(str, counts))} exchanged maps. {AGAIN}"
    return ""


def is_coarse(part: Part, choices: Choices) -> bool:
    """Tell whether the exchanges that all share are too few for the threshold of units.

    Parameters
    ----------
    part, choices
    """
    return part.is_paired and (part.n_maps + 1) * choices.p_unit < 1 - ROUNDING


def weaknesses(part: Part, choices: Choices) -> list[str]:
    """Say what few exchanged maps cannot tell, in sentences.

    Parameters
    ----------
    part, choices
    """
    if is_coarse(part, choices):
        n = ceil(1 / choices.p_unit - ROUNDING) - 1
        return [
            f"{part.comparison}: no clusters: all participants share {part.n_maps} exchanges of "
            f"items, so that no p can be as low as {choices.p_unit:g}. Type n_maps = {n} or more "
            "under [searchlight], or a higher p_unit under [group]."
        ]
    if part.is_paired or part.n_maps >= MANY_MAPS:
        return []
    return [
        f"{part.comparison}: a participant left {part.n_maps} maps under exchanged labels; with "
        f"fewer than {MANY_MAPS}, clusters are found somewhat too often."
    ]


def differences(part: Part) -> list[str]:
    """Say where participants differ in what is expected by chance, in sentences.

    Parameters
    ----------
    part
    """
    if part.is_one_chance:
        return []
    levels: dict[str, list[str]] = {}
    for label, base, n in zip(part.labels, part.base, part.n_classes, strict=True):
        levels.setdefault(f"{base:.3g} of {n} sides", []).append(f"sub-{label}")
    each = "; ".join(f"{level} in {', '.join(who)}" for level, who in levels.items())
    return [
        f"{part.comparison}: n_classes and chance differ between participants ({each}). Flipped "
        "signs take each one's own chance; mean scores compare with the mean chance only where "
        "all were measured."
    ]
