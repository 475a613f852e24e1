"""features.models.presence: where weights are, found without loading them."""

import pytest
import torch

from bids_dnn.errors import ConfigError, MissingInputError, UnreadableError
from bids_dnn.features.models.presence import whereabouts
from tests.factories import hub as made

LATER = "not here yet: they would be downloaded"


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    for name in ("HF_HUB_CACHE", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def test_a_file_of_ones_own_must_be_there(home):
    path = home / "w.pt"
    with pytest.raises(MissingInputError, match=r"no file of weights .*w\.pt\. Correct the path"):
        whereabouts("alexnet", weights=path, offline=False)
    path.write_bytes(b"not looked into")
    assert whereabouts("alexnet", weights=str(path), offline=True) == f"in {path}"


def test_what_the_networks_own_code_makes_is_nowhere():
    assert whereabouts("alexnet", weights="random", offline=True) == ""
    assert whereabouts("net.py:factory", weights=None, offline=True) == ""


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("alexnet", "alexnet-owt-7be5be79"),
        ("cornet:z", "cornet_z"),
        ("ecoset:alexnet", "alexnet_ecoset"),
        ("timm:resnet18", "timm/resnet18"),
        ("open_clip:ViT-B-32/openai", "vit_base_patch32"),
        ("transformers:facebook/dinov2-base", "facebook/dinov2-base"),
    ],
)
def test_weights_that_are_not_there_are_refused_offline_and_announced_online(name, told):
    with pytest.raises(MissingInputError, match=told):
        whereabouts(name, weights=None, offline=True)
    assert whereabouts(name, weights=None, offline=False) == LATER


def test_the_hubs_own_word_for_offline_counts_for_its_families(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert whereabouts("alexnet", weights=None, offline=False) == LATER
    with pytest.raises(MissingInputError, match="hf download facebook/dinov2-base"):
        whereabouts("transformers:facebook/dinov2-base", weights=None, offline=False)


def test_weights_in_torchs_cache_are_found_and_their_name_is_checked(home):
    path = home / "torch" / "hub" / "checkpoints" / "alexnet_ecoset.pth"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"x")
    assert whereabouts("ecoset:alexnet", weights=None, offline=True) == f"in {path}"
    (path.parent / "alexnet-owt-7be5be79.pth").write_bytes(b"x")
    with pytest.raises(UnreadableError, match="its name says 7be5be79"):
        whereabouts("alexnet", weights=None, offline=False)


def test_a_folder_holds_its_weights_or_the_run_would_fail(home):
    folder = home / "net"
    folder.mkdir()
    source = made.save_dinov2(folder)
    whole = folder / "model.safetensors"
    name = f"transformers:{folder}"
    assert whereabouts(name, weights=None, offline=True) == f"in {whole}"
    whole.unlink()
    with pytest.raises(MissingInputError, match=r"does not hold config\.json and model"):
        whereabouts(name, weights=None, offline=False)
    torch.save(source.state_dict(), folder / "pytorch_model.bin")
    assert whereabouts(name, weights=None, offline=True) == f"in {folder / 'pytorch_model.bin'}"
    (folder / "pytorch_model.bin").unlink()
    source.save_pretrained(folder, max_shard_size="5KB")
    shards = sorted(folder.glob("model-*.safetensors"))
    told = whereabouts(name, weights=None, offline=True)
    assert told == f"in {shards[0]} and {len(shards) - 1} more files"
    shards[1].unlink()
    with pytest.raises(MissingInputError, match=shards[1].name):
        whereabouts(name, weights=None, offline=False)


def test_a_network_without_published_weights_is_refused():
    with pytest.raises(ConfigError, match="no network 'alexnt'"):
        whereabouts("alexnt", weights=None, offline=True)
