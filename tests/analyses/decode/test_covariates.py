"""analyses.decode.covariates: features of pictures as a nuisance, and as a baseline."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.linear_model import LinearRegression
from sklearn.svm import SVC

from bids_dnn.analyses.decode.choices import Choices
from bids_dnn.analyses.decode.covariates import covariates_of
from bids_dnn.analyses.decode.decoding import decode
from bids_dnn.errors import ConfigError, NotEnoughDataError
from tests.factories.responses import make_gram, make_responses

N_RUNS, N_EACH = 6, 10
N = N_RUNS * 2 * N_EACH
STIMULI = [f"s{k}" for k in range(N)]  # each sample shows a picture of its own
CONDITIONS = np.tile(np.repeat(["a", "b"], N_EACH), N_RUNS)
RUNS = np.repeat(np.arange(N_RUNS), 2 * N_EACH)


def choices_of(**told):
    return Choices(comparisons=("a vs b",), n_permutations=20, seed=0, **told)


@pytest.fixture
def pixels(rng):
    """Return 5 pixels of each picture, the first of which is brighter in condition a."""
    made = rng.normal(size=(N, 5))
    made[:, 0] = 3 * made[:, 0] + 4 * (CONDITIONS == "a")
    return made


def answers(rng, pixels, *, effect=0.0):
    """Return 30 voxels that answer to pixels, and to conditions beside them by `effect`."""
    values = pixels @ rng.normal(size=(5, 30)) + rng.normal(size=(N, 30))
    values += effect * np.outer(CONDITIONS == "a", rng.normal(size=30))
    return make_responses(values, stimuli=STIMULI, conditions=CONDITIONS, runs=RUNS)


def run(responses, pixels, **told):
    spaces = {"pixels": [make_gram(pixels, STIMULI, network="pixels", layer="rgb")]}
    return decode(responses, (), choices=choices_of(**told), spaces=spaces)


def test_an_effect_that_pixels_alone_carry_goes_with_them(rng, pixels):
    responses = answers(rng, pixels)
    assert run(responses, pixels).table["score"].iloc[0] > 0.7
    cleaned = run(responses, pixels, nuisance=("pixels",))
    assert abs(cleaned.table["score"].iloc[0] - 0.5) < 0.2  # 120 samples: SE 0.046
    assert cleaned.meta["feature_spaces"]["pixels"] == {"n_components": 5, "share": 1.0}
    assert cleaned.meta["nuisance"] == ["pixels"]


def test_an_effect_beside_pixels_stays(rng, pixels):
    responses = answers(rng, pixels, effect=1.5)
    assert run(responses, pixels, nuisance=("pixels",)).table["score"].iloc[0] > 0.8


def test_components_and_slopes_are_those_that_each_fold_teaches(rng):
    """As scikit-learn: components of the training pictures, slopes of training responses."""
    pixels = rng.normal(size=(N, 40)) * np.linspace(3, 0.1, 40)
    responses = replace(
        make_responses(
            pixels @ rng.normal(size=(40, 12)) / 8 + rng.normal(size=(N, 12)),
            stimuli=STIMULI,
            conditions=CONDITIONS,
            runs=RUNS,
        ),
        scale="zscore",
    )
    made = run(responses, pixels, nuisance=("pixels",), n_components=7)
    right = 0
    for left in range(N_RUNS):
        train = left != RUNS
        scores = PCA(7, svd_solver="full").fit(pixels[train]).transform(pixels)
        slopes = LinearRegression().fit(scores[train], responses.values[train])
        clean = responses.values - slopes.predict(scores)
        guess = SVC(kernel="linear").fit(clean[train], CONDITIONS[train]).predict(clean[~train])
        right += (guess == CONDITIONS[~train]).sum()
    np.testing.assert_allclose(made.table["score"], right / N)


def test_the_baseline_is_what_the_components_alone_tell(rng, pixels):
    made = run(answers(rng, pixels), pixels, baseline=("pixels",), n_components=3)
    right = 0
    for left in range(N_RUNS):
        train = left != RUNS
        scores = PCA(3, svd_solver="full").fit(pixels[train]).transform(pixels)
        scores /= np.sqrt((scores[train] ** 2).mean())  # unit variance on average
        guess = SVC(kernel="linear").fit(scores[train], CONDITIONS[train]).predict(scores[~train])
        right += (guess == CONDITIONS[~train]).sum()
    assert right / N > 0.65
    np.testing.assert_allclose(made.table["baseline"], right / N)
    assert np.isnan(run(answers(rng, pixels), pixels).table["baseline"].iloc[0])


def test_the_baseline_equals_the_score_where_voxels_are_the_pixels(pixels):
    """Five voxels that are five pixels: the score and the baseline are one number."""
    responses = make_responses(pixels, stimuli=STIMULI, conditions=CONDITIONS, runs=RUNS)
    made = run(responses, pixels, baseline=("pixels",), n_components=5)
    assert made.table["baseline"].iloc[0] == made.table["score"].iloc[0] > 0.7


def test_layers_count_alike_and_scale_does_not_matter(rng, pixels):
    responses = answers(rng, pixels)
    first, second = (
        [
            make_gram(k * pixels, STIMULI, layer="rgb"),
            make_gram(pixels[:, :2], STIMULI, layer="luminance"),
        ]
        for k in (1.0, 1e4)
    )
    choices = choices_of(nuisance=("pixels",))
    told = {"choices": choices, "option": "nuisance"}
    one, other = (
        covariates_of(responses, ("pixels",), spaces={"pixels": own}, **told)
        for own in (first, second)
    )
    train = RUNS > 0
    np.testing.assert_allclose(
        np.abs(one.taught_by(train)), np.abs(other.taught_by(train)), atol=1e-6
    )


def test_training_samples_allow_so_many_components_and_it_is_said(rng, pixels):
    keep = np.arange(N) % 5 < 2  # 48 samples, of which 40 train
    responses = answers(rng, rng.normal(size=(N, 5))).select(keep)
    wide = rng.normal(size=(N, 60))
    made = run(responses, wide, nuisance=("pixels",), n_components=30)
    assert made.meta["feature_spaces"]["pixels"]["n_components"] == 8
    assert any("8 of 30 principal components" in text for text in made.meta["warnings"])


def test_components_that_tell_all_pictures_apart_are_told(rng):
    shown = np.where(CONDITIONS == "a", "s0", "s1")
    responses = make_responses(
        rng.normal(size=(N, 4)), stimuli=shown, conditions=CONDITIONS, runs=RUNS
    )
    made = run(responses, rng.normal(size=(N, 3)), nuisance=("pixels",))
    assert made.meta["feature_spaces"]["pixels"]["n_components"] == 1
    assert any("tell all training stimuli apart" in text for text in made.meta["warnings"])


def test_averaged_samples_show_averaged_features(rng, pixels):
    choices = choices_of(nuisance=("pixels",), average=5, n_components=2)
    spaces = {"pixels": [make_gram(pixels, STIMULI)]}
    made = covariates_of(
        answers(rng, pixels), ("pixels",), choices, spaces=spaces, option="nuisance"
    )
    means = pixels.reshape(-1, 5, 5).mean(axis=1)
    train = np.arange(len(means)) >= 4
    expected = PCA(2, svd_solver="full").fit(means[train]).transform(means)[:, ::-1]
    found = made.taught_by(train)
    for one in (found, expected):  # up to one number, and the signs of components
        one /= np.linalg.norm(one[train])
    np.testing.assert_allclose(np.abs(found), np.abs(expected), atol=1e-5)


def test_what_shows_no_picture_is_the_mean_and_is_counted(rng, pixels):
    responses = answers(rng, pixels)
    samples = responses.samples.copy()
    samples.loc[:2, "stimulus"] = ["", "unknown", ""]
    made = run(replace(responses, samples=samples), pixels, nuisance=("pixels",))
    assert any("3 of 120 samples show no stimulus" in text for text in made.meta["warnings"])
    assert abs(made.table["score"].iloc[0] - 0.5) < 0.2


def test_what_is_not_there_is_refused(rng, pixels):
    responses = answers(rng, pixels)
    with pytest.raises(ConfigError, match="The nuisance column 'gabor' is not in the sample"):
        run(responses, pixels, nuisance=("gabor",))
    samples = responses.samples.assign(stimulus="elsewhere")
    with pytest.raises(NotEnoughDataError, match="names 'pixels', and none of 120 samples shows"):
        run(replace(responses, samples=samples), pixels, baseline=("pixels",))
    with pytest.raises(ConfigError, match="n_components is 0"):
        choices_of(n_components=0)
