"""features.layers: known answers, laws, refusals."""

import pytest
import torch

from bids_dnn.containers.network import Card
from bids_dnn.errors import ConfigError
from bids_dnn.features.layers import (
    OPTIONS,
    Layer,
    layers_of,
    parse_layer,
    resolve_layers,
    split_layers,
)

ALIASES = {"conv1": "0", "pooled": "vision:field(pooler_output)", "out": "", "state": ".hidden"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("features.0", Layer("features.0", "features.0")),
        ("a:all", Layer("a:all", "a")),
        ("conv1:mean", Layer("conv1:mean", "0", take="mean")),
        ("b:class:relu", Layer("b:class:relu", "b", take="class", is_rectified=True)),
        ("b:at(1,2; 3,4)", Layer("b:at(1,2; 3,4)", "b", take="at", places=((1, 2), (3, 4)))),
        (
            "b:relu:pool(7)",
            Layer("b:relu:pool(7)", "b", take="pool", n_cells=7, is_rectified=True),
        ),
        ("V1:visit(0):relu", Layer("V1:visit(0):relu", "V1", visit=0, is_rectified=True)),
        ("pooled", Layer("pooled", "vision", field="pooler_output")),
        ("out", Layer("out", "")),
        ("out:text", Layer("out:text", "", modality="text")),
        ("state", Layer("state", "", field="hidden")),
        (".hidden:mean", Layer(".hidden:mean", "", field="hidden", take="mean")),
        (":text", Layer(":text", "", modality="text")),
    ],
)
def test_known_layers(text, expected):
    assert parse_layer(text, ALIASES) == expected


def test_the_order_of_options_does_not_matter():
    one, other = (parse_layer(f"a:{x}", {}) for x in ("at(0,1):relu:visit(2)",) * 2)
    turned = parse_layer("a:visit(2):at(0,1):relu", {})
    assert one == other
    assert (turned.take, turned.visit, turned.places) == (one.take, one.visit, one.places)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "has no name"),
        ("a:man", r"option 'man'.*Did you mean 'mean'"),
        ("a:at", r"option 'at'.*Write at\(ROW,COLUMN"),
        ("a:visit(x)", r"option 'visit\(x\)'.*Write visit\(K\)"),
        ("a:mean(3)", r"option 'mean\(3\)'.*Write mean"),
        ("a:at(1;2)", r"places '1;2'.*at\(6,6\)"),
        ("a:at(-1,2)", r"places '-1,2'"),
        ("a:at(1,2;1,2)", "place twice"),
        ("a:pool", r"option 'pool'.*Write pool\(N\)"),
        ("a:pool(0)", r"pooled to '0' rows.*pool\(28\)"),
        ("a:pool(7x7)", r"pooled to '7x7' rows"),
        ("a:pool(2):at(0,0)", "asks for pool and for at"),
        ("a:mean:class", "asks for mean and for class"),
        ("a:visit(1):visit(2)", r"asks for visit\(1\) and for visit\(2\)"),
        ("pooled:field(x)", r"asks for field\(pooler_output\) and for field\(x\)"),
    ],
)
def test_what_no_layer_says_is_refused(text, told):
    with pytest.raises(ConfigError, match=told):
        parse_layer(text, ALIASES)


def test_each_option_is_one_that_is_read():
    for option in OPTIONS:
        told = option.replace("ROW,COLUMN;...", "0,1").replace("K", "0").replace("NAME", "x")
        told = told.replace("(N)", "(2)")
        assert parse_layer(f"a:{told}", {}).module == "a"


def test_layers_are_split_outside_parentheses():
    assert split_layers("a , b:at(1,2;3,4):relu,c") == ["a", "b:at(1,2;3,4):relu", "c"]
    assert split_layers(" , ") == []


@pytest.fixture
def module():
    return torch.nn.Sequential(torch.nn.Conv2d(3, 4, 1), torch.nn.Sequential(torch.nn.ReLU()))


def test_layers_are_found_among_modules_and_aliases(module):
    card = Card("mine", (), aliases={"conv1": "0"})
    found = resolve_layers(module, card, ["1.0", "conv1", "0:mean"])
    assert [(one.name, one.module) for one in found] == [
        ("1.0", "1.0"),
        ("conv1", "0"),
        ("0:mean", "0"),
    ]
    assert layers_of(module) == ("0", "1", "1.0")


def test_a_module_with_two_paths_has_both_names():
    part = torch.nn.ReLU()
    assert layers_of(torch.nn.Sequential(part, part)) == ("0", "1")


@pytest.mark.parametrize(
    ("names", "told"),
    [
        ([], r"No layer of mine .*There are: 0, 1, 1\.0, conv1, fc"),
        (["conv2"], r"mine has no layer 'conv2'.*Did you mean 'conv1'"),
        (["conv2:mean"], "has no layer 'conv2'"),
        (["fc"], "The alias 'fc' of mine stands for '1.1'.*Correct the card.* '1.0'"),
        (["fc:mean"], "The alias 'fc' of mine"),
        (["0", "conv1"], "'0' and 'conv1' of mine are one and the same"),
        (["0:at(0,0):relu", "conv1:relu:at(0,0)"], "one and the same"),
    ],
)
def test_layers_that_are_not_there_or_there_twice_are_refused(module, names, told):
    with pytest.raises(ConfigError, match=told):
        resolve_layers(module, Card("mine", (), aliases={"conv1": "0", "fc": "1.1"}), names)
