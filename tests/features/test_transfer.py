"""features.transfer: what the network is fed, and how many at a time."""

from contextlib import contextmanager

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils._python_dispatch import TorchDispatchMode

from bids_dnn.containers.network import Card, Network
from bids_dnn.errors import ConfigError
from bids_dnn.features.transfer import (
    ON_CPU,
    TEXTS_ON_CUDA,
    OnCuda,
    batch_size_for,
    lane_to,
    largest_batch,
    normalized,
    placed,
    stacked,
)
from bids_dnn.stimuli.load import Loader
from tests.factories.loaders import load_picture
from tests.factories.networks import photos, small_network

CARD = Card("mine", (), size_px=12)


def test_8_bits_become_what_numpy_makes_of_them(rng, tmp_path):
    for name, one in photos(rng, 4).items():
        Image.fromarray(one).save(tmp_path / name)
    files = {path.name: (path,) for path in sorted(tmp_path.iterdir())}
    load = Loader(files, 12, "squash")
    made = normalized(stacked([load(name) for name in files]), CARD)
    expected = np.stack([load_picture(path, CARD) for (path,) in files.values()])
    np.testing.assert_array_max_ulp(made.numpy(), expected, maxulp=1)
    assert made.is_contiguous()


def test_floats_are_taken_as_they_are_and_8_bits_beside_them_as_parts_of_255(rng):
    bits = rng.integers(0, 256, (12, 12, 3), dtype=np.uint8)
    units = bits / np.float32(255)
    both = stacked([bits, units])
    assert both.dtype == torch.float32
    assert torch.equal(both[0], both[1])
    expected = normalized(stacked([bits]), CARD)
    torch.testing.assert_close(normalized(both, CARD)[:1], expected)


def test_the_pictures_are_not_altered(rng):
    units = [rng.random((12, 12, 3), dtype=np.float32)]
    kept = units[0].copy()
    tensor = stacked(units)
    normalized(tensor, CARD)
    assert torch.equal(tensor[0], torch.from_numpy(kept))
    np.testing.assert_array_equal(units[0], kept)


def test_on_the_cpu_nothing_travels():
    lane = lane_to("cpu")
    values = torch.tensor([[1.0, torch.inf]])
    made, finite = lane.fetch({"a": torch.ones(2, 2), "b": values})()
    assert finite == [True, False]
    assert np.shares_memory(made["b"], values.numpy())
    network = small_network()
    assert placed(network, "cpu") is network


class Stream:
    """Stands for a stream of a GPU."""

    def wait_stream(self, _):
        """Wait for nothing."""

    def record_event(self):
        return self

    def synchronize(self):
        """Wait for nothing."""


def test_nothing_but_copies_runs_on_the_stream_of_copies(monkeypatch):
    """What it would read is given away as soon as `fetch` returns, unless it was recorded."""
    down, on, seen, copied = Stream(), [], [], []

    @contextmanager
    def stream(one):
        on.append(one)
        yield
        on.pop()

    class Watch(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            seen.extend([str(func)] if on else [])
            return func(*args, **(kwargs or {}))

    monkeypatch.setattr(torch.cuda, "stream", stream)
    monkeypatch.setattr(torch.cuda, "current_stream", Stream)
    monkeypatch.setattr(OnCuda, "_down", lambda _, there: copied.append(there) or there)
    values = {"a": torch.ones(2, 2), "b": torch.tensor([[1.0, torch.inf]])}
    with Watch():
        wait = OnCuda("cuda", up=Stream(), down=down).fetch(values)
    assert seen == []
    assert len(copied) == 3
    made, finite = wait()
    assert finite == [True, False]
    np.testing.assert_array_equal(made["b"], values["b"].numpy())


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"each": 1e6, "free": 80e9, "width": 1000}, 256),
        ({"each": 1e9, "free": 80e9, "width": 1000}, 32),  # 56 would fit
        ({"each": 1e6, "free": 80e9, "width": 6_000_000}, 32),  # 1 GiB on the host
        ({"each": 1e9, "free": 0, "width": 1000}, 1),
        ({"each": 0, "free": 0, "width": 10**9}, 1),
    ],
)
def test_the_batch_follows_memory(given, expected):
    assert largest_batch(256, **given) == expected


@pytest.mark.parametrize(("width", "share"), [(1, 1), (6_100_000, 1), (16_000_000, 2)])
def test_the_batch_is_fixed_where_nothing_is_tried(width, share):
    assert batch_size_for("cpu", n=7, width=width, look=None) == ON_CPU // share
    assert batch_size_for("cuda", n=7, width=1, look=None) == TEXTS_ON_CUDA


def test_a_copy_of_the_network_goes_to_the_device():
    network = small_network()
    there = placed(network, "meta")  # as good as a GPU for this
    assert there.card is network.card
    assert {one.device.type for one in there.module.parameters()} == {"meta"}
    assert there.module[2].weight.is_contiguous(memory_format=torch.channels_last)
    assert {one.device.type for one in network.module.parameters()} == {"cpu"}
    assert network.module[2].weight.is_contiguous()


class Huge(torch.nn.Module):
    def _apply(self, *_, **__):
        raise torch.OutOfMemoryError("CUDA out of memory.")


def test_a_network_that_does_not_fit_is_refused():
    with pytest.raises(ConfigError, match="huge does not fit into the free memory of meta"):
        placed(Network(Huge(), Card("huge", ()), "", ""), "meta")


@pytest.mark.gpu
def test_what_travels_to_the_gpu_and_back_is_the_same(rng):
    if not torch.cuda.is_available():
        pytest.skip("no GPU")
    lane = lane_to("cuda")
    given = [rng.integers(0, 256, (12, 12, 3), dtype=np.uint8) for _ in range(5)]
    there = normalized(lane.send(given), CARD)
    assert there.is_contiguous(memory_format=torch.channels_last)
    made, finite = lane.fetch({"a": there.flatten(1)})()
    assert finite == [True]
    expected = normalized(stacked(given), CARD).flatten(1).numpy()
    np.testing.assert_array_max_ulp(made["a"], expected, maxulp=1)
