"""features.capture: known answers, laws, refusals."""

import numpy as np
import pytest
import torch

from bids_dnn.errors import ConfigError
from bids_dnn.features.capture import capture, layer_sizes
from bids_dnn.features.models import load_network
from tests.factories.networks import small_network

LAYERS = ("0", "2", "5")


@pytest.fixture
def shown(rng):
    return rng.normal(size=(7, 3, 12, 12)).astype(np.float32)


def test_layers_agree_with_running_the_parts_by_hand(shown):
    module = small_network().module
    x = torch.from_numpy(shown)
    first = module[0](x)
    second = module[2](torch.relu(first))
    last = module[5](torch.relu(second).flatten(1))
    made = capture(module, shown, layers=LAYERS)
    for layer, expected in zip(LAYERS, (first, second, last), strict=True):
        np.testing.assert_allclose(made[layer], expected.flatten(1).numpy(), atol=1e-5)
        assert made[layer].dtype == np.float32


def test_values_are_those_before_a_nonlinearity_in_place(shown):
    made = capture(small_network().module, shown, layers=LAYERS)
    assert all(values.min() < 0 for values in made.values())


def test_every_layer_of_alexnet_is_before_its_nonlinearity(rng):
    network = load_network("alexnet", weights="random", layers=None, seed=0)
    shown = rng.normal(size=(2, 3, 224, 224)).astype(np.float32)
    made = capture(network.module, shown, layers=network.card.layers)
    assert tuple(made) == network.card.layers
    assert [made[layer].shape[1] for layer in made] == [
        64 * 55 * 55,
        192 * 27 * 27,
        384 * 13 * 13,
        256 * 13 * 13,
        256 * 13 * 13,
        4096,
        4096,
        1000,
    ]
    assert all((values < 0).mean() > 0.2 for values in made.values())


def test_columns_run_through_places_within_a_channel(shown):
    module = small_network().module
    made = capture(module, shown, layers=["0"])["0"].reshape(7, 4, 10, 10)
    np.testing.assert_allclose(made, module[0](torch.from_numpy(shown)).numpy(), atol=1e-6)


def test_the_order_of_pictures_and_of_layers_does_not_matter(shown, rng):
    module = small_network().module
    order = rng.permutation(len(shown))
    plain = capture(module, shown, layers=LAYERS)
    turned = capture(module, shown[order], layers=LAYERS[::-1])
    assert tuple(turned) == LAYERS[::-1]
    for layer in LAYERS:
        np.testing.assert_allclose(turned[layer], plain[layer][order], atol=1e-5)


def test_nothing_after_the_deepest_layer_runs(shown):
    module = small_network().module
    ran = []
    module[3].register_forward_hook(lambda *_: ran.append("after"))
    capture(module, shown, layers=["2", "0"])
    assert not ran
    capture(module, shown, layers=["5"])
    assert ran == ["after"]


def test_no_hook_stays_behind(shown):
    module = small_network().module
    capture(module, shown, layers=LAYERS)
    with pytest.raises(ConfigError):
        capture(module, shown, layers=["9"])
    assert not any(part._forward_hooks for part in module.modules())


def test_the_pictures_are_not_altered(shown):
    before = shown.copy()
    module = torch.nn.Sequential(torch.nn.ReLU(inplace=True), torch.nn.Flatten())
    capture(module, shown, layers=["1"])
    np.testing.assert_array_equal(shown, before)


class Odd(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.idle = torch.nn.Linear(1, 1)
        self.pair = torch.nn.LSTM(3, 2)
        self.swap = torch.nn.Flatten(0, 1)

    def forward(self, x):
        self.swap(x)
        return self.pair(x.flatten(2).transpose(1, 2))


@pytest.mark.parametrize(
    ("layer", "told"),
    [("idle", "'idle' did not run"), ("pair", "a tuple"), ("swap", r"shape \(21, 12, 12\)")],
)
def test_what_gives_no_row_for_each_picture_is_refused(shown, layer, told):
    with pytest.raises(ConfigError, match=told):
        capture(Odd().eval(), shown, layers=[layer])


def test_sizes_are_known_before_the_pictures():
    assert layer_sizes(small_network().module, 12, layers=LAYERS) == {"0": 400, "2": 384, "5": 5}


@pytest.mark.gpu
def test_the_gpu_gives_the_same_values(shown):
    if not torch.cuda.is_available():
        pytest.skip("no GPU")
    module = small_network().module
    plain = capture(module, shown, layers=LAYERS)
    made = capture(module.to("cuda"), shown, layers=LAYERS, device="cuda")
    for layer in LAYERS:
        np.testing.assert_allclose(made[layer], plain[layer], atol=1e-4)
