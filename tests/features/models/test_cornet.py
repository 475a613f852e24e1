"""features.models.cornet: names and shapes as published, circuits as in the papers."""

from dataclasses import replace

import pytest
import torch
from torch.nn.functional import conv2d, max_pool2d, relu

from bids_dnn.errors import ConfigError, MissingInputError, ShapeError
from bids_dnn.features.models import card_of, load_network
from bids_dnn.features.models import cornet as family
from bids_dnn.features.models.cornet_modules import CHANNELS, RecurrentArea, SkippingArea, make_rt
from bids_dnn.features.probe import probe

AREAS = tuple(CHANNELS)
Z_SHAPES = {
    "V1.conv.weight": (64, 3, 7, 7),
    "V1.conv.bias": (64,),
    "V2.conv.weight": (128, 64, 3, 3),
    "V2.conv.bias": (128,),
    "V4.conv.weight": (256, 128, 3, 3),
    "V4.conv.bias": (256,),
    "IT.conv.weight": (512, 256, 3, 3),
    "IT.conv.bias": (512,),
    "decoder.linear.weight": (1000, 512),
    "decoder.linear.bias": (1000,),
}


def built(name):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return family.build(name).eval().requires_grad_(requires_grad=False)


@pytest.fixture
def pictures(rng):
    return torch.from_numpy(rng.normal(size=(2, 3, 64, 64)).astype("f4"))


def drawn(module, rng):
    """Give norms of their own to a module, so that none of them can be left out unnoticed."""
    for name, value in module.state_dict().items():
        if "norm" in name and value.dtype == torch.float32:
            value.copy_(torch.from_numpy(rng.uniform(0.5, 1.5, size=tuple(value.shape))))
    return module


def test_z_has_the_published_names_and_shapes():
    state = built("z").state_dict()
    assert {key: tuple(value.shape) for key, value in state.items()} == Z_SHAPES


@pytest.mark.parametrize(("name", "n_parameters"), [("z", 2_071_656), ("s", 53_416_616)])
def test_there_are_as_many_parameters_as_published(name, n_parameters):
    with torch.device("meta"):
        module = family.MEMBERS[name].make()
    assert sum(one.numel() for one in module.parameters()) == n_parameters


@pytest.mark.parametrize(("name", "size"), [("z", 224), ("s", 64), ("rt", 64), ("r", 64)])
def test_areas_halve_their_maps_as_the_card_and_probe_say(name, size):
    network = load_network(f"cornet:{name}", weights="random", layers=None, seed=0)
    assert network.card.size_px == 224
    network = replace(network, card=replace(network.card, size_px=size))
    layers = [*network.card.layers, *(f"{area}.output" for area in AREAS)]
    found = {one.layer.name: one for one in probe(network, layers)}
    sides = {area: size // 4 // 2**i for i, area in enumerate(AREAS)}
    assert {area: found[area].shape for area in AREAS} == {
        area: (CHANNELS[area], side, side) for area, side in sides.items()
    }
    assert found["decoder.linear"].shape == (1000,) == (len(network.card.labels),)
    times = [found[f"{area}.output"].n_visits for area in AREAS]
    assert times == {"z": [1] * 4, "s": [1, 2, 4, 2]}.get(name, [5] * 4)


def test_z_is_what_its_paper_says(pictures):
    module = built("z")
    x = pictures
    for area, stride in zip(AREAS, (2, 1, 1, 1), strict=True):
        weight, bias = (module.state_dict()[f"{area}.conv.{part}"] for part in ("weight", "bias"))
        x = conv2d(x, weight, bias, stride=stride, padding=weight.shape[-1] // 2)
        x = max_pool2d(relu(x), 3, stride=2, padding=1)
    linear = module.decoder.linear
    torch.testing.assert_close(module(pictures), linear(x.mean((2, 3))))


def test_fresh_biases_of_z_are_0():
    assert not any(value.any() for key, value in built("z").state_dict().items() if "bias" in key)


def test_weights_saved_in_parallel_go_in(tmp_path):
    state = {f"module.{key}": value for key, value in built("z").state_dict().items()}
    torch.save({"state_dict": state, "epoch": 25}, tmp_path / "z.pth")
    made = load_network("cornet:z", weights=tmp_path / "z.pth", layers=None, seed=1)
    torch.testing.assert_close(made.module.V4.conv.weight, state["module.V4.conv.weight"])
    with pytest.raises(ShapeError, match=r"z\.pth does not fit .* 'V1\.conv_input\.weight'"):
        load_network("cornet:rt", weights=tmp_path / "z.pth", layers=None, seed=1)


def test_an_area_of_s_runs_on_its_own_output_with_a_norm_for_each_time(rng):
    area = drawn(SkippingArea(4, 8, n_steps=2), rng).eval()
    x = torch.from_numpy(rng.normal(size=(2, 4, 10, 10)).astype("f4"))
    entered = area.conv_input(x)
    once = relu(area.norm1_0(area.conv1(entered)))
    once = relu(area.norm2_0(conv2d(once, area.conv2.weight, stride=2, padding=1)))
    once = relu(area.norm3_0(area.conv3(once)) + area.norm_skip(area.skip(entered)))
    twice = relu(area.norm1_1(area.conv1(once)))
    twice = relu(area.norm2_1(conv2d(twice, area.conv2.weight, padding=1)))
    twice = relu(area.norm3_1(area.conv3(twice)) + once)
    seen = []
    area.output.register_forward_hook(lambda _m, _i, out: seen.append(out))
    torch.testing.assert_close(area(x), twice)
    torch.testing.assert_close(seen[0], once)
    torch.testing.assert_close(area(x), twice)  # nothing is kept from the call before


def test_a_recurrent_area_adds_its_state_to_what_comes_in(rng):
    area = drawn(RecurrentArea(4, 32), rng)
    x = torch.from_numpy(rng.normal(size=(2, 4, 9, 9)).astype("f4"))
    state = torch.from_numpy(rng.normal(size=(2, 32, 5, 5)).astype("f4"))

    def after(driven):
        return relu(area.norm1(area.conv1(driven)))

    torch.testing.assert_close(area(None, state), after(state))
    came = relu(area.norm_input(area.conv_input(x)))
    torch.testing.assert_close(area(x, state), after(came + state))


@pytest.mark.parametrize(("name", "first"), [("rt", 4), ("r", 2)])
def test_pictures_reach_it_late_where_time_passes_between_areas(name, first, pictures):
    """In RT a step passes between areas; in R only the first step is V1's alone."""
    module = built(name)
    seen = []
    module.IT.register_forward_hook(lambda _m, _i, out: seen.append(out))
    module(pictures)
    assert len(seen) == 5
    differs = [not torch.allclose(out[0], out[1]) for out in seen]
    assert differs == [step >= first for step in range(1, 6)]


def test_rt_is_what_its_paper_says(pictures, rng):
    module = drawn(make_rt(), rng).eval()
    areas = [getattr(module, area) for area in AREAS]
    sides = (16, 8, 4, 2)
    states = [
        torch.zeros(2, n, side, side) for n, side in zip(CHANNELS.values(), sides, strict=True)
    ]
    for step in range(5):
        inputs = [pictures, *(states[:-1] if step else [None] * 3)]
        states = [area(x, h) for area, x, h in zip(areas, inputs, states, strict=True)]
    expected = module.decoder.linear(states[-1].mean((2, 3)))
    torch.testing.assert_close(module(pictures), expected)


def test_without_weights_the_message_says_where_they_are_published(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(MissingInputError, match=r"cornet_s-1d3f7974\.pth.*cornet-models/"):
        load_network("cornet:s", weights=None, layers=None, seed=0, offline=True)


def test_a_wrong_name_is_met_with_the_nearest():
    with pytest.raises(ConfigError, match=r"cornet:x.*'cornet:"):
        card_of("cornet:x")
