"""Colors that all readers can tell apart, in light and in dark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

# Okabe & Ito (2008), Color Universal Design, in an order that keeps neighbors far apart.
OKABE_ITO = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442")
SHADES = ((0.0, 0), (0.45, 0), (0.55, 255))  # how much black or white is mixed in
SCALE = "viridis"  # of values that grow from nothing
DIVERGING = "RdBu_r"  # of values around a meaningful zero


@dataclass(frozen=True, slots=True)
class Theme:
    """The colors of paper and ink.

    Parameters
    ----------
    name
        ``light`` or ``dark``, as the reader's setting is called.
    paper, ink, faint, band
        Background; text and lines; grid and frames; areas behind the data.
    """

    name: str
    paper: str
    ink: str
    faint: str
    band: str


LIGHT = Theme("light", "#ffffff", "#1d2126", "#c9ced6", "#e3e6ea")
DARK = Theme("dark", "#171a1f", "#e4e7eb", "#4a515c", "#2e343d")
THEMES = (LIGHT, DARK)


def region_colors(names: Sequence[str]) -> dict[str, str]:
    """Return one color for each region, the same wherever the order of names is the same.

    Beyond the seventh region the same hues come darker, then lighter, so that 21 regions can
    be told apart; further ones begin again.

    Examples
    --------
    >>> region_colors(["V1", "FFA"])
    {'V1': '#0072B2', 'FFA': '#E69F00'}
    """
    single = list(dict.fromkeys(names))
    n = len(OKABE_ITO)
    return {
        name: _shaded(OKABE_ITO[i % n], (i // n) % len(SHADES)) for i, name in enumerate(single)
    }


def _shaded(color: str, shade: int) -> str:
    """Return a color mixed with black or white, as `SHADES` has it."""
    share, other = SHADES[shade]
    if not share:
        return color
    mixed = (round((1 - share) * int(color[i : i + 2], 16) + share * other) for i in (1, 3, 5))
    return "#" + "".join(f"{value:02X}" for value in mixed)
