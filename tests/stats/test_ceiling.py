"""stats.ceiling: simulated truth with known variances, laws, refusals."""

import numpy as np
import pytest

from bids_dnn.errors import ShapeError
from bids_dnn.stats.ceiling import (
    by_fev,
    ceiling_of,
    fev,
    ncsnr,
    reliability_of,
    signal_to_noise,
    split_half,
)
from bids_dnn.stats.metrics import fev_explained, pearson

SIGNAL, NOISE = 1.0, 2.0  # variances


def by_halves(values, stimuli):
    return split_half(values, stimuli, np.random.default_rng(3), n_splits=20)


METHODS = pytest.mark.parametrize("method", [ncsnr, by_halves])


def simulate(rng, repeats, n_units=300):
    """Give responses of known signal and noise variance, and how reliable they ought to be."""
    stimuli = np.repeat([f"s{k:03}" for k in range(len(repeats))], repeats)
    which = np.repeat(np.arange(len(repeats)), repeats)
    signal = np.sqrt(SIGNAL) * rng.normal(size=(len(repeats), n_units))
    values = signal[which] + np.sqrt(NOISE) * rng.normal(size=(len(which), n_units))
    means = np.array([values[which == k].mean(axis=0) for k in range(len(repeats))])
    expected = SIGNAL / (SIGNAL + NOISE * np.mean(1 / np.asarray(repeats)))
    return values, stimuli, expected, pearson(means, signal)


@METHODS
@pytest.mark.parametrize("repeats", [[4] * 100, [3] * 100, [2, 3, 4, 5] * 25, [1, 2, 4, 6] * 25])
def test_the_ceiling_is_what_the_true_signal_reaches(rng, method, repeats):
    values, stimuli, expected, reached = simulate(rng, repeats)
    found = method(values, stimuli)
    error = found.std() / np.sqrt(len(found))
    assert abs(found.mean() - expected) < 0.01 + 4 * error  # a ratio has a little bias
    assert abs(ceiling_of(found).mean() - reached.mean()) < 0.01 + 4 * error


@METHODS
def test_the_order_of_samples_and_the_scale_do_not_matter(rng, method):
    values, stimuli, _, _ = simulate(rng, [2] * 40, n_units=20)
    once = method(values, stimuli)
    np.testing.assert_allclose(method(3 * values + 7, stimuli), once)
    if method is ncsnr:  # halves are drawn for samples in their order
        order = rng.permutation(len(values))
        np.testing.assert_allclose(method(values[order], stimuli[order]), once)


@METHODS
def test_noise_alone_is_not_reliable_and_half_of_the_units_have_no_ceiling(rng, method):
    values = rng.normal(size=(100, 1000))
    found = method(values, np.repeat(np.arange(50), 2).astype(str))
    assert abs(found.mean()) < 4 * found.std() / np.sqrt(len(found))
    assert abs(np.isnan(ceiling_of(found)).mean() - 0.5) < 0.1


def test_the_ceiling_is_the_root_of_the_reliability():
    np.testing.assert_allclose(
        ceiling_of(np.array([1.0, 0.64, 0.0, -0.3, np.nan])), [1, 0.8, np.nan, np.nan, np.nan]
    )


@METHODS
def test_without_repeats_there_is_no_ceiling(rng, method):
    values = rng.normal(size=(20, 3))
    assert np.isnan(method(values, [f"s{k}" for k in range(20)])).all()
    assert np.isnan(method(values, ["s"] * 20)).all()


@METHODS
def test_repeats_that_agree_have_ceiling_one(rng, method):
    signal = rng.normal(size=(10, 2))
    found = method(np.tile(signal, (3, 1)), list("abcdefghij") * 3)
    np.testing.assert_allclose(found, 1.0)


@METHODS
def test_units_that_do_not_vary_have_no_ceiling(method):
    found = method(np.zeros((20, 2)), list("abcdefghij") * 2)
    assert np.isnan(ceiling_of(found)).all()


def test_both_methods_agree(rng):
    values, stimuli, _, _ = simulate(rng, [4] * 150, n_units=100)
    assert np.mean(np.abs(ncsnr(values, stimuli) - by_halves(values, stimuli))) < 0.02


def test_blocks_of_units_do_not_matter(rng, monkeypatch):
    values, stimuli, _, _ = simulate(rng, [3] * 20, n_units=10)
    whole = ncsnr(values, stimuli), by_halves(values, stimuli)
    monkeypatch.setattr("bids_dnn.stats.ceiling.BLOCK", 3)
    np.testing.assert_allclose((ncsnr(values, stimuli), by_halves(values, stimuli)), whole)


@METHODS
def test_another_number_of_stimuli_is_refused(method):
    with pytest.raises(ShapeError, match=r"\(4, 2\).*3 stimuli"):
        method(np.zeros((4, 2)), ["a", "b", "c"])


def simulate_trials(rng, *, n, repeats, signal_sd, n_units=400):
    """Draw responses to `n` stimuli with `repeats[i]` showings each, in noise of SD 1."""
    which = np.repeat(np.arange(n), repeats)
    signal = signal_sd * rng.normal(size=(n, n_units))
    return signal[which] + rng.normal(size=(len(which), n_units)), [str(k) for k in which], signal


def test_ncsnr_is_the_ratio_of_the_simulated_deviations(rng):
    values, stimuli, _ = simulate_trials(
        rng, n=200, repeats=rng.integers(1, 4, 200), signal_sd=0.7
    )
    found = signal_to_noise(values, stimuli)
    # about 200 stimuli: SE of one unit near 0.06, of the mean over 400 units near 0.003
    assert abs(found.mean() - 0.7) < 0.02


def test_the_reliability_is_that_of_the_published_formula_for_one_two_three_repeats(rng):
    ratio = rng.random(5)
    repeats = [1] * 4 + [2] * 3 + [3] * 5
    published = ratio**2 / (ratio**2 + (4 / 1 + 3 / 2 + 5 / 3) / 12)
    np.testing.assert_allclose(reliability_of(ratio, repeats), published)
    values, stimuli, _ = simulate_trials(rng, n=60, repeats=[1, 2, 3] * 20, signal_sd=1.0)
    np.testing.assert_allclose(
        reliability_of(signal_to_noise(values, stimuli), [1, 2, 3] * 20), ncsnr(values, stimuli)
    )


def test_fev_is_the_share_of_signal_in_single_responses(rng):
    values, stimuli, _ = simulate_trials(rng, n=200, repeats=[3] * 200, signal_sd=0.7)
    expected = 0.49 / 1.49
    assert abs(fev(values, stimuli).mean() - expected) < 0.01
    assert abs(by_fev(values, stimuli).mean() - 0.49 / (0.49 + 1 / 3)) < 0.02


def test_the_signal_itself_explains_all_that_can_be(rng):
    values, stimuli, signal = simulate_trials(rng, n=300, repeats=[4] * 300, signal_sd=1.0)
    guess = signal[np.array([int(k) for k in stimuli])]
    assert abs(fev_explained(values, guess, stimuli).mean() - 1) < 0.02
    flat = np.broadcast_to(values.mean(axis=0), values.shape)
    assert np.all(np.abs(fev_explained(values, flat, stimuli)) < 0.01)


@pytest.mark.parametrize("method", [signal_to_noise, fev, by_fev])
def test_without_repeats_nothing_is_told(rng, method):
    assert np.isnan(method(rng.normal(size=(5, 3)), list("abcde"))).all()
