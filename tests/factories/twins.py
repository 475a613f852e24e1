"""Layers whose geometry is known, and the stimuli that they see."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from bids_dnn.analyses.decode.network_tables import NETWORK_COLUMNS
from bids_dnn.analyses.decode.twin import COLUMNS, REGION_COLUMNS
from bids_dnn.containers.result import Result
from bids_dnn.group.choices import Choices
from bids_dnn.group.tests import About
from bids_dnn.group.twin import group_twin
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


PAIRS = ("a vs b", "a vs c", "a vs d", "b vs c", "b vs d", "c vs d")


def make_people(brains, nets, *, names=PAIRS, decoded=True):
    """Return the twin of each participant, by label.

    Parameters
    ----------
    brains : region -> (n_participants, n_comparisons)
        Scores of comparisons of two sides.
    nets : (layer, snr) -> (n_comparisons,)
        Those of the layers, the same for all.
    names
        Of the comparisons, ``x vs y``.
    decoded
        Whether regions are decoded.
    """
    n_people = len(next(iter(brains.values())))
    network = pd.DataFrame(
        [
            {"network": "net", "layer": layer, "snr": snr, "comparison": name, "score": score}
            for (layer, snr), scores in nets.items()
            for name, score in zip(names, scores, strict=True)
        ]
    ).assign(n_classes=2, metric="accuracy", sd=np.nan, chance=0.5, p_corrected=0.01)
    network["ci_low"], network["ci_high"] = network["score"] - 0.1, network["score"] + 0.1
    told = {"p": 0.01, "p_fdr": 0.01, "p_floor": 0.005, "n_permutations": 200, "n_draws": 5}
    network = network.assign(**told, n_samples=40, n_folds=5, n_dimensions=30)
    people = {}
    for k in range(n_people):
        rows, regions = [], []
        for region, scores in brains.items():
            regions += [
                {"region": region, "comparison": name, "score": score, "chance": 0.5}
                for name, score in zip(names, scores[k], strict=True)
            ]
            for (layer, snr), net in nets.items():
                rho = spearmanr(scores[k], net).statistic if np.ptp(scores[k]) else np.nan
                rows.append({"region": region, "network": "net", "layer": layer, "snr": snr})
                rows[-1] |= {"rho": rho, "is_decoded": decoded}
        table = pd.DataFrame(rows)
        for name in COLUMNS:
            if name not in table:
                table[name] = 0.0
        people[f"{k + 1:02}"] = Result(
            analysis="twin",
            table=table[list(COLUMNS)],
            columns=COLUMNS,
            meta={
                "sides": {name: sorted([one] for one in name.split(" vs ")) for name in names},
                "networks": {"net": {"weights": "random"}},
            },
            extras={
                "network": network[list(NETWORK_COLUMNS)],
                "regions": pd.DataFrame(regions).assign(p_corrected=0.01, p_fdr=0.02, p_floor=0.0),
            },
            extra_columns={"network": NETWORK_COLUMNS, "regions": REGION_COLUMNS},
        )
    return people


SIX = tuple(f"{a} vs {b}" for a, b in combinations("abcdef", 2))


def on_a_line(rng, names):
    """Return scores of pairs of conditions that lie on a line."""
    place = dict(zip("abcdef", rng.normal(size=6), strict=True))
    apart = np.array([abs(place[name[0]] - place[name[-1]]) for name in names])
    return 0.5 + 0.4 * np.tanh(apart)


def nets_of(rng, names, n_layers=3):
    return {
        (f"conv{k}", snr): on_a_line(rng, names) for k in range(n_layers) for snr in (np.inf, 1.0)
    }


def people_of(rng, n=6, *, names=SIX, noise=0.02):
    """Let V1 be conv1 without noise, and another region nothing at all."""
    nets = nets_of(rng, names)
    planted = nets["conv1", np.inf]
    brains = {
        "V1": np.clip(planted + noise * rng.normal(size=(n, len(names))), 0, 1),
        "noise": rng.binomial(80, 0.5, size=(n, len(names))) / 80,
    }
    return make_people(brains, nets, names=names)


def run_group(people, *, expected=(), covariates=None, asked=(), **choices):
    about = About(expected=expected or [*people], people=covariates or {})
    return group_twin(people, choices=Choices(covariates=asked, **choices), about=about)
