"""workflows.resources: what parts of a run are said to take."""

import pytest

from bids_dnn.workflows.resources import Resources, memory_of_products

MACHINE = Resources(2, 1, 16.0)


def told(n, layers):
    return {"stimuli": {str(k): [] for k in range(n)}, "layers": layers}


def test_products_take_the_square_of_the_stimuli_for_each_layer():
    one = memory_of_products({"net": told(1000, ["conv1"])}, MACHINE)
    assert one == pytest.approx(1e6 * (12 + 32) / 1e9)  # 8 and 4 bytes, and four in work
    assert memory_of_products({"net": told(2000, ["conv1"])}, MACHINE) == pytest.approx(4 * one)
    both = memory_of_products(
        {"net": told(1000, ["conv1"]), "other": told(1000, ["a", "b"])}, MACHINE
    )
    assert both == pytest.approx(one + 1e6 * (24 + 32) / 1e9)
    assert (
        memory_of_products({"net": told(1000, [])}, MACHINE) > 2 * one
    )  # layers of the network's choice
    assert memory_of_products({}, MACHINE) == 0
    # no node may ask for more than there is
    assert memory_of_products({"net": told(50_000, ["a"])}, MACHINE) == 16
