"""analyses.samediff.looking: what a network makes of pictures, up to some module."""

import numpy as np
import pytest
import torch

from bids_dnn.analyses.samediff.looking import Trunk, fed, head_of, last_map, outputs_of
from bids_dnn.containers.network import Card
from bids_dnn.errors import ConfigError
from bids_dnn.features.models import load_whole
from tests.factories.samediff import SIZE, corners, maps, network


@pytest.fixture
def shown(rng):
    return torch.tensor(rng.normal(size=(4, 3, SIZE, SIZE)), dtype=torch.float32)


def test_the_trunk_gives_what_goes_into_the_head(shown):
    net = maps()
    features = Trunk(net, "head", takes_input=True)(shown)
    torch.testing.assert_close(net.module.head(features), net.module(shown))


def test_the_trunk_gives_a_map_and_runs_nothing_after_it(shown):
    net = maps()
    ran = []
    trunk = Trunk(net, "conv1")
    trunk.body.conv2.register_forward_hook(lambda *_: ran.append(True))
    torch.testing.assert_close(trunk(shown), net.module.conv1(shown))
    assert not ran


def test_gradients_flow_where_weights_are_not_frozen(shown):
    net = maps()
    free = Trunk(net, "conv2", is_frozen=False)
    free(shown).sum().backward()
    assert free.body.conv1.weight.grad is not None
    assert net.module.conv1.weight.grad is None
    frozen = Trunk(net, "conv2")
    assert not frozen(shown).requires_grad
    assert not frozen.train().training
    assert free.train().training


def test_the_head_is_that_of_the_card_else_the_last_linear_layer():
    assert head_of(maps()) == "head"
    assert head_of(network(maps().module, head="conv1")) == "conv1"
    bare = network(torch.nn.Sequential(torch.nn.Conv2d(3, 2, 3)))
    assert head_of(bare) == ""
    assert [path for path, *_ in outputs_of(maps())] == ["conv1", "conv2", "head"]


def test_the_last_map_is_found():
    assert last_map(maps()) == ("conv2", 6, SIZE // 4)
    with pytest.raises(ConfigError, match="small has no map"):
        last_map(corners())


def test_cornet_z_has_a_map_of_it_and_its_decoder():
    net = load_whole("cornet:z", weights="random", seed=0, offline=True)
    assert last_map(net) == ("IT", 512, 7)
    assert head_of(net) == "decoder.linear"


def test_a_network_of_tokens_is_refused():
    class Tokens(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.patch = torch.nn.Conv2d(3, 4, 8, stride=8)
            self.mix = torch.nn.Linear(4, 4)

        def forward(self, x):
            return self.mix(self.patch(x).flatten(2).transpose(1, 2)).mean(dim=1)

    with pytest.raises(ConfigError, match="no map over space near its end"):
        last_map(network(Tokens()))
    assert head_of(network(Tokens())) == ""  # a linear layer of tokens is no head


def test_a_layer_that_does_not_run_or_gives_no_tensor_is_refused(shown):
    class Odd(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.never = torch.nn.Linear(3, 3)
            self.pair = torch.nn.LSTM(SIZE, 2, batch_first=True)

        def forward(self, x):
            self.pair(x[:, 0])
            return x.mean(dim=(2, 3))

    net = network(Odd())
    with pytest.raises(ConfigError, match="'never' did not run"):
        Trunk(net, "never")(shown)
    with pytest.raises(ConfigError, match="'pair' puts out a tuple"):
        Trunk(net, "pair")(shown)


def test_pictures_are_normalized_and_resized(rng):
    picture = rng.random((8, 8, 3)).astype(np.float32)
    card = Card("x", (), size_px=8, mean=(0.5, 0.4, 0.3), sd=(0.1, 0.2, 0.3))
    made = fed([picture], card, device="cpu")
    expected = (picture - np.array(card.mean)) / np.array(card.sd)
    np.testing.assert_allclose(made[0].permute(1, 2, 0), expected, rtol=1e-4, atol=1e-5)
    flat = np.full((8, 8, 3), 0.25, np.float32)
    large = fed([flat], Card("x", (), size_px=20, mean=(0,) * 3, sd=(1,) * 3), device="cpu")
    torch.testing.assert_close(large, torch.full((1, 3, 20, 20), 0.25))
