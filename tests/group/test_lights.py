"""group.lights: common units, labels of comparisons, what does not fit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bids_dnn.containers.nulls import NullMap
from bids_dnn.errors import ShapeError
from bids_dnn.group.lights import comparisons_of, part_of
from bids_dnn.group.maps import alike_of
from tests.factories.searchlights import COMPARISONS, N_SAMPLES, make_group

FIRST = "facevshouse"


def test_comparisons_have_the_labels_of_their_maps():
    results, _ = make_group(2)
    assert comparisons_of(results) == {COMPARISONS[0]: FIRST, COMPARISONS[1]: "bodyvstool"}


def test_common_units_and_their_exchanged_maps_are_each_participants_own():
    results, chance = make_group(3)
    alike = alike_of(results)
    part = part_of(alike, chance, COMPARISONS[0], FIRST)
    places = alike.space.index[part.common]
    expected = set.intersection(*({*one.space.index.tolist()} for one in results.values()))
    assert places.tolist() == sorted(expected)
    assert len(alike.space) > len(places)
    for k, (label, one) in enumerate(results.items()):
        own = {place: i for i, place in enumerate(one.space.index.tolist())}
        columns = [own[place] for place in places.tolist()]
        np.testing.assert_array_equal(part.null[k].scores, one.maps[0].values[columns])
        np.testing.assert_array_equal(part.null[k].null, chance[label][FIRST].values[:, columns])
        assert part.null[k].share == 1 / N_SAMPLES
        np.testing.assert_allclose(part.p[part.common, k], one.maps[1].values[columns])
    assert (part.base, part.n_classes, part.metrics, part.n_maps) == (0.5, 2, ("accuracy",), 100)


def test_who_lacks_a_comparison_or_exchanged_maps_is_told():
    results, chance = make_group(3)
    bare = results["02"]
    results["02"] = replace(bare, table=bare.table[:1], maps=bare.maps[:2])
    del chance["03"]
    alike = alike_of(results)
    second = part_of(alike, chance, COMPARISONS[1], comparisons_of(results)[COMPARISONS[1]])
    assert second.labels == ("01", "03")
    assert second.values.shape[1] == 2
    assert second.without == ("03",)
    assert second.null == []
    assert second.n_maps == 0


def test_what_does_not_fit_is_refused():
    results, chance = make_group(2)
    one = results["01"]
    with pytest.raises(ShapeError, match="sub-01 has 1 rows and 2 maps"):
        comparisons_of({"01": replace(one, table=one.table[:1])})
    turned = replace(one, maps=one.maps[2:] + one.maps[:2])
    with pytest.raises(ShapeError, match=r"'facevshouse' in one participant and 'bodyvstool'"):
        comparisons_of({"01": one, "02": turned})
    null = chance["01"][FIRST]
    chance["01"][FIRST] = NullMap(null.values[:, 1:], null.share)
    with pytest.raises(ShapeError, match=rf"shape \(100, {null.values.shape[1] - 1}\)"):
        part_of(alike_of(results), chance, COMPARISONS[0], FIRST)
