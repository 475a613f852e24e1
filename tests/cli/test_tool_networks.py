"""bids_dnn_tools layers and weights."""

import re

import pytest
import torch
from click.testing import CliRunner

from bids_dnn import files
from bids_dnn.cli.tools import main
from bids_dnn.features.models import ecoset, load_whole

NET = """
from torch import nn
card = {CARD}
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 4, 3)
        self.relu = nn.ReLU(inplace=True)
        self.idle = nn.Linear(2, 2)
        self.flat = nn.Flatten()
        self.fc = nn.Linear(4 * 36, 2)
    def forward(self, x):
        x = self.relu(self.conv1(x))
        return self.fc(self.flat(self.relu(x)))
def factory():
    return Net()
"""
CARD = {
    "size_px": 8,
    "layers": ("conv1", "fc"),
    "aliases": {"V1": "conv1", "mean": "relu:mean", "first": "relu:visit(0)"},
    "license": "MIT",
    "doi": "10.1/2",
    "reference": "Doe (2020), Nets.",
    "head": "fc",
    "labels": ("cat", "dog"),
}


@pytest.fixture
def write(tmp_path):
    def make(card):
        path = tmp_path / "net.py"
        path.write_text(NET.replace("{CARD}", repr(card)))
        return f"{path}:factory"

    return make


def said(*args):
    return CliRunner().invoke(main, [str(arg) for arg in args])


def table(output):
    lines = output.split("LAYER", 1)[1].split("\n\n", 1)[0].splitlines()[1:]
    return [re.split(r"\s{2,}", line.strip()) for line in lines]


def test_layers_stand_in_forward_order_with_their_aliases(write):
    result = said("layers", write(CARD))
    assert result.exit_code == 0, result.output
    assert table(result.output) == [
        ["*", "conv1", "V1", "Conv2d", "4 x 6 x 6", "144", "before", "1"],
        ["relu:mean", "mean", "ReLU", "4 x 6 x 6", "4", "after", "2"],
        ["relu:visit(0)", "first", "ReLU", "4 x 6 x 6", "144", "after", "2"],
        ["*", "fc", "Linear", "2", "2", "-", "1"],
    ]
    assert "--all shows all 4 modules" in result.output


def test_all_modules_that_run_are_shown_when_asked_for(write):
    result = said("layers", write(CARD), "--all")
    layers = [row[row[0] == "*"] for row in table(result.output)]
    assert layers == ["conv1", "relu:mean", "relu:visit(0)", "relu", "flat", "fc"]


def test_a_layer_that_cannot_be_had_spoils_no_other(write):
    aliases = {"V1": "conv1", "idle": "idle", "gone": "conv1:class", "avg": "relu:mean"}
    result = said("layers", write({**CARD, "aliases": aliases}))
    assert result.exit_code == 0, result.output
    assert [row[row[0] == "*"] for row in table(result.output)] == ["conv1", "relu:mean", "fc"]
    _, told = result.output.split("not to be had:\n")
    idle, gone = told.splitlines()
    assert "'idle' of net does not run" in idle
    assert "'gone' of net puts out a map of 4 channels, 6 rows and 6 columns" in gone


@pytest.mark.whole
def test_networks_without_pooler_or_tokenizer_are_shown(tmp_path):
    from tests.factories import hub

    for save, n_refused in ((hub.save_vit, 0), (hub.save_git, 0), (hub.save_clip, 2)):
        folder = tmp_path / save.__name__
        folder.mkdir()
        save(folder)
        for path in folder.glob("tokenizer*"):
            path.unlink()
        result = said("layers", f"transformers:{folder}", "--offline")
        assert result.exit_code == 0, result.output
        assert sum(row[0] == "*" for row in table(result.output)) >= 3
        assert result.output.count("its tokenizer is not there") == n_refused


def test_the_card_stands_above(write):
    output = said("layers", write(CARD)).output
    for told in (
        "net\n",
        "8 x 8 pixels",
        "squash, bilinear",
        "0, 0, 0",
        "fc, 2 classes",
        "MIT",
        "Doe (2020), Nets.",
        "https://doi.org/10.1/2",
    ):
        assert told in output


def test_a_network_without_default_layers_is_shown(write):
    result = said("layers", write({"size_px": 8}))
    assert result.exit_code == 0
    assert [row[0] for row in table(result.output)] == ["conv1", "relu", "flat", "fc"]


def test_weights_that_do_not_fit_are_refused(write, tmp_path):
    torch.save({"conv1.weight": torch.zeros(1)}, tmp_path / "w.pt")
    result = said("layers", write(CARD), "--weights", tmp_path / "w.pt")
    assert result.exit_code == 2
    assert "w.pt does not fit the network" in result.output


def test_wrong_names_leave_with_two_sentences():
    for args, told in [
        (("layers", "alexnett"), "Did you mean 'alexnet'?"),
        (("weights", "cornet:zz"), "Did you mean 'cornet:z'"),
        (("layers", "clip:x"), "no family of networks"),
        (("layers", "/nowhere/net.onnx"), "reads as a path, and nothing is there"),
    ]:
        result = said(*args)
        assert result.exit_code == 2
        assert told in result.output
        assert "Traceback" not in result.output


def test_weights_are_found_and_told_with_their_hashes(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setitem(ecoset.MEMBERS, "small", ecoset.Member("squeezenet1_1", "https://x.org/"))
    path = tmp_path / "hub" / "checkpoints" / "small_ecoset.pth"
    path.parent.mkdir(parents=True)
    assert "nothing may be downloaded" in said("weights", "ecoset:small", "--offline").output
    whole = load_whole("ecoset:small", weights="random", seed=0)
    torch.save(whole.module.state_dict(), path)
    output = said("weights", "ecoset:small", "--offline").output
    assert str(path) in output
    assert files.fingerprint(path) in output
    assert whole.weights_sha256 in output


def test_the_users_own_network_tells_what_its_factory_made(write):
    output = said("weights", write(CARD)).output
    assert "as made by factory()" in output
    assert "SHA-256 over the tensors" in output
