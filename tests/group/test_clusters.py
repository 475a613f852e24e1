"""group.clusters: scipy's clusters, thresholds and p by hand, false alarms, a planted blob."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage
from scipy.sparse import csr_array
from scipy.stats import binom

from bids_dnn.containers.space import Grid
from bids_dnn.errors import NotEnoughDataError, ShapeError
from bids_dnn.group.clusters import (
    COLUMNS,
    ChanceMaps,
    Settings,
    find_clusters,
    label_clusters,
)
from bids_dnn.stats.neighbours import adjacency, places_mm

SHAPE = (8, 7, 6)
N_UNITS = int(np.prod(SHAPE))
AFFINE = np.array([[-2.0, 0, 0, 9], [0, 2, 0, -8], [0, 0, 3, 1], [0, 0, 0, 1]])
SPACE = Grid("MNI", SHAPE, AFFINE, np.arange(N_UNITS))
TOUCHING = adjacency(SPACE)
QUICK = Settings(p_unit=0.02, n_maps=199, seed=3)


def smooth_counts(rng, n_maps, *, n_samples=40, lift=None):
    """Counts of right answers of n_samples, smooth over the grid, around one half."""
    noise = ndimage.gaussian_filter(rng.normal(size=(n_maps, *SHAPE)), (0, 1, 1, 1))
    share = 0.5 + 0.08 * (noise / noise.std()).reshape(n_maps, -1)
    share = share if lift is None else share + lift
    return np.clip(np.round(n_samples * share), 0, n_samples).astype(np.uint8)


def group_of(rng, n=8, n_maps=25, lift=None):
    """Participants whose own map is one more draw of what their chance maps are."""
    made = []
    for _ in range(n):
        counts = smooth_counts(rng, n_maps + 1)
        own = counts[0] if lift is None else smooth_counts(rng, 1, lift=lift)[0]
        made.append(ChanceMaps((own / 40).astype(np.float32), counts[1:], share=1 / 40))
    return made


def test_clusters_of_many_maps_are_those_of_scipy(rng):
    marked = rng.random((12, *SHAPE)) < 0.3
    maps, units = np.nonzero(marked.reshape(12, -1))
    turned = rng.permutation(len(maps))
    labels, of_map = label_clusters(maps[turned], units[turned], TOUCHING)
    back = np.empty_like(labels)
    back[turned] = labels
    n = 0
    for k in range(12):
        expected, n_own = ndimage.label(marked[k])
        pairs = set(zip(back[maps == k], expected[marked[k]], strict=True))
        assert len(pairs) == n_own == (of_map == k).sum()
        n += n_own
    assert labels.max() + 1 == n == len(of_map)


def test_thresholds_sizes_and_p_are_those_of_counting(rng):
    lift = np.zeros(SHAPE)
    lift[2:5, 2:5, 2:5] = 0.3
    people = group_of(rng, lift=lift.ravel())
    found = find_clusters(people, TOUCHING, settings=QUICK, places=places_mm(SPACE))
    again = np.random.default_rng(QUICK.seed)
    drawn = [again.integers(26, size=199) for _ in people]  # 0 = the map as it is
    rows = [np.vstack([one.scores, one.null / 40]) for one in people]
    null = np.mean([own[at] for own, at in zip(rows, drawn, strict=True)], axis=0)
    own = np.mean([one.scores for one in people], axis=0, dtype=float)
    every = np.vstack([own, null])

    np.testing.assert_allclose(found.scores, own)
    np.testing.assert_allclose(found.p, (every >= own - 1e-6).mean(axis=0))
    threshold = np.sort(every, axis=0)[-5]  # 4 of 200 are 2 %
    np.testing.assert_allclose(found.threshold, threshold)
    above = (every > threshold + 1e-6).reshape(-1, *SHAPE)
    sizes = [np.bincount(ndimage.label(one)[0].ravel())[1:] for one in above]
    pooled = np.concatenate(sizes[1:])
    largest = np.array([one.max(initial=0) for one in sizes[1:]])
    table = found.table
    assert table["n_units"].tolist() == sorted(sizes[0], reverse=True)
    for _, row in table.iterrows():
        n = row["n_units"]
        assert row["p"] == pytest.approx((1 + (pooled >= n).sum()) / (1 + len(pooled)))
        assert row["p_fwe"] == pytest.approx((1 + (largest >= n).sum()) / 200)
        assert (found.labels == row["cluster"]).sum() == n
    assert found.n_null_clusters == len(pooled)
    assert list(table) == list(COLUMNS)
    assert (table["p_fdr"] >= table["p"]).all()


def test_a_planted_blob_is_found_where_it_lies(rng):
    lift = np.zeros(SHAPE)
    lift[1:4, 2:5, 2:5] = 0.2
    lift[2, 3, 3] = 0.4
    people = group_of(rng, lift=lift.ravel())
    found = find_clusters(people, TOUCHING, settings=QUICK, places=places_mm(SPACE))
    first = found.table.iloc[0]
    inside = (found.labels == 1).reshape(SHAPE)
    assert first["p_fwe"] == 1 / 200
    assert first["p_fdr"] < 0.02
    assert inside[lift > 0].mean() > 0.9
    assert inside.sum() < 2.5 * (lift > 0).sum()
    assert np.unravel_index(int(first["peak_unit"]), SHAPE) == (2, 3, 3)
    place = AFFINE @ [2, 3, 3, 1]
    assert first[["peak_x_mm", "peak_y_mm", "peak_z_mm"]].tolist() == place[:3].tolist()
    assert first["peak_score"] == pytest.approx(found.scores.max())


def test_false_alarms_stay_at_their_level(rng):
    n, level = 120, 0.1
    settings = Settings(p_unit=0.02, n_maps=99, seed=0)
    alarms = np.zeros(2, dtype=int)
    shares = []
    for _ in range(n):
        found = find_clusters(group_of(rng, n=6, n_maps=100), TOUCHING, settings=settings)
        alarms += (found.table[["p_fwe", "p_fdr"]] <= level).any().to_numpy()
        shares.append((found.labels > 0).mean())
    assert (alarms <= binom.isf(1e-4, n, level)).all()
    mean, error = np.mean(shares), np.std(shares) / np.sqrt(n)
    assert mean < 0.02 + 4 * error


@pytest.mark.parametrize(("n", "n_maps"), [(10, 7), (12, 3)])
def test_p_of_few_chance_maps_keep_their_level(rng, n, n_maps):
    """Without the maps as they are among those that are drawn, a share of 0.004 is <= 0.001."""
    n_units, level = 4000, 0.001
    counts = rng.binomial(40, 0.5, size=(n, n_maps + 1, n_units)).astype(np.uint8)
    people = [ChanceMaps(one[0] / 40, one[1:], share=1 / 40) for one in counts]
    alone = csr_array((n_units, n_units), dtype=np.bool_)
    found = find_clusters(people, alone, settings=Settings(p_unit=level, n_maps=1999, seed=0))
    assert (found.p <= level).sum() <= binom.isf(1e-4, n_units, level)


def test_paired_maps_are_averaged_row_by_row(rng):
    people = group_of(rng, n=4, n_maps=99)
    settings = Settings(p_unit=0.02, n_maps=7, is_paired=True)
    found = find_clusters(people, TOUCHING, settings=settings)
    own = np.mean([one.scores for one in people], axis=0, dtype=float)
    null = np.mean([one.null / 40 for one in people], axis=0)
    every = np.vstack([own, null])
    np.testing.assert_allclose(found.p, (every >= own - 1e-6).mean(axis=0))
    np.testing.assert_allclose(found.threshold, np.sort(every, axis=0)[-3])  # 2 of 100
    assert find_clusters(people, TOUCHING, settings=replace(settings, seed=9)).table.equals(
        found.table
    )
    fewer = [*people[1:], ChanceMaps(people[0].scores, people[0].null[1:], people[0].share)]
    with pytest.raises(ShapeError, match=r"\[98, 99\] in number"):
        find_clusters(fewer, TOUCHING, settings=settings)
    with pytest.raises(NotEnoughDataError, match=r"Of 99 .* rare as 0\.001"):
        find_clusters(people, TOUCHING, settings=replace(settings, p_unit=0.001))


def test_the_same_seed_gives_the_same_and_parts_do_not_matter(rng, monkeypatch):
    people = group_of(rng)
    once = find_clusters(people, TOUCHING, settings=QUICK)
    seen = []
    monkeypatch.setattr("bids_dnn.group.clusters.BYTES", 8 * 200 * 50)
    again = find_clusters(
        people, TOUCHING, settings=QUICK, progress=lambda *told: seen.append(told)
    )
    np.testing.assert_array_equal(once.threshold, again.threshold)
    np.testing.assert_array_equal(once.labels, again.labels)
    assert once.table.equals(again.table)
    assert seen[0] == (50, N_UNITS)
    assert seen[-1] == (N_UNITS, N_UNITS)
    other = find_clusters(people, TOUCHING, settings=Settings(p_unit=0.02, n_maps=199, seed=4))
    assert (once.threshold != other.threshold).any()


def test_units_that_one_participant_lacks_stay_missing(rng):
    people = group_of(rng)
    gap = people[2].scores.copy()
    gap[:40] = np.nan
    people[2] = ChanceMaps(gap, people[2].null, people[2].share)
    found = find_clusters(people, TOUCHING, settings=QUICK)
    assert np.isnan(found.scores[:40]).all()
    assert np.isnan(found.p[:40]).all()
    assert not found.labels[:40].any()
    assert np.isfinite(found.threshold[40:]).all()


def test_no_cluster_is_an_empty_table(rng):
    people = [
        ChanceMaps(np.full(N_UNITS, 0.1), smooth_counts(rng, 9), share=1 / 40) for _ in range(3)
    ]
    found = find_clusters(people, TOUCHING, settings=QUICK)
    assert found.table.empty
    assert list(found.table) == list(COLUMNS)
    assert not found.labels.any()


def test_what_does_not_fit_is_refused(rng):
    people = group_of(rng, n=2)
    with pytest.raises(NotEnoughDataError, match="There is 1 participant"):
        find_clusters(people[:1], TOUCHING, settings=QUICK)
    with pytest.raises(NotEnoughDataError, match=r"Of 998 .* rare as 0\.001.*999"):
        find_clusters(people, TOUCHING, settings=Settings(n_maps=998))
    small = [ChanceMaps(np.zeros(5), np.zeros((3, 5)))] * 2
    with pytest.raises(ShapeError, match=r"\[5, 336\] units"):
        find_clusters(small, TOUCHING, settings=QUICK)
    with pytest.raises(ShapeError, match=r"\(5,\), null has shape \(3, 4\)"):
        ChanceMaps(np.zeros(5), np.zeros((3, 4)))
