"""Which layer and level of noise reproduce regions over participants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bids_dnn.containers.result import Result
from bids_dnn.errors import NotEnoughDataError, ShapeError
from bids_dnn.group import tests, twin_exchange
from bids_dnn.group.choices import ALPHA, BESIDE, Choices
from bids_dnn.group.family import KEYS, family_of
from bids_dnn.group.people import numbers_of
from bids_dnn.group.stack import stack
from bids_dnn.group.twin_exchange import LAYER
from bids_dnn.group.watch import Watch, unwatched
from bids_dnn.stats.inference import t_interval
from bids_dnn.stats.metrics import finite_mean, within_range
from bids_dnn.stats.participants import compare_with_zero

Float = NDArray[np.float64]
ANALYSIS = "twin"
NEEDED = ("rho", "is_decoded")  # of a participant's table
COLUMNS = {
    "region": tests.COLUMNS["region"],
    "network": "Name of the network.",
    "layer": "Module path of the layer.",
    "snr": tests.COLUMNS["snr"],
    "n_participants": tests.COLUMNS["n_participants"],
    "rho": "Mean of the participants' rho, the Spearman correlation over comparisons of what is "
    "decoded from the region and from the layer.",
    "ci_low": tests.COLUMNS["ci_low"],
    "ci_high": tests.COLUMNS["ci_high"],
    "p": tests.COLUMNS["p"],
    "p_floor": tests.COLUMNS["p_floor"],
    "p_t": "One-sided p of a t test over participants, which takes rho as normal; n/a where all "
    "of them have the same.",
    "p_wilcoxon": "One-sided exact p of Wilcoxon's signed ranks; rho of zero is left out.",
    "p_corrected": "p of the first of the tests, corrected over all rows.",
    "p_participants": "p by flipped signs, by the largest t of all layers and levels for this "
    "region (whatever `tests` and `correct` are): whether other people would have it; n/a of "
    "layers and levels that half of the region's participants have, or fewer.",
    "p_participants_floor": "Smallest p_participants that so many participants can give.",
    **twin_exchange.COLUMNS,
    "n_decoded": "Participants in whom the region is decoded (one comparison or more above "
    "chance).",
    "missing": "Participants without a rho here (or without a covariate).",
    "best": "Highest mean rho of its region, of layers and levels that most participants have.",
    "is_named": "Whether it is the best, and both its p_participants and its p_conditions are "
    "0.05 or less: only then can a layer be named for the region.",
}
REGION_COLUMNS = {
    "region": COLUMNS["region"],
    "comparison": "Conditions told apart; 'all' = every condition at once.",
    "n_participants": "Participants with a score.",
    "score": "Mean over participants of the balanced accuracy of decoding the region.",
    "ci_low": "Lower end of the 95 % t interval of the mean over participants; n/a under two.",
    "ci_high": "Upper end of that interval.",
    "chance": "Mean over participants of the score expected by chance.",
}
NETWORK_COLUMNS = {
    **{name: COLUMNS[name] for name in LAYER},
    "comparison": REGION_COLUMNS["comparison"],
    "n_participants": "Participants whose stimuli were decoded.",
    "score": "Mean over participants of the score of the layer, on each one's stimuli.",
    "ci_lowest": "Lowest of the lower ends of their own intervals.",
    "ci_highest": "Highest of the upper ends of their own intervals.",
    "chance": REGION_COLUMNS["chance"],
    "p_highest": "Highest of their own corrected p; a network is no random sample, so that p of "
    "participants are not put together.",
    "p_floor": "Smallest p that it can have.",
    "n_draws": "Draws of the noise.",
}
LEFT_OUT = {
    "mixed": "The mixed model was left out of the twin: it has no scores of sessions.",
    "prevalence": "Prevalence was left out of the twin: participants share the network, so that "
    "their own p are not independent.",
}


def group_twin(
    results: Mapping[str, Result],
    *,
    choices: Choices,
    about: tests.About,
    watch: Watch = unwatched,
) -> Result:
    """Test which layer and level of noise tell conditions apart as a region does in participants.

    Two questions are apart. Would other people have a rho above zero? Signs of the
    participants' rho are flipped, and the largest t of all layers and levels of the region is
    taken each time. Is it these conditions in which region and layer are alike by accident? All
    participants saw them, so that flipped signs say nothing of it: conditions exchange their
    names between region and network, the same in all participants, and the highest mean rho of
    all layers and levels is taken each time. A layer is named where both p are 0.05 or less.

    Parameters
    ----------
    results
        Of the analysis ``twin``, by participant.
    choices
        The settings of [group].
    about
        Who should be there, and what participants.tsv says of them.
    watch
        Gives a progress for exchanges.

    Returns
    -------
    result
        One row a region, layer and level. `extras` holds ``participants`` (each one's rho),
        ``regions`` and ``network`` (means of what is decoded), and ``contrasts`` where some were
        asked for.

    Raises
    ------
    ShapeError
        If a participant's table is of an earlier version.
    ConfigError, NotEnoughDataError
        As `tests.test_group`.

    References
    ----------
    Nichols & Holmes (2002), Human Brain Mapping 15:1, doi:10.1002/hbm.1058.
    Kriegeskorte, Mur & Bandettini (2008), Front. Syst. Neurosci. 2:4,
    doi:10.3389/neuro.06.004.2008, on exchanges of conditions.
    Nili et al. (2014), PLOS Comput. Biol. 10:e1003553, doi:10.1371/journal.pcbi.1003553.
    """
    table = _stacked(results, about.expected)
    tested = tuple(name for name in choices.tests if name not in BESIDE)
    made = tests.test_group(
        table, analysis=ANALYSIS, choices=replace(choices, tests=tested), about=about
    )
    there = _with_covariates(results, choices, about)
    same, sides = twin_exchange.alike({label: _rounded(one) for label, one in there.items()})
    rows = _renamed(made.table.drop(columns="metric"))
    most = rows.groupby("region")["n_participants"].transform("max")
    rows["is_common"] = 2 * rows["n_participants"] > most
    columns, said = twin_exchange.exchange(
        same, sides, rows, seed=choices.seed, progress=watch("regions under exchanges")
    )
    rows = pd.concat([rows, _over_participants(table, rows, choices, about), columns], axis=1)
    rows["n_decoded"] = _n_decoded(table[table["participant"].isin(there)], rows)
    known = rows[rows["is_common"]].dropna(subset="rho")
    rows["best"] = rows.index.isin(known.groupby("region")["rho"].idxmax())
    rows["is_named"] = (
        rows["best"] & (rows["p_participants"] <= ALPHA) & (rows["p_conditions"] <= ALPHA)
    )
    rows = rows[[name for name in COLUMNS if name in rows]]
    extras = {name: _renamed(one) for name, one in made.extras.items()}
    extras |= {"regions": _regions(same), "network": _networks(same)}
    words = dict(made.extra_columns)
    words["participants"] = {"rho": "The participant's rho."}
    left_out = [text for name, text in LEFT_OUT.items() if name in choices.tests]
    warnings = [*made.meta["warnings"], *said, *left_out]
    return Result(
        analysis=ANALYSIS,
        table=rows,
        columns={name: COLUMNS[name] for name in rows.columns},
        meta=made.meta | {"warnings": warnings},
        extras=extras,
        extra_columns=words | {"regions": REGION_COLUMNS, "network": NETWORK_COLUMNS},
    )


def _stacked(results: Mapping[str, Result], expected: Sequence[str]) -> pd.DataFrame:
    """Return the rho of all participants as scores; levels are text, as contrasts name them."""
    for label, one in results.items():
        if missing := [name for name in NEEDED if name not in one.table]:
            raise ShapeError(
                f"The twin of sub-{label} lacks the column(s) {missing}; an earlier version made "
                "it.",
                mend="Run the participant level again, with --analysis twin.",
            )
    kept = [*KEYS[ANALYSIS], "rho", "is_decoded"]
    table, _ = stack({label: one.table[kept] for label, one in results.items()}, expected)
    table["snr"] = _level(table["snr"])
    return table.rename(columns={"rho": "score"}).assign(metric="spearman")


def _rounded(result: Result) -> Result:
    """Return a result whose layers have levels as tables on disk keep them."""
    network = result.extras["network"]
    rounded = network.assign(snr=_level(network["snr"]).astype(float))
    return replace(result, extras=result.extras | {"network": rounded})


def _with_covariates(
    results: Mapping[str, Result], choices: Choices, about: tests.About
) -> dict[str, Result]:
    """Return the results of those who have all covariates: who lacks one is in no row."""
    labels = sorted(results)
    numbers = numbers_of(about.people, choices.covariates, labels)
    kept = {
        label: results[label]
        for label, own in zip(labels, numbers, strict=True)
        if np.isfinite(own).all()
    }
    if not kept:
        raise NotEnoughDataError(
            f"None of the {len(results)} participants has all of the covariates "
            f"{', '.join(choices.covariates)}.",
            mend="Fill them in in participants.tsv, or leave covariates out.",
        )
    return kept


def _level(snr: pd.Series[float]) -> pd.Series[str]:
    return snr.map("{:.9g}".format)  # as in tables


def _renamed(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table of scores with rho, and levels as numbers where they are."""
    made = table.rename(columns={"score": "rho"})
    if "snr" in made and (made["snr"] != "").all():
        made["snr"] = made["snr"].astype(float)
    return made


def _over_participants(
    table: pd.DataFrame, rows: pd.DataFrame, choices: Choices, about: tests.About
) -> pd.DataFrame:
    """Test rho by flipped signs and the largest t of each region's common rows."""
    family = family_of(table, analysis=ANALYSIS, numbers=["score"])
    numbers = numbers_of(about.people, choices.covariates, family.labels)
    made = pd.DataFrame(np.nan, rows.index, ["p_participants", "p_participants_floor"])
    common = rows[rows["is_common"]]
    for _, part in common.groupby("region", sort=False):
        found = compare_with_zero(
            family.above[part.index],
            covariates=numbers if choices.covariates else None,
            seed=choices.seed,
        )
        made.loc[part.index] = np.stack([found.p_corrected, found.p_floor], axis=1)
    return made


def _n_decoded(table: pd.DataFrame, rows: pd.DataFrame) -> list[int]:
    """Count in whom each row's region is decoded."""
    told = table[table["is_decoded"]].groupby("region")["participant"].nunique()
    return [int(told.get(region, 0)) for region in rows["region"]]


def _regions(results: Mapping[str, Result]) -> pd.DataFrame:
    """Return the means over participants of what is decoded from regions."""
    table, _ = stack({label: one.extras["regions"] for label, one in results.items()}, ())
    rows = []
    for (region, comparison), own in table.groupby(["region", "comparison"], sort=False):
        scores = own["score"].to_numpy(float)
        low, high = within_range(t_interval(scores), "balanced_accuracy")
        rows.append(
            {
                "region": region,
                "comparison": comparison,
                "n_participants": int(np.isfinite(scores).sum()),
                "score": finite_mean(scores),
                "ci_low": low,
                "ci_high": high,
                "chance": finite_mean(own["chance"].to_numpy(float)),
            }
        )
    return pd.DataFrame(rows, columns=list(REGION_COLUMNS))


def _networks(results: Mapping[str, Result]) -> pd.DataFrame:
    """Return the means over participants of what is decoded from layers."""
    table, _ = stack({label: one.extras["network"] for label, one in results.items()}, ())
    how: dict[str, Any] = {
        "n_participants": ("score", "count"),
        "score": ("score", "mean"),
        "ci_lowest": ("ci_low", "min"),
        "ci_highest": ("ci_high", "max"),
        "chance": ("chance", "mean"),
        "p_highest": ("p_corrected", "max"),
        "p_floor": ("p_floor", "max"),
        "n_draws": ("n_draws", "max"),
    }
    made: pd.DataFrame = table.groupby([*LAYER, "comparison"], sort=False).agg(**how)
    return made.reset_index()[list(NETWORK_COLUMNS)]
