"""stats.repeats: plain loops, and stimuli without a sample."""

import numpy as np

from bids_dnn.stats.repeats import averages, variances


def test_variances_are_those_of_plain_loops(rng):
    which = rng.permutation(np.repeat([0, 1, 3, 4, 5], [3, 2, 4, 1, 2]))  # none of stimulus 2
    values = rng.normal(size=(12, 3)) + 5
    total, noise, within = variances(values, which, 6)
    np.testing.assert_allclose(total, values.var(axis=0, ddof=1))
    several = [values[which == k].var(axis=0, ddof=1) for k in (0, 1, 3, 5)]
    np.testing.assert_allclose(noise, np.mean(several, axis=0))
    means = np.array([values[which == k].mean(axis=0) for k in which])
    np.testing.assert_allclose(within, ((values - means) ** 2).mean(axis=0))


def test_samples_that_do_not_count_are_left_out():
    matrix = averages(np.array([0, 1, 0, 0]), 3, keep=np.array([True, True, True, False]))
    np.testing.assert_array_equal(matrix @ np.array([1.0, 5.0, 3.0, 99.0]), [2.0, 5.0, 0.0])
