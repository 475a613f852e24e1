"""analyses.rsa.crossnobis: rsatoolbox, scikit-learn, no bias by noise, refusals."""

import numpy as np
import pytest
from sklearn.covariance import ledoit_wolf

from bids_dnn.analyses.rsa.crossnobis import crossnobis_rdm, noise_covariance, parts_of
from bids_dnn.errors import NotEnoughDataError, ShapeError


def design(n_items=5, n_runs=4, n_each=1):
    items = np.tile(np.repeat([f"i{k}" for k in range(n_items)], n_each), n_runs)
    return items, np.repeat([f"r{k}" for k in range(n_runs)], n_items * n_each)


@pytest.mark.parametrize("n_each", [1, 3])
def test_distances_are_those_of_rsatoolbox(rng, n_each):
    rsatoolbox = pytest.importorskip("rsatoolbox")
    items, runs = design(n_each=n_each)
    values = rng.normal(size=(len(items), 12)) + 2
    mixed = rng.normal(size=(30, 12))
    covariance = mixed.T @ mixed / 30
    dataset = rsatoolbox.data.Dataset(values, obs_descriptors={"item": items, "run": runs})
    expected = rsatoolbox.rdm.calc_rdm(
        dataset,
        method="crossnobis",
        descriptor="item",
        cv_descriptor="run",
        noise=np.linalg.inv(covariance),
    )
    made = crossnobis_rdm(values, items, runs, covariance=covariance)
    assert made.stimuli == tuple(expected.pattern_descriptors["item"])
    np.testing.assert_allclose(made.values, expected.dissimilarities[0], rtol=1e-8)


def test_the_covariance_is_that_of_scikit_learn_for_each_set(rng):
    residuals = rng.normal(size=(40, 6)) * np.arange(1, 7)
    wide = np.zeros((2, 8, 40))
    wide[0, :6], wide[1, :4] = residuals.T, residuals[:, :4].T
    made = noise_covariance(wide, np.array([6, 4]), df=40)
    for own, n in zip(made, (6, 4), strict=True):
        expected, _ = ledoit_wolf(residuals[:, :n], assume_centered=True)
        np.testing.assert_allclose(own[:n, :n], expected, rtol=1e-10)
        np.testing.assert_allclose(own[n:, n:], np.eye(8 - n))
        assert (own[:n, n:] == 0).all()
    fewer = noise_covariance(wide[:1, :6], np.array([6]), df=20)
    np.testing.assert_allclose(fewer[0], 2 * made[0, :6, :6])


def test_it_is_what_the_definition_says_with_noise_as_it_is_estimated(rng):
    """Loop over pairs of runs, with the covariance of what differs within items and runs."""
    items, runs = design(n_each=4)
    values = rng.normal(size=(len(items), 7)) * np.linspace(0.5, 2, 7)
    parts = parts_of(items, runs)
    rest = parts.residuals(values)
    assert (len(rest), parts.df) == (80, 60)
    covariance = ledoit_wolf(rest, assume_centered=True)[0] * 80 / 60
    precision = np.linalg.inv(covariance)
    mean = {
        (i, r): values[(items == i) & (runs == r)].mean(axis=0)
        for i, r in zip(items, runs, strict=True)
    }
    names = sorted(set(runs))
    products = [
        (mean["i1", a] - mean["i3", a]) @ precision @ (mean["i1", b] - mean["i3", b])
        for a in names
        for b in names
        if a != b
    ]
    made = crossnobis_rdm(values, items, runs).matrix()
    np.testing.assert_allclose(made[1, 3], np.mean(products) / 7)


@pytest.mark.parametrize("n_each", [1, 3])
def test_noise_alone_is_zero_on_average_and_the_unit_does_not_matter(rng, n_each):
    items, runs = design(n_items=4, n_each=n_each)
    made = []
    for _ in range(300):
        values = rng.normal(size=(len(items), 20)) @ np.diag(np.linspace(1, 3, 20))
        made.append(crossnobis_rdm(values, items, runs).values.mean())
    error = np.std(made) / np.sqrt(len(made))
    assert abs(np.mean(made)) < 4 * error  # false alarms: 6e-5
    if n_each > 1:  # where noise is known, distances are in its units
        scaled = crossnobis_rdm(50 * values, items, runs).values
        np.testing.assert_allclose(scaled, crossnobis_rdm(values, items, runs).values)


def test_a_planted_distance_is_found_in_units_of_noise(rng):
    items, runs = design(n_items=2, n_runs=6, n_each=20)
    apart = np.where(items == "i0", 1.5, 0.0)[:, None]
    values = 3 * (rng.normal(size=(len(items), 25)) + apart)
    made = crossnobis_rdm(values, items, runs).values[0]
    assert made == pytest.approx(1.5**2, rel=0.2)  # 240 samples: SE 0.09 for each of 25 units


def test_runs_without_an_item_are_left_out(rng):
    items, runs = design(n_items=3, n_runs=3)
    values = rng.normal(size=(9, 5))
    keep = ~((items == "i2") & (runs == "r1"))
    made = crossnobis_rdm(values[keep], items[keep], runs[keep])
    assert parts_of(items[keep], runs[keep]).runs == ("r0", "r2")
    both = runs != "r1"
    expected = crossnobis_rdm(values[both], items[both], runs[both])
    np.testing.assert_allclose(made.values, expected.values)


def test_what_cannot_be_is_refused(rng):
    items, runs = design(n_items=4, n_runs=2)
    once = np.where(runs == "r0", items, np.roll(items, 1) + "x")
    with pytest.raises(NotEnoughDataError, match="0 of 2 runs show all of 8 items"):
        parts_of(once, runs)
    with pytest.raises(ShapeError, match="8 items and 7 runs"):
        parts_of(items, runs[1:])
    with pytest.raises(ShapeError, match=r"\(7, 3\), but there are 8 items"):
        crossnobis_rdm(rng.normal(size=(7, 3)), items, runs)
