"""features.models.lowlevel: pixels and wavelets, against numpy and against gratings."""

import numpy as np
import pytest
import torch

from bids_dnn.errors import ConfigError
from bids_dnn.features.capture import capture
from bids_dnn.features.models import card_of, find_file, load_network, load_whole
from bids_dnn.features.models import lowlevel as family
from bids_dnn.features.models.lowlevel_modules import SD_PERIODS
from bids_dnn.features.probe import probe

SIZE = 128
FREQUENCIES = (1, 2, 4, 8, 16, 32)


def loaded(name, layers=None):
    return load_network(f"lowlevel:{name}", weights=None, layers=layers, seed=0, offline=True)


@pytest.fixture(scope="module")
def gabor():
    return loaded("gabor")


def shown(network, pictures, layers):
    """Return what layers make of pictures (n, size, size[, 3]) in [0, 1], as float64."""
    card = network.card
    colored = [np.broadcast_to(np.atleast_3d(one), (SIZE, SIZE, 3)) for one in pictures]
    scaled = (np.stack(colored).transpose(0, 3, 1, 2) - card.mean[0]) / card.sd[0]
    made = capture(network, torch.from_numpy(scaled).float(), probe(network, layers))
    return [made[layer].double().numpy() for layer in layers]


def carriers(frequency, orientation):
    """Return the phase of a grating whose bars are turned counter-clockwise from horizontal."""
    place = (np.arange(SIZE) + 0.5) / SIZE
    right, up = np.meshgrid(place, -place)
    angle = np.pi * orientation / 8
    return 2 * np.pi * frequency * (up * np.cos(angle) - right * np.sin(angle))


def grating(frequency, orientation, *, phase=0.0, contrast=1.0):
    return 0.5 + 0.5 * contrast * np.cos(carriers(frequency, orientation) - phase)


def window(frequency, row, column):
    """Return the Gaussian window of a wavelet, one octave wide at half amplitude."""
    place = (np.arange(SIZE) + 0.5) / SIZE * frequency
    distance = (place[:, None] - row - 0.5) ** 2 + (place - column - 0.5) ** 2
    return np.exp(-distance / (2 * SD_PERIODS**2))


@pytest.mark.parametrize("frequency", FREQUENCIES)
@pytest.mark.parametrize("orientation", [0, 3, 4])
def test_a_grating_gives_its_contrast_at_its_own_channel_whatever_its_phase(
    gabor, frequency, orientation
):
    phases = np.linspace(0, np.pi, 5)
    pictures = [grating(frequency, orientation, phase=phase) for phase in phases]
    (energy,) = shown(gabor, pictures, [f"energy{frequency}"])
    energy = energy.reshape(len(phases), 8, -1)
    np.testing.assert_allclose(energy[:, orientation], 1, atol=1e-4)
    assert (energy.argmax(1) == orientation).all()
    assert energy[:, (orientation + 4) % 8].max() < 0.4  # where the border cuts the window
    if frequency > 4:
        inner = energy[:, (orientation + 4) % 8].reshape(-1, frequency, frequency)[:, 2:-2, 2:-2]
        assert inner.max() < 0.01


@pytest.mark.parametrize("frequency", [2, 4, 8, 16])
def test_no_other_frequency_answers_a_grating_as_much(gabor, frequency):
    layers = [f"energy{one}" for one in FREQUENCIES]
    means = [made.mean() for made in shown(gabor, [grating(frequency, 2)], layers)]
    assert means[FREQUENCIES.index(frequency)] == max(means)
    assert sorted(means)[-2] < 0.5 * max(means)


def test_a_wavelet_is_a_fit_of_its_grating_in_its_window(gabor, rng):
    """The amplitudes are those of weighted least squares, as numpy finds them."""
    picture = rng.uniform(size=(SIZE, SIZE))
    for frequency, orientation, row, column in [(1, 5, 0, 0), (4, 2, 0, 3), (8, 7, 4, 3)]:
        phase = carriers(frequency, orientation)
        # The phase of a wavelet is counted from its center.
        center = [int((one + 0.5) * SIZE / frequency) for one in (row, column)]
        corner = np.ix_(*[(one - 1, one) for one in center])
        phase = phase - phase[corner].mean()
        root = np.sqrt(window(frequency, row, column)).ravel()
        design = np.stack([np.ones_like(phase), np.cos(phase), np.sin(phase)]).reshape(3, -1).T
        found, *_ = np.linalg.lstsq(
            root[:, None] * design, root * (2 * picture - 1).ravel(), rcond=None
        )
        linear, energy = shown(gabor, [picture], [f"linear{frequency}", f"energy{frequency}"])
        made = linear.reshape(8, 2, frequency, frequency)[orientation, :, row, column]
        # Windows end at 3 SD, where they are 1 % of their height.
        np.testing.assert_allclose(made, found[1:], atol=0.02 * np.abs(found[1:]).max())
        power = energy.reshape(8, frequency, frequency)[orientation, row, column]
        np.testing.assert_allclose(power, np.hypot(*made), rtol=1e-5)


@pytest.mark.parametrize("level", [0.0, 0.2, 1.0])
def test_a_uniform_picture_gives_nothing(gabor, level):
    made = shown(gabor, [np.full((SIZE, SIZE), level)], list(gabor.card.layers))
    for values, most in zip(made, (1e-5, 1e-5, 1e-3), strict=True):
        assert np.abs(values).max() < most


def test_energy_grows_with_contrast_and_its_logarithm_less(gabor, rng):
    picture = rng.uniform(size=(SIZE, SIZE))
    pair = [picture, 0.5 + 0.25 * (picture - 0.5)]
    linear, energy, logenergy = shown(gabor, pair, ["linear", "energy", "logenergy"])
    np.testing.assert_allclose(linear[1], linear[0] / 4, atol=1e-6)
    np.testing.assert_allclose(energy[1], energy[0] / 4, atol=1e-6)
    np.testing.assert_allclose(logenergy, np.log1p(100 * energy), rtol=1e-5, atol=1e-6)


def test_the_whole_is_its_frequencies_from_low_to_high(gabor, rng):
    pictures = rng.uniform(size=(2, SIZE, SIZE))
    for kind, n in (("linear", 21_840), ("energy", 10_920), ("logenergy", 10_920)):
        whole, *parts = shown(gabor, pictures, [kind, *(f"{kind}{f}" for f in FREQUENCIES)])
        assert whole.shape == (2, n)
        np.testing.assert_array_equal(np.hstack(parts), whole)


@pytest.mark.parametrize(("row", "column"), [(0, 1), (1, 0)])  # upper right, lower left
def test_a_patch_is_answered_where_it_is(gabor, row, column):
    picture = np.full((2, SIZE // 2, 2, SIZE // 2), 0.5)
    picture[row, :, column] = grating(8, 4).reshape(picture.shape)[row, :, column]
    (energy,) = shown(gabor, [picture.reshape(SIZE, SIZE)], ["energy8"])
    vertical = energy.reshape(8, 2, 4, 2, 4)[4]
    sums = vertical.sum((1, 3))
    assert sums[row, column] > 0.75 * sums.sum()
    assert sums[1 - row, 1 - column] < 0.02 * sums.sum()


def test_rows_are_pictures_in_their_order(gabor, rng):
    pictures = rng.uniform(size=(4, SIZE, SIZE, 3))
    order = [2, 0, 3, 1]
    for network in (gabor, loaded("pixels")):
        layers = list(network.card.layers)
        for one, other in zip(
            shown(network, pictures, layers), shown(network, pictures[order], layers), strict=True
        ):
            np.testing.assert_allclose(other, one[order], rtol=1e-5, atol=1e-6)
            assert np.abs(one[0] - one[1]).max() > 0.01


def test_pixels_are_averaged_over_blocks(rng):
    picture = rng.uniform(size=(SIZE, SIZE, 3))
    rgb, luminance = shown(loaded("pixels"), [picture], ["rgb", "luminance"])
    blocks = picture.reshape(32, 4, 32, 4, 3).mean((1, 3))
    np.testing.assert_allclose(rgb[0], blocks.transpose(2, 0, 1).ravel(), rtol=1e-6)
    np.testing.assert_allclose(
        luminance[0], (blocks @ [0.2126, 0.7152, 0.0722]).ravel(), rtol=1e-6
    )


def test_color_counts_by_its_luminance(gabor):
    green = np.full((SIZE, SIZE, 3), 0.5)
    green[..., 1] = grating(4, 0)
    (energy,) = shown(gabor, [green], ["energy4"])
    np.testing.assert_allclose(energy.reshape(8, -1)[0], 0.7152, atol=1e-4)


@pytest.mark.parametrize("name", family.MEMBERS)
def test_there_is_nothing_to_learn_to_draw_or_to_read(name, tmp_path):
    whole = f"lowlevel:{name}"
    made = [
        load_whole(whole, weights=told, seed=seed) for told, seed in ((None, 0), ("random", 5))
    ]
    assert [one.weights for one in made] == ["as made by formula"] * 2
    assert made[0].weights_sha256 == made[1].weights_sha256
    assert not any(one.requires_grad for one in made[0].module.parameters())
    assert find_file(whole, offline=True) is None
    torch.save(made[0].module.state_dict(), tmp_path / "w.pt")
    with pytest.raises(ConfigError, match=rf"{whole} has nothing to learn"):
        load_whole(whole, weights=tmp_path / "w.pt", seed=0)


def test_the_hash_is_over_the_wavelets():
    made = load_whole("lowlevel:gabor", weights=None, seed=0)
    names = set(made.module.state_dict())
    assert {"luminance.weight", "bands.32.wavelets.weight", "bands.32.linear.solution"} < names
    assert (
        made.weights_sha256 != load_whole("lowlevel:pixels", weights=None, seed=0).weights_sha256
    )


def test_the_card_names_layers_that_exist_and_papers():
    for name in family.MEMBERS:
        card = card_of(f"lowlevel:{name}")
        network = load_whole(f"lowlevel:{name}", weights=None, seed=0)
        found = {
            one.layer.name: one.shape for one in probe(network, [*card.layers, *card.aliases])
        }
        assert (card.head, card.size_px) == ("", SIZE)
        assert set(card.layers) <= set(found)
    assert "10.1038/nature06713" in card.reference
    assert {key: found[key] for key in ("energy1", "linear8", "energy8", "energy16")} == {
        "energy1": (8, 1, 1),
        "linear8": (16, 8, 8),
        "energy8": (8, 8, 8),
        "energy16": (8, 16, 16),
    }
    pooled = probe(network, ["energy8:mean", "linear16:mean", "energy8:at(0,7)"])
    assert [one.n_features for one in pooled] == [8, 16, 8]


def test_a_wrong_name_is_met_with_the_nearest():
    with pytest.raises(ConfigError, match=r"lowlevel:gabr.*'lowlevel:gabor'"):
        card_of("lowlevel:gabr")
