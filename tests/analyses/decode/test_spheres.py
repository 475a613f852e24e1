"""analyses.decode.spheres: the scores of decoding each sphere as a region, maps, refusals."""

from dataclasses import replace

import numpy as np
import pytest

from bids_dnn.analyses.decode.choices import Choices
from bids_dnn.analyses.decode.classifiers.choice import Classifier
from bids_dnn.analyses.decode.decoding import decode
from bids_dnn.analyses.decode.prepare import Preparation
from bids_dnn.analyses.decode.spheres import COLUMNS, chance_counts, decode_spheres, result_of
from bids_dnn.containers.space import Grid
from bids_dnn.errors import ConfigError
from bids_dnn.stats.neighbours import neighbours
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
    result = result_of(found, responses.space, label=lambda name: name.replace(" ", ""), meta={})
    assert list(result.table) == list(COLUMNS)
    assert [one.model for one in result.maps] == [
        one.task.comparison.name.replace(" ", "") for one in found
    ]
    for row, made in zip(result.table.itertuples(), result.maps, strict=True):
        assert made.stat == "accuracy"
        assert row.highest == pytest.approx(made.values.max())
        assert made.values[row.highest_unit] == made.values.max()
        assert row.n_maps == 12
        assert row.n_centers == 60
        assert row.comparison in made.description


def test_chance_maps_are_kept_as_counts(responses, around):
    (one,) = decode_spheres(responses, around, choices=replace(ASKED, comparisons=("a vs b",)))
    null, share = chance_counts(one)
    assert null.dtype == np.uint8
    assert null.shape == (12, 60)
    np.testing.assert_allclose(null * share, one.scores(slice(1, None)), atol=1e-6)


def test_sides_of_different_size_are_balanced_and_kept_as_scores(responses, around):
    (one,) = decode_spheres(
        responses, around, choices=replace(ASKED, comparisons=("x:a vs y:b+c",))
    )
    assert one.metric == "balanced_accuracy"
    null, share = chance_counts(one)
    assert (null.dtype, share) == (np.float32, 1.0)
    plain = replace(ASKED, comparisons=("x:a vs y:b+c",), metric="accuracy")
    (other,) = decode_spheres(responses, around, choices=plain)
    null, share = chance_counts(other)
    assert null.dtype == np.uint8
    np.testing.assert_allclose(null * share, other.scores(slice(1, None)), atol=1e-6)


def test_progress_names_the_comparison(responses, around):
    seen = []
    asked = replace(ASKED, comparisons=("a vs b",), n_permutations=1)
    decode_spheres(responses, around, choices=asked, progress=lambda *told: seen.append(told))
    assert seen == [("a vs b", 32, 60), ("a vs b", 60, 60)]


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
