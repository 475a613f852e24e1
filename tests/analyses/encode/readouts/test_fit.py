"""analyses.encode.readouts.fit: planted masks are found, nothing of test stimuli is used."""

import dataclasses

import numpy as np
import pytest

from bids_dnn.analyses.encode.readouts import penalties
from bids_dnn.analyses.encode.readouts.fields import fit_fields
from bids_dnn.analyses.encode.readouts.fit import fit_folds, fit_readout, groups_of, predict
from bids_dnn.analyses.encode.readouts.forms import FORMS, Options, Setting
from bids_dnn.analyses.encode.readouts.search import draw_settings
from bids_dnn.analyses.encode.readouts.sources import ArraySource
from bids_dnn.containers.readout import Readout
from bids_dnn.errors import ConfigError, NotEnoughDataError, ShapeError, UnreadableError
from bids_dnn.stats.folds import Fold, by_stimulus
from bids_dnn.stats.metrics import pearson
from tests.factories.feature_maps import planted

QUICK = Options(n_epochs=6, batch_size=64, is_rectified=True)
PLAIN = (Setting(smooth=0.01, ridge=0.01),)
SMALL = {"n": 120, "n_channels": 3, "side": 5, "n_units": 4}


def fit(world, kind="bashivan", *, settings=PLAIN, options=QUICK, responses=None, maps=None):
    return fit_readout(
        ArraySource(world.maps if maps is None else maps),
        world.responses if responses is None else responses,
        world.train,
        kind=kind,
        settings=settings,
        options=options,
    )


def guess_of(world, made):
    return predict(made.readout, ArraySource(world.maps), np.flatnonzero(~world.train))


def bytes_of(made):
    found = [getattr(made.readout, f.name) for f in dataclasses.fields(Readout)]
    return [one.tobytes() if isinstance(one, np.ndarray) else one for one in found]


# --- Truth


@pytest.mark.parametrize("kind", FORMS)
def test_the_center_of_a_planted_mask_is_found_within_half_a_cell(rng, kind):
    world = planted(rng, n=600, noise=0.5)
    made = fit(world, kind)
    found = fit_fields(made.readout.space())
    assert np.hypot(found.x - world.x, found.y - world.y).max() < 0.5
    # noise is 0.25 / 1.25 of the variance: r of a perfect model is 0.894
    assert pearson(world.responses[~world.train], guess_of(world, made)).mean() > 0.8


@pytest.mark.parametrize(
    ("kind", "n", "noise", "smooth"), [("bashivan", 300, 1.0, 0.01), ("cadena", 500, 0.5, 0.1)]
)
def test_the_laplacian_beats_none_on_held_out_stimuli(rng, kind, n, noise, smooth):
    world = planted(rng, n=n, noise=noise, sd=1.8, n_units=12)
    options = dataclasses.replace(QUICK, start="covariance", n_epochs=25, patience=25)
    score = {}
    for strength in (0.0, smooth):
        made = fit(world, kind, settings=(Setting(smooth=strength, ridge=0.01),), options=options)
        score[strength] = pearson(world.signal[~world.train], guess_of(world, made))
    gain = score[smooth] - score[0.0]
    assert gain.mean() > 0.02
    assert gain.mean() > 3 * gain.std(ddof=1) / np.sqrt(12)


def test_the_laplacian_beats_the_kernel_of_the_wrong_sign(rng, monkeypatch):
    world = planted(rng, n=500, noise=0.5, sd=1.8, n_units=12)
    options = dataclasses.replace(QUICK, start="covariance", n_epochs=25, patience=25)
    settings = (Setting(smooth=0.1),)
    right = pearson(
        world.signal[~world.train],
        guess_of(world, fit(world, "cadena", settings=settings, options=options)),
    )
    good = penalties.laplacian
    monkeypatch.setattr(penalties, "laplacian", lambda maps: good(maps) - 8 * maps)
    wrong = pearson(
        world.signal[~world.train],
        guess_of(world, fit(world, "cadena", settings=settings, options=options)),
    )
    gain = right - wrong
    assert gain.mean() > 3 * gain.std(ddof=1) / np.sqrt(12)


def test_poisson_recovers_rates_better_than_squared_error(rng):
    world = planted(rng, n=800, side=6, n_channels=4, sd=1.0)
    rates = np.exp(world.signal - 1)  # 0.1 to 3 spikes
    counts = rng.poisson(rates).astype(np.float32)
    score, made = {}, {}
    for loss in ("gaussian", "poisson"):
        options = dataclasses.replace(QUICK, loss=loss, n_epochs=20)
        made[loss] = fit(world, "cadena", responses=counts, options=options)
        guess = guess_of(world, made[loss])
        score[loss] = pearson(rates[~world.train], guess)
        rows = made[loss].learn
        told = predict(made[loss].readout, ArraySource(world.maps), rows)
        np.testing.assert_allclose(told.mean(axis=0), counts[rows].mean(axis=0), rtol=1e-3)
    assert (guess_of(world, made["poisson"]) > 0).all()
    assert score["poisson"].mean() > 0.7
    gain = score["poisson"] - score["gaussian"]
    assert gain.mean() > 3 * gain.std(ddof=1) / np.sqrt(len(gain))


def test_noise_is_not_predicted(rng):
    world = planted(rng, n=400, n_units=30, side=5)
    noise = rng.normal(size=world.responses.shape).astype(np.float32)
    made = fit(world, responses=noise, settings=draw_settings("bashivan", 4, rng))
    r = np.nan_to_num(pearson(noise[~world.train], guess_of(world, made)))
    assert abs(r.mean()) < 4 / np.sqrt(100 * 30)


# --- Nothing leaks


@pytest.mark.parametrize("kind", FORMS)
def test_wild_test_stimuli_leave_the_weights_as_they_are(rng, kind):
    world = planted(rng, **SMALL)
    settings = (*PLAIN, Setting(rate=0.1))
    made = fit(world, kind, settings=settings)
    maps, y = world.maps.copy(), world.responses.copy()
    maps[~world.train] = rng.normal(size=maps[~world.train].shape) * 1e6
    maps[np.flatnonzero(~world.train)[0]] = np.nan
    y[~world.train] = 1e9
    again = fit(world, kind, settings=settings, maps=maps, responses=y)
    assert bytes_of(made) == bytes_of(again)
    np.testing.assert_array_equal(made.chosen, again.chosen)
    np.testing.assert_array_equal(made.loss, again.loss)
    used = np.concatenate([made.learn, made.held])
    np.testing.assert_array_equal(np.sort(used), np.flatnonzero(world.train))


def test_predictions_do_not_depend_on_what_is_predicted_with_them(rng):
    world = planted(rng, **SMALL)
    readout = fit(world).readout
    source = ArraySource(world.maps)
    together = predict(readout, source, np.arange(120))
    alone = predict(readout, source, np.array([77]))
    np.testing.assert_allclose(alone[0], together[77], rtol=1e-5)


# --- Laws


@pytest.mark.parametrize("kind", FORMS)
def test_the_same_seed_gives_the_same_bytes(rng, kind):
    world = planted(rng, **SMALL)
    settings = draw_settings(kind, 3, np.random.default_rng(0))
    first, second = (fit(world, kind, settings=settings) for _ in range(2))
    assert bytes_of(first) == bytes_of(second)
    other = fit(world, kind, settings=settings, options=dataclasses.replace(QUICK, seed=1))
    assert bytes_of(first) != bytes_of(other)


def test_the_scale_of_features_and_responses_does_not_matter(rng):
    world = planted(rng, **SMALL)
    first = guess_of(world, fit(world))
    large = dataclasses.replace(world, maps=world.maps * np.float32(4096))
    np.testing.assert_allclose(guess_of(large, fit(large)), first, rtol=2e-3)
    second = guess_of(world, fit(world, responses=world.responses * 1000 - 30))
    np.testing.assert_allclose(second, first * 1000 - 30, rtol=2e-3, atol=2)


def test_missing_responses_are_left_out_of_the_loss(rng):
    world = planted(rng, n=600, n_units=6)
    y = world.responses.copy()
    y[rng.random(y.shape) < 0.3] = np.nan
    made = fit(world, responses=y)
    assert pearson(world.signal[~world.train], guess_of(world, made)).min() > 0.85
    filled = np.where(np.isnan(y), 50.0, y).astype(np.float32)  # what no mask would learn from
    wrong = fit(world, responses=filled)
    assert pearson(world.signal[~world.train], guess_of(world, wrong)).mean() < 0.85


def test_units_that_cannot_be_fitted_are_nan_and_do_not_disturb(rng):
    world = planted(rng, **SMALL)
    y = world.responses.copy()
    y[:, 1], y[:, 2] = 3.0, np.nan
    made = fit(world, responses=y)
    np.testing.assert_array_equal(np.isnan(guess_of(world, made)).all(axis=0), [0, 1, 1, 0])
    np.testing.assert_array_equal(made.chosen, [0, -1, -1, 0])
    np.testing.assert_array_equal(np.isnan(made.loss), [0, 1, 1, 0])
    whole = guess_of(world, fit(world))
    np.testing.assert_allclose(guess_of(world, made)[:, [0, 3]], whole[:, [0, 3]], rtol=1e-3)
    nobody = fit(world, responses=np.full_like(y, np.nan))
    assert np.isnan(guess_of(world, nobody)).all()


@pytest.mark.parametrize("kind", ["bashivan", "cadena"])
def test_groups_of_units_do_not_matter(rng, kind):
    world = planted(rng, **SMALL)
    settings = (*PLAIN, Setting(rate=0.1))
    small = dataclasses.replace(QUICK, memory=1)
    source = ArraySource(world.maps)
    assert len(groups_of(np.arange(4), source, 2, small, kind)) == 4
    assert len(groups_of(np.arange(4), source, 2, QUICK, kind)) == 1
    together = guess_of(world, fit(world, kind, settings=settings))
    apart = guess_of(world, fit(world, kind, settings=settings, options=small))
    np.testing.assert_allclose(apart, together, rtol=1e-2, atol=1e-2)


def test_a_source_that_keeps_nothing_gives_nearly_the_same(rng):
    world = planted(rng, n=600, n_units=4)
    lean = ArraySource(world.maps, memory=1)
    made = fit_readout(
        lean, world.responses, world.train, kind="bashivan", settings=PLAIN, options=QUICK
    )
    found = fit_fields(made.readout.space())
    assert np.hypot(found.x - world.x, found.y - world.y).max() < 0.5


def test_one_setting_for_the_region_is_one(rng):
    world = planted(rng, **SMALL)
    options = dataclasses.replace(QUICK, choose="region")
    settings = draw_settings("bashivan", 5, rng)
    assert len(set(fit(world, settings=settings, options=options).chosen)) == 1


def test_folds_predict_each_stimulus_from_the_others(rng):
    world = planted(rng, n=240, side=6, n_units=3)
    folds = by_stimulus([f"{k:03}" for k in range(240)], 3, rng)
    source, guess = ArraySource(world.maps), np.full_like(world.responses, np.nan)
    call = {"kind": "bashivan", "settings": PLAIN, "options": QUICK}
    made = list(fit_folds(source, world.responses, folds, **call))
    assert [fold for fold, *_ in made] == folds
    for fold, one, told in made:
        assert not fold.test[one.learn].any()
        assert not fold.test[one.held].any()
        rows = np.flatnonzero(fold.test)
        np.testing.assert_array_equal(told, predict(one.readout, source, rows))
        guess[rows] = told
    assert pearson(world.signal, guess).min() > 0.8


def test_a_fold_learns_from_what_it_is_taught(rng):
    world = planted(rng, **SMALL)
    fold = Fold("1", world.train, ~world.train)
    call = {"kind": "factorized", "settings": PLAIN, "options": QUICK}
    source, taught = ArraySource(world.maps), 3 * world.responses + 1
    (found,) = fit_folds(source, world.responses, [fold], teaching=[taught], **call)
    (alone,) = fit_folds(source, taught, [fold], **call)
    np.testing.assert_array_equal(found[2], alone[2])


# --- Refusals


def test_what_does_not_fit_is_refused(rng):
    world = planted(rng, **SMALL)
    source = ArraySource(world.maps)
    with pytest.raises(ShapeError, match=r"\(119, 4\), and there are feature maps of 120"):
        fit(world, responses=world.responses[1:])
    with pytest.raises(ShapeError, match="train has 119 stimuli"):
        fit(dataclasses.replace(world, train=world.train[1:]))
    fold = Fold("9", world.train[1:], ~world.train[1:])
    call = {"kind": "cadena", "settings": PLAIN, "options": QUICK}
    with pytest.raises(ShapeError, match="'9' has 119 stimuli, but there are feature maps of 120"):
        next(fit_folds(source, world.responses, [fold], **call))
    with pytest.raises(ConfigError, match="no setting"):
        fit(world, settings=())
    with pytest.raises(ConfigError, match="'bashivn'. Did"):  # noqa: RUF043
        fit(world, "bashivn")


def test_too_few_stimuli_are_refused(rng):
    with pytest.raises(NotEnoughDataError, match="2 stimuli for 3 folds"):
        by_stimulus(["a", "b"], 3, rng)
    world = planted(rng, n=20, side=3, n_units=1)
    with pytest.raises(NotEnoughDataError, match="15 training stimuli, of which 2"):
        fit(world)


def test_features_that_are_not_finite_are_named(rng):
    world = planted(rng, **SMALL)
    world.maps[7, 0, 0, 0] = np.inf
    with pytest.raises(UnreadableError, match="index 7"):
        fit(world)
    world.maps[7, 0, 0, 0], world.maps[110, 0, 0, 0] = 1.0, np.nan
    made = fit(world)
    with pytest.raises(UnreadableError, match="index 110"):
        guess_of(world, made)
