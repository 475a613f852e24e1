"""stats.inference: closed forms, scipy, uniform p under noise, refusals."""

import numpy as np
import pytest
from scipy import stats

from bids_dnn.errors import NotEnoughDataError, ShapeError
from bids_dnn.stats.inference import (
    corrected_t_interval,
    fdr,
    max_statistic,
    p_floor,
    permutation_p,
    sign_flip,
    t_interval,
    t_one_sided,
)

N_SETS = 400


def assert_uniform(p):
    """Compare shares below 0.1, 0.25, 0.5 with a bound of 3.5 Monte Carlo errors."""
    for level in (0.1, 0.25, 0.5):
        error = np.sqrt(level * (1 - level) / len(p))
        assert abs(np.mean(np.asarray(p) <= level + 1e-9) - level) < 3.5 * error


def test_random_permutations_count_the_data_themselves():
    null = np.array([0.1, 0.2, 0.3])
    assert permutation_p(0.9, null, enumerated=False) == p_floor(3, enumerated=False) == 0.25
    assert permutation_p(0.0, null, enumerated=False) == 1.0


def test_enumerated_permutations_hold_the_data_already():
    null = np.array([0.9, 0.2, 0.3, 0.3])
    assert permutation_p(0.9, null, enumerated=True) == p_floor(4, enumerated=True) == 0.25


def test_scores_that_differ_by_rounding_are_ties():
    assert permutation_p(0.1 + 0.2, np.array([0.3]), enumerated=False) == 1.0


def test_a_score_that_is_nan_has_no_p():
    assert np.isnan(permutation_p(np.nan, np.zeros(3), enumerated=False))


def test_no_permutation_is_refused():
    with pytest.raises(NotEnoughDataError, match="no permutation"):
        permutation_p(0.5, np.array([]), enumerated=False)


def test_permutation_p_is_uniform_under_noise(rng):
    draws = rng.normal(size=(N_SETS, 100))
    assert_uniform([permutation_p(row[0], row[1:], enumerated=False) for row in draws])


def test_max_statistic_of_one_test_is_its_p(rng):
    null = rng.normal(size=(99, 1))
    for score in (-1.0, 0.5, 3.0):
        expected = permutation_p(score, null[:, 0], enumerated=False)
        np.testing.assert_allclose(max_statistic(np.array([score]), null), expected)


def test_max_statistic_does_not_care_for_the_scale_of_a_test(rng):
    observed, null = rng.normal(size=3), rng.normal(size=(50, 3))
    scale = np.array([1.0, 100.0, 0.01])
    np.testing.assert_allclose(
        max_statistic(scale * observed + 5, scale * null + 5), max_statistic(observed, null)
    )


def test_max_statistic_holds_the_family_wise_error(rng):
    smallest = [
        max_statistic(draw[0], draw[1:]).min() for draw in rng.normal(size=(N_SETS, 100, 6))
    ]
    assert_uniform(smallest)


def test_max_statistic_leaves_out_what_was_not_tested(rng):
    observed, null = np.array([1.0, np.nan]), rng.normal(size=(19, 2))
    found = max_statistic(observed, null)
    assert np.isnan(found[1])
    np.testing.assert_allclose(found[:1], max_statistic(observed[:1], null[:, :1]))
    assert np.isnan(max_statistic(np.array([np.nan]), null[:, :1])).all()


def test_max_statistic_refuses_other_shapes():
    with pytest.raises(ShapeError, match=r"\(3,\).*\(10, 2\)"):
        max_statistic(np.zeros(3), np.zeros((10, 2)))


def test_fdr_is_that_of_scipy(rng):
    p = rng.uniform(size=30) ** 2
    np.testing.assert_allclose(fdr(p), stats.false_discovery_control(p))


def test_fdr_keeps_nan_out_of_the_family(rng):
    p = rng.uniform(size=10)
    holed = np.insert(p, [0, 5], np.nan)
    found = fdr(holed)
    np.testing.assert_array_equal(np.isnan(found), np.isnan(holed))
    np.testing.assert_allclose(found[np.isfinite(found)], fdr(p))
    assert np.isnan(fdr(np.array([np.nan]))).all()


def test_sign_flips_of_few_values_are_enumerated():
    p, floor = sign_flip(np.array([0.1, 0.2, 0.3, -0.05]), 0)
    assert floor == 1 / 16
    assert p == 2 / 16  # as it is, and with the last sign flipped


def test_enumerated_flips_agree_with_scipy(rng):
    values = rng.normal(0.3, size=9)
    expected = stats.permutation_test(
        (values,), np.mean, permutation_type="samples", alternative="greater", n_resamples=np.inf
    )
    np.testing.assert_allclose(sign_flip(values, 0)[0], expected.pvalue)


def test_random_flips_agree_with_the_t_test(rng):
    values = rng.normal(0.4, size=30)
    p, floor = sign_flip(values, 0)
    assert floor == 1 / 10_001
    assert abs(p - t_one_sided(values)) < 0.01
    assert sign_flip(values, 0) == (p, floor)


def test_sign_flip_is_uniform_under_noise(rng):
    assert_uniform([sign_flip(row, 0)[0] for row in rng.normal(size=(N_SETS, 9))])


def test_sign_flip_leaves_out_nan():
    assert sign_flip(np.array([0.1, np.nan, 0.3]), 0) == (0.25, 0.25)
    assert np.isnan(sign_flip(np.array([np.nan]), 0)).all()


def test_the_t_interval_and_test_are_those_of_scipy(rng):
    values = rng.normal(0.2, size=12)
    found = stats.ttest_1samp(values, 0, alternative="greater")
    np.testing.assert_allclose(t_one_sided(values), found.pvalue)
    interval = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    np.testing.assert_allclose(t_interval(values), interval)
    np.testing.assert_allclose(t_interval(np.append(values, np.nan)), interval)


def test_one_value_has_neither_interval_nor_test():
    assert np.isnan(t_interval(np.array([1.0]))).all()
    assert np.isnan(t_one_sided(np.array([1.0])))
    assert np.isnan(t_one_sided(np.array([0.2, 0.2])))


def test_the_corrected_interval_of_folds_is_wider_than_the_plain_one(rng):
    values = rng.normal(size=5)
    low, high = corrected_t_interval(values, n_test=20, n_train=80, center=values.mean())
    plain = stats.t.interval(0.95, 4, values.mean(), values.std(ddof=1) / np.sqrt(5))
    np.testing.assert_allclose((high - low) / np.ptp(plain), np.sqrt(1 + 5 / 4))
    np.testing.assert_allclose((low + high) / 2, values.mean())


def test_a_test_set_of_nothing_leaves_the_plain_interval(rng):
    values = rng.normal(size=6)
    found = corrected_t_interval(values, n_test=0, n_train=1, center=values.mean())
    np.testing.assert_allclose(found, t_interval(values))


def test_the_corrected_interval_lies_around_the_score(rng):
    values = rng.normal(size=6)
    holed = np.append(values, np.nan)
    low, high = corrected_t_interval(holed, n_test=1, n_train=5, center=3.0)
    np.testing.assert_allclose((low + high) / 2, 3.0)
    np.testing.assert_allclose(
        (low, high), corrected_t_interval(values, n_test=1, n_train=5, center=3.0)
    )


@pytest.mark.parametrize(
    ("values", "center"), [([0.1, 0.2], 0.15), ([0.1, 0.2, np.nan], 0.15), ([0.1] * 4, np.nan)]
)
def test_few_folds_have_no_corrected_interval(values, center):
    found = corrected_t_interval(np.array(values), n_test=1, n_train=2, center=center)
    assert np.isnan(found).all()


def test_a_permutation_without_a_score_counts_as_high(rng):
    null = rng.normal(size=(99, 3))
    observed = np.array([6.0, 0.0, -1.0])
    plain = max_statistic(observed, null)
    null[:9, 1] = np.nan
    p = max_statistic(observed, null)
    assert p[0] == pytest.approx(plain[0] + 0.09)
    assert (p >= plain - 0.05).all()
