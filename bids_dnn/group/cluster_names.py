"""What regions clusters of a group's maps lie in, and where contrasts are largest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bids_dnn.containers.result import Result
from bids_dnn.stats.spheres import SCORES

Names = NDArray[np.object_]
MOST = 3  # regions that are named of a cluster
LEAST_SHARE = 0.005  # of a cluster: no more than that is no percent
WORDS = {
    "label": "Region at the peak; n/a where none has a name.",
    "labels": f"Up to {MOST} regions that hold most of the cluster, with their share of it.",
}
OF_CONTRASTS = {"label": "Region where the difference is largest; n/a where none has a name."}


def with_names(result: Result, layers: Sequence[Names]) -> Result:
    """Name the clusters of a searchlight by the regions that they lie in.

    Parameters
    ----------
    result
        Of `searchlight.average_searchlights`.
    layers : each (n_units,) str
        Names of the units of its maps, "" where there is none: an atlas is one layer, regions
        that may overlap are one each. At a peak the first layer that has a name counts.

    Returns
    -------
    result
        Its clusters have the columns `label` and `labels`, its contrasts `label`; the same where
        there is no layer.
    """
    if not layers:
        return result
    models = [one.model for one in result.maps if one.stat in SCORES]
    model_of = dict(zip(result.table["comparison"], models, strict=True))
    maps = {one.model: one.values for one in result.maps if one.stat == "cluster"}
    clusters = result.extras["clusters"]
    extras = {"clusters": _named(clusters, clusters["comparison"].map(model_of), maps, layers)}
    columns = {"clusters": result.extra_columns.get("clusters", {}) | WORDS}
    if (own := result.extras.get("contrastClusters")) is not None:
        extras["contrastClusters"] = _named(own, own["map"], maps, layers)
        columns["contrastClusters"] = result.extra_columns.get("contrastClusters", {}) | WORDS
    if (contrasts := result.extras.get("contrasts")) is not None:
        units = contrasts["highest_unit"]
        extras["contrasts"] = contrasts.assign(label=[_first(layers, int(one)) for one in units])
        columns["contrasts"] = result.extra_columns.get("contrasts", {}) | OF_CONTRASTS
    return replace(
        result,
        extras=result.extras | extras,
        extra_columns=result.extra_columns | columns,
    )


def _named(
    clusters: pd.DataFrame,
    models: Iterable[str],
    maps: Mapping[str, NDArray[np.float32]],
    layers: Sequence[Names],
) -> pd.DataFrame:
    """Name clusters by the maps of their numbers, of which `models` are the labels."""
    made = clusters.assign(
        label=[_first(layers, int(peak)) for peak in clusters["peak_unit"]],
        labels=[
            shares_of(layers, maps[model] == number)
            for model, number in zip(models, clusters["cluster"], strict=True)
        ],
    )
    return made.astype(dict.fromkeys(WORDS, object)) if made.empty else made


def _first(layers: Sequence[Names], unit: int) -> str:
    """Return the name of a unit in the first layer that has one; -1 = no unit."""
    return next((str(one[unit]) for one in layers if unit >= 0 and one[unit]), "")


def shares_of(layers: Sequence[Names], inside: NDArray[np.bool_]) -> str:
    """Return the regions that hold most of some units, with their shares.

    Parameters
    ----------
    layers : each (n_units,) str
        As in `with_names`.
    inside : (n_units,)
        The units.

    Examples
    --------
    >>> names = np.array(["V1", "V1", "V2", ""], dtype=object)
    >>> shares_of([names], np.array([True, True, True, True]))
    'V1 50 %, V2 25 %'
    """
    counts: pd.Series[Any] = pd.concat([pd.Series(one[inside]).value_counts() for one in layers])
    counts = counts.groupby(level=0).sum().drop("", errors="ignore")
    share = (counts / inside.sum()).sort_values(ascending=False, kind="stable")[:MOST]
    told = [f"{name} {100 * part:.0f} %" for name, part in share.items() if part > LEAST_SHARE]
    return ", ".join(told)
