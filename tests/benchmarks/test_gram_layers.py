"""benchmarks.gram_layers: answers are compared before times; memory less the network's own."""

import pytest

from benchmarks import gram_layers
from benchmarks.gram_layers import by_disk, check, products_s, run
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


def test_a_tile_stands_for_all_columns(monkeypatch):
    tiles = []

    def tile_s(grid, width):
        tiles.append((grid.group, width))
        return 2.0

    monkeypatch.setattr(gram_layers, "_tile_s", tile_s)
    assert products_s(64, {"a": 8192, "b": 3 * 8192, "c": 100}) == 2 * (2 + 6 + 1)
    assert tiles == [(64, 4096), (64, 100)]
