"""workflows.resources: what parts of a run are said to take."""

import pytest

from bids_dnn.workflows.resources import memory_of_products


def told(n, layers):
    return {"stimuli": {str(k): [] for k in range(n)}, "layers": layers}


def test_products_take_the_square_of_the_stimuli_for_each_layer():
    one = memory_of_products({"net": told(1000, ["conv1"])})
    assert one == pytest.approx(1e6 * (12 + 32) / 1e9)  # 8 and 4 bytes, and four in work
    assert memory_of_products({"net": told(2000, ["conv1"])}) == pytest.approx(4 * one)
    both = memory_of_products({"net": told(1000, ["conv1"]), "other": told(1000, ["a", "b"])})
    assert both == pytest.approx(one + 1e6 * (24 + 32) / 1e9)
    assert memory_of_products({"net": told(1000, [])}) > 2 * one  # layers of the network's choice
    assert memory_of_products({}) == 0
