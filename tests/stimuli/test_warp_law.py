"""stimuli.warp_law: closed forms, inverses, published constants, refusals."""

import numpy as np
import pytest

from bids_dnn.errors import ConfigError
from bids_dnn.stimuli.warp_law import cone_density, fitted, radius, spacing, steps

SIZES = [(500, 224), (224, 224), (100, 301)]
LAW = {"input_px": 500, "output_px": 224}


def cones(rho, input_px, output_px, density=10.0):
    """The recursion as published, written out."""
    reached = [0.0]
    a = np.log(density) / (input_px // 2)
    for _ in range(output_px // 2 - 1):
        reached.append(reached[-1] + (np.pi * rho) ** -0.5 * np.exp(a * reached[-1] / 2))
    return np.array(reached)


@pytest.mark.parametrize(
    ("sizes", "rho", "a", "b"),
    [
        ((500, 224), "0.1761", "0.009751", "1.1024"),
        ((440, 224), "0.2274", "0.00858", "0.9701"),
        ((224, 224), "0.877", "0.00437", "0.4939"),
        ((128, 128), "0.859", None, None),
    ],
)
def test_the_published_constants_come_out_to_their_last_digit(sizes, rho, a, b):
    def agrees(made, printed):
        return round(made, len(printed.partition(".")[2])) == float(printed)

    assert agrees(cone_density(*sizes), rho)
    if a:
        made_a, made_b = fitted(*sizes)
        assert agrees(made_a, a)
        assert agrees(made_b, b)


@pytest.mark.parametrize("sizes", SIZES)
def test_the_last_cone_stands_at_the_edge(sizes):
    reached = cones(cone_density(*sizes), *sizes)
    assert reached[-1] == pytest.approx(sizes[0] / 2, rel=1e-9)


def test_the_quadratic_is_as_near_to_the_cones_as_published():
    reached = cones(cone_density(500, 224), 500, 224)
    off = radius(np.arange(112), **LAW, mode="fitted") - reached
    assert np.sqrt((off**2).mean()) == pytest.approx(2.36, abs=0.005)
    assert radius(np.array(112.0), **LAW, mode="fitted") == pytest.approx(245.8, abs=0.05)


def test_the_exact_law_is_the_closed_form():
    i = np.array([0.0, 10.0, 100.0])
    a = np.log(10) / 250
    c = (2 / a) * (1 - 10**-0.5) / 112
    expected = -(2 / a) * np.log(1 - a * c * i / 2)
    np.testing.assert_allclose(radius(i, **LAW), expected, rtol=1e-12)


def test_the_exact_law_is_near_to_the_cones():
    reached = cones(cone_density(500, 224), 500, 224)
    np.testing.assert_allclose(radius(np.arange(112), **LAW)[5:], reached[5:], rtol=0.05)


@pytest.mark.parametrize("density", [1.0, 1 + 1e-9, 2.0, 10.0, 1000.0])
@pytest.mark.parametrize("sizes", SIZES)
def test_edge_meets_edge_and_density_falls_by_the_ratio(sizes, density):
    law = {"input_px": sizes[0], "output_px": sizes[1], "density": density}
    ends = np.array([0.0, sizes[1] / 2])
    np.testing.assert_allclose(radius(ends, **law), [0, sizes[0] / 2], atol=1e-9)
    fovea, edge = spacing(ends, **law)
    assert (edge / fovea) ** 2 == pytest.approx(density)


@pytest.mark.parametrize("mode", ["exact", "fitted"])
@pytest.mark.parametrize("density", [1.0, 1.5, 10.0, 80.0])
def test_steps_undo_radius_and_spacing_is_its_slope(mode, density):
    law = {**LAW, "density": density, "mode": mode}
    i = np.linspace(0, 112, 57)
    np.testing.assert_allclose(steps(radius(i, **law), **law), i, atol=1e-9)
    slope = (radius(i + 1e-5, **law) - radius(i - 1e-5, **law)) / 2e-5
    np.testing.assert_allclose(spacing(i, **law), slope, rtol=1e-6)


def test_no_more_than_all_of_the_retina_is_seen():
    reached = radius(np.array([112 / (1 - 10**-0.5) * 1.001, 500.0]), **LAW)
    assert np.isinf(reached).all()


@pytest.mark.parametrize("density", [0.5, 0.0, -1.0, float("nan"), float("inf")])
def test_a_density_below_one_is_refused(density):
    with pytest.raises(ConfigError, match=f"density is {density!r}.*density=10"):
        radius(np.ones(1), **LAW, density=density)


def test_few_pixels_are_refused_by_the_fit_alone():
    with pytest.raises(ConfigError, match=r"500 to 4 pixels are too few.*mode=exact"):
        radius(np.ones(1), input_px=500, output_px=4, mode="fitted")
    assert np.isfinite(radius(np.ones(1), input_px=500, output_px=4)).all()
