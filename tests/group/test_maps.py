"""group.maps: means, p and overlap by place; who lies elsewhere."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from bids_dnn.containers.mesh import Mesh
from bids_dnn.containers.result import StatMap
from bids_dnn.containers.space import Surface
from bids_dnn.group.choices import Choices
from bids_dnn.group.maps import group_maps
from bids_dnn.group.tfce import enhancement_of, tfce_p
from bids_dnn.stats.designs import Design
from bids_dnn.stats.inference import sign_flip
from bids_dnn.stats.participants import compare_with_zero
from tests.factories.results import make_encode, make_space

LABELS = ("01", "02", "03", "04", "05")
MODEL = "alexnet+features0"


def participants(n=5, *, name="MNI152NLin2009cAsym"):
    """Each lacks some units of the same grid, and has q below 0.05 at every second one."""
    made = {}
    whole = make_space(name=name)
    for i, label in enumerate(LABELS[:n]):
        keep = np.arange(len(whole)) % 7 != i
        rng = np.random.default_rng(i)
        result = make_encode(rng, space=whole.select(keep))
        q = np.where(result.space.index % 2 == 0, 0.01, 0.5).astype(np.float32)
        maps = (*result.maps, StatMap("q", q, MODEL, "q"))
        made[label] = replace(result, maps=maps)
    return made


def by_stat(made, stat, model=MODEL):
    (found,) = [one for one in made.maps if (one.stat, one.model) == (stat, model)]
    return found.values


def column(results, place):
    """Return the correlations of all participants at one place, NaN where there is none."""
    found = []
    for one in results.values():
        values = next(m.values for m in one.maps if (m.stat, m.model) == ("pearson", MODEL))
        at = np.flatnonzero(one.space.index == place)
        found.append(float(values[at[0]]) if at.size else np.nan)
    return np.array(found)


def test_each_place_has_mean_p_and_overlap():
    results = participants()
    made = group_maps(results, choices=Choices(correct="none"))
    assert len(made.space) == 40  # all that somebody measured
    assert made.warnings == ()
    for i in (0, 3, 20, 39):
        place = made.space.index[i]
        values = column(results, place)
        assert by_stat(made, "pearson")[i] == pytest.approx(np.nanmean(values))
        assert by_stat(made, "nparticipants")[i] == np.isfinite(values).sum()
        assert by_stat(made, "p")[i] == pytest.approx(sign_flip(values, 0)[0])
        expected = np.isfinite(values).sum() if place % 2 == 0 else 0
        assert by_stat(made, "overlap")[i] == expected


@pytest.mark.parametrize("correct", ["fdr", "max"])
def test_maps_are_corrected_over_their_units(correct):
    results = participants()
    made = group_maps(results, choices=Choices(correct=correct))
    values = np.array([column(results, place) for place in made.space.index])
    found = compare_with_zero(values)
    stat, expected = {
        "fdr": ("q", stats.false_discovery_control(found.p)),
        "max": ("pmax", found.p_corrected),
    }[correct]
    np.testing.assert_allclose(by_stat(made, stat), expected, rtol=1e-6)


def test_voxels_are_enhanced_where_all_have_them():
    results = participants()
    choices = Choices(correct="tfce", n_flips=19)
    made = group_maps(results, choices=choices)
    values = np.array([column(results, place) for place in made.space.index])
    how = enhancement_of(made.space)
    expected = tfce_p(values, how, design=Design(5), n_flips=19, seed=0)
    np.testing.assert_allclose(by_stat(made, "ptfce"), expected, rtol=1e-6)
    missing = by_stat(made, "nparticipants") < 5
    np.testing.assert_array_equal(np.isnan(by_stat(made, "ptfce")), missing)
    assert made.warnings == ()


def test_what_cannot_be_enhanced_takes_the_largest_t_and_says_so():
    space = Surface("fsaverage5", (70, 0), np.arange(3, 66, 4))
    results = {x: make_encode(np.random.default_rng(i), space=space)
               for i, x in enumerate(LABELS)}  # fmt: skip
    made = group_maps(results, choices=Choices(correct="tfce"))
    stronger = group_maps(results, choices=Choices(correct="max"))
    vertices = np.array([[i, i % 2, 0.0] for i in range(70)])
    mesh = Mesh(vertices, np.array([[i, i + 3, i + 4] for i in range(66)]))
    there = group_maps(results, choices=Choices(correct="tfce"), meshes={"L": mesh})
    assert np.nanmin(by_stat(there, "ptfce")) >= 1 / 32
    assert there.warnings == ()
    np.testing.assert_array_equal(by_stat(made, "pmax"), by_stat(stronger, "pmax"))
    assert "'tfce'" in made.warnings[0]
    assert "fsaverage5 are corrected by the largest t" in made.warnings[0]
    assert stronger.warnings == ()
    people = {label: {"a": f"{i}", "b": f"{i * i}"} for i, label in enumerate(LABELS[:3])}
    choices = Choices(correct="tfce", n_flips=9, covariates=("a", "b"))
    few = group_maps(participants(3), choices=choices, people=people)
    assert "pmax" in {one.stat for one in few.maps}


def test_every_model_has_its_maps_and_ceilings_have_none():
    made = group_maps(participants(), choices=Choices())
    assert len({one.model for one in made.maps}) == 5
    assert {one.stat for one in made.maps} == {"pearson", "q", "nparticipants", "overlap"}
    assert sum(one.stat == "overlap" for one in made.maps) == 1


def test_covariates_enter():
    people = {label: {"age": str(20 + i * i)} for i, label in enumerate(LABELS)}
    choices = Choices(covariates=("age",), correct="none")
    made = group_maps(participants(), choices=choices, people=people)
    plain = group_maps(participants(), choices=Choices(correct="none"))
    assert not np.allclose(by_stat(made, "p"), by_stat(plain, "p"))


def test_maps_elsewhere_are_left_out_and_named():
    results = participants()
    other = make_space(name="MNI152NLin2009cAsym")
    shifted = replace(other, affine=other.affine + np.eye(4))
    results["03"] = make_encode(np.random.default_rng(0), space=shifted)
    made = group_maps(results, choices=Choices(correct="none"))
    assert "sub-03" in made.warnings[0]
    assert by_stat(made, "nparticipants").max() == 4
    del results["03"]
    alone = group_maps(results, choices=Choices(correct="none"))
    np.testing.assert_array_equal(by_stat(made, "pearson"), by_stat(alone, "pearson"))


def test_one_participant_and_no_maps_give_none():
    assert group_maps(participants(1), choices=Choices()).maps == ()
    bare = {k: replace(v, maps=(), space=None) for k, v in participants(3).items()}
    made = group_maps(bare, choices=Choices())
    assert made.space is None
    assert made.maps == ()
