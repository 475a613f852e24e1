"""Which part of the visual field, in which area: rules such as ``V1@0-2deg``, and who sees it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bids_dnn.containers.space import Hemisphere
from bids_dnn.errors import ConfigError, NotEnoughDataError, nearest
from bids_dnn.rois.maps import AREAS, Maps, Retinotopy

FEWEST_DEG, MOST_DEG = 1.0, 20.0  # between which the template was fitted
WIDEST_DEG = 90.0
NUMBER = r"\d+(?:\.\d*)?|\.\d+"
SIGNED = rf"[+-]?(?:{NUMBER})"
BAND = re.compile(rf"({SIGNED})\s*-\s*({SIGNED})\s*deg")
DISK = re.compile(rf"\(\s*({SIGNED})\s*,\s*({SIGNED})\s*\)\s*r\s*({SIGNED})\s*deg")
EXAMPLES = "V1, V1@0-2deg, V1-V3@4-8deg, V1@(4.95,4.95)r1deg"


@dataclass(frozen=True, slots=True)
class FieldRule:
    """Areas, and a part of the visual field; the whole of it where neither is given.

    Parameters
    ----------
    areas
        Numbers in the template, 1 for V1.
    band_deg
        Least and largest eccentricity, both taken.
    disk_deg
        Center x (to the right) and y (up) and radius.
    text
        As it was typed.
    """

    areas: tuple[int, ...]
    text: str
    band_deg: tuple[float, float] | None = None
    disk_deg: tuple[float, float, float] | None = None


def parse_field(text: str) -> FieldRule:
    """Read what stands after ``benson:``.

    Parameters
    ----------
    text
        An area or a range of areas in the template's order; after ``@`` a band of
        eccentricities or a disk (x to the right and y up, in degrees).

    Raises
    ------
    ConfigError
        If an area does not exist, or the part after ``@`` is none.

    Examples
    --------
    >>> parse_field("V1-V3@4-8deg").areas
    (1, 2, 3)
    >>> parse_field("V1@(4.95,-4.95)r1deg").disk_deg
    (4.95, -4.95, 1.0)
    """
    what, at, where = (part.strip() for part in text.partition("@"))
    areas = _areas(what, text)
    if not at:
        return FieldRule(areas, text)
    if found := BAND.fullmatch(where):
        low, high = map(float, found.groups())
        if not 0 <= low < high <= WIDEST_DEG:
            raise ConfigError(
                f"benson:{text} asks for eccentricities from {low:g} to {high:g} degrees; the "
                f"first must be 0 or more, the second larger, and at most {WIDEST_DEG:g}.",
                mend=f"Type such as benson:{what}@0-2deg.",
            )
        return FieldRule(areas, text, band_deg=(low, high))
    if found := DISK.fullmatch(where):
        x, y, radius = map(float, found.groups())
        if not (radius > 0 and np.hypot(x, y) <= WIDEST_DEG):
            raise ConfigError(
                f"benson:{text} asks for a disk of radius {radius:g} around ({x:g}, {y:g}) "
                "degrees; the radius must be above 0 and the center within "
                f"{WIDEST_DEG:g} degrees.",
                mend=f"Type such as benson:{what}@(4.95,4.95)r1deg.",
            )
        return FieldRule(areas, text, disk_deg=(x, y, radius))
    raise ConfigError(
        f"benson:{text} has {where!r} after @; a band or a disk in degrees was expected.",
        mend=f"Type one such as {EXAMPLES}.",
    )


def select(maps: Retinotopy, rule: FieldRule) -> dict[Hemisphere, NDArray[np.bool_]]:
    """Mark the vertices of each hemisphere that see what a rule asks for.

    Parameters
    ----------
    maps
        Area, angle and eccentricity of each vertex.
    rule
        As `parse_field` gives it.

    Returns
    -------
    marked : (n_vertices,) for each hemisphere
        A disk on the vertical meridian has vertices in both.

    Raises
    ------
    NotEnoughDataError
        If no vertex sees it.
    """
    marked = {h: _within(one, rule) for h, one in maps.hemispheres.items()}
    if not any(one.any() for one in marked.values()):
        raise _nobody(maps, rule)
    return marked


def extrapolated(
    maps: Retinotopy, rule: FieldRule, marked: Mapping[Hemisphere, NDArray[np.bool_]]
) -> list[str]:
    """Say how many of the marked vertices lie where the template was not fitted.

    Parameters
    ----------
    maps, rule, marked
        As of `select`.

    Returns
    -------
    warnings
        A sentence for the fovea and one for the far periphery, where there is need.
    """
    e = np.concatenate([maps.hemispheres[h].eccentricity_deg[one] for h, one in marked.items()])
    texts = {
        f"below {FEWEST_DEG:g} degree": int((e < FEWEST_DEG).sum()),
        f"above {MOST_DEG:g} degrees": int((e > MOST_DEG).sum()),
    }
    return [
        f"benson:{rule.text}: {n} of {e.size} vertices have an eccentricity {where}, where the "
        "template extrapolates."
        for where, n in texts.items()
        if n
    ]


def positions(maps: Maps) -> NDArray[np.float64]:
    """Return where in the visual field each vertex looks, (n_vertices, 2): x right, y up, deg."""
    angle = np.radians(maps.angle_deg)
    direction = np.column_stack([np.sin(angle), np.cos(angle)])
    return np.asarray(maps.eccentricity_deg[:, None] * direction)


def _areas(what: str, text: str) -> tuple[int, ...]:
    first, dash, last = (part.strip() for part in what.partition("-"))
    names = (first, last) if dash else (first,)
    for name in names:
        if name not in AREAS:
            raise ConfigError(
                f"benson:{text} names the area {name!r}, which the template does not have.",
                mend=_nearest_area(name),
            )
    low, high = AREAS.index(names[0]), AREAS.index(names[-1])
    if low > high:
        raise ConfigError(
            f"benson:{text} goes from {names[0]} back to {names[-1]}; the order is "
            f"{' '.join(AREAS)}.",
            mend=f"Type benson:{text.replace(what, f'{names[-1]}-{names[0]}', 1)}.",
        )
    return tuple(range(low + 1, high + 2))


def _nearest_area(name: str) -> str:
    same = [area for area in AREAS if area.lower().lstrip("h") == name.lower().lstrip("h")]
    return f"Did you mean {same[0]!r}?" if same and name else nearest(name, AREAS)


def _within(maps: Maps, rule: FieldRule) -> NDArray[np.bool_]:
    inside: NDArray[np.bool_] = np.isin(maps.area, rule.areas)
    if rule.band_deg is not None:
        low, high = rule.band_deg
        inside &= (maps.eccentricity_deg >= low) & (maps.eccentricity_deg <= high)
    if rule.disk_deg is not None:
        inside &= _distance(maps, rule) <= rule.disk_deg[2]
    return inside


def _distance(maps: Maps, rule: FieldRule) -> NDArray[np.float64]:
    """Return how far (n_vertices,) each vertex looks from the middle of what is asked for."""
    if rule.disk_deg is not None:
        off = positions(maps) - rule.disk_deg[:2]
        return np.asarray(np.hypot(*off.T))
    low, high = rule.band_deg or (0.0, WIDEST_DEG)
    e = maps.eccentricity_deg
    return np.maximum(np.maximum(low - e, e - high), 0.0)


def _nobody(maps: Retinotopy, rule: FieldRule) -> NotEnoughDataError:
    counts, near = [], np.inf
    for hemisphere, one in maps.hemispheres.items():
        inside = np.isin(one.area, rule.areas)
        counts.append(f"{int(inside.sum())} {hemisphere}")
        if inside.any():
            away = _distance(one, rule)[inside]
            near = min(near, float(away.min()) - (rule.disk_deg[2] if rule.disk_deg else 0.0))
    names = ", ".join(AREAS[number - 1] for number in rule.areas)
    found = f"the nearest looks {near:.2f} degrees beside it" if np.isfinite(near) else "none"
    return NotEnoughDataError(
        f"No vertex sees benson:{rule.text}: {names} has {' and '.join(counts)} vertices, "
        f"{found}.",
        mend="Check x (to the right) and y (up), or widen the band or the radius.",
    )
