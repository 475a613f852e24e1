"""In which settings participants differ whose results are put together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bids_dnn.report.parts import listed

MOST_TOLD, MOST_VALUES = 5, 4  # settings, and values of one, in a sentence
LONGEST = 60  # characters of a value
NOT_TOLD = "not told"


def differences(analysis: str, sidecars: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Say in which settings, networks or numbers of runs participants differ, who, and how.

    Parameters
    ----------
    analysis
        What is put together.
    sidecars
        Of each participant's table, by label.

    Returns
    -------
    warnings
        A sentence, or none. A setting that somebody's sidecar does not hold, or that is None, is
        not told; of regions the names count, as a rule may hold a participant's own values.

    Examples
    --------
    >>> told = {k: {"Settings": {"decode": {"c": c}}} for k, c in (("01", 1.0), ("02", 2.0))}
    >>> differences("decode", told)
    ['decode: participants differ in decode.c (1.0: sub-01; 2.0: sub-02).']
    """
    flat = {label: _told(sidecar) for label, sidecar in sidecars.items()}
    names = list(dict.fromkeys(name for one in flat.values() for name in one))
    said = []
    for name in names:
        who: dict[str, list[str]] = {}
        for label, one in flat.items():
            who.setdefault(one.get(name, NOT_TOLD), []).append(f"sub-{label}")
        if len(who) > 1:
            said.append(f"{name} ({_values(who)})")
    if not said:
        return []
    more = len(said) - MOST_TOLD
    rest = f", and {more} more" if more > 0 else ""
    return [f"{analysis}: participants differ in {', '.join(said[:MOST_TOLD])}{rest}."]


def _told(sidecar: Mapping[str, Any]) -> dict[str, str]:
    """Return settings by their full names, as text."""
    settings = dict(sidecar.get("Settings", {}))
    if "regions" in settings:
        settings["regions"] = [one["name"] for one in settings["regions"]]
    made = _flat(settings)
    made |= _flat({"networks": sidecar.get("Networks") or {}})
    runs = sidecar.get("Facts", {}).get("ingest", {}).get("n_runs")
    return made | _flat({"number of runs": runs})


def _flat(settings: Mapping[str, Any], before: str = "") -> dict[str, str]:
    made: dict[str, str] = {}
    for key, value in settings.items():
        name = f"{before}{key}"
        if isinstance(value, Mapping) and value:
            made |= _flat(value, f"{name}.")
        elif value is not None:
            made[name] = str(value)
    return made


def _values(who: Mapping[str, list[str]]) -> str:
    parts = [f"{_short(value)}: {listed(labels)}" for value, labels in who.items()]
    rest = f"; {len(parts) - MOST_VALUES} other values" if len(parts) > MOST_VALUES else ""
    return "; ".join(parts[:MOST_VALUES]) + rest


def _short(value: str) -> str:
    return value if len(value) <= LONGEST else f"{value[: LONGEST - 4]} ..."
