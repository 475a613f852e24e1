"""simulate.bold: what was planted is there after single-trial betas were estimated."""

import numpy as np
import pytest

from bids_dnn.simulate.bold import measure, modelled
from bids_dnn.simulate.truth import PLAN

CATEGORIES = [kind for kind in "abcd" for _ in range(20)]
N_COMPONENTS = 6


@pytest.fixture(scope="module")
def measured():
    rng = np.random.default_rng(0)
    scores = {plan.region: rng.normal(size=(80, N_COMPONENTS)) for plan in PLAN if plan.layer}
    participant = measure("01", CATEGORIES, scores, rng, n_runs=5)
    means = np.zeros((80, len(participant.brain)))
    for run, nuisance, series in zip(
        participant.runs, participant.nuisances, participant.series, strict=True
    ):
        betas = np.linalg.pinv(modelled(run, nuisance)) @ series.astype(float)
        means[run.stimuli] += betas[: len(run.stimuli)] / 2
    return participant, scores, means


def explained(means, scores):
    design = np.hstack([scores, np.ones((80, 1))])
    fitted = design @ np.linalg.lstsq(design, means, rcond=None)[0]
    return fitted.var(axis=0) / means.var(axis=0)


@pytest.mark.parametrize("plan", [plan for plan in PLAN if plan.layer], ids=lambda p: p.region)
def test_regions_reach_their_ceiling_and_not_more(measured, plan):
    participant, scores, means = measured
    found = explained(means[:, participant.regions[plan.region]], scores[plan.region])
    # what six regressors explain by chance of the rest is added
    expected = plan.ceiling**2 + (1 - plan.ceiling**2) * N_COMPONENTS / 79
    # 80 voxels over 80 stimuli: the standard error of the mean is below 0.01
    assert found.mean() == pytest.approx(expected, abs=0.03)


def test_the_noise_region_answers_to_nothing(measured):
    participant, scores, means = measured
    for region_scores in scores.values():
        found = explained(means[:, participant.regions["noise"]], region_scores)
        assert found.mean() == pytest.approx(N_COMPONENTS / 79, abs=0.03)


def test_a_region_answers_to_its_own_components_alone(measured):
    participant, scores, means = measured
    found = explained(means[:, participant.regions["early"]], scores["late"])
    assert found.mean() < 0.25


def test_series_are_whole_numbers_of_volumes_around_a_baseline(measured):
    participant, _, _ = measured
    for run, series in zip(participant.runs, participant.series, strict=True):
        assert series.shape == (run.n_volumes, len(participant.brain))
        assert series.dtype == np.float32
        assert 700 < series.mean(axis=0).min() < series.mean(axis=0).max() < 1300
