"""features.probe: shapes, axes, tokens, maps, towers; refusals by name."""

from functools import partial

import pytest
import torch
from torch import nn

from bids_dnn.errors import ConfigError
from bids_dnn.features.probe import probe
from tests.factories.networks import small_network
from tests.factories.towers import Odd, Patches, network_of, ragged, towers


def facts(probed, *names):
    return tuple(getattr(probed, name) for name in names)


def test_all_modules_in_forward_order():
    found = probe(small_network(), None)
    assert [one.layer.name for one in found] == list("0123456")
    assert [one.kind for one in found][:2] == ["Conv2d", "ReLU"]
    assert [one.shape for one in found] == [
        *[(4, 10, 10)] * 2,
        *[(6, 8, 8)] * 2,
        *[(384,), (5,), (5,)],
    ]
    assert [one.nonlinearity for one in found] == [
        *("before", "after", "before", "after", "after", "before", "after"),
    ]
    assert {one.batch_axis for one in found} == {0}


def test_asked_layers_keep_their_order_and_their_options_count():
    names = ["5", "2:mean", "0:at(0,0;9,9):relu", "0", "0:pool(3)", "0:pool(28)"]
    found = probe(small_network(), names)
    assert [one.n_features for one in found] == [5, 6, 8, 400, 36, 400]
    assert [one.channel_axis for one in found] == [-1, 0, 0, 0, 0, 0]
    shapes = [one.map_shape() for one in found]
    assert shapes == [None, None, None, (4, 10, 10), (4, 3, 3), (4, 10, 10)]


def test_the_network_is_not_altered():
    network = small_network()
    state = torch.random.get_rng_state()
    before = {k: v.clone() for k, v in network.module.state_dict().items()}
    probe(network, None)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(torch.equal(before[k], v) for k, v in network.module.state_dict().items())
    assert not any(part._forward_hooks for part in network.module.modules())


@pytest.mark.parametrize(("has_class", "n_registers"), [(True, 0), (True, 2), (False, 2)])
def test_tokens_before_the_patches_are_counted(has_class, n_registers):
    make = partial(Patches, has_class=has_class, n_registers=n_registers)
    network = network_of(make)
    block, embed, conv = probe(network, ["blocks.1", "embed", "conv"])
    n = has_class + n_registers
    assert facts(block, "shape", "tokens", "n_prefix", "has_class") == (
        (9 + n, 8),
        True,
        n,
        has_class,
    )
    assert facts(embed, "shape", "n_prefix", "has_class") == ((9, 8), 0, False)
    assert facts(conv, "shape", "tokens") == ((8, 3, 3), False)
    assert [one.n_features for one in probe(network, ["blocks.1:mean", "blocks.1"])] == [
        8,
        8 * (9 + n),
    ]


def test_a_batch_that_is_not_the_first_axis_is_found():
    network = network_of(partial(Patches, is_batch_first=False))
    found = {one.layer.name: one for one in probe(network, None)}
    assert facts(found["blocks.0.fc1"], "batch_axis", "shape", "n_prefix") == (1, (12, 16), 3)
    assert facts(found["head"], "batch_axis", "shape") == (0, (5,))


class ChannelsLast(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 7, 4, 4)
        self.last = nn.LayerNorm(7)
        self.wide = nn.Linear(7, 3)  # as many channels as rows and columns
        self.cube = nn.Conv2d(3, 3, 1)

    def forward(self, x):
        x = self.wide(self.last(self.conv(x).permute(0, 2, 3, 1)))
        return self.cube(x.permute(0, 3, 1, 2))


def test_channels_that_come_last_are_told_from_rows_and_columns():
    found = probe(network_of(ChannelsLast), ["conv", "last", "wide", "cube", "last:at(2,2)"])
    assert [one.channel_axis for one in found] == [0, 2, 2, 0, 2]
    assert found[1].shape == (3, 3, 7)
    assert found[-1].n_features == 7


def test_runs_of_a_module_that_runs_twice():
    found = probe(network_of(Odd), ["shared", "shared:visit(0)"])
    assert [one.n_visits for one in found] == [2, 2]
    assert [one.visit for one in found] == [1, 0]
    assert [one.channel_axis for one in found] == [2, 0]
    with pytest.raises(ConfigError, match=r"'shared:visit\(2\)' of odd runs 2 time\(s\)"):
        probe(network_of(Odd), ["shared:visit(2)"])
    with pytest.raises(ConfigError, match=r"'shared' and 'shared:visit\(1\)' are one"):
        probe(network_of(Odd), ["shared", "shared:visit(1)"])


def test_fields_of_what_modules_put_out():
    names = ["named:field(pooled)", "named:field(hidden)", "pair:field(0)", ""]
    found = probe(network_of(Odd, aliases={"": ""}), names)
    assert [one.shape for one in found] == [(3,), (3 * 144,), (144, 2), (12, 12, 4)]


def test_what_the_network_returns_is_a_layer():
    network = network_of(partial(Patches), aliases={"out": ""})
    (out,) = probe(network, ["out"])
    assert facts(out, "kind", "shape", "n_visits") == ("Patches", (5,), 1)


def test_each_layer_has_its_tower():
    network = towers(aliases={"image_embeds": "", "text_embeds": ":text"})
    names = ["conv", "text_norm", "image_embeds", "text_embeds", "shared", "shared:text"]
    found = probe(network, names)
    assert [one.modality for one in found] == ["image", "text", "image", "text", "image", "text"]
    assert found[1].shape == (6, 4)
    assert [one.layer.name for one in probe(network, None)] == [
        *("conv", "shared", "words", "text_norm"),
    ]


@pytest.mark.parametrize(
    ("make", "layer", "told"),
    [
        (Odd, "idle", "'idle' of odd does not run"),
        (Odd, "named", "puts out several tensors, called pooled, hidden"),
        (Odd, "named:field(poled)", "puts out no 'poled'. Did you mean 'pooled'"),
        (Odd, "conv:field(x)", r"one tensor without a name, and no 'x'\. Leave :field\(x\) out"),
        (Patches, ".pooled", r"one tensor without a name, and no 'pooled'\. Name a module of it"),
        (Odd, "conv:visit(1)", r"runs 1 time\(s\), counted from 0\. .* :visit\(K\)"),
        (Odd, "swap", r"shape \(6, 12, 12\) for two inputs and \(9, 12, 12\) for three"),
        (Odd, "conv:class", "a map of 4 channels, 12 rows and 12 columns, which has no class"),
        (Odd, "conv:at(0,0;12,3)", r"\(12,3\) lies outside.*from 0 to 11, columns from 0 to 11"),
        (Patches, "head:mean", r"5 values of shape \(5,\), over which there is no mean"),
        (Patches, "head:at(0,0)", "no rows and columns"),
        (Patches, "head:pool(2)", r"no rows and columns\. Leave :pool\(...\) out"),
        (Patches, "embed:class", "9 tokens of patches of 8 values each, which has no class"),
        (partial(Patches, has_class=False), "blocks:class", "has no class token"),
    ],
)
def test_what_cannot_be_taken_is_refused_by_name(make, layer, told):
    with pytest.raises(ConfigError, match=told):
        probe(network_of(make), [layer])


def test_texts_have_neither_class_token_nor_mean():
    for option in ("class", "mean"):
        with pytest.raises(ConfigError, match="6 tokens of words of 4 values each"):
            probe(towers(), [f"text_norm:{option}"])


def test_a_tokenizer_that_pads_to_the_longest_is_found_out():
    with pytest.raises(ConfigError, match=r"'text_norm' .* no axis of stimuli"):
        probe(towers(tokenize=ragged), ["text_norm"])


def test_no_text_tower():
    with pytest.raises(ConfigError, match="asks for what small makes of texts"):
        probe(small_network(), ["0:text"])
    with pytest.raises(ConfigError, match="'text_norm' of towers does not run"):
        probe(towers(tokenize=None), ["text_norm"])


class Chancy(nn.Module):
    def forward(self, x):
        return x + torch.rand_like(x)


@pytest.mark.parametrize(
    "module",
    [Chancy(), nn.BatchNorm2d(3, track_running_stats=False), nn.Dropout(0.5)],
    ids=["random", "over the batch", "in training"],
)
def test_answers_that_do_not_rest_on_one_stimulus_alone_are_refused(module):
    is_trained = isinstance(module, nn.Dropout)
    network = network_of(partial(nn.Sequential, nn.Identity(), module))
    network.module.train(is_trained)
    with pytest.raises(
        ConfigError, match="the same two images otherwise when it is shown a third"
    ):
        probe(network, ["0"])


def test_answers_that_are_not_numbers_are_still_the_same():
    network = network_of(partial(nn.Sequential, nn.Identity(), nn.Threshold(0.0, float("nan"))))
    assert probe(network, ["0"])[0].shape == (3, 12, 12)
