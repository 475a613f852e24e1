"""features.capture: equal to plain hooks; laws; refusals."""

from contextlib import suppress
from functools import partial
from operator import attrgetter

import numpy as np
import pytest
import torch

from bids_dnn.errors import ConfigError, ShapeError
from bids_dnn.features.capture import arithmetic, capture
from bids_dnn.features.models import load_network
from bids_dnn.features.probe import probe
from tests.factories.networks import small_network
from tests.factories.towers import Odd, Patches, network_of, ragged, tokenize, towers

LAYERS = ("0", "2", "5")


@pytest.fixture
def shown(rng):
    return torch.from_numpy(rng.normal(size=(7, 3, 12, 12)).astype(np.float32))


def hooked(network, path, call=None, visit=-1):
    """Return what a plain hook sees, copied."""
    seen = []
    part = network.module.get_submodule(path)
    handle = part.register_forward_hook(lambda _m, _i, out: seen.append(out.clone()))
    with torch.inference_mode():
        call() if call else None
    handle.remove()
    return seen[visit]


def taken(network, shown, names, **options):
    return capture(network, shown, probe(network, names), **options)


def test_layers_are_those_of_plain_hooks(shown):
    network = small_network()
    made = taken(network, shown, LAYERS)
    assert tuple(made) == LAYERS
    for layer in LAYERS:
        expected = hooked(network, layer, lambda: network.module(shown))
        assert made[layer].dtype == torch.float32
        assert torch.equal(made[layer], expected.flatten(1))


def test_values_are_those_before_a_nonlinearity_in_place(shown):
    made = taken(small_network(), shown, LAYERS)
    assert all(values.min() < 0 for values in made.values())


def test_options_on_a_map(shown):
    network = small_network()
    whole = hooked(network, "0", lambda: network.module(shown))
    made = taken(
        network, shown, ["0:mean", "0:at(0,1;9,9)", "0:relu", "0:mean:relu", "0:at(3,3):relu"]
    )
    places = torch.stack([whole[:, :, 0, 1], whole[:, :, 9, 9]], dim=2)  # channel slowest
    expected = [
        whole.mean((2, 3)),
        places.flatten(1),
        whole.relu().flatten(1),
        whole.relu().mean((2, 3)),
        whole[:, :, 3, 3].relu(),
    ]
    for values, wanted in zip(made.values(), expected, strict=True):
        torch.testing.assert_close(values, wanted)


def test_a_pooled_map_holds_the_means_of_its_parts(shown):
    network = small_network()
    whole = hooked(network, "0", lambda: network.module(shown))  # (7, 4, 10, 10)
    made = taken(network, shown, ["0:pool(5)", "0:pool(2):relu", "0:pool(1)", "0:pool(3)"])
    parts = whole.reshape(7, 4, 5, 2, 5, 2).mean((3, 5))
    torch.testing.assert_close(made["0:pool(5)"], parts.flatten(1))
    parts = whole.relu().reshape(7, 4, 2, 5, 2, 5).mean((3, 5))
    torch.testing.assert_close(made["0:pool(2):relu"], parts.flatten(1))
    torch.testing.assert_close(made["0:pool(1)"], whole.mean((2, 3)))
    middle = whole[:, :, 3:7, 3:7].mean((2, 3))  # thirds of ten places share their last ones
    torch.testing.assert_close(made["0:pool(3)"].reshape(7, 4, 3, 3)[:, :, 1, 1], middle)
    same = taken(network, shown, ["0", "0:pool(64)"])
    torch.testing.assert_close(same["0"], same["0:pool(64)"])


def test_options_on_tokens(shown):
    network = network_of(Patches)
    whole = hooked(network, "blocks.0", lambda: network.module(shown))  # class, 2 registers
    made = taken(network, shown, ["blocks.0:class", "blocks.0:mean", "blocks.0:all"])
    expected = [whole[:, 0], whole[:, 3:].mean(1), whole.flatten(1)]
    for values, wanted in zip(made.values(), expected, strict=True):
        torch.testing.assert_close(values, wanted)


def test_channels_come_slowest_however_they_are_kept(shown):
    network = network_of(Odd)
    whole = hooked(network, "shared", lambda: network.module(shown))
    assert whole.shape == (7, 12, 12, 4)
    made = taken(network, shown, ["shared", "shared:at(2,3)", "shared:visit(0)"])
    pooled = taken(network, shown, ["shared:pool(1)"])["shared:pool(1)"]
    torch.testing.assert_close(pooled, whole.mean((1, 2)))
    torch.testing.assert_close(made["shared"], whole.permute(0, 3, 1, 2).flatten(1))
    torch.testing.assert_close(made["shared:at(2,3)"], whole[:, 2, 3])
    first = hooked(network, "shared", lambda: network.module(shown), visit=0)
    torch.testing.assert_close(made["shared:visit(0)"], first.flatten(1))


@pytest.mark.parametrize("is_batch_first", [True, False])
def test_permuting_the_pictures_permutes_the_rows(shown, rng, is_batch_first):
    network = network_of(partial(Patches, is_batch_first=is_batch_first))
    order = rng.permutation(len(shown))
    probed = probe(network, None)
    plain = capture(network, shown, probed)
    turned = capture(network, shown[order], probed[::-1])
    assert tuple(turned) == tuple(plain)[::-1]
    for layer, values in plain.items():
        torch.testing.assert_close(turned[layer], values[order])


def test_fields_and_what_the_network_returns(shown):
    network = network_of(Odd, aliases={"out": ""})
    made = taken(network, shown, ["named:field(pooled)", "pair", "out"])
    torch.testing.assert_close(made["named:field(pooled)"], shown.mean((2, 3)))
    assert made["pair"].shape == (7, 288)
    expected = network.module(shown).permute(0, 3, 1, 2).flatten(1)
    torch.testing.assert_close(made["out"], expected)


class Squeezed(torch.nn.Module):
    def forward(self, x):
        return x.squeeze()


@pytest.mark.parametrize("width", [1, 5])
def test_a_batch_of_one_that_the_network_squeezes_away_is_a_row(width, rng):
    parts = (torch.nn.Conv2d(3, width, 3), torch.nn.AdaptiveAvgPool2d(1), Squeezed())
    network = network_of(partial(torch.nn.Sequential, *parts))
    pictures = torch.from_numpy(rng.normal(size=(4, 3, 12, 12)).astype("f4"))
    probed = probe(network, ["2"])
    together = capture(network, pictures, probed)["2"]
    alone = torch.cat([capture(network, one[None], probed)["2"] for one in pictures])
    assert together.shape == (4, width)
    torch.testing.assert_close(alone, together)


def test_texts(shown):
    network = towers(aliases={"embeds": "", "text_embeds": ":text"})
    tokens = tokenize(["a cat", "dogs", "x"])
    made = taken(network, tokens, ["text_embeds", "text_norm"])
    torch.testing.assert_close(made["text_embeds"], network.read(tokens))
    assert made["text_norm"].shape == (3, 24)
    assert taken(network, shown, ["embeds"])["embeds"].shape == (7, 3)
    with pytest.raises(ConfigError, match="'text_norm' of towers is of texts, but images"):
        taken(network, shown, ["text_norm"])
    with pytest.raises(ShapeError, match=r"'text_norm' puts out the shape \(4, 4\).*\(6, 4\)"):
        capture(network, ragged(["aaaa"]), probe(network, ["text_norm"]))


def test_nothing_after_the_deepest_layer_runs(shown):
    network = small_network()
    ran = []
    network.module[3].register_forward_hook(lambda *_: ran.append("after"))
    probed = {names: probe(network, names) for names in (("2", "0"), ("5",))}
    ran.clear()
    capture(network, shown, probed["2", "0"])
    assert not ran
    capture(network, shown, probed["5",])
    assert ran == ["after"]


def test_a_layer_that_does_not_run_again_is_refused(shown):
    network = network_of(Odd)
    probed = probe(network, ["shared"])
    network.module.shared = torch.nn.Identity()
    network.module.forward = lambda x: x
    with pytest.raises(ConfigError, match="'shared' of odd did not run"):
        capture(network, shown, probed)


def test_no_hook_stays_behind_and_the_pictures_are_not_altered(shown):
    network = small_network()
    before = shown.clone()
    taken(network, shown, LAYERS)
    assert not any(part._forward_hooks for part in network.module.modules())
    assert torch.equal(shown, before)


def test_features_do_not_share_memory_with_the_network(shown):
    network = small_network()
    plain = taken(network, shown, ["5"])["5"]
    kept = plain.clone()
    taken(network, 2 * shown, ["5", "6"])
    assert torch.equal(plain, kept)


def test_every_layer_of_alexnet_is_before_its_nonlinearity(rng):
    network = load_network("alexnet", weights="random", layers=None, seed=0)
    shown = torch.from_numpy(rng.normal(size=(2, 3, 224, 224)).astype(np.float32))
    probed = probe(network, network.card.layers)
    made = capture(network, shown, probed)
    assert tuple(made) == network.card.layers
    assert [one.n_features for one in probed] == [made[layer].shape[1] for layer in made]
    assert [one.nonlinearity for one in probed] == ["before"] * 7 + [""]
    assert all((values < 0).float().mean() > 0.2 for values in made.values())


def distance(one, other):
    """Return how far centered Gram matrices lie apart, over the norm of the first."""
    n = len(one)
    centering = torch.eye(n, dtype=torch.float64) - 1 / n
    grams = [centering @ x.double() @ x.double().T @ centering for x in (one, other)]
    return ((grams[0] - grams[1]).norm() / grams[0].norm()).item()


@pytest.mark.parametrize("make", [small_network, partial(network_of, Patches)])
def test_bf16_is_near_float32(shown, make):
    network = make()
    probed = probe(network, None)
    exact = capture(network, shown, probed)
    coarse = capture(network, shown, probed, precision="bf16")
    for layer, values in exact.items():
        assert coarse[layer].dtype == torch.float32
        assert distance(values, coarse[layer]) < 1e-2
    assert any(not torch.equal(coarse[layer], exact[layer]) for layer in exact)


@pytest.mark.parametrize("precision", ["float32", "tf32", "bf16"])
@pytest.mark.parametrize("before", ["highest", "high"])
def test_settings_of_torch_come_back(precision, before):
    torch.set_float32_matmul_precision(before)
    try:
        with suppress(KeyError), arithmetic(precision, "cpu"):
            assert torch.get_float32_matmul_precision() == "highest"
            assert torch.backends.cudnn.deterministic
            assert not torch.backends.cudnn.benchmark
            assert torch.is_autocast_enabled("cpu") == (precision == "bf16")
            raise KeyError
        assert torch.get_float32_matmul_precision() == before
        assert not torch.backends.cudnn.deterministic
        assert not torch.is_autocast_enabled("cpu")
    finally:
        torch.set_float32_matmul_precision("highest")


NEWER = {
    "all": {"": "tf32"},
    "products": {"cuda.matmul": "tf32"},
    "convolutions": {"cudnn.conv": "tf32", "cudnn.rnn": "ieee"},
    "cuDNN": {"cudnn": "tf32", "": "ieee"},
    "neither": {"": "ieee", "cudnn.conv": "ieee", "cudnn.rnn": "ieee"},
}
READ = ("", "cudnn", "cuda.matmul", "cudnn.conv", "cudnn.rnn", "mkldnn.matmul", "mkldnn.conv")


def newer(name):
    return attrgetter(name)(torch.backends) if name else torch.backends


def newer_values():
    return {name: newer(name).fp32_precision for name in READ}


@pytest.mark.skipif(not hasattr(torch.backends, "fp32_precision"), reason="an older torch")
@pytest.mark.parametrize("older", ["highest", "high"])
@pytest.mark.parametrize("kind", NEWER)
def test_newer_settings_of_torch_make_nothing_coarse_and_come_back(shown, kind, older):
    """As the file of a network may set them."""
    torch.set_float32_matmul_precision(older)
    before, inside = newer_values(), []
    network = small_network()
    network.module[0].register_forward_hook(lambda *_: inside.append(newer_values()))
    probed = probe(network, LAYERS)
    inside.clear()
    try:
        for name, value in NEWER[kind].items():
            newer(name).fp32_precision = value
        told = newer_values()
        capture(network, shown, probed)
        assert newer_values() == told
        assert "tf32" not in inside[0].values()
    finally:
        for name in READ:
            newer(name).fp32_precision = "none"
        for name, value in before.items():
            newer(name).fp32_precision = value
        torch.set_float32_matmul_precision("highest")


@pytest.mark.gpu
@pytest.mark.parametrize(
    ("precision", "most"), [("float32", 1e-5), ("tf32", 1e-2), ("bf16", 1e-2)]
)
def test_the_gpu_gives_the_same_values(shown, precision, most):
    if not torch.cuda.is_available():
        pytest.skip("no GPU")
    network = small_network()
    probed = probe(network, LAYERS)
    plain = capture(network, shown, probed)
    network.module.to("cuda")
    one, other = (capture(network, shown.cuda(), probed, precision=precision) for _ in range(2))
    for layer in LAYERS:
        assert torch.equal(one[layer], other[layer])
        assert distance(plain[layer], one[layer].cpu()) < most
