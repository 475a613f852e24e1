"""analyses.rsa.spheres: scipy on each sphere, planted layers, the level of p, refusals."""

import zlib
from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.distance import pdist
from scipy.stats import spearmanr

from bids_dnn.analyses.rsa.spheres import RsaChoices, compare_spheres
from bids_dnn.containers.features import FeatureGram
from bids_dnn.containers.space import Grid
from bids_dnn.errors import ConfigError, NotEnoughDataError
from bids_dnn.stats.neighbours import neighbours
from bids_dnn.stats.regions import region_units
from tests.factories.responses import make_responses

SHAPE = (5, 4, 3)
SPACE = Grid("T1w", SHAPE, np.diag([3.0, 3, 3, 1]), np.arange(60))
N = 12
ASKED = RsaChoices(n_maps=19, seed=1)


def make_gram(x, layer="conv1"):
    names = tuple(f"s{k:02d}" for k in range(len(x)))
    return FeatureGram(names, "net", layer, x @ x.T, x.shape[1], {}, sums=x.sum(axis=1))


def measured(values, *, n_repeats=1):
    """Responses to stimuli in the order of their names, of two conditions to four each."""
    n = len(values)
    names = [f"s{k:02d}" for k in range(n)] * n_repeats
    made = make_responses(
        np.tile(values, (n_repeats, 1)),
        stimuli=names,
        conditions=[f"c{k // 3}" for k in range(n)] * n_repeats,
        runs=np.repeat(np.arange(n_repeats), n),
    )
    return replace(made, space=SPACE)


def compare(responses, grams, choices=ASKED, radius=4.0, **how):
    (centers,) = region_units(responses, [])
    around = neighbours(SPACE, radius, centers=centers.units)
    return compare_spheres(responses, centers, around, grams, choices=choices, **how), around


@pytest.mark.parametrize(
    ("distance", "metric"), [("correlation",) * 2, ("euclidean", "sqeuclidean")]
)
def test_maps_are_those_of_scipy_in_each_sphere(rng, distance, metric):
    values = rng.normal(size=(N, 60)).astype(np.float32) + 2
    values[3, 7] = np.nan  # no center, and part of no sphere
    x, y = rng.normal(size=(N, 30)), rng.normal(size=(N, 9))
    grams = [make_gram(x), make_gram(y, "conv2")]
    result, around = compare(measured(values), grams, replace(ASKED, distance=distance))
    assert result.table["comparison"].tolist() == ["net conv1", "net conv2"]
    assert len(result.space) == 59
    for k, features in enumerate((x, y)):
        made = result.maps[2 * k]
        assert (made.stat, made.model) == ("spearman", f"net+conv{k + 1}")
        for place in (0, 20, 58):
            own = [u for u in around.of(place) if u != 7]
            expected = spearmanr(pdist(values[:, own], metric), pdist(features, metric))
            assert made.values[place] == pytest.approx(expected.statistic, abs=1e-5)


def test_repeats_are_averaged_and_conditions_are_means_of_stimuli(rng):
    values = rng.normal(size=(N, 60)).astype(np.float32)
    x = rng.normal(size=(N, 30))
    once, _ = compare(measured(values), [make_gram(x)])
    twice, _ = compare(measured(values, n_repeats=2), [make_gram(x)])
    np.testing.assert_allclose(once.maps[0].values, twice.maps[0].values, atol=1e-6)
    of_conditions, around = compare(
        measured(values), [make_gram(x)], replace(ASKED, items="condition")
    )
    mean = values.reshape(4, 3, 60).mean(axis=1)
    features = x.reshape(4, 3, 30).mean(axis=1)
    own = around.of(20)
    expected = spearmanr(pdist(mean[:, own], "correlation"), pdist(features, "correlation"))
    assert of_conditions.maps[0].values[20] == pytest.approx(expected.statistic, abs=1e-5)
    assert of_conditions.table["n_samples"].item() == 4


def test_a_layer_is_found_where_it_drives_units(rng):
    low = rng.normal(size=(N, 2))
    x = low @ rng.normal(size=(2, 25))
    values = rng.normal(size=(N, 60))
    values[:, :30] = low @ rng.normal(size=(2, 30)) + 0.1 * rng.normal(size=(N, 30))
    other = rng.normal(size=(N, 25))
    grams = [make_gram(x), make_gram(other, "conv2")]
    asked = replace(ASKED, n_maps=99, distance="euclidean")
    result, _ = compare(measured(values.astype(np.float32)), grams, asked, radius=6.0)
    slab = np.unravel_index(result.space.index, SHAPE)[0]
    rho, p, rho_other, _ = (one.values for one in result.maps)
    assert rho[slab < 2].mean() > 0.5
    assert abs(rho[slab > 3].mean()) < 0.3
    assert rho_other[slab < 2].mean() < 0.25
    assert (p[slab < 2] <= 0.05).mean() > 0.9
    assert result.table["p_corrected"].tolist()[0] == pytest.approx(0.01)


def test_maps_by_chance_are_of_one_exchange_for_all_spheres(rng):
    values = rng.normal(size=(N, 60)).astype(np.float32)
    x = rng.normal(size=(N, 30))
    result, around = compare(measured(values), [make_gram(x)])
    null = result.null_maps["net+conv1"]
    assert (null.values.shape, null.share) == ((19, 60), 1.0)
    names = "\n".join(f"s{k:02d}" for k in range(N))
    order = np.random.default_rng([1, zlib.crc32(names.encode())]).permutation(N)
    for place in (0, 31):
        own = pdist(values[:, around.of(place)], "correlation")
        expected = spearmanr(own, pdist(x[order], "correlation")).statistic
        assert null.values[0, place] == pytest.approx(expected, abs=1e-5)
    higher = (null.values >= result.maps[0].values - 1e-6).sum(axis=0)
    np.testing.assert_allclose(result.maps[1].values, (1 + higher) / 20, rtol=1e-6)


def test_participants_who_have_the_same_items_share_exchanges(rng):
    x = rng.normal(size=(N, 30))
    first, around = compare(measured(rng.normal(size=(N, 60)).astype(np.float32)), [make_gram(x)])
    values = rng.normal(size=(N, 60)).astype(np.float32)
    second, _ = compare(measured(values), [make_gram(x)])
    names = [f"s{k:02d}" for k in range(N)]
    drawn = np.random.default_rng([1, zlib.crc32("\n".join(names).encode())])
    for row in range(2):
        order = drawn.permutation(N)
        own = pdist(values[:, around.of(20)], "correlation")
        expected = spearmanr(own, pdist(x[order], "correlation")).statistic
        assert second.null_maps["net+conv1"].values[row, 20] == pytest.approx(expected, abs=1e-5)
    other, _ = compare(measured(values[: N - 1]), [make_gram(x)])
    exchanges = [one.meta["rsa_exchanges"] for one in (first, second, other)]
    assert exchanges[0] == exchanges[1] != exchanges[2]
    reseeded, _ = compare(measured(values), [make_gram(x)], replace(ASKED, seed=2))
    assert reseeded.meta["rsa_exchanges"] != exchanges[0]
    assert first.table["p_floor"].item() == other.table["p_floor"].item() == 0.05


def test_few_items_have_all_their_orders(rng):
    made = measured(rng.normal(size=(N, 60)).astype(np.float32))
    asked = replace(ASKED, items="condition", n_maps=99)
    result, _ = compare(made, [make_gram(rng.normal(size=(N, 30)))], asked)
    assert result.null_maps["net+conv1"].values.shape == (23, 60)  # 4! less the one as it is
    assert result.table["n_maps"].item() == 23
    assert result.table["p_floor"].item() == pytest.approx(1 / 24)


def test_a_layer_without_ranks_is_refused(rng):
    made = measured(rng.normal(size=(N, 60)).astype(np.float32))
    with pytest.raises(NotEnoughDataError, match="equally far apart in conv1 of net"):
        compare(made, [make_gram(np.eye(N))], replace(ASKED, distance="euclidean"))


def test_p_of_the_map_keeps_its_level(rng):
    hits, n = 0, 200
    for k in range(n):
        values = rng.normal(size=(8, 60)).astype(np.float32)
        asked = replace(ASKED, seed=k)
        result, _ = compare(measured(values), [make_gram(rng.normal(size=(8, 20)))], asked)
        hits += result.table["p_corrected"].item() <= 0.1
    assert hits / n < 0.1 + 3.8 * np.sqrt(0.09 / n)


def test_a_sphere_without_variance_is_not_known(rng):
    values = rng.normal(size=(N, 60)).astype(np.float32)
    values[4] = 1.0  # one stimulus, to which all units answer alike
    result, _ = compare(measured(values), [make_gram(rng.normal(size=(N, 30)))])
    assert np.isnan(result.maps[0].values).all()
    assert result.table["n_centers"].item() == 0


def test_what_is_left_out_is_named(rng):
    values = rng.normal(size=(N, 60)).astype(np.float32)
    result, _ = compare(measured(values), [make_gram(rng.normal(size=(N - 2, 30)))])
    assert result.table["n_samples"].item() == N - 2
    assert "2 stimuli have no features, such as 's10'" in result.meta["warnings"][0]


def test_items_of_different_runs_are_told(rng):
    values = rng.normal(size=(N, 60)).astype(np.float32)
    made = measured(values)
    made.samples["run"] = np.arange(N) % 2
    result, _ = compare(made, [make_gram(rng.normal(size=(N, 30)))])
    assert "shown in the same runs" in result.meta["warnings"][0]


@pytest.mark.parametrize(("n", "error"), [(3, NotEnoughDataError), (401, ConfigError)])
def test_too_few_and_too_many_items_are_refused(rng, n, error):
    values = rng.normal(size=(n, 60)).astype(np.float32)
    made = make_responses(values, stimuli=[f"s{k:02d}" for k in range(n)], runs=np.zeros(n))
    made = replace(made, space=SPACE)
    with pytest.raises(error, match=f"There are {n} stimuli"):
        compare(made, [make_gram(rng.normal(size=(n, 5)))])


def test_features_that_are_all_equal_are_refused(rng):
    values = rng.normal(size=(N, 60)).astype(np.float32)
    x = rng.normal(size=(N, 30))
    x[2] = 0.5
    with (
        pytest.warns(UserWarning, match="all equal"),
        pytest.raises(NotEnoughDataError, match="conv1 of net are all equal"),
    ):
        compare(measured(values), [make_gram(x)])


def test_progress_counts_centers(rng):
    seen = []
    values = rng.normal(size=(N, 60)).astype(np.float32)
    compare(
        measured(values), [make_gram(rng.normal(size=(N, 30)))],
        progress=lambda *told: seen.append(told),
    )  # fmt: skip
    assert seen == [(32, 60), (60, 60)]
