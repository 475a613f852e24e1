"""group.cluster_names: the name at the peak, and shares of clusters."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from bids_dnn.containers.result import StatMap
from bids_dnn.group.choices import Choices
from bids_dnn.group.cluster_names import WORDS, shares_of, with_names
from bids_dnn.group.searchlight import average_searchlights
from tests.factories.searchlights import SHAPE, make_group

QUICK = Choices(p_unit=0.01, n_maps=199)


@pytest.fixture(scope="module")
def result():
    return average_searchlights(*make_group(5), choices=QUICK)


def test_clusters_are_named_by_where_they_lie(result):
    x = np.unravel_index(result.space.index, SHAPE)[0]
    names = np.where(x < 4, "near", np.where(x < 6, "far", "")).astype(object)
    made = with_names(result, [names])
    clusters = made.extras["clusters"]
    labels = next(m.values for m in made.maps if (m.stat, m.model) == ("cluster", "facevshouse"))
    first = clusters.iloc[0]
    assert first["label"] == names[int(first["peak_unit"])]
    inside = labels == 1
    near, far = (round(100 * (names[inside] == one).mean()) for one in ("near", "far"))
    assert first["labels"].split(", ") == sorted(
        [f"near {near} %", f"far {far} %"], key=lambda text: -int(text.split()[1])
    )
    assert set(WORDS) <= set(made.extra_columns["clusters"])
    assert "label" not in result.extras["clusters"]


def test_overlapping_regions_are_layers_and_the_first_names_the_peak(result):
    n = len(result.space)
    every, blank = np.full(n, "all", dtype=object), np.full(n, "", dtype=object)
    half = blank.copy()
    half[: n // 2] = "half"
    made = with_names(result, [blank, every, half]).extras["clusters"]
    assert set(made["label"]) == {"all"}
    assert made["labels"].str.startswith("all 100 %").all()
    none = with_names(result, [blank]).extras["clusters"]
    assert (none["label"] == "").all()
    assert (none["labels"] == "").all()


def test_contrasts_are_named_by_where_they_are_largest(result):
    rows = {"highest_unit": [3, -1, 200], "contrast": ["a", "b", "c"]}
    tables = {
        "contrasts": pd.DataFrame(rows),
        "contrastClusters": pd.DataFrame({"peak_unit": [5], "cluster": [1], "map": "ab"}),
    }
    marks = np.zeros(len(result.space), np.float32)
    marks[4:6] = 1
    maps = (*result.maps, StatMap("cluster", marks, "ab", "Clusters."))
    with_contrasts = replace(result, extras=result.extras | tables, maps=maps)
    names = np.array([f"r{k}" for k in range(len(result.space))], dtype=object)
    made = with_names(with_contrasts, [names])
    assert made.extras["contrasts"]["label"].tolist() == ["r3", "", "r200"]
    assert "largest" in made.extra_columns["contrasts"]["label"]
    own = made.extras["contrastClusters"]
    assert own["label"].tolist() == ["r5"]
    assert own["labels"].tolist() == ["r4 50 %, r5 50 %"]


def test_no_layer_and_no_cluster_change_nothing(result):
    assert with_names(result, []) is result
    alone = average_searchlights(*make_group(1), choices=QUICK)
    made = with_names(alone, [np.full(len(alone.space), "V1", dtype=object)])
    assert made.extras["clusters"].empty
    assert list(made.extras["clusters"])[-2:] == ["label", "labels"]


def test_three_regions_are_named_at_most():
    names = np.array(list("aaaabbbccd") + [""] * 390, dtype=object)
    assert shares_of([names], np.arange(400) < 10) == "a 40 %, b 30 %, c 20 %"
    assert shares_of([names], np.ones(400, bool)) == "a 1 %, b 1 %"  # c has half a percent
