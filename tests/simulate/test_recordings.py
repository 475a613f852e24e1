"""simulate.recordings: what is measured follows from receptive fields, and decodes."""

import numpy as np
import pytest

from bids_dnn.containers.space import HEMISPHERES
from bids_dnn.simulate import cortex, positions, recordings, ribbon
from bids_dnn.simulate.positions import CONDITIONS
from bids_dnn.simulate.timing import trial_regressors

OPPOSITE = {
    "upperRight": "lowerLeft",
    "upperLeft": "lowerRight",
    "lowerLeft": "upperRight",
    "lowerRight": "upperLeft",
}


@pytest.fixture(scope="module")
def person():
    rng = np.random.default_rng(0)
    halves = cortex.grow(rng)
    filled = ribbon.fill(halves)
    answers, _ = positions.answers(halves, rng)
    runs = [
        recordings.record(protocol, answers, halves, filled, rng)
        for protocol in positions.plan_positions(rng)
    ]
    return halves, filled, answers, runs


def region(halves, name):
    return np.concatenate([half.regions[name] for half in halves])


def test_without_noise_a_foveal_vertex_follows_the_foveal_trials(person):
    halves, _, answers, runs = person
    protocol = runs[0].protocol
    series = recordings.evoked(protocol, answers)
    alone = trial_regressors(protocol.run)
    of_house = np.array([CONDITIONS[c] == "foveaHouse" for c in protocol.run.stimuli])
    of_face = np.array([CONDITIONS[c] == "foveaFace" for c in protocol.run.stimuli])
    for vertex in np.flatnonzero(region(halves, "fovea"))[::50]:
        model = np.stack([alone[:, of_face].sum(axis=1), alone[:, of_house].sum(axis=1)], axis=1)
        weights, left, *_ = np.linalg.lstsq(model, series[:, vertex], rcond=None)
        expected = [answers["foveaFace"][vertex], answers["foveaHouse"][vertex]]
        np.testing.assert_allclose(weights, expected, atol=0.05)
        assert left[0] < 0.01 * (series[:, vertex] ** 2).sum()


def test_a_silent_cortex_shows_nothing(person):
    _, _, answers, runs = person
    silent = {name: 0 * values for name, values in answers.items()}
    assert not recordings.evoked(runs[0].protocol, silent).any()


def test_the_slab_bounds_what_is_measured(person):
    halves, filled, _, runs = person
    is_covered = np.concatenate([half.is_covered for half in halves])
    for run in runs:
        assert not run.vertices[:, ~is_covered].any()
        assert run.vertices[:, is_covered].min() > 800
        assert run.vertices.shape == (run.protocol.run.n_volumes, len(is_covered))
        assert run.voxels.shape == (run.protocol.run.n_volumes, len(filled.space))


def betas(runs, units, kind):
    """Least squares with all trials of a run, and its nuisance: (n_trials, n_units)."""
    made = []
    for run in runs:
        trials = trial_regressors(run.protocol.run)
        signals, n = run.nuisance.signals, len(trials)
        steps = np.linspace(-1, 1, n)[:, None]
        design = np.hstack([trials, signals, steps, np.ones((n, 1))])
        series = getattr(run, kind)[:, units].astype(float)
        made.append(np.linalg.lstsq(design, series, rcond=None)[0][: trials.shape[1]])
    return made


def accuracy(runs, units, place, kind):
    """Nearest class mean of the other runs, for face against house at a place."""
    made = betas(runs, units, kind)
    right = []
    for test in range(len(runs)):
        means = []
        for category in positions.CATEGORIES:
            number = CONDITIONS.index(f"{place}{category}")
            rows = [
                values[run.protocol.run.stimuli == number]
                for i, (values, run) in enumerate(zip(made, runs, strict=True))
                if i != test
            ]
            means.append(np.concatenate(rows).mean(axis=0))
        for truth, category in enumerate(positions.CATEGORIES):
            number = CONDITIONS.index(f"{place}{category}")
            for row in made[test][runs[test].protocol.run.stimuli == number]:
                apart = [np.linalg.norm(row - mean) for mean in means]
                right.append(int(np.argmin(apart)) == truth)
    return np.mean(right)


@pytest.mark.parametrize("kind", ["vertices", "voxels"])
def test_each_region_tells_apart_what_it_sees_and_nothing_else(person, kind):
    halves, filled, _, runs = person

    def units(name):
        marked = region(halves, name)
        return marked if kind == "vertices" else filled.share(marked) > 0.5

    assert accuracy(runs, units("fovea"), "fovea", kind) > 0.95
    own, opposite = [], []
    for place, other in OPPOSITE.items():
        own.append(accuracy(runs, units(place), place, kind))
        opposite.append(accuracy(runs, units(place), other, kind))
    assert min(own) >= 0.8
    # Four times 24 trials by chance: the standard deviation is 0.05.
    assert abs(np.mean(opposite) - 0.5) < 0.16
    away = [accuracy(runs, units("fovea"), place, kind) for place in OPPOSITE]
    assert abs(np.mean(away) - 0.5) < 0.16


def test_grayordinates_leave_out_the_medial_wall():
    space = recordings.grayordinates()
    for hemisphere in HEMISPHERES:
        units, vertices, n_vertices = space.cortex(hemisphere)
        assert n_vertices == 2562
        assert 0.9 * n_vertices < len(units) == len(np.unique(vertices)) < n_vertices
    deep = space.voxel[space.vertex < 0]
    assert len(deep) == 60
    places = deep @ space.affine[:3, :3].T + space.affine[:3, 3]
    assert (places[:, 0] < 0).all()  # the left thalamus
    assert (np.abs(places) < 40).all()


def test_the_nearest_vertex_is_near(person):
    halves, *_ = person
    from bids_dnn.simulate.meshes import icosphere

    for half in halves:
        found = recordings.nearest(half, level=4)
        apart = np.linalg.norm(half.directions[found] - icosphere(4).vertices, axis=1)
        assert apart.max() < 0.05
