"""analyses.decode.spheres: the scores of decoding each sphere as a region, maps, refusals."""

from dataclasses import replace

import numpy as np
import pytest

from bids_dnn.analyses.decode.choices import Choices
from bids_dnn.analyses.decode.classifiers.choice import Classifier
from bids_dnn.analyses.decode.decoding import decode
from bids_dnn.analyses.decode.prepare import Preparation
from bids_dnn.analyses.decode.spheres import (
    chance_counts,
    decode_spheres,
    hours_of,
    result_of,
)
from bids_dnn.containers.space import Grid
from bids_dnn.errors import ConfigError
from bids_dnn.stats.neighbours import neighbours
from bids_dnn.stats.spheres import COLUMNS
from tests.factories.responses import make_patterns, make_roi

SHAPE = (5, 4, 3)
ASKED = Choices(comparisons=("pairs", "all"), n_permutations=12, seed=1)


@pytest.fixture
def responses(rng):
    made = make_patterns(rng, conditions=("a", "b", "c"), n_units=60, effect=0.4)
    space = Grid("T1w", SHAPE, np.diag([3.0, 3, 3, 1]), np.arange(60))
    return replace(made, space=space)


@pytest.fixture
def around(responses):
    return neighbours(responses.space, 6.1)


@pytest.mark.parametrize("kind", ["svm-linear", "lda", "ridge"])
def test_scores_are_those_of_decoding_each_sphere_as_a_region(responses, around, kind):
    choices = replace(ASKED, classifier=Classifier(kind=kind))
    some = [0, 17, 40]
    rois = [make_roi(f"at{k}", responses, around.of(k)) for k in some]
    expected = decode(responses, rois, choices=choices).table.set_index(["region", "comparison"])
    found = decode_spheres(responses, around, choices=choices)
    assert {one.task.comparison.name for one in found} == set(expected.index.unique(1))
    for one in found:
        scores = one.scores(slice(1))[0]
        for k in some:
            row = expected.loc[(f"at{k}", one.task.comparison.name)]
            assert scores[k] == pytest.approx(row["score"], abs=1e-6)
            assert one.chance == row["chance"]
            assert one.metric == row["metric"]


def test_maps_and_table_say_what_was_found(responses, around):
    found = decode_spheres(responses, around, choices=ASKED)
    result = result_of(found, responses.space, meta={})
    assert list(result.table) == list(COLUMNS)
    labels = [one.task.comparison.name.replace(" ", "") for one in found]
    assert [one.model for one in result.maps] == [label for label in labels for _ in range(2)]
    assert result.table["map"].tolist() == list(result.null_maps) == labels
    for row, made in zip(result.table.itertuples(), result.maps[::2], strict=True):
        assert made.stat == "accuracy"
        assert row.highest == pytest.approx(made.values.max())
        assert made.values[row.highest_unit] == made.values.max()
        assert row.n_maps == 12
        assert row.n_centers == 60
        assert row.comparison in made.description


def test_chance_maps_are_kept_as_counts(responses, around):
    (one,) = decode_spheres(responses, around, choices=replace(ASKED, comparisons=("a vs b",)))
    null = chance_counts(one)
    assert null.values.dtype == np.uint8
    assert null.values.shape == (12, 60)
    np.testing.assert_allclose(null.values * null.share, one.scores(slice(1, None)), atol=1e-6)


def test_sides_of_different_size_are_balanced_and_kept_as_scores(responses, around):
    (one,) = decode_spheres(
        responses, around, choices=replace(ASKED, comparisons=("x:a vs y:b+c",))
    )
    assert one.metric == "balanced_accuracy"
    null = chance_counts(one)
    assert (null.values.dtype, null.share) == (np.float32, 1.0)
    plain = replace(ASKED, comparisons=("x:a vs y:b+c",), metric="accuracy")
    (other,) = decode_spheres(responses, around, choices=plain)
    null = chance_counts(other)
    assert null.values.dtype == np.uint8
    np.testing.assert_allclose(null.values * null.share, other.scores(slice(1, None)), atol=1e-6)


def test_progress_counts_over_all_comparisons(responses, around):
    seen = []
    asked = replace(ASKED, comparisons=("a vs b", "a vs c"), n_permutations=1)
    decode_spheres(responses, around, choices=asked, progress=lambda *told: seen.append(told))
    assert seen == [(32, 120), (60, 120), (92, 120), (120, 120)]


def test_p_counts_the_map_as_it_is_among_those_by_chance(responses, around):
    (one,) = decode_spheres(responses, around, choices=replace(ASKED, comparisons=("a vs b",)))
    result = result_of([one], responses.space, meta={})
    score, p = result.maps
    under = one.scores(slice(1, None))
    higher = (under >= score.values - 1e-6).sum(axis=0)
    np.testing.assert_allclose(p.values, (1 + higher) / 13, rtol=1e-6)
    tops = (under.max(axis=1) >= score.values.max() - 1e-6).sum()
    assert result.table["p_corrected"].item() == pytest.approx((1 + tops) / 13)
    assert result.table["p_floor"].item() == pytest.approx(1 / 13)


def test_enumerated_exchanges_set_the_floor(rng):
    made = make_patterns(rng, n_runs=3, n_each=1, n_units=60)
    space = Grid("T1w", SHAPE, np.diag([3.0, 3, 3, 1]), np.arange(60))
    made = replace(made, space=space)
    near = neighbours(space, 6.1)
    (one,) = decode_spheres(made, near, choices=replace(ASKED, comparisons=("a vs b",)))
    table = result_of([one], space, meta={}).table
    assert table["n_maps"].item() == 3  # four labelings up to swap, one of them the map itself
    assert table["p_floor"].item() == 0.25


def test_names_that_share_a_label_have_maps_of_their_own(rng, responses, around):
    made = make_patterns(rng, conditions=("a", "a-", "c"), n_units=60)
    made = replace(made, space=responses.space)
    asked = replace(ASKED, comparisons=("a vs c", "a- vs c"), n_permutations=2)
    result = result_of(decode_spheres(made, around, choices=asked), made.space, meta={})
    assert result.table["map"].tolist() == list(result.null_maps) == ["avsc", "avsc+2"]


def test_the_cost_grows_with_pairs_and_samples():
    few = hours_of(1000, 56, n_folds=8, n_labelings=101, n_pairs=1)
    assert hours_of(2000, 56, n_folds=8, n_labelings=101, n_pairs=1) == pytest.approx(2 * few)
    assert hours_of(1000, 112, n_folds=8, n_labelings=101, n_pairs=1) > 4 * few
    assert hours_of(1000, 56, n_folds=8, n_labelings=101, n_pairs=6) > 6 * few


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"search": {"c": (1.0, 2.0)}}, "search"),
        ({"nuisance": ("rt",)}, "nuisance"),
        ({"preparation": Preparation(is_whitened=True)}, "whiten"),
        ({"metric": "auc"}, "metric = 'auc'"),
        ({"classifier": Classifier(kind="svm-rbf")}, "linear classifiers"),
    ],
)
def test_what_a_sphere_cannot_do_is_refused(responses, around, change, words):
    with pytest.raises(ConfigError, match=words):
        decode_spheres(responses, around, choices=replace(ASKED, **change))
