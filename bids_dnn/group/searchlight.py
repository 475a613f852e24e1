"""Searchlights of participants -> maps of the group, and clusters against exchanged labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import csr_array

from bids_dnn.containers.result import Result, StatMap
from bids_dnn.containers.space import Space
from bids_dnn.errors import MissingInputError, SpaceError
from bids_dnn.group.choices import ALPHA, Choices
from bids_dnn.group.clusters import COLUMNS as CLUSTER_COLUMNS
from bids_dnn.group.clusters import Clusters, Settings, find_clusters
from bids_dnn.group.flip_clusters import ground_of
from bids_dnn.group.hindrances import differences, hindrance, is_coarse, weaknesses
from bids_dnn.group.light_contrasts import CLUSTERS as CONTRAST_CLUSTERS
from bids_dnn.group.light_contrasts import COLUMNS as CONTRASTS
from bids_dnn.group.light_contrasts import contrast_maps
from bids_dnn.group.lights import Chance, Part, comparisons_of, part_of
from bids_dnn.group.maps import (
    LEAST,
    LEVEL,
    Flips,
    alike_of,
    count_map,
    enhancement,
    mean_map,
    overlap_map,
    stat_map,
    unenhanced,
)
from bids_dnn.group.people import ALONE, numbers_of
from bids_dnn.group.prevalence_maps import MapPrevalence, map_prevalence
from bids_dnn.group.tests import About
from bids_dnn.group.watch import Watch, unwatched
from bids_dnn.stats.neighbours import Meshes, adjacency, places_mm

NO_PREVALENCE = (
    "no prevalence: the lowest score of all participants needs exchanges that are independent, "
    "and items are exchanged alike in all."
)
COLUMNS = {
    "comparison": "What was told apart.",
    "n_classes": "Sides of the comparison; the most where participants differ.",
    "metric": "What scores are; several where participants differ.",
    "chance": "Score expected by chance; the mean where participants differ.",
    "n_participants": "Participants with a map.",
    "n_units": "Units that somebody measured.",
    "n_common": "Units that all of these participants measured: clusters are looked for there.",
    "n_maps": "Maps under exchanged labels of the participant who has the fewest; 0 = somebody "
    "left none.",
    "mean": "Mean over common units of the mean score over participants.",
    "highest": "Highest mean score among common units.",
    "highest_unit": "Number of the unit where it is, among the units of the map; -1 = nowhere.",
    "n_clusters": "Clusters of units above their threshold; -1 = none were looked for.",
    "n_significant": "Those with p_fwe < 0.05; -1 = none were looked for.",
    "prevalence_highest": "Highest corrected lower bound of the prevalence among common units.",
    "prevalence_largest": "Bound that so many participants and exchanged maps can prove at most.",
    "missing": "Participants without a map.",
}
CLUSTERS = {"comparison": "What was told apart."} | {
    name: f"{words[0].upper()}{words[1:]}." for name, words in CLUSTER_COLUMNS.items()
}


def average_searchlights(
    results: Mapping[str, Result],
    chance: Mapping[str, Chance],
    *,
    choices: Choices = Choices(),  # noqa: B008 (frozen)
    about: About = About(),  # noqa: B008 (frozen)
    meshes: Meshes | None = None,
    watch: Watch = unwatched,
) -> Result:
    """Average maps of accuracy, and test where they are above chance, by units and by clusters.

    Of each comparison there are the mean, p of flipped signs (as for other maps), and in how
    many participants p is below 0.05; against the participants' maps under exchanged labels
    there are p of each unit (``pchance``) and clusters, and, where the tests have
    ``prevalence``, a lower bound of how many have an effect (``prevalencebound``, with the p
    that nobody has, ``pglobal``). Contrasts have maps and a table of their own.

    Parameters
    ----------
    results
        Of participants, by label, in one space that is the same for all. Their maps of scores
        stand in the order of the rows of their tables.
    chance
        Of each participant, by the label of a comparison: maps under exchanged labels (n_maps,
        n_units), over the units of the participant's maps, and what makes scores of them.
    choices
        Correction, covariates, seed, and how clusters are found.
    about
        Who should be there, and what participants.tsv says of them.
    meshes
        Of each hemisphere with units, where these are vertices; without them there are no
        clusters.
    watch
        Told how far each long part is.

    Returns
    -------
    result
        Its table has one row a comparison, the extra ``clusters`` one a cluster; what could not
        be done is NaN, and ``meta["warnings"]`` says why. With one participant there are the
        mean and the counts alone.

    Raises
    ------
    ConfigError
        If a covariate does not exist.
    ShapeError
        If a participant's table and maps, or maps and exchanged maps, do not fit.

    References
    ----------
    Stelzer, Chen & Turner (2013), NeuroImage 65:69, doi:10.1016/j.neuroimage.2012.09.063.
    """
    alike = alike_of(results)
    everyone = {*about.expected, *results}
    warnings = [*alike.warnings, *_general(len(alike.results), choices)]
    how = enhancement(alike.space, choices, meshes)
    warnings += unenhanced(alike.space, how, choices)
    rows, maps, tables, parts = [], [], [], []
    for comparison, model in comparisons_of(alike.results).items():
        part = part_of(alike, chance, comparison, model)
        parts.append(part)
        numbers = numbers_of(about.people, choices.covariates, part.labels)
        found, said = _clusters(part, alike.space, meshes, choices, watch)
        flips = None if alike.space is None else Flips(alike.space, choices, numbers, how, watch)
        maps += _maps(part, flips) + _chance_maps(part, found)
        rows.append(_row(part, found))
        rows[-1]["missing"] = ", ".join(sorted(everyone - {*part.labels}))
        tables.append(_table(part, found))
        warnings += [*differences(part), *said]
        if "prevalence" in choices.tests:
            if part.is_paired:
                warnings.append(f"{comparison}: {NO_PREVALENCE}")
            made = _prevalence(part, choices, watch)
            maps += _prevalence_maps(part, made)
            rows[-1] |= _proved(made)
    ground = ground_of(alike.space, meshes) if choices.contrasts else None
    contrasted = contrast_maps(
        parts, how=how, ground=ground, choices=choices, about=about, watch=watch
    )
    warnings += contrasted.warnings
    maps += contrasted.maps
    columns = [name for name in COLUMNS if not rows or name in rows[0]]
    return Result(
        "searchlight",
        pd.DataFrame(rows, columns=columns),
        {name: COLUMNS[name] for name in columns},
        tuple(maps),
        alike.space if maps else None,
        {
            "level": "group",
            "participants": sorted(results),
            "missing_participants": sorted(everyone - {*results}),
            **_told(choices),
            "warnings": list(dict.fromkeys(warnings)),
        },
        extras={"clusters": _joined(tables)} | contrasted.extras(),
        extra_columns={
            "clusters": CLUSTERS,
            "contrasts": CONTRASTS,
            "contrastClusters": CONTRAST_CLUSTERS,
        },
    )


def _told(choices: Choices) -> dict[str, Any]:
    """Return the settings that maps of searchlights rest on."""
    return {
        "tests": list(choices.tests),
        "correction": choices.correct,
        "contrasts": list(choices.contrasts),
        "covariates": list(choices.covariates),
        "p_unit": choices.p_unit,
        "n_chance_maps": choices.n_maps,
        "seed": choices.seed,
    }


def _general(n: int, choices: Choices) -> list[str]:
    made = []
    if n == 0:
        made.append("No participant has maps of the searchlight in a space that all share.")
    if n == 1:
        made.append(ALONE)
    if choices.covariates:
        made.append("Covariates enter p of flipped signs, not clusters against exchanged labels.")
    return made


def _maps(part: Part, flips: Flips | None) -> list[StatMap]:
    """Return mean and counts, and what flips of signs say."""
    words = f"the {' or '.join(part.metrics).replace('_', ' ')} of {part.comparison}"
    ends = "-1 to 1" if part.is_paired else "0 to 1"
    by_chance = f"{part.base[0]:.3g} by chance"
    if not part.is_one_chance:
        by_chance = "chance differs between participants"
    words = f"{words}; {ends}, {by_chance}"
    made = [mean_map(part.values, part.stat, part.model, words)]
    if flips is not None and len(part.labels) >= LEAST:
        flipped = flips.p_map(part.values, part.model, base=part.base)
        if part.is_paired:
            said = f"{flipped.description} Over participants like these, not over other stimuli."
            flipped = replace(flipped, description=said)
        made.append(flipped)
    made.append(count_map(part.values, part.model, what="score"))
    if part.p is not None:
        made.append(
            overlap_map(part.p, part.model, f"p is below {LEVEL:g}, not corrected over the map")
        )
    return made


def _clusters(
    part: Part, space: Space | None, meshes: Meshes | None, choices: Choices, watch: Watch
) -> tuple[Clusters | None, list[str]]:
    """Look for clusters; where none can be looked for, say why.

    Returns
    -------
    found
        Over the common units. None where not even units can be tested, one without a table
        (`n_null_clusters` = -1) where it is not known which units touch.
    warnings
    """
    if len(part.labels) < LEAST or space is None:
        return None, []
    if why := hindrance(part, choices):
        return None, [f"{part.comparison}: no p against exchanged labels, and no clusters: {why}"]
    said = weaknesses(part, choices)
    own = space.select(part.common)
    touching, places = csr_array((len(own), len(own)), dtype=np.bool_), None
    is_known = not is_coarse(part, choices)
    try:
        touching, places = adjacency(own, meshes=meshes), places_mm(own, meshes=meshes)
    except (MissingInputError, SpaceError) as err:
        is_known = False
        said.append(f"{part.comparison}: no clusters, as it is not known what touches: {err.what}")
    settings = Settings(
        p_unit=max(choices.p_unit, 1 / (part.n_maps + 1)) if part.is_paired else choices.p_unit,
        n_maps=choices.n_maps,
        seed=choices.seed,
        is_paired=part.is_paired,
    )
    told = watch(f"units of {part.model} among chance maps")
    found = find_clusters(part.null, touching, settings=settings, places=places, progress=told)
    if not is_known:
        found = replace(found, labels=0 * found.labels, table=found.table[:0], n_null_clusters=-1)
    return found, said


def _chance_maps(part: Part, found: Clusters | None) -> list[StatMap]:
    """Return what exchanged labels say, on all units."""
    if found is None:
        return []
    p, labels = (np.full(len(part.values), np.nan) for _ in range(2))
    p[part.common], labels[part.common] = found.p, found.labels
    of = "one map of each participant, under exchanged labels or as it is"
    if part.is_paired:
        of = "the participants' maps under one exchange of items, the same for all"
    words = (
        f"One-sided p of each unit among chance maps of the group (means of {of}), not "
        "corrected; 0 to 1. NaN: somebody has no score."
    )
    made = [stat_map("pchance", p, part.model, words)]
    if found.n_null_clusters >= 0:
        words = "Number of the cluster, as in the table of clusters; 0 = none. NaN: not looked at."
        made.append(stat_map("cluster", labels, part.model, words))
    return made


def _prevalence(part: Part, choices: Choices, watch: Watch) -> MapPrevalence | None:
    """Bound the prevalence at each common unit, where all left maps under exchanged labels."""
    if len(part.labels) < LEAST or not part.null or not len(part.common) or part.is_paired:
        return None
    told = watch(f"units of {part.model} for the prevalence")
    return map_prevalence(part.null, alpha=ALPHA, seed=choices.seed, progress=told)


def _prevalence_maps(part: Part, made: MapPrevalence | None) -> list[StatMap]:
    if made is None:
        return []
    bound, p = (np.full(len(part.values), np.nan) for _ in range(2))
    bound[part.common], p[part.common] = made.bound_corrected, made.p_corrected
    words = (
        "Share of the population that is exceeded by those who have an effect, at level "
        f"{ALPHA:g}, corrected over the map; 0 = nothing is shown, {made.largest_corrected:.3g} "
        "at most. NaN: somebody has no score."
    )
    return [
        stat_map("prevalencebound", bound, part.model, words),
        stat_map(
            "pglobal",
            p,
            part.model,
            "p that nobody has an effect, corrected over the map by the largest of all lowest "
            "scores; 0 to 1. NaN: somebody has no score.",
        ),
    ]


def _proved(made: MapPrevalence | None) -> dict[str, float]:
    highest = np.nan if made is None else float(np.nanmax(made.bound_corrected))
    largest = np.nan if made is None else made.largest_corrected
    return {"prevalence_highest": highest, "prevalence_largest": largest}


def _row(part: Part, found: Clusters | None) -> dict[str, Any]:
    mean = part.values[part.common].mean(axis=1)
    place = int(part.common[np.argmax(mean)]) if len(mean) else -1
    table = found.table if found is not None and found.n_null_clusters >= 0 else None
    return {
        "comparison": part.comparison,
        "n_classes": max(part.n_classes),
        "metric": ", ".join(part.metrics),
        "chance": float(part.base.mean()),
        "n_participants": len(part.labels),
        "n_units": int(np.isfinite(part.values).any(axis=1).sum()),
        "n_common": len(part.common),
        "n_maps": part.n_maps,
        "mean": float(mean.mean()) if len(mean) else np.nan,
        "highest": float(mean.max()) if len(mean) else np.nan,
        "highest_unit": place,
        "n_clusters": -1 if table is None else len(table),
        "n_significant": -1 if table is None else int((table["p_fwe"] < LEVEL).sum()),
    }


def _table(part: Part, found: Clusters | None) -> pd.DataFrame:
    """Return the clusters, with peaks among the units of the map."""
    if found is None:
        return pd.DataFrame()
    made = found.table.copy()
    made["peak_unit"] = part.common[made["peak_unit"].to_numpy(dtype=np.intp)]
    made.insert(0, "comparison", part.comparison)
    return made


def _joined(tables: list[pd.DataFrame]) -> pd.DataFrame:
    """Put the clusters of comparisons below one another; an empty table has all columns."""
    if filled := [one for one in tables if len(one)]:
        return pd.concat(filled, ignore_index=True)
    kinds = {"comparison": object} | dict.fromkeys(("cluster", "n_units", "peak_unit"), np.int64)
    return pd.DataFrame({name: np.empty(0, kinds.get(name, np.float64)) for name in CLUSTERS})
