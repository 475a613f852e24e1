"""analyses.encode.readouts.penalties: closed forms, gradients, products."""

import numpy as np
import pytest
import torch
from scipy.ndimage import convolve

from bids_dnn.analyses.encode.readouts.penalties import (
    ON_FACTORS,
    ON_WEIGHTS,
    channels,
    laplacian,
    norm,
    per_size,
    places,
    ridge,
    smooth,
    sparse,
)

KERNEL = np.array([[0, -1, 0], [-1, 4, -1], [0, -1, 0]])


@pytest.fixture
def weights(rng):
    return torch.tensor(rng.normal(size=(3, 4, 5, 6)))


def test_the_laplacian_is_the_kernel_with_the_edge_continued(weights):
    expected = [
        [convolve(one, KERNEL, mode="nearest") for one in unit] for unit in weights.numpy()
    ]
    np.testing.assert_allclose(laplacian(weights), expected, atol=1e-12)


def test_a_constant_has_no_curvature_and_a_ramp_none_inside():
    down, right = torch.meshgrid(torch.arange(6.0), torch.arange(7.0), indexing="ij")
    assert not laplacian(torch.full((6, 7), 3.0)).any()
    ramp = laplacian(2 * down - 5 * right + 1)
    assert not ramp[1:-1, 1:-1].any()
    assert ramp[0, 0] == -2 + 5  # the border has one neighbor less on either axis


def test_a_bump_costs_more_than_its_mean(weights):
    # the kernel with -4 in its middle would cost 64 times the square of a constant map
    bump = torch.zeros(1, 1, 5, 5)
    bump[0, 0, 2, 2] = 25.0
    assert smooth(bump) == 25.0**2 * (16 + 4)
    assert smooth(torch.ones(1, 1, 5, 5)) == 0


def test_the_group_penalty_of_one_channel_is_its_norm(weights):
    alone = torch.zeros_like(weights)
    alone[:, 2] = weights[:, 2]
    expected = weights[:, 2].flatten(1).norm(dim=1)
    np.testing.assert_allclose(channels(alone), expected)
    np.testing.assert_allclose(
        channels(weights), weights.flatten(2).norm(dim=2).sum(dim=1), rtol=1e-12
    )


def test_the_penalty_of_places_is_that_of_channels_with_the_axes_exchanged(weights):
    turned = weights.flatten(2).transpose(1, 2)[..., None]
    np.testing.assert_allclose(places(weights), channels(turned))


def test_gradients_are_the_closed_forms(weights):
    def gradient(penalty):
        w = weights.clone().requires_grad_()
        return torch.autograd.grad(penalty(w).sum(), w)[0]

    np.testing.assert_allclose(gradient(smooth), 2 * laplacian(laplacian(weights)), atol=1e-12)
    np.testing.assert_allclose(gradient(ridge), 2 * weights)
    np.testing.assert_allclose(gradient(sparse), weights.sign())
    size = weights.flatten(2).norm(dim=2)[..., None, None]
    np.testing.assert_allclose(gradient(channels), weights / size)
    np.testing.assert_allclose(gradient(places), weights / weights.norm(dim=1, keepdim=True))


@pytest.mark.parametrize("name", ON_WEIGHTS)
def test_the_penalty_of_factors_is_that_of_their_product(rng, name):
    m, v = torch.tensor(rng.normal(size=(3, 5, 6))), torch.tensor(rng.normal(size=(3, 4)))
    product = v[:, :, None, None] * m[:, None]
    np.testing.assert_allclose(ON_FACTORS[name](m, v), ON_WEIGHTS[name](product))
    np.testing.assert_allclose(ON_FACTORS[name](7 * m, v / 7), ON_FACTORS[name](m, v))


@pytest.mark.parametrize("name", ["sparse", "channels", "places"])
def test_sums_of_norms_are_at_most_the_norm_and_reach_it(weights, name):
    shape = tuple(weights.shape[1:])
    size = weights.flatten(1).norm(dim=1)
    assert (ON_WEIGHTS[name](weights) / per_size(name, shape) <= size).all()
    even = torch.ones_like(weights)
    np.testing.assert_allclose(
        ON_WEIGHTS[name](even) / per_size(name, shape), even.flatten(1).norm(dim=1)
    )


def test_the_gradient_of_a_norm_at_zero_is_zero():
    at = torch.zeros(2, 3, requires_grad=True)
    norm(at, 1).sum().backward()
    assert not at.grad.any()
