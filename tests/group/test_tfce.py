"""group.tfce: p by brute force, ties, a planted blob on voxels and on a mesh, false alarms."""

from __future__ import annotations

import warnings
from itertools import combinations, pairwise, product

import numpy as np
import pytest
from scipy import ndimage
from scipy.stats import binom, ttest_1samp, ttest_ind

from bids_dnn.containers.mesh import Mesh
from bids_dnn.containers.space import Surface
from bids_dnn.errors import NotEnoughDataError, ShapeError
from bids_dnn.group.tfce import enhancement_of, tfce_p
from bids_dnn.stats.designs import Design
from tests.factories.blobs import SHAPE, SPACE, N, blob, smooth
from tests.factories.results import make_spaces

HOW = enhancement_of(SPACE)


def by_levels(t):
    """Enhance a map of t, label by label: clusters are the same between two values."""
    levels = np.sort(np.append(t[t > 0], 0.0))
    out = np.zeros(SHAPE)
    for low, high in pairwise(levels):
        labels, _ = ndimage.label(t.reshape(SHAPE) >= high)
        sizes = np.bincount(labels.ravel())
        sizes[0] = 0
        out += sizes[labels] ** 0.5 * (high**3 - low**3) / 3
    return out.ravel()


def flipped(values):
    for signs in product((1, -1), repeat=values.shape[1]):
        yield ttest_1samp(values * signs, 0, axis=1).statistic


def exchanged(values):
    people = range(values.shape[1])
    for chosen in combinations(people, 3):
        others = [k for k in people if k not in chosen]
        yield ttest_ind(values[:, chosen], values[:, others], axis=1, equal_var=False).statistic


@pytest.mark.parametrize(
    ("all_t", "design"),
    [
        (flipped, Design(5)),
        (exchanged, Design(6, is_first=np.arange(6) < 3)),
        (exchanged, Design(6, is_first=np.arange(6) < 3, is_two_sided=True)),
    ],
)
def test_p_are_those_of_every_flip_and_exchange_one_by_one(rng, all_t, design):
    values = smooth(rng, n=design.n)
    lifted = slice(None) if design.is_first is None else design.is_first
    values[:, lifted] += blob(2.0).reshape(-1, 1)
    p = tfce_p(values, HOW, design=design, n_flips=40, seed=0)
    maps = np.array(
        [
            np.maximum(by_levels(t), by_levels(-t)) if design.is_two_sided else by_levels(t)
            for t in all_t(values)
        ]
    )
    expected = (maps.max(axis=1)[:, None] >= maps[0] * (1 - 1e-6)).mean(axis=0)
    np.testing.assert_allclose(p, expected)
    assert p.min() < 0.2 < np.median(p)


def test_a_planted_blob_is_found_where_it_lies(rng):
    lift = blob(1.5)
    p = tfce_p(smooth(rng, lift=lift), HOW, design=Design(12), n_flips=99, seed=0).reshape(SHAPE)
    assert (p[lift > 0] < 0.05).mean() > 0.9
    far = ndimage.distance_transform_edt(lift == 0) > 3
    assert (p[far] >= 0.05).all()


def test_a_planted_disk_is_found_on_a_mesh(rng):
    """A sheet of triangles, on which an effect that no vertex shows alone is found."""
    n = 30
    x, y = np.meshgrid(np.arange(n), np.arange(n))
    corner = (np.arange(n - 1)[:, None] * n + np.arange(n - 1)).ravel()
    faces = np.stack([corner, corner + 1, corner + n], axis=1)
    faces = np.concatenate([faces, np.stack([corner + 1, corner + n, corner + n + 1], axis=1)])
    sheet = Mesh(np.stack([x.ravel(), y.ravel(), 0.0 * x.ravel()], axis=1), faces)
    space = Surface("fsaverage5", (n * n, 0), np.arange(n * n))
    assert enhancement_of(space) is None
    how = enhancement_of(space, {"L": sheet})
    assert how.extent == 1.0
    disk = ((x - 8) ** 2 + (y - 20) ** 2 <= 16).ravel()
    noise = ndimage.gaussian_filter(rng.normal(size=(12, n, n)), (0, 1.5, 1.5)).reshape(12, -1)
    values = (noise / noise.std() + 1.0 * disk).T
    p = tfce_p(values, how, design=Design(12), n_flips=199, seed=0)
    assert (p[disk] < 0.05).mean() > 0.9
    assert (p[(x > 16).ravel()] >= 0.05).all()


def test_a_search_of_few_participants_takes_every_flip(rng):
    """Of four participants one flip in 16 leaves the data as they are."""
    said = []
    p = tfce_p(
        smooth(rng, n=4, lift=3.0), HOW, design=Design(4), n_flips=200, seed=0,
        progress=lambda done, total: said.append((done, total)),
    )  # fmt: skip
    assert p.min() == 1 / 16
    assert said[-1] == (16, 16)
    some = tfce_p(smooth(rng, n=4, lift=3.0), HOW, design=Design(4), n_flips=15, seed=0)
    assert some.min() >= 1 / 16


def test_p_is_never_below_its_floor(rng):
    """Of two directions two of 32 flips are as extreme, and 30 random ones may miss the other."""
    design = Design(5, is_two_sided=True)
    values = smooth(rng, n=5, lift=30.0)
    for seed in range(10):
        p = tfce_p(values, HOW, design=design, n_flips=30, seed=seed)
        assert p.min() >= 2 / 32


@pytest.mark.parametrize("design", [Design(8), Design(8, is_first=np.arange(8) < 4)])
def test_false_alarms_stay_at_their_level(rng, design):
    n, level = 300, 0.2
    alarms = sum(
        (tfce_p(smooth(rng, n=8), HOW, design=design, n_flips=19, seed=k) <= level).any()
        for k in range(n)
    )
    assert binom.ppf(1e-4, n, level) <= alarms <= binom.isf(1e-4, n, level)


def test_order_of_units_and_missing_ones_do_not_matter(rng):
    values = smooth(rng, lift=blob(1.0))
    how = {"design": Design(12), "n_flips": 20}
    whole = tfce_p(values, HOW, **how, seed=1)
    turned = rng.permutation(N)
    again = tfce_p(values[turned], enhancement_of(SPACE.at(turned)), **how, seed=1)
    np.testing.assert_array_equal(again, whole[turned])
    assert (tfce_p(values, HOW, **how, seed=2) != whole).any()
    gappy = values.copy()
    gappy[:30, 2] = np.nan
    gappy[30:40] = 0.7
    part = tfce_p(gappy, HOW, **how, seed=1)
    assert np.isnan(part[:40]).all()
    only = tfce_p(values[40:], enhancement_of(SPACE.at(np.arange(40, N))), **how, seed=1)
    np.testing.assert_array_equal(part[40:], only)


def test_who_lacks_a_covariate_is_left_out(rng):
    values, z = smooth(rng), rng.normal(size=(12, 1))
    z[4] = np.nan
    how = {"n_flips": 20, "seed": 1}
    made = tfce_p(values, HOW, design=Design(12, covariates=z), **how)
    keep = np.arange(12) != 4
    other = tfce_p(values[:, keep], HOW, design=Design(11, covariates=z[keep]), **how)
    np.testing.assert_array_equal(made, other)
    twice = tfce_p(values, HOW, design=Design(12, covariates=np.column_stack([z, 9 * z])), **how)
    np.testing.assert_allclose(made, twice, rtol=1e-6)


def test_a_unit_that_covariates_fit_exactly_is_left_out(rng):
    """Its t would be infinite, and p of the whole map 1."""
    values, z = smooth(rng, n=8, lift=blob(1.5)), np.repeat([0.0, 1.0], 4)[:, None]
    how = {"design": Design(8, covariates=z), "n_flips": 20, "seed": 1}
    keep = np.delete(np.arange(N), 60)
    only = tfce_p(values[keep], enhancement_of(SPACE.at(keep)), **how)
    values[60] = np.float32(0.1) + np.float32(0.2) * z[:, 0]
    made = tfce_p(values, HOW, **how)
    assert np.isnan(made[60])
    np.testing.assert_array_equal(made[keep], only)
    assert only.min() < 0.1


@pytest.mark.parametrize(
    ("design", "odd"),
    [
        (Design(4), [0.5, -0.5, 0.5, 0.5]),
        (Design(4, is_first=np.arange(4) < 2), [0.5, 0.2, 0.2, 0.5]),
        (Design(5, is_first=np.arange(5) < 2), [0.5, 0.2, 0.2, 0.5, 0.5]),
    ],
)
def test_a_unit_that_some_flip_leaves_without_variance_is_left_out(rng, design, odd):
    """Counts of few participants are alike somewhere: that flip would have the largest t."""
    values = smooth(rng, n=design.n)
    values[60] = odd
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        p = tfce_p(values, HOW, design=design, n_flips=40, seed=1)
    assert np.flatnonzero(np.isnan(p)).tolist() == [60]
    values[60, 0] += 0.1
    assert np.isfinite(tfce_p(values, HOW, design=design, n_flips=40, seed=1)).all()


def test_grayordinates_have_no_enhancement():
    assert enhancement_of(make_spaces()["grayordinates"]) is None
    assert enhancement_of(None) is None


def test_what_does_not_fit_is_refused(rng):
    how = {"n_flips": 5, "seed": 0}
    with pytest.raises(ShapeError, match=r"\(5, 12\), there are 504 units and 12"):
        tfce_p(smooth(rng)[:5], HOW, design=Design(12), **how)
    with pytest.raises(NotEnoughDataError, match="3 participants and 2 covariates"):
        tfce_p(smooth(rng, n=3), HOW, design=Design(3, covariates=np.eye(3)[:, :2]), **how)
    first = np.arange(4) < 1
    with pytest.raises(NotEnoughDataError, match="4 participants, 1 in the first group"):
        tfce_p(smooth(rng, n=4), HOW, design=Design(4, is_first=first), **how)
    with pytest.raises(ShapeError, match=r"4 participants, is_first has shape \(3,\)"):
        Design(4, is_first=first[:3])
