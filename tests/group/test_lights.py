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
    assert part.base.tolist() == [0.5] * 3
    assert part.n_classes == (2, 2, 2)
    assert (part.metrics, part.n_maps) == (("accuracy",), 100)
    assert not part.is_paired


def test_exchanged_maps_follow_the_units_in_any_order(rng):
    results, chance = make_group(2)
    expected = part_of(alike_of(results), chance, COMPARISONS[0], FIRST).null[1].null
    one, null = results["02"], chance["02"][FIRST]
    turned = rng.permutation(len(one.space))
    maps = tuple(replace(made, values=made.values[turned]) for made in one.maps)
    results["02"] = replace(one, maps=maps, space=one.space.select(turned))
    chance["02"][FIRST] = NullMap(null.values[:, turned], null.share)
    part = part_of(alike_of(results), chance, COMPARISONS[0], FIRST)
    np.testing.assert_array_equal(part.null[1].null, expected)


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


def test_comparisons_are_matched_by_name_whatever_their_labels():
    """Both names have the same letters; sub-01 lacks the first, so that its labels differ."""
    results, chance = make_group(2, comparisons=("a-b vs c", "a b vs c"))
    for label in results:
        one = results[label]
        table = one.table.assign(map=["abvsc", "abvsc+2"])
        maps = tuple(replace(m, model=f"abvsc{'+2' * (k > 1)}") for k, m in enumerate(one.maps))
        results[label] = replace(one, table=table, maps=maps)
    other, null = results["01"], chance["01"]["abvsc"]
    maps = tuple(replace(m, model="abvsc") for m in other.maps[2:])
    results["01"] = replace(other, table=other.table[1:].assign(map="abvsc"), maps=maps)
    chance["02"] |= {"abvsc+2": NullMap(chance["02"]["abvsc"].values[:50], null.share)}
    labels = comparisons_of(results)
    assert labels == {"a b vs c": "abvsc", "a-b vs c": "abvsc+2"}
    part = part_of(alike_of(results), chance, "a b vs c", "abvsc")
    assert part.labels == ("01", "02")
    assert part.n_maps == 50
    second = results["02"]
    units = np.searchsorted(second.space.index, alike_of(results).space.index[part.common])
    np.testing.assert_allclose(part.values[part.common, 1], second.maps[2].values[units])
    assert part_of(alike_of(results), chance, "a-b vs c", "abvsc+2").labels == ("02",)


def test_layers_have_the_labels_of_network_and_layer():
    results, _ = make_group(1, comparisons=("my_net conv.1",))
    one = results["01"]
    results["01"] = replace(one, table=one.table.assign(metric="spearman"))
    assert comparisons_of(results) == {"my_net conv.1": "mynet+conv1"}


def test_one_labeling_alone_leaves_no_exchanged_maps():
    results, chance = make_group(3)
    null = chance["02"][FIRST]
    chance["02"][FIRST] = NullMap(null.values[:0], null.share)
    part = part_of(alike_of(results), chance, COMPARISONS[0], FIRST)
    assert part.without == ("02",)


def test_what_does_not_fit_is_refused():
    results, chance = make_group(2)
    one = results["01"]
    bare = {**results, "01": replace(one, maps=one.maps[2:])}
    with pytest.raises(ShapeError, match="sub-01 has no map of scores called 'facevshouse'"):
        part_of(alike_of(bare), chance, COMPARISONS[0], FIRST)
    null = chance["01"][FIRST]
    chance["01"][FIRST] = NullMap(null.values[:, 1:], null.share)
    with pytest.raises(ShapeError, match=rf"shape \(100, {null.values.shape[1] - 1}\)"):
        part_of(alike_of(results), chance, COMPARISONS[0], FIRST)
