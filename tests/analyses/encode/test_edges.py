"""analyses.encode.edges: what is said of penalties at an end of those that were offered."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from bids_dnn.analyses.encode.choices import Choices
from bids_dnn.analyses.encode.edges import (
    ALPHAS,
    banded_warnings,
    chosen_penalties,
    edge_warnings,
)
from bids_dnn.analyses.encode.fit import encode
from tests.factories.responses import make_gram, make_responses

SETTINGS = {
    "n_folds": 3,
    "n_inner": 3,
    "select": "inner",
    "ceiling": "ncsnr",
    "floor": 0.0,
    "n_permutations": 9,
    "seed": 0,
    "n_candidates": 4,
    "n_settings": 2,
}


def counted(n_smallest, n_largest, *, count=100):
    """Return a table of two layers; `conv1` has the given numbers, `conv2` none at an end."""
    return pd.DataFrame(
        {
            "region": ["a", "b", "a"],
            "network": "net",
            "layer": ["conv1", "conv1", "conv2"],
            "alpha": [0.1, 10.0, 1.0],
            "count": [count // 2, count // 2, count],
            "n_smallest": [n_smallest, 0, 0],
            "n_largest": [0, n_largest, 0],
        }
    )


@pytest.mark.parametrize(("is_given", "most"), [(True, 10), (False, 50)])
def test_an_end_is_told_from_a_share_of_units_and_folds(is_given, most):
    assert edge_warnings(counted(most, most), is_given=is_given) == []
    (told,) = edge_warnings(counted(most + 1, most), is_given=is_given)
    assert f"smallest penalty {'of encode.alphas' if is_given else 'that the spectrum'}" in told
    assert f"for {most + 1}% of units and folds in conv1 of net" in told
    told = edge_warnings(counted(most + 1, most + 2), is_given=is_given)
    assert ["smallest" in told[0], "largest" in told[1]] == [True, True]
    assert f"{most + 2}%" in told[1]


def test_without_penalties_nothing_is_told():
    assert edge_warnings(counted(0, 0).iloc[:0], is_given=True) == []


@pytest.mark.parametrize(("is_given", "most"), [(True, 0.1), (False, 0.5)])
def test_banded_ridge_tells_of_both_ends_together(is_given, most):
    assert banded_warnings(most, is_given=is_given) == []
    (told,) = banded_warnings(most + 0.02, is_given=is_given)
    assert f"{most + 0.02:.0%} of units and folds" in told
    assert ("encode.alphas" in told) == is_given


def test_penalties_and_ends_are_counted_over_units_and_folds():
    made = SimpleNamespace(
        alpha=np.array([[0.1, 1.0, 10.0], [0.1, 10.0, 10.0]]),
        edges=np.array([[-1, 0, 1], [-1, 0, 1]]),  # each fold has a grid of its own
    )
    data = SimpleNamespace(regions=[(SimpleNamespace(name="V1"), np.arange(3))])
    table = chosen_penalties(make_gram(np.eye(2), "ab"), made, data)
    assert table["alpha"].tolist() == pytest.approx([0.1, 1, 10])
    assert table["count"].tolist() == [2, 1, 3]
    assert table["n_smallest"].tolist() == [2, 0, 0]
    assert table["n_largest"].tolist() == [0, 0, 2]
    assert set(table.columns) - set(ALPHAS) == {"region", "network", "layer"}


@pytest.mark.parametrize("estimator", ["ridge", "banded"])
@pytest.mark.parametrize(
    ("alphas", "word"), [((1e4, 1e5), "smallest"), (tuple(np.logspace(-4, 4, 9)), "")]
)
def test_a_grid_that_is_too_short_is_told_of(rng, estimator, alphas, word):
    stimuli = [f"s{k:03}" for k in range(120)]
    features = [rng.normal(size=(120, 20)) for _ in range(2)]
    values = sum(x @ rng.normal(size=(20, 8)) for x in features) + 4 * rng.normal(size=(120, 8))
    grams = [make_gram(x, stimuli, layer=f"conv{k}") for k, x in enumerate(features)]
    choices = Choices(**SETTINGS, alphas=alphas, estimators=(estimator,))
    result = encode(make_responses(values, stimuli=stimuli), [], grams, choices=choices)
    told = [one for one in result.meta["warnings"] if "encode.alphas" in one]
    assert [word in one for one in told] == ([True] if word else [])
    if estimator == "ridge":
        assert "mean diagonal" in result.extra_columns["alphas"]["alpha"]


def test_noise_at_the_largest_penalty_of_the_spectrum_is_told_of(rng):
    stimuli = [f"s{k:02}" for k in range(60)]
    grams = [make_gram(rng.normal(size=(60, 40)), stimuli)]
    choices = Choices(**SETTINGS, alphas=None)
    noise = make_responses(rng.normal(size=(60, 100)), stimuli=stimuli)
    told = encode(noise, [], grams, choices=choices).meta["warnings"]
    assert [one for one in told if "largest penalty that the spectrum asks for" in one]
