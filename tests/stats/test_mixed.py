"""stats.mixed: statsmodels, the t test where all have as many sessions, level, refusals."""

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats

from bids_dnn.errors import ShapeError
from bids_dnn.stats.mixed import mixed_mean


def holed(rng, n, n_sessions, *, between, mean=0.0):
    values = mean + between * rng.normal(size=(n, 1)) + rng.normal(size=(n, n_sessions))
    holes = rng.random(values.shape) < 0.3
    holes[:, 0] = False
    values[holes] = np.nan
    return values


@pytest.mark.parametrize("between", [0.8, 2.0])
def test_the_fit_is_that_of_statsmodels(rng, between):
    values = holed(rng, 20, 5, between=between, mean=0.5)
    known = np.isfinite(values)
    people = np.nonzero(known)[0]
    model = sm.MixedLM(values[known], np.ones((known.sum(), 1)), people)
    fit = model.fit(reml=True, method=["bfgs", "powell", "cg"])
    made = mixed_mean(values)
    assert made.mean == pytest.approx(fit.params[0], abs=1e-4)
    assert made.within_sd**2 == pytest.approx(fit.scale, rel=1e-3)
    assert made.between_sd**2 == pytest.approx(fit.cov_re[0, 0], rel=1e-3)
    error = (made.high - made.mean) / stats.t.ppf(0.975, 19)
    assert error == pytest.approx(fit.bse_fe[0], rel=1e-3)
    assert made.p == pytest.approx(stats.t.sf(made.mean / error, 19))
    assert (made.n_participants, made.n_sessions) == (20, known.sum())


def test_equal_sessions_give_the_t_test_of_means(rng):
    values = 0.4 + rng.normal(size=(8, 1)) + 0.3 * rng.normal(size=(8, 4))
    made = mixed_mean(values)
    expected = stats.ttest_1samp(values.mean(axis=1), 0, alternative="greater")
    interval = stats.ttest_1samp(values.mean(axis=1), 0).confidence_interval(0.95)
    assert made.p == pytest.approx(expected.pvalue)
    assert (made.low, made.high) == pytest.approx((interval.low, interval.high))


def test_without_spread_between_participants_sessions_are_pooled(rng):
    values = rng.normal(size=(6, 5))
    values += 0.2 - values.mean(axis=1, keepdims=True)  # all means alike
    made = mixed_mean(values)
    assert made.between_sd == 0
    assert made.mean == pytest.approx(0.2)
    assert made.within_sd == pytest.approx(np.sqrt((values - 0.2).var() * 30 / 29))


def test_scale_and_order_do_not_matter(rng):
    values = holed(rng, 7, 4, between=1.0)
    one, two = mixed_mean(values), mixed_mean(10 * values[::-1, ::-1])
    assert two.p == pytest.approx(one.p)
    assert two.between_sd == pytest.approx(10 * one.between_sd)


@pytest.mark.parametrize(("n", "between"), [(5, 0.0), (8, 0.3), (8, 2.0)])
def test_the_level_is_held_without_an_effect(n, between):
    rng = np.random.default_rng(3)
    p = np.array([mixed_mean(holed(rng, n, 4, between=between)).p for _ in range(600)])
    assert np.mean(p <= 0.05) <= 0.05 + 3.8 * np.sqrt(0.05 * 0.95 / 600)


def test_sessions_that_are_alike_give_the_t_test_of_means():
    means = np.array([0.5, 0.5, 0.4375, 0.5])
    expected = stats.ttest_1samp(means, 0, alternative="greater")
    values = np.repeat(means[:, None], 2, axis=1)
    values[0, 1] = np.nan  # counts no less: its session is as good as two
    made = mixed_mean(values)
    assert (made.mean, made.p) == pytest.approx((means.mean(), expected.pvalue))
    assert (made.between_sd, made.within_sd) == pytest.approx((means.std(ddof=1), 0))
    ends = stats.ttest_1samp(means, 0).confidence_interval()
    assert (made.low, made.high) == pytest.approx((ends.low, ends.high))
    near = mixed_mean(values + 1e-5 * np.array([[1, -1], [1, -1], [-1, 1], [1, -1]]))
    assert near.p == pytest.approx(made.p, rel=0.02)


@pytest.mark.parametrize(
    "values",
    [
        np.array([[0.1, 0.2]]),
        np.array([[0.1, np.nan], [0.2, np.nan]]),
        np.full((3, 4), 0.2),
        np.full((3, 4), np.nan),
    ],
)
def test_what_cannot_be_told_is_nan(values):
    made = mixed_mean(values)
    assert np.isnan([made.mean, made.p, made.low, made.between_sd]).all()
    assert made.n_sessions == np.isfinite(values).sum()


def test_another_shape_is_refused():
    with pytest.raises(ShapeError, match=r"\(3,\)"):
        mixed_mean(np.zeros(3))
