"""containers.readout: what it says, that it can be differentiated, and what it refuses."""

import pickle

import numpy as np
import pytest
import torch

from bids_dnn.containers.readout import Readout, linked, normalized, through_factors
from bids_dnn.errors import ShapeError


def make(rng, *, link="identity", is_full=False, is_rectified=True):
    def draw(*shape):
        return rng.normal(size=shape).astype(np.float32)

    parts = {"weights": draw(2, 3, 4, 5)}
    if not is_full:
        parts = {"mask": draw(2, 4, 5), "vector": draw(2, 3)}
    return Readout(
        kind="factorized",
        mean=draw(3),
        sd=np.abs(draw(3)) + 0.5,
        is_rectified=is_rectified,
        bias=draw(2),
        offset=draw(2),
        scale=np.abs(draw(2)) + 0.5,
        link=link,
        **parts,
    )


def expected_of(readout, maps):
    seen = (maps - readout.mean[:, None, None]) / readout.sd[:, None, None]
    if readout.is_rectified:
        seen = np.maximum(seen, 0)
    w = readout.weights
    if w is None:
        w = readout.vector[:, :, None, None] * readout.mask[:, None]
    u = np.einsum("nchw,uchw->nu", seen, w) + readout.bias
    if readout.link == "elu":
        u = np.where(u > 0, u, np.exp(np.minimum(u, 0)) - 1) + 1
    return readout.offset + readout.scale * u


@pytest.mark.parametrize("is_full", [False, True])
@pytest.mark.parametrize("is_rectified", [False, True])
@pytest.mark.parametrize("link", ["identity", "elu"])
def test_predictions_are_the_formula(rng, link, is_rectified, is_full):
    readout = make(rng, link=link, is_full=is_full, is_rectified=is_rectified)
    maps = rng.normal(size=(6, 3, 4, 5))
    np.testing.assert_allclose(readout.predict(maps), expected_of(readout, maps), rtol=1e-4)
    assert (readout.shape, readout.n_units) == ((3, 4, 5), 2)


@pytest.mark.parametrize("is_full", [False, True])
def test_the_gradient_on_maps_is_that_of_differences(rng, is_full):
    readout = make(rng, link="elu", is_full=is_full)
    maps = rng.normal(size=(1, 3, 4, 5)) + 2
    at = torch.tensor(maps, dtype=torch.float32, requires_grad=True)
    readout.on("cpu")(at)[0, 1].backward()
    step = 1e-6
    for c, h, w in [(0, 0, 0), (1, 2, 3), (2, 3, 4)]:
        up, down = maps.copy(), maps.copy()
        up[0, c, h, w] += step
        down[0, c, h, w] -= step
        slope = (expected_of(readout, up) - expected_of(readout, down))[0, 1] / (2 * step)
        assert at.grad[0, c, h, w] == pytest.approx(slope, rel=1e-3, abs=1e-5)


def test_links_are_finite_with_their_gradients_everywhere():
    drive = torch.tensor([-200.0, -1.0, 0.0, 1.0, 200.0], requires_grad=True)
    rate = linked(drive, "elu")
    np.testing.assert_allclose(
        rate.detach(), torch.nn.functional.elu(drive.detach()) + 1, atol=1e-7
    )
    rate.sum().backward()
    np.testing.assert_allclose(drive.grad, [0, np.exp(-1), 1, 1, 1], atol=1e-6)


def test_space_is_summed_first_or_channels(rng):
    for c, h, w in [(2, 5, 5), (30, 2, 2)]:
        maps, m, v = (
            torch.tensor(rng.normal(size=shape)) for shape in [(4, c, h, w), (3, h, w), (3, c)]
        )
        expected = torch.einsum("nchw,uhw,uc->nu", maps, m, v)
        np.testing.assert_allclose(through_factors(maps, m, v), expected)


def test_normalization_does_not_depend_on_the_batch(rng):
    maps = torch.tensor(rng.normal(size=(8, 3, 4, 4)))
    mean, sd = torch.tensor([0.1, 0.2, 0.3]), torch.tensor([1.0, 2.0, 3.0])
    whole = normalized(maps, mean, sd, is_rectified=True)
    np.testing.assert_array_equal(normalized(maps[3:4], mean, sd, is_rectified=True)[0], whole[3])


def test_the_map_over_space_is_the_mask_or_the_norm_over_channels(rng):
    factored, full = make(rng), make(rng, is_full=True)
    np.testing.assert_array_equal(factored.space(), np.abs(factored.mask))
    np.testing.assert_allclose(full.space(), np.sqrt((full.weights**2).sum(axis=1)), rtol=1e-6)


def test_it_survives_a_worker_process(rng):
    readout = make(rng)
    maps = rng.normal(size=(2, 3, 4, 5))
    again = pickle.loads(pickle.dumps(readout))
    np.testing.assert_array_equal(again.predict(maps), readout.predict(maps))


def test_what_does_not_fit_is_refused(rng):
    whole = make(rng)
    with pytest.raises(ShapeError, match=r"\(2, 3, 4, 4\).*takes \(n, 3, 4, 5\)"):
        whole.predict(np.zeros((2, 3, 4, 4)))
    kept = {
        name: getattr(whole, name)
        for name in ("kind", "mean", "sd", "is_rectified", "bias", "offset", "scale")
    }
    with pytest.raises(ShapeError, match="'mask': None"):
        Readout(**kept)
    with pytest.raises(ShapeError, match="2 units from 3 channels"):
        Readout(**kept, mask=whole.mask, vector=whole.vector[:, :2])
    with pytest.raises(ShapeError, match=r"'weights': \(2, 3, 4, 5\)"):
        Readout(**kept, mask=whole.mask, vector=whole.vector, weights=np.zeros((2, 3, 4, 5)))
