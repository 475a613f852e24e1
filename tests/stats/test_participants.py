"""stats.participants: scipy, statsmodels, nilearn, enumeration, error rates, refusals."""

from itertools import permutations

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats

from bids_dnn.errors import NotEnoughDataError, ShapeError
from bids_dnn.stats import participants
from bids_dnn.stats.inference import sign_flip, t_interval, t_one_sided
from bids_dnn.stats.participants import compare_groups, compare_with_zero

FIELDS = ("estimate", "low", "high", "p", "p_floor", "p_corrected", "p_t")


def first(n_first, n):
    return np.arange(n) < n_first


def assert_uniform(p):
    for level in (0.1, 0.25, 0.5):
        error = np.sqrt(level * (1 - level) / len(p))
        assert abs(np.mean(np.asarray(p) <= level + 1e-9) - level) < 3.8 * error


def test_rows_that_are_done_are_told(rng, monkeypatch):
    values = rng.normal(size=(30, 6))
    values[:7, 0] = np.nan
    monkeypatch.setattr(participants, "MOST_AT_ONCE", 64 * 5)
    for test in (compare_with_zero, lambda x, **how: compare_groups(x, first(3, 6), **how)):
        seen = []
        made = test(values, progress=lambda *told, seen=seen: seen.append(told))
        assert seen[-1] == (30, 30)
        assert (np.diff([done for done, _ in seen]) > 0).all()
        assert len(seen) > 2
        np.testing.assert_array_equal(made.p, test(values).p)


# --- against zero


@pytest.mark.parametrize("n", [2, 7, 14, 20])
def test_a_mean_is_tested_as_elsewhere_in_the_house(rng, n):
    values = rng.normal(0.3, size=(3, n))
    made = compare_with_zero(values, seed=3)
    for i, row in enumerate(values):
        assert (made.p[i], made.p_floor[i]) == pytest.approx(sign_flip(row, 3))
        assert made.p_t[i] == pytest.approx(t_one_sided(row))
        assert (made.low[i], made.high[i]) == pytest.approx(t_interval(row))
    assert (made.n_permutations == (2**n if n <= 14 else 10_000)).all()


def test_the_family_is_corrected_over_shared_flips(rng):
    """All 2^8 flips: the largest t of a flip, against t of scipy for the data."""
    values = rng.normal(0.6, size=(4, 8))
    made = compare_with_zero(values)
    signs = np.array(np.meshgrid(*[[1, -1]] * 8)).reshape(8, -1).T
    highest = np.array([stats.ttest_1samp(values * s, 0, axis=1).statistic.max() for s in signs])
    t = stats.ttest_1samp(values, 0, axis=1).statistic
    expected = [(highest >= one - 1e-9).mean() for one in t]
    np.testing.assert_allclose(made.p_corrected, np.maximum(expected, made.p))


def test_two_sides_count_both_ends(rng):
    values = rng.normal(0.4, size=(1, 9))
    found = stats.permutation_test(
        (values[0],), np.mean, permutation_type="samples", alternative="two-sided",
        n_resamples=np.inf,
    )  # fmt: skip
    made = compare_with_zero(values, is_two_sided=True)
    assert made.p[0] == pytest.approx(found.pvalue)
    assert made.p_t[0] == pytest.approx(stats.ttest_1samp(values[0], 0).pvalue)
    assert made.p_floor[0] == 2 / 2**9
    mirrored = compare_with_zero(-values, is_two_sided=True)
    assert mirrored.p[0] == made.p[0]


def test_missing_participants_stay_missing(rng):
    values = rng.normal(0.5, size=(3, 8))
    values[1, 2] = values[1, 5] = np.nan
    values[2] = np.nan
    made = compare_with_zero(values)
    alone = compare_with_zero(values[1:2, np.isfinite(values[1])])
    for name in ("estimate", "low", "p", "p_floor", "p_t"):
        assert getattr(made, name)[1] == pytest.approx(getattr(alone, name)[0])
    assert made.n_participants.tolist() == [8, 6, 0]
    assert all(np.isnan(getattr(made, name)[2]) for name in FIELDS)
    assert (made.p_corrected >= made.p)[:2].all()


def test_one_participant_has_a_p_of_a_half_and_no_interval():
    made = compare_with_zero(np.array([[0.3], [0.0]]))
    assert made.p.tolist() == [0.5, 1.0]
    assert np.isnan([made.low, made.high, made.p_t]).all()


def test_alike_participants_have_no_t_test():
    made = compare_with_zero(np.full((1, 5), 0.2))
    assert made.p == 1 / 32
    assert np.isnan(made.p_t)
    assert made.low == made.high == pytest.approx(0.2)


def test_a_covariate_is_fitted_as_by_statsmodels(rng):
    age = rng.normal(size=(12, 2))
    values = 0.5 + age @ [0.8, -0.3] + rng.normal(size=(1, 12))
    made = compare_with_zero(values, covariates=age + 30.0)
    fit = sm.OLS(values[0], sm.add_constant(age - age.mean(axis=0))).fit()
    assert made.estimate[0] == pytest.approx(fit.params[0])
    assert (made.low[0], made.high[0]) == pytest.approx(tuple(fit.conf_int()[0]))
    assert 2 * min(made.p_t[0], 1 - made.p_t[0]) == pytest.approx(fit.pvalues[0])
    plain = compare_with_zero(values)
    assert made.estimate == pytest.approx(plain.estimate)
    assert made.p_t < plain.p_t  # age explains what else is noise


def test_flips_with_a_covariate_are_those_of_freedman_and_lane(rng):
    """Each flip of what the covariate leaves is fitted again, by statsmodels."""
    age = rng.normal(size=(7, 1))
    values = 0.4 + 0.5 * age.T + rng.normal(size=(1, 7))
    centered = age - age.mean()
    slope = (centered.T @ values[0]) / (centered**2).sum()
    rest = values[0] - centered @ slope
    design = sm.add_constant(centered)
    signs = np.array(np.meshgrid(*[[1, -1]] * 7)).reshape(7, -1).T
    t = np.array([sm.OLS(centered @ slope + s * rest, design).fit().tvalues[0] for s in signs])
    seen = sm.OLS(values[0], design).fit().tvalues[0]
    made = compare_with_zero(values, covariates=age)
    assert made.p[0] == pytest.approx((t >= seen - 1e-9).mean())


def test_a_covariate_of_nothing_changes_nothing(rng):
    values = rng.normal(0.5, size=(2, 9))
    plain = compare_with_zero(values)
    made = compare_with_zero(values, covariates=np.full((9, 1), 7.0))
    for name in FIELDS:
        np.testing.assert_allclose(getattr(made, name), getattr(plain, name))


@pytest.mark.parametrize("scale", [1e-12, 1e9])
def test_the_unit_of_a_covariate_does_not_matter(rng, scale):
    values, age, group = rng.normal(0.5, size=(2, 9)), rng.normal(size=(9, 1)), first(4, 9)
    one, two = (compare_with_zero(values, covariates=k * (age + 5)) for k in (1.0, scale))
    a, b = (compare_groups(values, group, covariates=k * (age + 5)) for k in (1.0, scale))
    for name in FIELDS:
        np.testing.assert_allclose(getattr(one, name), getattr(two, name))
        np.testing.assert_allclose(getattr(a, name), getattr(b, name))


def test_who_lacks_a_covariate_is_left_out(rng):
    values, age = rng.normal(0.5, size=(2, 9)), rng.normal(size=(9, 1))
    age[4] = np.nan
    made = compare_with_zero(values, covariates=age)
    keep = np.arange(9) != 4
    alone = compare_with_zero(values[:, keep], covariates=age[keep])
    np.testing.assert_allclose(made.p, alone.p)
    assert (made.n_participants == 8).all()


def test_too_few_for_covariates_give_nothing(rng):
    made = compare_with_zero(rng.normal(size=(1, 3)), covariates=rng.normal(size=(3, 2)))
    assert np.isnan([made.p, made.p_t, made.estimate]).all()


@pytest.mark.parametrize("n", [9, 20])
def test_p_is_uniform_and_the_family_holds_under_noise(rng, n):
    sets = rng.normal(size=(300, 4, n))
    age = rng.normal(size=(n, 1))
    made = [compare_with_zero(one + age.T, covariates=age) for one in sets]
    assert_uniform([one.p[0] for one in made])
    smallest = np.array([one.p_corrected.min() for one in made])
    assert np.mean(smallest <= 0.05) <= 0.05 + 3.8 * np.sqrt(0.05 * 0.95 / 300)


# --- two groups


def test_groups_agree_with_scipy(rng):
    values = rng.normal(size=(2, 9)) * np.where(first(4, 9), 1.0, 3.0) + first(4, 9)
    made = compare_groups(values, first(4, 9))
    for i, row in enumerate(values):
        a, b = row[:4], row[4:]
        welch = stats.ttest_ind(a, b, equal_var=False, alternative="greater")
        interval = stats.ttest_ind(a, b, equal_var=False).confidence_interval(0.95)
        every = stats.permutation_test(
            (a, b),
            lambda x, y: stats.ttest_ind(x, y, equal_var=False).statistic,
            alternative="greater",
            n_resamples=np.inf,
        )
        assert made.estimate[i] == pytest.approx(a.mean() - b.mean())
        assert made.p_t[i] == pytest.approx(welch.pvalue)
        assert (made.low[i], made.high[i]) == pytest.approx((interval.low, interval.high))
        assert made.p[i] == pytest.approx(every.pvalue)
    assert (made.n_permutations == 126).all()
    assert (made.p_floor == 1 / 126).all()


def test_random_exchanges_agree_with_the_t_test(rng):
    values = rng.normal(size=(1, 40)) + 0.5 * first(20, 40)
    made = compare_groups(values, first(20, 40), is_two_sided=True)
    assert made.n_permutations == 10_000
    assert made.p_floor == 1 / 10_001
    assert abs(made.p - made.p_t)[0] < 0.02


def test_other_labels_turn_the_sign(rng):
    values = rng.normal(size=(2, 8))
    one = compare_groups(values, first(4, 8), is_two_sided=True)
    two = compare_groups(values, ~first(4, 8), is_two_sided=True)
    np.testing.assert_allclose(one.estimate, -two.estimate)
    np.testing.assert_allclose(one.p, two.p)
    assert (one.p_floor == 2 / 70).all()


def test_groups_with_a_covariate_agree_with_statsmodels(rng):
    group, age = first(5, 12), rng.normal(size=(12, 1))
    values = (0.8 * group + age[:, 0] + rng.normal(size=12))[None]
    made = compare_groups(values, group, covariates=age, is_two_sided=True)
    design = np.column_stack([group.astype(float), np.ones(12), age])
    fit = sm.OLS(values[0], design).fit()
    assert made.estimate[0] == pytest.approx(fit.params[0])
    assert made.p_t[0] == pytest.approx(fit.pvalues[0])
    assert (made.low[0], made.high[0]) == pytest.approx(tuple(fit.conf_int()[0]))


def test_exchanges_with_a_covariate_are_those_of_freedman_and_lane(rng):
    group, age = first(3, 6), rng.normal(size=(6, 1))
    values = group + age[:, 0] + rng.normal(size=6)
    others = np.column_stack([np.ones(6), age])
    explained = others @ np.linalg.lstsq(others, values, rcond=None)[0]
    design = np.column_stack([group.astype(float), others])
    orders = [list(one) for one in permutations(range(6))]
    t = np.array(
        [sm.OLS(explained + (values - explained)[one], design).fit().tvalues[0] for one in orders]
    )
    exact = (t >= t[0] - 1e-9).mean()
    made = compare_groups(values[None], group, covariates=age)
    assert made.p[0] == pytest.approx(exact)
    assert (made.n_permutations[0], made.p_floor[0]) == (720, 1 / 720)


def test_few_orders_with_a_covariate_are_all_taken(rng):
    """Two against two: 24 orders, where random ones gave p of 0.0401 under a floor of 0.0417."""
    values, age = rng.normal(size=(200, 4)), rng.normal(size=(4, 1))
    made = compare_groups(values, first(2, 4), covariates=age)
    assert (made.n_permutations == 24).all()
    np.testing.assert_allclose(made.p * 24, np.round(made.p * 24))
    assert made.p.min() == made.p_floor[0] == 1 / 24
    assert (made.p_corrected >= made.p).all()
    alike = compare_groups(values, first(2, 4), covariates=np.array([[0], [1], [0], [1]]))
    assert (alike.n_permutations == 24).all()  # all rows differ
    flat = compare_groups(values, first(2, 4), covariates=np.ones((4, 1)), is_two_sided=True)
    assert (flat.n_permutations == 6).all()
    assert flat.p.min() == flat.p_floor[0] == 2 / 6
    site = np.array([0, 0, 1, 1] * 2)[:, None]
    made = compare_groups(rng.normal(size=(3, 8)), first(4, 8), covariates=site)
    assert (made.n_permutations == 2520).all()  # 8! / 2!^4


@pytest.mark.parametrize("is_two_sided", [False, True])
def test_no_p_lies_below_its_floor(rng, is_two_sided):
    values = first(8, 16) * 50 + rng.normal(size=(2, 16))  # 12,870 labelings, in pairs
    for seed in range(20):
        made = compare_groups(values, first(8, 16), seed=seed, is_two_sided=is_two_sided)
        assert (made.n_permutations == 10_000).all()
        assert (made.p >= made.p_floor).all()


def test_flips_of_few_are_counted_once(rng):
    values = rng.normal(size=(2, 5))
    values[1, 2] = np.nan
    assert compare_with_zero(values).n_permutations.tolist() == [32, 16]


@pytest.mark.parametrize("with_age", [False, True])
def test_groups_and_their_family_hold_under_noise(rng, with_age):
    group = first(5, 11)
    age = rng.normal(size=(11, 1)) if with_age else None
    sets = rng.normal(size=(150, 4, 11))
    sets[:, 1, 3] = np.nan  # one row lacks somebody
    made = [compare_groups(one, group, covariates=age) for one in sets]
    assert_uniform([one.p[0] for one in made])
    smallest = np.array([one.p_corrected.min() for one in made])
    assert np.mean(smallest <= 0.05) <= 0.05 + 3.8 * np.sqrt(0.05 * 0.95 / 150)
    alone = compare_groups(np.delete(sets[0][1:2], 3, 1), np.delete(group, 3),
                           covariates=None if age is None else np.delete(age, 3, 0))  # fmt: skip
    assert made[0].p[1] == pytest.approx(alone.p[0], abs=0.0 if age is None else 0.03)


def test_small_groups_and_confounded_covariates():
    made = compare_groups(np.arange(5.0)[None], first(1, 5))
    assert np.isnan([made.p, made.estimate, made.p_corrected]).all()
    with pytest.raises(NotEnoughDataError, match="by themselves"):
        compare_groups(np.arange(6.0)[None], first(3, 6), covariates=1.0 * first(3, 6)[:, None])


def test_both_agree_with_permuted_ols(rng):
    """nilearn's own: max-T over rows, sign flips for the mean, exchanges for a regressor."""
    from nilearn.mass_univariate import permuted_ols

    group, age = first(9, 18), rng.normal(size=(18, 1))
    values = rng.normal(size=(3, 18)) + 0.6 * group + age.T + [[0.0], [0.5], [1.0]]
    made = compare_groups(values, group, covariates=age, is_two_sided=True)
    told = permuted_ols(
        group.astype(float)[:, None],
        values.T,
        age,
        n_perm=2000,
        random_state=0,
        output_type="dict",
    )
    fits = [sm.OLS(y, np.column_stack([group, np.ones(18), age])).fit() for y in values]
    np.testing.assert_allclose(told["t"][0], [one.tvalues[0] for one in fits], rtol=1e-6)
    theirs = 10 ** -told["logp_max_t"][0]
    assert np.abs(made.p_corrected - theirs).max() < 4 * np.sqrt(0.25 / 2000) + 4 * np.sqrt(
        0.25 / 1e4
    )

    made = compare_with_zero(values, is_two_sided=True)
    told = permuted_ols(np.ones((18, 1)), values.T, n_perm=2000, random_state=0,
                        model_intercept=False, output_type="dict")  # fmt: skip
    theirs = 10 ** -told["logp_max_t"][0]
    assert np.abs(made.p_corrected - theirs).max() < 4 * np.sqrt(0.25 / 2000) + 4 * np.sqrt(
        0.25 / 1e4
    )


def test_many_rows_come_in_blocks(rng, monkeypatch):
    values, group = rng.normal(0.3, size=(9, 10)), first(5, 10)
    values[2, 3] = np.nan
    whole = compare_with_zero(values), compare_groups(values, group)
    monkeypatch.setattr(participants, "MOST_AT_ONCE", 2500)
    for one, two in zip(
        whole, (compare_with_zero(values), compare_groups(values, group)), strict=True
    ):
        for name in FIELDS:
            np.testing.assert_allclose(getattr(one, name), getattr(two, name))


def test_same_seed_same_bytes(rng):
    values, group = rng.normal(size=(3, 30)), first(15, 30)
    for one, two in (
        (compare_groups(values, group, seed=1), compare_groups(values, group, seed=1)),
        (compare_with_zero(values, seed=1), compare_with_zero(values, seed=1)),
    ):
        for name in FIELDS:
            assert getattr(one, name).tobytes() == getattr(two, name).tobytes()


def test_shapes_are_refused():
    with pytest.raises(ShapeError, match=r"\(2, 5\).*\(4, 1\)"):
        compare_with_zero(np.zeros((2, 5)), covariates=np.zeros((4, 1)))
    with pytest.raises(ShapeError, match=r"\(2, 5\).*\(4,\)"):
        compare_groups(np.zeros((2, 5)), np.ones(4, bool))


def test_a_row_of_few_participants_drowns_no_other(rng):
    values = rng.normal(size=(5, 10))
    values[0] += 3.0
    whole = compare_with_zero(values)
    few = np.vstack([values, np.full(10, np.nan), np.full(10, np.nan)])
    few[5, 0] = 1.0  # one participant: nothing varies
    few[6, :2] = 1.0, 1.1  # two
    found = compare_with_zero(few)
    assert whole.p_corrected[0] == found.p_corrected[0] == 1 / 1024
    assert found.p_corrected[5] >= 0.5
    assert found.p_corrected[6] >= 0.25
    np.testing.assert_allclose(found.p[:5], whole.p)


def test_rows_that_some_exchange_leaves_without_variance_drown_no_other(rng):
    values = rng.normal(size=(40, 8))
    values[0, :4] += 9.0
    values[1:20] = np.tile([1.0, 2.0], 4)  # an exchange puts all of one value into one group
    first = np.arange(8) < 4
    found = compare_groups(values, first)
    assert found.p_corrected[0] == found.p_floor[0]
    assert (found.p_corrected[1:20] > 0.1).all()


def test_scores_that_are_all_perfect_keep_their_floor(rng):
    values = np.vstack([np.full((2, 6), 0.5), rng.normal(size=(3, 6))])
    found = compare_with_zero(values)
    assert (found.p_corrected[:2] == 1 / 64).all()
