"""analyses.encode.data: averages over repeats, folds by image, what is left out."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from bids_dnn.analyses.encode import data
from bids_dnn.analyses.encode.choices import Choices
from bids_dnn.analyses.encode.data import prepare, used_samples
from bids_dnn.errors import ConfigError, NotEnoughDataError
from bids_dnn.stats.nuisance import removal
from tests.factories.responses import make_gram, make_responses, make_roi

STIMULI = [f"s{k:02}.png" for k in range(12)]


def make(rng, *, n_repeats=3):
    values = rng.normal(size=(12 * n_repeats, 6))
    return make_responses(values, stimuli=STIMULI * n_repeats)


def choices(**other):
    return Choices(
        **{
            "n_folds": 3,
            "n_inner": 2,
            "alphas": None,
            "select": "auto",
            "ceiling": "ncsnr",
            "floor": 0.0,
            "n_permutations": 9,
            "seed": 0,
        }
        | other
    )


def prepared(responses, rois=(), **other):
    return prepare(responses, rois, choices(**other))


@pytest.mark.parametrize("block", [2, 1024])
def test_responses_are_averaged_over_repeats(rng, monkeypatch, block):
    monkeypatch.setattr(data, "BLOCK", block)
    responses = make(rng)
    found = prepared(responses)
    assert found.stimuli == tuple(STIMULI)
    expected = responses.values.reshape(3, 12, 6).mean(axis=0)
    np.testing.assert_allclose(found.truth[:, :6], expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found.truth[:, 6], expected.mean(axis=1), rtol=1e-5, atol=1e-6)


def test_folds_hold_each_image_once_and_inner_ones_only_training_images(rng):
    found = prepared(make(rng))
    assert (sum(fold.test.astype(int) for fold in found.folds) == 1).all()
    for fold, inner in zip(found.folds, found.inner, strict=True):
        assert [one.test.size for one in inner] == [fold.train.sum()] * 2


def test_a_unit_of_two_regions_stands_once(rng):
    responses = make(rng)
    rois = [make_roi("a", responses, [1, 4]), make_roi("b", responses, [4, 5])]
    found = prepared(responses, rois)
    assert found.units.tolist() == [1, 4, 5]
    assert [columns.tolist() for _, columns in found.regions] == [[0, 1], [1, 2]]
    assert found.n_units == 3
    for place, (_, columns) in enumerate(found.regions):
        mean = found.truth[:, columns].mean(axis=1)
        np.testing.assert_allclose(found.truth[:, found.mean_of(place)[0]], mean, atol=1e-6)


def test_the_mean_of_a_region_has_its_own_ceiling(rng):
    """Noise that units do not share averages out, so that the mean is more reliable."""
    values = np.repeat(rng.normal(size=(12, 1)), 3, axis=0) + 2 * rng.normal(size=(36, 40))
    found = prepared(make_responses(values, stimuli=np.repeat(STIMULI, 3)))
    assert found.reliability[40] > 0.9
    assert found.reliability[:40].mean() < 0.7
    assert found.ceiling_in(found.mean_of(0)) == pytest.approx(np.sqrt(found.reliability[40]))


def test_the_split_that_is_given_is_taken(rng):
    split = dict.fromkeys(STIMULI[:5], "train") | dict.fromkeys(STIMULI[5:11], "test")
    responses = make(rng)
    used, left_out = used_samples(
        responses, [make_gram(np.eye(12), STIMULI)], choices(split=split)
    )
    assert left_out["stimuli_without_split"] == 1
    found = prepared(responses.select(used), split=split)
    (fold,) = found.folds
    assert [found.stimuli[k] for k in np.flatnonzero(fold.test)] == STIMULI[5:11]
    np.testing.assert_array_equal(found.tested(), fold.test)
    np.testing.assert_array_equal(found.predicted(), np.flatnonzero(fold.test))
    with pytest.raises(NotEnoughDataError, match=r"3 images .* split 'test'; encoding needs 4"):
        prepared(responses.select(used), split=split | dict.fromkeys(STIMULI[8:11], "train"))


def test_of_a_split_training_images_are_cleaned_of_the_nuisance_too(rng):
    responses = make(rng)
    split = dict.fromkeys(STIMULI[:6], "train") | dict.fromkeys(STIMULI[6:], "test")
    samples = responses.samples.assign(motion=rng.normal(size=36))
    responses = replace(responses, samples=samples)
    found = prepared(responses, split=split, nuisance=("motion",))
    (own,), (fold,) = found.teaching, found.folds
    np.testing.assert_array_equal(found.truth, own)
    assert found.predicted() == slice(None)  # where the nuisance is taken out, training rows count
    with_it = prepared(responses, split=split).truth
    assert (np.abs(found.truth - with_it).max(axis=1) > 1e-3)[fold.train].all()


def test_the_ceiling_of_a_split_is_that_of_its_test_images(rng):
    """Many repeats of test images: the ceiling is that of their mean, not of single showings."""
    signal = rng.normal(size=(60, 30))
    names = [f"s{k:02}" for k in range(60)]
    values = [signal + rng.normal(size=signal.shape)]
    shown = [names]
    for _ in range(29):
        values.append(signal[40:] + rng.normal(size=(20, 30)))
        shown.append(names[40:])
    split = dict.fromkeys(names[:40], "train") | dict.fromkeys(names[40:], "test")
    found = prepared(
        make_responses(np.vstack(values), stimuli=[*itertools.chain(*shown)]), split=split
    )
    assert abs(found.reliability[:30].mean() - 30 / 31) < 0.02


@pytest.mark.parametrize(
    ("independence", "select"), [("sample", "gcv"), ("run", "inner"), ("none", "inner")]
)
def test_inner_folds_choose_where_samples_share_noise(rng, independence, select):
    responses = replace(make(rng), independence=independence)
    assert prepared(responses).select == select
    assert prepared(responses, select="loo").select == "loo"


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"select": "gvc"}, r"'gvc'.*gcv"),
        ({"ceiling": "ncsn"}, r"'ncsn'.*ncsnr"),
        ({"floor": 1.0}, r"floor is 1\.0"),
        ({"alphas": (1.0, -2.0)}, r"-2\.0.*above zero"),
    ],
)
def test_choices_that_do_not_exist_are_refused(wrong, told):
    with pytest.raises(ConfigError, match=told):
        choices(**wrong)


def test_images_must_have_features_in_every_layer(rng):
    responses = make(rng)
    grams = [
        make_gram(np.eye(12), STIMULI),
        make_gram(np.eye(11), [*STIMULI[:10], "new.png"], layer="conv2"),
    ]
    used, left_out = used_samples(responses, grams, choices(n_folds=2))
    assert used.sum() == 10 * 3
    assert left_out["stimuli_without_features"] == STIMULI[10:]
    assert left_out["samples_without_features"] == 6
    assert left_out["stimuli_without_samples"] == 0


def test_each_fold_needs_four_images(rng):
    with pytest.raises(NotEnoughDataError, match=r"12 images .* 4 folds need 16"):
        used_samples(make(rng), [make_gram(np.eye(12), STIMULI)], choices(n_folds=4))


def test_the_ceiling_is_of_responses_without_the_nuisance(rng):
    signal = np.tile(rng.normal(size=(12, 6)), (6, 1))
    clean = make_responses(signal + 0.1 * rng.normal(size=signal.shape), stimuli=STIMULI * 6)
    noise = rng.normal(size=72)
    samples = clean.samples.assign(motion=noise)
    disturbed = replace(clean, values=clean.values + 3 * noise[:, None], samples=samples)
    known = prepared(clean).ceiling()
    found = prepared(disturbed, nuisance=("motion",)).ceiling()
    np.testing.assert_allclose(found, known, atol=0.01)  # 0.998; with the nuisance, 0.6 to 0.9


def test_what_the_nuisance_of_images_explains_is_out_of_the_null(rng):
    responses = make(rng)
    nuisance = rng.normal(size=36)
    nuisance[3] = np.nan  # a repeat without a value: the mean of the others
    samples = responses.samples.assign(motion=nuisance)
    found = prepared(replace(responses, samples=samples), nuisance=("motion",))
    operator = rng.normal(size=(12, 12))
    for fold in found.folds:
        operator[np.ix_(fold.test, fold.test)] = 0
    of_images = np.nanmean(nuisance.reshape(3, 12), axis=0)
    of_images -= of_images.mean()
    expected = np.zeros((12, 12))
    for fold in found.folds:
        operator[fold.test] -= fold.train * operator[fold.test].mean(axis=1, keepdims=True) * 1.5
        clean = removal(of_images[:, None], fold.train)
        expected += clean[fold.test].T @ operator[fold.test] @ clean
    np.testing.assert_allclose(found.under_null(operator), expected, atol=1e-12)
    assert np.abs(operator @ of_images).max() > 0.1
    np.testing.assert_allclose(found.under_null(operator) @ of_images, 0, atol=1e-9)
    plain = prepared(responses)
    np.testing.assert_array_equal(plain.under_null(operator), operator)
