"""features.models.weights: the cache, the download that cannot be had, the hash."""

import hashlib
import io
import time
import urllib.error
import urllib.request

import pytest
import torch

from bids_dnn.errors import MissingInputError
from bids_dnn.features.models import load_network
from bids_dnn.features.models.weights import find_weights, hash_of, read_state

URL = "https://download.example.org/models/tiny-{}.pth"


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    return tmp_path / "hub" / "checkpoints"


@pytest.mark.parametrize(
    "failure", [urllib.error.URLError("no route"), TimeoutError("slow"), OSError("no socket")]
)
def test_offline_the_message_names_file_place_and_option(home, monkeypatch, failure):
    def refuse(*_args, **_options):
        raise failure

    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    start = time.perf_counter()
    with pytest.raises(MissingInputError) as caught:
        load_network("alexnet", weights=None, layers=None, seed=0)
    told = str(caught.value)
    assert time.perf_counter() - start < 10
    assert "alexnet-owt-7be5be79.pth" in told
    assert str(home) in told
    assert "--weights alexnet=PATH" in told
    assert "--weights alexnet=random" in told


def test_a_file_in_the_cache_is_taken_without_asking_the_network(home, monkeypatch):
    monkeypatch.setattr(urllib.request, "urlopen", None)
    home.mkdir(parents=True)
    (home / "tiny-0.pth").write_bytes(b"x")
    assert find_weights("tiny", URL.format(0)) == home / "tiny-0.pth"


def test_a_download_lands_in_the_cache(home, monkeypatch):
    monkeypatch.setattr(urllib.request, "urlopen", lambda *_a, **_o: io.BytesIO(b"weights"))
    url = URL.format(hashlib.sha256(b"weights").hexdigest()[:8])
    assert find_weights("tiny", url).read_bytes() == b"weights"


def test_a_download_with_another_hash_is_refused_and_not_kept(home, monkeypatch):
    monkeypatch.setattr(urllib.request, "urlopen", lambda *_a, **_o: io.BytesIO(b"a login page"))
    with pytest.raises(MissingInputError, match="expected 01234567"):
        find_weights("tiny", URL.format("01234567"))
    assert not list(home.iterdir())


def test_one_bit_of_a_weight_changes_the_hash():
    module = torch.nn.Linear(3, 2)
    before = hash_of(module)
    with torch.no_grad():
        module.weight[1, 2] = torch.nextafter(module.weight[1, 2], torch.tensor(9.0))
    assert hash_of(module) != before
    assert len(before) == 64


def test_the_hash_covers_names_and_shapes():
    def module(**parts):
        return torch.nn.ModuleDict(parts)

    def line(n_in, n_out):
        made = torch.nn.Linear(n_in, n_out, bias=False)
        torch.nn.init.ones_(made.weight)
        return made

    assert hash_of(module(a=line(3, 2))) == hash_of(module(a=line(3, 2)))
    assert hash_of(module(a=line(3, 2))) != hash_of(module(b=line(3, 2)))
    assert hash_of(module(a=line(3, 2))) != hash_of(module(a=line(2, 3)))


def test_a_state_dict_comes_back(tmp_path):
    torch.save({"a": torch.arange(3)}, tmp_path / "a.pt")
    assert read_state(tmp_path / "a.pt")["a"].tolist() == [0, 1, 2]
