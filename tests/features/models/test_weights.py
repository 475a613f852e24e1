"""features.models.weights: the cache, the download that cannot be had, the hash."""

import errno
import hashlib
import io
import time
import urllib.error
import urllib.request

import pytest
import torch
from safetensors.torch import save_file

from bids_dnn.errors import MissingInputError, OutputError, UnreadableError
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


def test_offline_the_network_is_never_asked(home, monkeypatch):
    monkeypatch.setattr(urllib.request, "urlopen", None)
    with pytest.raises(MissingInputError) as caught:
        load_network("alexnet", weights=None, layers=None, seed=0, offline=True)
    told = str(caught.value)
    assert "nothing may be downloaded" in told
    assert "Put alexnet-owt-7be5be79.pth (from https://download.pytorch.org/" in told
    assert str(home) in told


def test_a_file_in_the_cache_that_is_cut_short_is_refused(home):
    home.mkdir(parents=True)
    (home / "tiny-01234567.pth").write_bytes(b"half of it")
    with pytest.raises(UnreadableError, match=r"its name says 01234567.*Remove it"):
        find_weights("tiny", URL.format("01234567"), offline=True)


@pytest.mark.parametrize("name", ["net", "net-20190101", "a-long-name-of-a-net"])
def test_only_what_looks_like_a_hash_is_one(name, home):
    home.mkdir(parents=True)
    (home / f"{name}.pth").write_bytes(b"x")
    assert find_weights("net", f"https://example.org/{name}.pth").is_file()


class Answer(io.BytesIO):
    """What the network sends, and how much it said that it would."""

    length = 0


def test_a_download_that_ends_early_is_not_kept(home, monkeypatch):
    answer = Answer(b"half")
    answer.length = 8
    monkeypatch.setattr(urllib.request, "urlopen", lambda *_a, **_o: answer)
    with pytest.raises(MissingInputError, match="4 of 8 bytes came"):
        find_weights("tiny", URL.format(1))
    assert not list(home.iterdir())


def test_a_download_lands_in_the_cache(home, monkeypatch):
    monkeypatch.setattr(urllib.request, "urlopen", lambda *_a, **_o: io.BytesIO(b"weights"))
    url = URL.format(hashlib.sha256(b"weights").hexdigest()[:8])
    assert find_weights("tiny", url).read_bytes() == b"weights"


def test_a_full_disk_is_not_taken_for_a_missing_network(home, monkeypatch):
    class Full(io.BytesIO):
        def read(self, *_args):
            raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr(urllib.request, "urlopen", lambda *_a, **_o: Full())
    with pytest.raises(OutputError, match=r"tiny-1\.pth cannot be written: No space left"):
        find_weights("tiny", URL.format(1))
    assert not list(home.iterdir())


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


STATE = {"0.weight": torch.arange(6.0).reshape(2, 3), "0.bias": torch.zeros(2)}


@pytest.mark.parametrize("wrapper", ["state_dict", "model", "model_state_dict"])
@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.", "_orig_mod.module."])
@pytest.mark.parametrize("n_times", [1, 2])
def test_what_training_code_wraps_around_is_taken_off(wrapper, prefix, n_times, tmp_path):
    state = {prefix * n_times + key: value for key, value in STATE.items()}
    torch.save({wrapper: state, "epoch": 3, "optimizer": {"lr": 0.1}}, tmp_path / "a.pt")
    found = read_state(tmp_path / "a.pt")
    assert list(found) == list(STATE)
    torch.testing.assert_close(found["0.weight"], STATE["0.weight"])


def test_a_part_called_module_keeps_its_name(tmp_path):
    torch.save({"module.a": torch.zeros(1), "b": torch.zeros(1)}, tmp_path / "a.pt")
    assert list(read_state(tmp_path / "a.pt")) == ["module.a", "b"]


def test_safetensors_come_back(tmp_path):
    save_file(STATE, tmp_path / "a.safetensors")
    found = read_state(tmp_path / "a.safetensors")
    assert found.keys() == STATE.keys()
    torch.testing.assert_close(found["0.weight"], STATE["0.weight"])


@pytest.mark.parametrize("kept", [0, 4, 20, -5])
def test_safetensors_that_are_cut_short_are_refused(kept, tmp_path):
    path = tmp_path / "a.safetensors"
    save_file(STATE, path)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(UnreadableError, match=r"a\.safetensors cannot be read as safetensors"):
        read_state(path)


@pytest.mark.parametrize("is_new", [True, False])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.95])
def test_files_of_torch_that_are_cut_short_are_refused(is_new, share, tmp_path):
    path = tmp_path / "a.pth"
    large = {"0.weight": torch.zeros(64, 64)}
    torch.save(large, path, _use_new_zipfile_serialization=is_new)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(UnreadableError, match=r"a\.pth cannot be read .* cut short, is refused"):
        read_state(path)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({}, "an empty dictionary"),
        ({"epoch": 3, "lr": 0.1}, "a dictionary of 'epoch', 'lr'"),
        ([1, 2], "a list"),
        (torch.zeros(3), "a Tensor"),
        ({"state_dict": {"a": 1}}, "a dictionary of 'a'"),
    ],
)
def test_what_is_no_state_dict_is_named(content, told, tmp_path):
    torch.save(content, tmp_path / "a.pt")
    with pytest.raises(UnreadableError, match=f"holds {told}"):
        read_state(tmp_path / "a.pt")


def test_a_whole_network_is_refused_since_it_is_code(tmp_path):
    torch.save(torch.nn.Linear(3, 2), tmp_path / "a.pt")
    with pytest.raises(UnreadableError, match=r"holds code of torch\.nn\.modules.linear.Linear"):
        read_state(tmp_path / "a.pt")


@pytest.mark.parametrize(
    ("content", "match"),
    [(b"", "it is empty"), (b"<!DOCTYPE html>", "torch did not write it"), (b"\x89PNG", "torch")],
)
def test_torch_s_advice_to_run_code_is_not_passed_on(content, match, tmp_path):
    (tmp_path / "a.pt").write_bytes(content)
    with pytest.raises(UnreadableError, match=match) as caught:
        read_state(tmp_path / "a.pt")
    assert "weights_only" not in str(caught.value)


def test_a_download_shows_how_far_it_is_on_a_terminal(home, monkeypatch, capsys):
    answer = Answer(b"weights" * 1000)
    answer.length = 7000
    monkeypatch.setattr(urllib.request, "urlopen", lambda *_a, **_o: answer)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    find_weights("tiny", URL.format(2))
    told = capsys.readouterr()
    assert "Downloading weights of tiny" in told.err
    assert told.out == ""
    assert (home / "tiny-2.pth").stat().st_size == 7000
