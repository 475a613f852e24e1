"""group.flip_clusters: brute force with scipy, a planted blob, both directions, false alarms."""

from __future__ import annotations

from itertools import combinations, product

import numpy as np
import pytest
from scipy import ndimage, stats

from bids_dnn.containers.space import Surface
from bids_dnn.errors import NotEnoughDataError, ShapeError
from bids_dnn.group.flip_clusters import COLUMNS, flip_clusters, ground_of
from bids_dnn.stats.designs import Design
from tests.factories.blobs import SHAPE, SPACE, N, blob, smooth

GROUND = ground_of(SPACE, None)
HOW = {"p_unit": 0.05, "n_flips": 100, "seed": 0}


def sizes_of(t, least):
    labels, _ = ndimage.label(t.reshape(SHAPE) > least)
    return np.bincount(labels.ravel())[1:]


def flipped(values):
    for signs in product((1, -1), repeat=values.shape[1]):
        yield stats.ttest_1samp(values * signs, 0, axis=1).statistic


def exchanged(values):
    people = range(values.shape[1])
    for chosen in combinations(people, 3):
        others = [k for k in people if k not in chosen]
        yield stats.ttest_ind(values[:, chosen], values[:, others], axis=1, equal_var=False)[0]


@pytest.mark.parametrize(
    ("all_t", "design", "df"),
    [
        (flipped, Design(5), 4),
        (exchanged, Design(6, is_first=np.arange(6) < 3), 4),
        (exchanged, Design(6, is_first=np.arange(6) < 3, is_two_sided=True), 4),
    ],
)
def test_sizes_and_p_are_those_of_every_flip_one_by_one(rng, all_t, design, df):
    values = smooth(rng, n=design.n)
    lifted = slice(None) if design.is_first is None else design.is_first
    values[:, lifted] += blob(1.5).reshape(-1, 1)
    made = flip_clusters(values, GROUND, design=design, **HOW)
    sides = (1, -1) if design.is_two_sided else (1,)
    least = stats.t.isf(0.05 / len(sides), df)
    every = [np.concatenate([sizes_of(side * t, least) for side in sides]) for t in all_t(values)]
    table = made.table
    assert list(table) == list(COLUMNS)
    assert table["n_units"].tolist() == sorted(every[0], reverse=True)
    largest = np.array([one.max(initial=0) for one in every])
    expected = [(largest >= size).mean() for size in table["n_units"]]
    np.testing.assert_allclose(table["p_fwe"], expected)
    counts = np.bincount(made.labels.astype(int))[1:]
    assert counts.tolist() == table["n_units"].tolist()
    for number in table["cluster"]:
        assert ndimage.label((made.labels == number).reshape(SHAPE))[1] == 1
    peak = table["peak_unit"][0]
    np.testing.assert_allclose(
        table.loc[0, ["peak_x_mm", "peak_y_mm", "peak_z_mm"]].to_numpy(float),
        3.0 * np.array(np.unravel_index(peak, SHAPE)),
    )
    difference = values.mean(axis=1)
    if design.is_first is not None:
        difference = values[:, :3].mean(axis=1) - values[:, 3:].mean(axis=1)
    assert table["peak_difference"][0] == pytest.approx(difference[peak])


def test_a_planted_blob_is_a_cluster_in_its_direction(rng):
    lift = blob(-1.5)
    values = smooth(rng, lift=lift)
    how = {"p_unit": 0.01, "n_flips": 199, "seed": 0}
    both = flip_clusters(values, GROUND, design=Design(12, is_two_sided=True), **how)
    first = both.table.iloc[0]
    assert first["p_fwe"] < 0.05
    assert first["peak_difference"] < -1
    inside = (both.labels == 1).reshape(SHAPE)
    assert inside[lift < 0].mean() > 0.9
    up = flip_clusters(values, GROUND, design=Design(12), **how)
    assert (up.table["p_fwe"] > 0.05).all()


@pytest.mark.parametrize("design", [Design(8), Design(8, is_first=np.arange(8) < 4)])
def test_false_alarms_stay_at_their_level(rng, design):
    n, level = 200, 0.2
    alarms = 0
    for k in range(n):
        made = flip_clusters(
            smooth(rng, n=8), GROUND, design=design, p_unit=0.05, n_flips=19, seed=k
        )
        alarms += bool((made.table["p_fwe"] <= level).any())
    assert alarms <= stats.binom.isf(1e-4, n, level)
    assert alarms >= stats.binom.ppf(1e-4, n, level / 2)  # sizes are whole numbers, and tie


def test_units_that_somebody_lacks_are_not_looked_at(rng):
    values, said = smooth(rng, lift=blob(1.5)), []
    values[::9, 3] = np.nan
    made = flip_clusters(
        values, GROUND, design=Design(12), **HOW, progress=lambda *told: said.append(told)
    )
    assert np.isnan(made.labels[::9]).all()
    keep = np.arange(N) % 9 > 0
    other = flip_clusters(
        values[keep], ground_of(SPACE.select(keep), None), design=Design(12), **HOW
    )
    np.testing.assert_array_equal(other.labels, made.labels[keep])
    assert said[-1] == (100, 100)


def test_where_nothing_is_high_there_is_no_cluster(rng):
    made = flip_clusters(-np.abs(smooth(rng)) - 1, GROUND, design=Design(12), **HOW)
    assert made.table.empty
    assert list(made.table) == list(COLUMNS)
    assert (made.labels == 0).all()


def test_what_touches_must_be_known():
    assert ground_of(Surface("fsaverage5", (9, 0), np.arange(9)), None) is None
    assert ground_of(None, None) is None


def test_what_does_not_fit_is_refused(rng):
    with pytest.raises(ShapeError, match=r"\(5, 12\), there are 504 units"):
        flip_clusters(smooth(rng)[:5], GROUND, design=Design(12), **HOW)
    design = Design(3, covariates=np.eye(3)[:, :2])
    with pytest.raises(NotEnoughDataError, match="3 participants and 2 covariates"):
        flip_clusters(smooth(rng, n=3), GROUND, design=design, **HOW)
