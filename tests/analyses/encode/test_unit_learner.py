"""analyses.encode.unit_learner: units with a signal are found, on the training samples alone."""

from dataclasses import replace

import numpy as np
import pytest

from bids_dnn.analyses.encode.choices import UnitChoice
from bids_dnn.analyses.encode.data import mean_by
from bids_dnn.analyses.encode.deal import deal_within
from bids_dnn.analyses.encode.unit_choice import score_on_training
from bids_dnn.analyses.encode.unit_learner import STREAM, Learning, unit_learner
from bids_dnn.errors import ConfigError, NotEnoughDataError, ShapeError
from tests.factories.chosen import make_followers


def learn(made, train, *, rule=None, **other):
    how = Learning(rule=rule or UnitChoice(top=20), **{"n_inner": 3, **other})
    return unit_learner(made.responses, made.rois, made.grams, how)(train)


def without(made, run):
    return (made.responses.samples["run"] != run).to_numpy()


@pytest.fixture
def made(rng):
    return make_followers(rng, noise=0.5)


def test_units_that_follow_a_layer_are_found(made):
    whole, noise = learn(made, without(made, "0"))
    assert np.flatnonzero(whole).tolist() == list(range(20))
    assert (noise.shape, noise.sum()) == ((180,), 20)  # top is of each region


def test_few_units_of_noise_are_above_a_threshold(rng):
    made = make_followers(rng, noise=0.5, n_images=48)
    whole, noise = learn(made, without(made, "0"), rule=UnitChoice(above=0.6))
    assert whole[:20].all()
    assert noise.sum() <= 2  # of 180; 0.6 are 4 SD of r over 48 images
    np.testing.assert_array_equal(whole[20:], noise)


def test_scores_are_those_of_the_mean_over_training_repeats(made):
    """Averaged, dealt, scored by each layer by hand, the best taken."""
    train = without(made, "2")
    samples = made.responses.samples[train]
    names, which = np.unique(samples["stimulus"].to_numpy(str), return_inverse=True)
    truth = mean_by(made.responses.values[train], which, len(names))
    folds = deal_within(
        names.tolist(), names.tolist(), n_folds=3, rng=np.random.default_rng([5, STREAM])
    )
    r = np.fmax.reduce(
        [
            score_on_training(gram.take(names), truth, folds=folds, select="gcv")
            for gram in made.grams
        ]
    )
    whole, noise = learn(made, train, seed=5, rule=UnitChoice(above=0.2))
    np.testing.assert_array_equal(whole, r > 0.2)
    np.testing.assert_array_equal(noise, r[20:] > 0.2)
    assert 20 < whole.sum() < 200


@pytest.mark.parametrize("repeats", [True, False])
@pytest.mark.parametrize("nuisance", [(), ("motion",)])
@pytest.mark.parametrize("independence", ["sample", "run"])
def test_responses_to_test_samples_do_not_choose(rng, repeats, nuisance, independence):
    """Though the same pictures are shown in training and test runs where they repeat."""
    made = make_followers(rng, n_units=60, noise=2.0, repeats=repeats)
    samples = made.responses.samples.assign(motion=rng.normal(size=96))
    made.responses = replace(made.responses, samples=samples, independence=independence)
    train = without(made, "1")
    before = learn(made, train, nuisance=nuisance)
    values = made.responses.values.copy()
    values[~train] = 50 * rng.normal(size=values[~train].shape) + 7
    made.responses = replace(
        made.responses,
        values=values,
        samples=samples.assign(motion=np.where(train, samples["motion"], 1e3)),
    )
    for was, now in zip(before, learn(made, train, nuisance=nuisance), strict=True):
        np.testing.assert_array_equal(was, now)
    other = learn(made, without(made, "0"), nuisance=nuisance)  # learns from the altered samples
    assert any((was != now).any() for was, now in zip(before, other, strict=True))


def test_the_order_of_samples_does_not_matter(rng, made):
    train = without(made, "0")
    before = learn(made, train)
    order = rng.permutation(len(train))
    responses = made.responses
    made.responses = replace(
        responses,
        values=responses.values[order],
        samples=responses.samples.iloc[order].reset_index(drop=True),
    )
    for was, now in zip(before, learn(made, train[order]), strict=True):
        np.testing.assert_array_equal(was, now)


def test_a_nuisance_does_not_choose(rng):
    """Units of noise that go with the light of pictures, which a layer tells, too."""
    made = make_followers(rng, n_units=40, n_signal=0, noise=0.3)
    light = rng.normal(size=24)
    shown = np.searchsorted(made.grams[1].stimuli, made.responses.samples["stimulus"])
    values = made.responses.values.copy()
    values[:, :10] += light[shown, None]
    made.responses = replace(
        made.responses,
        values=values,
        samples=made.responses.samples.assign(light=light[shown]),
    )
    made.grams = [replace(made.grams[1], gram=np.outer(light, light), n_features=1)]
    made.rois = made.rois[:1]
    rule = UnitChoice(above=0.6)
    (plain,) = learn(made, without(made, "0"), rule=rule)
    (cleaned,) = learn(made, without(made, "0"), rule=rule, nuisance=("light",))
    assert plain[:10].all()
    assert cleaned.sum() < 4


def test_samples_without_features_are_passed_over_and_counted(made):
    samples = made.responses.samples.copy()
    samples.loc[samples["stimulus"] == "a00", "stimulus"] = "unknown.png"
    samples.loc[samples["stimulus"] == "b01", "stimulus"] = None
    made.responses = replace(made.responses, samples=samples)
    how = Learning(rule=UnitChoice(top=20), n_inner=3)
    learner = unit_learner(made.responses, made.rois, made.grams, how)
    assert learner(without(made, "0"))[0][:20].all()
    told = learner.facts()
    assert told["units"]["samples_without_features"] == 8
    assert (told["units"]["top"], told["units"]["select"]) == (20, "gcv")
    assert told["networks"]["net"]["layers"] == "c0, c1"


@pytest.mark.parametrize(("n_runs", "shares"), [(4, True), (7, False)])
def test_inner_folds_that_share_runs_are_warned_of(rng, n_runs, shares):
    """Three training runs cannot fill five folds, six can."""
    made = make_followers(rng, noise=0.5, n_runs=n_runs, repeats=False)
    made.responses = replace(made.responses, independence="run")
    how = Learning(rule=UnitChoice(top=20), n_inner=5)
    learner = unit_learner(made.responses, made.rois, made.grams, how)
    assert learner.warnings() == []
    learner(without(made, "0"))
    assert learner.facts()["units"]["shares_runs"] is shares
    assert ["share runs" in text for text in learner.warnings()] == [True] * shares


def test_pictures_that_no_layer_knows_are_named(made):
    samples = made.responses.samples
    for stimuli, told in (
        ("x" + samples["stimulus"], r"on 0 images .* 24 images without features .* 'xa00'"),
        ("", r"on 0 images .* 72 of these samples show no image that is known"),
    ):
        made.responses = replace(made.responses, samples=samples.assign(stimulus=stimuli))
        with pytest.raises(NotEnoughDataError, match=told):
            learn(made, without(made, "0"))


def test_too_few_images_are_refused(made):
    with pytest.raises(NotEnoughDataError, match=r"on 24 images .* 72 training .* 7 .* need 28"):
        learn(made, without(made, "0"), n_inner=7)
    with pytest.raises(NotEnoughDataError, match="2 inner folds, and select = 'inner' needs 3"):
        learn(made, without(made, "0"), n_inner=2, select="inner")


def test_what_does_not_fit_is_refused(made):
    with pytest.raises(ShapeError, match=r"\(5,\).*96 samples"):
        learn(made, np.ones(5, dtype=bool))
    made.grams = []
    with pytest.raises(ConfigError, match="no layer"):
        learn(made, without(made, "0"))
