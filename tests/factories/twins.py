"""Layers whose geometry is known, and the stimuli that they see."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bids_dnn.analyses.decode.network_tables import NETWORK_COLUMNS
from bids_dnn.analyses.decode.twin import COLUMNS, REGION_COLUMNS
from bids_dnn.containers.result import Result
from tests.factories.responses import make_gram


def make_stimuli(conditions, n_each):
    """Return the condition of each stimulus, by its id."""
    return {f"{one}{k:02d}.png": one for one in conditions for k in range(n_each)}


def make_layer(rng, stimuli, means, *, network="net", layer="conv1", spread=1.0):
    """Give each condition its mean in features, and each stimulus a place around it."""
    p = len(next(iter(means.values())))
    values = np.array([means[one] for one in stimuli.values()])
    values = values + spread * rng.normal(size=(len(stimuli), p))
    return values, make_gram(values, stimuli, network=network, layer=layer)


def make_means(rng, conditions, *, n_features=30, effect=1.0):
    return {one: effect * rng.normal(size=n_features) for one in conditions}


def make_twin(*, rho=(0.9, 0.2), p_corrected=(0.01, 0.4), decoded=(True, True)):
    """Return a result of two regions, two layers, two levels and five comparisons.

    The first region is nearest to ``conv2`` without noise, by `rho` and `p_corrected`; the second
    likewise, where it is `decoded`. Scores fall with noise; those of ``conv1`` are at chance.
    """
    names = ["a vs b", "a vs c", "b vs c", "a vs d", "all"]
    chance = [0.5, 0.5, 0.5, 0.5, 0.25]
    rows, told = [], []
    for layer, effect in (("conv1", 0.0), ("conv2", 0.5)):
        for snr, share in ((np.inf, 1.0), (1.0, 0.4)):
            for k, name in enumerate(names):
                score = chance[k] + effect * share * (k + 1) / 5 * (1 - chance[k])
                p = 0.2 if effect == 0 else (0.0005 if k == 4 else 0.02)
                words = {"network": "net", "layer": layer, "snr": snr, "comparison": name}
                numbers = {"n_classes": 4 if k == 4 else 2, "metric": "accuracy", "score": score}
                row = words | numbers | {"sd": np.nan, "chance": chance[k], "p": p, "p_fdr": p}
                ends = {"ci_low": score - 0.1, "ci_high": score + 0.1, "p_corrected": p}
                counts = {"p_floor": 0.0005, "n_draws": 1 if share == 1 else 20}
                rest = {"n_permutations": 200, "n_samples": 40, "n_folds": 5, "n_dimensions": 32}
                rows.append(row | ends | counts | rest)
            for number, region in enumerate(("V1", "V4")):
                best = layer == "conv2" and share == 1
                found = (rho[number], 0.5, 1.0) if best else (0.1, -0.5, 0.6)
                p = p_corrected[number] if best else 0.9
                words = {"region": region, "network": "net", "layer": layer, "snr": snr}
                ends = dict(zip(("rho", "ci_low", "ci_high"), found, strict=True))
                ends |= {"p_corrected": p, "p_floor": 1 / 120, "exchanged": "comparisons"}
                told.append(words | ends | {"n_comparisons": 5, "is_decoded": decoded[number]})
                is_named = best and p <= 0.05 and decoded[number]
                told[-1] |= {"best": best, "is_named": is_named}
    regions = [
        {"region": region, "comparison": name, "score": chance[k] + 0.05 * k, "chance": chance[k]}
        for region in ("V1", "V4")
        for k, name in enumerate(names)
    ]
    regions = pd.DataFrame(regions).assign(p_corrected=0.01, p_fdr=0.02, p_floor=0.001)
    table = pd.DataFrame(told).sort_values("region", kind="stable").reset_index(drop=True)
    return Result(
        analysis="twin",
        table=table,
        columns=COLUMNS,
        meta={"settings": {"interval": "t", "n_components": 32}},
        extras={
            "network": pd.DataFrame(rows)[list(NETWORK_COLUMNS)],
            "regions": regions,
        },
        extra_columns={"network": NETWORK_COLUMNS, "regions": REGION_COLUMNS},
    )
