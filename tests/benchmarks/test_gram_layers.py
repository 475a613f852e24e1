"""benchmarks.gram_layers: answers are compared before times; memory less the network's own."""

import pytest

from benchmarks import gram_layers
from benchmarks.gram_layers import by_disk, check, products_alone, run
from tests.factories.networks import small_network


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    monkeypatch.setattr(gram_layers, "network_of", lambda _: small_network(size_px=16))
    monkeypatch.setattr(gram_layers, "SIZES", {"small": 9})
    monkeypatch.setattr(gram_layers, "CHECKED", 5)


def test_time_and_memory_are_compared(monkeypatch):
    calls = []

    def peak_of(function, **given):
        calls.append((function, given))
        return getattr(gram_layers, function.partition(":")[2])(**given), len(calls) * 1e9

    monkeypatch.setattr(gram_layers, "peak_of", peak_of)
    time, memory = run("small", "cpu")
    assert (memory.ours, memory.peer, memory.unit, memory.target) == (1.0, 2.0, "GB", 1.0)
    assert time.name.endswith(",9,time]")
    assert min(time.ours, time.peer) > 0
    assert [given for _, given in calls] == [{"n": 9, "device": "cpu"}] * 2


def test_other_products_are_refused(monkeypatch):
    made = by_disk(gram_layers.passes_over(5, "cpu"))
    last = list(made)[-1]
    made[last].gram[1, 1] *= 1.001
    monkeypatch.setattr(gram_layers, "by_disk", lambda _: made)
    with pytest.raises(ArithmeticError, match=rf"{last} differs from X X' by"):
        check("cpu")


@pytest.mark.parametrize("faster", ["by_groups", "by_numpy"])
def test_the_peer_multiplies_all_columns_in_the_faster_way(monkeypatch, faster):
    done = {"by_groups": [], "by_numpy": []}
    for way, calls in done.items():
        monkeypatch.setattr(
            gram_layers,
            way,
            lambda grid, tile, calls=calls: calls.append((grid.group, tile.shape[1])),
        )
    times = (1.0, 2.0) if faster == "by_groups" else (2.0, 1.0)
    monkeypatch.setattr(gram_layers, "time_both", lambda *_, **__: times)
    products_alone(64, {"a": 8192, "b": 5000, "c": 100})()
    assert done.pop(faster) == [(64, 4096), (64, 4096), (64, 4096), (64, 904), (64, 100)]
    assert not any(done.values())
