"""analyses.samediff.transfer: what is frozen stays, features are made once."""

import numpy as np
import pytest
import torch

from bids_dnn.analyses.samediff import transfer
from bids_dnn.analyses.samediff.augment import parse_copies
from bids_dnn.analyses.samediff.looking import fed
from bids_dnn.analyses.samediff.training import Training, train
from bids_dnn.analyses.samediff.transfer import Frozen, Standardized
from bids_dnn.errors import ConfigError, UnreadableError
from bids_dnn.features.models import load_whole
from bids_dnn.features.models.weights import hash_of
from tests.factories.samediff import corners, draw, maps, material, network


def test_cornet_z_keeps_the_parameters_of_the_seed_project():
    made = material(n=6, validation=0, test=0.3)
    made = type(made)(made.pairs.iloc[[0, -1]].assign(split=["train", "test"]), made.exemplars,
                      made.pictures, made.draw)  # fmt: skip
    net = load_whole("cornet:z", weights="random", seed=0, offline=True)
    frozen = Frozen(made, net, parse_copies([]), Training())
    assert frozen.n_frozen == 1_558_656
    assert frozen.features.shape == (2, 512)
    head = frozen.problem().make()
    assert sum(p.numel() for p in head.parameters()) == 2 * 512 + 2


def test_features_are_what_goes_into_the_head():
    made, net = material(orientations=("inverted",)), maps()
    frozen = Frozen(made, net, parse_copies(["invert"]), Training())
    row = int(made.entries("train")[3, 0])
    crops = (1 - made.pictures[side[row]] for side in made.sides())
    shown = fed([draw(*crops, "inverted")], net.card, device="cpu")
    body = net.module
    with torch.no_grad():
        expected = body.conv2(body.conv1(shown).relu()).mean(dim=(2, 3))
    (features,) = frozen(np.array([[row, 1]]), epoch=7)
    torch.testing.assert_close(features, expected)


def test_the_output_of_a_layer_can_be_read_instead():
    made, net = material(), maps()
    frozen = Frozen(made, net, parse_copies([]), Training(), layer="conv1")
    assert frozen.source == "conv1"
    assert frozen.features.shape[1] == 6 * 6 * 6
    assert frozen.n_frozen == 3 * 6 * 9 + 6
    with pytest.raises(ConfigError, match=r"no layer 'conv'.*'conv1'"):
        Frozen(made, net, parse_copies([]), Training(), layer="conv")


def test_a_network_without_a_head_is_read_at_its_end():
    bare = network(torch.nn.Sequential(torch.nn.Conv2d(3, 2, 3, stride=8)))
    frozen = Frozen(material(), bare, parse_copies([]), Training())
    assert frozen.source == "output"
    assert frozen.features.shape[1] == 2 * 3 * 3


def test_the_network_sees_each_canvas_once(monkeypatch):
    calls = []
    monkeypatch.setattr(transfer, "fed", lambda *a, **k: calls.append(1) or fed(*a, **k))
    made = material()
    frozen = Frozen(made, corners(), parse_copies(["noise"]), Training())
    n_seen = len(calls)
    train(frozen.problem(), Training(n_epochs=3))
    assert len(calls) == n_seen == -(-len(frozen.features) // transfer.SHOWN)


def test_noise_is_drawn_anew_where_that_is_asked_for():
    made, copies = material(), parse_copies(["noise"])
    entries = made.entries("train", 2)[:6]
    is_noise = entries[:, 1] == 1
    for redraws in (False, True):
        frozen = Frozen(made, corners(), copies, Training(), redraws=redraws)
        before = frozen.features.clone()
        (first,), (second,), (again,) = (frozen(entries, epoch=k) for k in (1, 2, 1))
        torch.testing.assert_close(first, again, rtol=0, atol=0)
        torch.testing.assert_close(first[~is_noise], second[~is_noise], rtol=0, atol=0)
        assert bool((first[is_noise] != second[is_noise]).all()) == redraws
        assert torch.equal(frozen.features, before)


def test_validation_and_test_are_plain_and_statistics_are_those_of_training():
    made = material()
    frozen = Frozen(made, corners(), parse_copies(["all"]), Training())
    asked = frozen.problem()
    assert set(asked.watched) == {"train", "validation"}
    assert all(not entries[:, 1].any() for entries in asked.watched.values())
    assert len(asked.train) == 14 * len(made.entries("train"))
    head = asked.make()
    learnt = frozen.features[: len(asked.train)]
    torch.testing.assert_close(head.mean, learnt.mean(dim=0))
    torch.testing.assert_close(1 / head.scale, learnt.std(dim=0, correction=0))


def test_the_loss_begins_at_log_2_and_the_network_is_not_altered():
    net = corners()
    before = hash_of(net.module)
    made = train(Frozen(material(), net, parse_copies([]), Training()).problem(), Training(2))
    start = made.curves.query("epoch == 0")["loss"]
    np.testing.assert_allclose(start, np.log(2), rtol=1e-6)
    assert hash_of(net.module) == before


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_any_scale_of_features_works(scale):
    net = corners()
    module = torch.nn.Sequential(net.module.__class__(compares=True), torch.nn.Identity())
    module[0].head = torch.nn.Identity()
    scaled = torch.nn.Sequential(module, torch.nn.Linear(3, 3), torch.nn.Linear(3, 2))
    torch.nn.init.zeros_(scaled[1].bias)
    with torch.no_grad():
        scaled[1].weight.copy_(scale * torch.eye(3))
    frozen = Frozen(material(), network(scaled), parse_copies([]), Training())
    curves = train(frozen.problem(), Training(20, rate=0.05)).curves
    assert curves.query("split == 'validation'")["accuracy"].iloc[-1] > 0.9


def test_features_that_do_not_vary_are_0():
    head = Standardized(torch.tensor([3.0, 1.0]), torch.tensor([0.0, 2.0]))
    torch.nn.init.ones_(head.linear.weight)
    made = head(torch.tensor([[9.0, 5.0]]))
    torch.testing.assert_close(made, torch.tensor([[2.0, 2.0]]))


def test_values_that_are_no_numbers_are_refused():
    net = corners()
    torch.nn.init.constant_(net.module.head.weight, 1.0)
    broken = torch.nn.Sequential(torch.nn.Conv2d(3, 2, 3), torch.nn.Flatten(),
                                 torch.nn.Linear(2 * 22 * 22, 2))  # fmt: skip
    torch.nn.init.constant_(broken[0].weight, float("nan"))
    with pytest.raises(UnreadableError, match="small makes values that are no numbers"):
        Frozen(material(), network(broken), parse_copies([]), Training())
