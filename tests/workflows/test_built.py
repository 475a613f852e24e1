"""workflows.built: what a network rests on is known before a run is called done."""

import pytest
import torch

from bids_dnn.files import fingerprint
from bids_dnn.workflows import built
from bids_dnn.workflows.built import built_of

SOURCE = """
import torch
import {helper}
def factory():
    made = torch.nn.Sequential(torch.nn.Conv2d(3, 2, 3))
    made.load_state_dict(torch.load({path!r}))
    return made
"""


def told(network, **options):
    return built_of(network, **{"weights": None, "seed": 0, "sha256": fingerprint} | options)


def test_weights_that_the_users_factory_reads_count(tmp_path):
    path, found = tmp_path / "weights.pt", []
    (tmp_path / "mine.py").write_text(SOURCE.format(helper="math", path=str(path)))
    for value in (0.0, 1.0, 0.0):
        layer = torch.nn.Sequential(torch.nn.Conv2d(3, 2, 3))
        torch.nn.init.constant_(layer[0].weight, value)
        torch.nn.init.constant_(layer[0].bias, value)
        torch.save(layer.state_dict(), path)
        found.append(told(f"{tmp_path}/mine.py:factory"))
    assert found[0] == found[2] != found[1]


def test_the_content_of_a_folder_counts_and_its_place_does_not(tmp_path):
    for name, text in (("one", "1"), ("same", "1"), ("other", "2")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.safetensors").write_text(text)
    one, same, other = (told(f"transformers:{tmp_path / n}") for n in ("one", "same", "other"))
    assert one == same != other


@pytest.mark.parametrize(
    ("network", "library"),
    [("alexnet", "torchvision"), ("timm:x", "timm"), ("open_clip:x/y", "open_clip_torch")],
)
def test_versions_of_the_libraries_count(network, library, monkeypatch):
    before = told(network)
    assert set(before["libraries"]) == {"torch", "numpy", "pillow", library}
    monkeypatch.setattr(built, "version", lambda name: "99" if name == library else "")
    assert told(network) != before


def test_a_folder_that_happens_to_have_a_networks_name_does_not_count(tmp_path, monkeypatch):
    before = [told(name) for name in ("torchvision:vgg19", "transformers:")]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "vgg19").mkdir()
    (tmp_path / "vgg19" / "notes.txt").write_text("mine")
    assert [told(name) for name in ("torchvision:vgg19", "transformers:")] == before
