"""Which penalties were chosen, and what is said where many are at an end of what was offered."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bids_dnn.analyses.encode.data import Data
from bids_dnn.analyses.encode.layer import LayerFit
from bids_dnn.containers.features import FeatureGram

# Share of units and folds at an end, above which a warning says so. Penalties of the spectrum end
# where next to all dimensions of the features are free, or none is: an end of them is no sign of a
# grid that is too short, but where most units are there, the layer is of little use to them.
GIVEN, SPECTRUM = 0.1, 0.5
ALPHAS = {
    "alpha": "Penalty that was chosen, as a multiple of the mean diagonal of the centered "
    "training Gram matrix",
    "count": "Units and folds that chose it",
    "n_smallest": "Of these, how often it was the smallest that was offered",
    "n_largest": "Of these, how often it was the largest that was offered",
}


def chosen_penalties(gram: FeatureGram, made: LayerFit, data: Data) -> pd.DataFrame:
    """Count how often each penalty was chosen, over units and folds, and how often at an edge."""
    rows = []
    for region, columns in data.regions:
        alpha, edges = made.alpha[:, columns].ravel(), made.edges[:, columns].ravel()
        values, which = np.unique(np.log10(alpha).round(6), return_inverse=True)
        for k, value in enumerate(values):
            own = edges[which == k]
            counts = len(own), int((own < 0).sum()), int((own > 0).sum())
            rows.append((region.name, gram.network, gram.layer, float(10**value), *counts))
    return pd.DataFrame(rows, columns=["region", "network", "layer", *ALPHAS])


def edge_warnings(counted: pd.DataFrame, *, is_given: bool) -> list[str]:
    """Say where many chosen penalties are the smallest or largest that were offered.

    Parameters
    ----------
    counted
        As `chosen_penalties` gives it.
    is_given
        Whether the penalties were given, in place of those of the spectrum.

    Returns
    -------
    warnings
        One for the smallest and one for the largest, of the layer where it is most often
        chosen; none where the share is `GIVEN` (or `SPECTRUM`) or less.
    """
    if counted.empty:
        return []
    sums = counted.groupby(["network", "layer"], sort=False)[
        ["count", "n_smallest", "n_largest"]
    ].sum()
    out = []
    for which, word, means in (
        ("n_smallest", "smallest", "they hardly need one"),
        ("n_largest", "largest", "the layer tells next to nothing of them"),
    ):
        share = sums[which] / sums["count"]
        if (share > (GIVEN if is_given else SPECTRUM)).any():
            network, layer = share.index[int(share.to_numpy().argmax())]
            often = f"{share.max():.0%} of units and folds in {layer} of {network}"
            out.append(
                f"The {word} penalty of encode.alphas was chosen for {often}: offer more, or "
                "leave alphas out."
                if is_given
                else f"The {word} penalty that the spectrum asks for was chosen for {often}: "
                f"{means}."
            )
    return out


def banded_warnings(share: float, *, is_given: bool) -> list[str]:
    """Say that many penalties of banded ridge are at an end of those that were offered.

    Parameters
    ----------
    share
        Of units and folds.
    is_given
        As in `edge_warnings`.

    Examples
    --------
    >>> banded_warnings(0.2, is_given=False)
    []
    """
    if share <= (GIVEN if is_given else SPECTRUM):
        return []
    if is_given:
        offered, then = "encode.alphas", "offer more, or leave alphas out"
    else:
        offered = "those that the spectra ask for"
        then = "the spaces tell next to nothing of them, or they hardly need a penalty"
    return [
        f"Banded ridge chose the smallest or largest penalty of {offered} for {share:.0%} of "
        f"units and folds: {then}."
    ]
