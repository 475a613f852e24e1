"""group.family: places, participants, corrections within families."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats

from bids_dnn.group.family import corrected, family_of
from bids_dnn.group.stack import stack
from tests.factories.results import make_decode, make_encode


def test_scores_lie_by_place_and_participant():
    tables = {x: make_decode(np.random.default_rng(i)).table for i, x in enumerate("ab")}
    table, _ = stack(tables, ["a", "b"])
    short = table[~((table["participant"] == "b") & (table["region"] == "LOC"))]
    mixed = short.sample(frac=1, random_state=0)
    family = family_of(mixed, analysis="decode", numbers=["score", "chance", "absent"])
    assert family.labels == ("a", "b")
    assert set(family.columns) == {"score", "chance"}
    for i, place in enumerate(family.places.itertuples(index=False)):
        for k, label in enumerate(family.labels):
            rows = table[(table["participant"] == label) & (table["region"] == place.region)]
            row = rows[rows["comparison"] == place.comparison].iloc[0]
            if (label, place.region) == ("b", "LOC"):
                assert np.isnan(family.above[i, k])
            else:
                assert family.above[i, k] == row["score"] - row["chance"]


def test_families_of_encoding_are_corrected_apart(rng):
    one = make_encode(rng).table.assign(participant="a")
    whole = pd.concat([one.assign(target="units"), one.assign(target="mean")])
    family = family_of(whole, analysis="encode", numbers=["score"])
    first, second = family.parts()
    assert len(first) == len(second) == len(one)
    p = rng.uniform(size=len(whole))
    found = corrected(p, p + 1, family.names, "fdr")
    np.testing.assert_allclose(found[first], stats.false_discovery_control(p[first]))
    np.testing.assert_array_equal(corrected(p, p + 1, family.names, "max"), p + 1)
    np.testing.assert_array_equal(corrected(p, p + 1, family.names, "none"), p)
