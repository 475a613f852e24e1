"""features.models.blocks: what stands for the depth of a network."""

import pytest
import timm
import torch
from torch import nn

from bids_dnn.features.models.blocks import blocks_of, runnable, stages_of, without_weights
from bids_dnn.features.models.timm import card
from tests.factories.networks import small_network


class Rows(nn.Module):
    """Two stages in lists, made in another order than they run; one idle, one that gives two."""

    def __init__(self):
        super().__init__()
        self.second = nn.ModuleList(nn.Linear(4, 4) for _ in range(3))
        self.first = nn.ModuleList([Pair(), Pair()])
        self.idle = nn.ModuleList(nn.Linear(1, 1) for _ in range(2))

    def forward(self, x):
        x = x.mean((2, 3)) @ torch.ones((3, 4), device=x.device)
        for part in self.first:
            _, x = part(x)
        for part in self.second:
            x = part(x)
        return x


class Pair(nn.Module):
    def __init__(self):
        super().__init__()
        self.line = nn.Linear(4, 4)

    def forward(self, x):
        return self.line(x).T, x


class Looks(nn.Module):
    def __init__(self):
        super().__init__()
        self.blocks = nn.ModuleList(nn.Linear(4, 4) for _ in range(2))

    def forward(self, x):
        return x if x.sum() > 0 else self.blocks[0](x)


class Counts(Looks):
    def __init__(self):
        super().__init__()
        self.rate = torch.linspace(0, 1, 3)[1].item()


def on_meta(kind):
    return without_weights(kind)


@pytest.mark.parametrize("kind", [Looks, Counts])
def test_without_weights_there_are_shapes_and_no_draws(kind):
    before = torch.random.get_rng_state()
    net = on_meta(kind)
    assert {value.device.type for value in net.state_dict().values()} == {"meta"}
    assert torch.equal(before, torch.random.get_rng_state())


def test_blocks_are_the_members_of_the_outermost_lists():
    net = on_meta(Rows)
    assert blocks_of(net)[:3] == ("second.0", "second.1", "second.2")
    assert blocks_of(net, "first.0") == ("first.0.line",)
    assert blocks_of(small_network().module) == ("0", "2", "5")


def test_layers_run_stand_in_forward_order_and_give_one_tensor():
    net = on_meta(Rows)
    assert runnable(net, blocks_of(net), size_px=8) == (
        *("first.0:field(1)", "first.1:field(1)"),
        *("second.0", "second.1", "second.2"),
    )
    assert runnable(net, ["second", "first", "idle"], size_px=8) == (
        *("first.1:field(1)", "second.2"),
    )


def test_what_cannot_run_without_numbers_is_left_as_it_is():
    net = on_meta(Looks)
    assert runnable(net, ["blocks.1", "blocks.0"], size_px=8) == ("blocks.1", "blocks.0")


def test_no_hook_stays_behind():
    net = on_meta(Rows)
    runnable(net, blocks_of(net), size_px=8)
    assert not any(part._forward_hooks for part in net.modules())


def test_timm_calls_things_stages_that_give_several_tensors():
    told = stages_of(without_weights(lambda: timm.create_model("pit_ti_224")))
    assert told[0] == "transformers.0"
    assert card("pit_ti_224").layers[0] == "transformers.0:field(0)"
