"""features.models.load: cards, seeds, layers, refusals."""

import pytest
import torch

from bids_dnn.errors import ConfigError, MissingInputError, ShapeError, UnreadableError
from bids_dnn.features.models import card_of, families, layers_of, load_network
from bids_dnn.features.models.load import family_of

SMALL = """
from torch import nn
def factory():
    return nn.Sequential(nn.Conv2d(3, 2, 3), nn.ReLU(inplace=True), nn.Conv2d(2, 4, 3))
def other():
    return 7
"""


@pytest.fixture
def small(tmp_path):
    path = tmp_path / "small.py"
    path.write_text(SMALL)
    return path


@pytest.fixture(scope="module")
def alexnet():
    return load_network("alexnet", weights="random", layers=None, seed=0)


def test_alexnet_is_random_by_seed_and_leaves_the_state_of_torch_alone(alexnet):
    before = torch.random.get_rng_state()
    again = load_network("alexnet", weights="random", layers=None, seed=0)
    assert torch.equal(before, torch.random.get_rng_state())
    assert again.weights == "random (seed 0)"
    assert again.weights_sha256 == alexnet.weights_sha256
    assert not again.module.training


def test_another_seed_gives_other_weights(small):
    hashes = {
        load_network(f"{small}:factory", weights="random", layers=["0"], seed=seed).weights_sha256
        for seed in range(3)
    }
    assert len(hashes) == 3


def test_a_name_may_have_the_prefix_of_its_family():
    assert card_of("torchvision:alexnet") == card_of("alexnet")
    assert family_of("cornet:z")[1] == "z"
    assert set(families()) == {
        *("torchvision", "timm", "open_clip", "transformers", "cornet", "ecoset", "lowlevel"),
        "PATH/file.py:factory",
    }


def test_a_wrong_family_is_met_with_the_nearest():
    with pytest.raises(ConfigError, match=r"'torchvison'.*'torchvision'"):
        card_of("torchvison:alexnet")


def test_a_path_that_is_no_network_is_not_looked_for_among_names(tmp_path):
    path = tmp_path / "hostname"
    path.write_text("here")
    with pytest.raises(ConfigError, match="hostname' is a file, but not one of Python"):
        card_of(str(path))


def test_layers_may_be_aliases(alexnet):
    made = load_network("alexnet", weights="random", layers=["conv1", "relu1", "fc8"], seed=0)
    assert made.card.layers == ("conv1", "relu1", "fc8")
    assert made.weights_sha256 == alexnet.weights_sha256
    with pytest.raises(ConfigError, match=r"'conv1' and 'features.0' of alexnet are one"):
        load_network("alexnet", weights="random", layers=["conv1", "features.0"], seed=0)


def test_the_layers_of_other_networks_can_be_named():
    made = load_network("squeezenet1_1", weights="random", layers=["features.0"], seed=0)
    assert "features.0" in layers_of(made.module)
    assert made.card.layers == ("features.0",)


def test_a_wrong_network_and_a_wrong_layer_are_met_with_the_nearest(small):
    with pytest.raises(ConfigError, match=r"'alexnt'.*'alexnet'"):
        load_network("alexnt", weights="random", layers=None, seed=0)
    with pytest.raises(ConfigError, match=r"no layer '3'.*There are: 0, 1, 2"):
        load_network(f"{small}:factory", weights=None, layers=["3"], seed=0)
    with pytest.raises(ConfigError, match="one and the same"):
        load_network(f"{small}:factory", weights=None, layers=["0", "0"], seed=0)
    with pytest.raises(ConfigError, match=r"No layer of small .*--network small@LAYER"):
        load_network(f"{small}:factory", weights=None, layers=None, seed=0)


def test_weights_from_a_file_go_in(small, tmp_path):
    source = load_network(f"{small}:factory", weights="random", layers=["0"], seed=5)
    torch.save(source.module.state_dict(), tmp_path / "w.pt")
    torch.save({"state_dict": source.module.state_dict()}, tmp_path / "wrapped.pt")
    for file in ("w.pt", "wrapped.pt"):
        made = load_network(f"{small}:factory", weights=tmp_path / file, layers=["0"], seed=0)
        assert made.weights == file
        assert made.weights_sha256 == source.weights_sha256


def test_weights_of_another_network_are_refused_by_the_first_mismatch(small, tmp_path):
    state = load_network(
        f"{small}:factory", weights=None, layers=["0"], seed=0
    ).module.state_dict()
    for change, told in [
        ({"0.bias": None}, "lacks '0.bias'"),
        ({"2.weight": torch.zeros(4, 2, 5, 5)}, r"'2.weight' with shape \(4, 2, 5, 5\)"),
        ({"9.bias": torch.zeros(1)}, "has '9.bias', which"),
        ({"0.bias": state["0.bias"].to(torch.int8)}, "has '0.bias' as int8, .* quantized"),
    ]:
        torch.save({k: v for k, v in {**state, **change}.items() if v is not None}, tmp_path / "w")
        with pytest.raises(ShapeError, match=told):
            load_network(f"{small}:factory", weights=tmp_path / "w", layers=["0"], seed=0)


class Bomb:
    def __reduce__(self):
        return exec, ("raise SystemExit('this ran')",)


@pytest.mark.parametrize("kind", ["code", "cut", "empty", "text", "list"])
def test_what_is_no_state_dict_is_refused_and_not_run(small, tmp_path, kind):
    path = tmp_path / "w.pt"
    torch.save({"code": {"0.bias": Bomb()}, "list": [1]}.get(kind, {"a": torch.zeros(99)}), path)
    if kind in {"cut", "empty"}:
        path.write_bytes(path.read_bytes()[: 300 if kind == "cut" else 0])
    if kind == "text":
        path.write_text("version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(UnreadableError, match=r"w\.pt"):
        load_network(f"{small}:factory", weights=path, layers=["0"], seed=0)


def test_absent_files_are_refused(small, tmp_path):
    with pytest.raises(MissingInputError, match=r"weights .*no\.pt"):
        load_network(f"{small}:factory", weights=tmp_path / "no.pt", layers=["0"], seed=0)
    with pytest.raises(MissingInputError, match=r"no file .*no\.py"):
        card_of(f"{tmp_path}/no.py:factory")


def test_without_weights_the_factory_has_the_word(small):
    made = load_network(f"{small}:factory", weights=None, layers=["0"], seed=0)
    assert made.weights == "as made by factory()"
    assert (made.card.name, made.card.mean, made.card.sd) == ("small", (0.0,) * 3, (1.0,) * 3)


OTHER = """
import torch
card = {{"size_px": 8, "layers": ("0",)}}
def factory():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Conv2d(3, 2, 3)).to({to})
"""


@pytest.mark.parametrize("to", ["torch.float64", "torch.float16", "torch.bfloat16"])
def test_networks_of_other_precision_become_float32(to, tmp_path):
    (tmp_path / "mine.py").write_text(OTHER.format(to=to))
    network = load_network(f"{tmp_path}/mine.py:factory", weights=None, layers=None, seed=0)
    assert {one.dtype for one in network.module.parameters()} == {torch.float32}
    assert network.show(torch.zeros(1, 3, 8, 8)).shape == (1, 2, 6, 6)


def test_networks_without_values_are_refused(tmp_path):
    (tmp_path / "mine.py").write_text(OTHER.format(to="'meta'"))
    with pytest.raises(ConfigError, match=r"has 2 tensors without values .* such as '0\.weight'"):
        load_network(f"{tmp_path}/mine.py:factory", weights=None, layers=None, seed=0)
