"""features.memory: used again only once nobody holds what was in it."""

import gc

import numpy as np
import pytest
import torch

from bids_dnn.features.memory import Memory

CPU = torch.device("cpu")
SHAPE = torch.Size([3, 4])


@pytest.mark.parametrize(
    "hold",
    [
        lambda made: made,
        lambda made: made.numpy(),
        lambda made: made.numpy()[1:, ::2],
        lambda made: made.reshape(2, 6)[1],
        lambda made: memoryview(made.numpy()),
        lambda made: np.asarray(made.numpy()).T,
    ],
)
def test_what_is_held_in_any_way_is_not_used_again(hold):
    memory = Memory()
    made = memory.empty(SHAPE, CPU)
    place = made.data_ptr()
    held = hold(made)
    del made
    other = memory.empty(SHAPE, CPU)
    assert other.data_ptr() != place
    del held, other
    gc.collect()
    assert place in {memory.empty(SHAPE, CPU).data_ptr() for _ in range(1)}


def test_another_size_gets_memory_of_its_own():
    memory = Memory()
    first = memory.empty(SHAPE, CPU).data_ptr()
    assert memory.empty(torch.Size([3, 5]), CPU).data_ptr() != first
    assert memory.empty(torch.Size([12]), CPU).data_ptr() == first


def test_what_is_held_outlives_the_memory():
    memory = Memory()
    held = memory.empty(SHAPE, CPU).fill_(3).numpy()
    memory.clear()
    memory.empty(SHAPE, CPU).fill_(4)
    assert (held == 3).all()


def test_memory_of_other_devices_is_torchs():
    memory = Memory()
    assert memory.empty(SHAPE, torch.device("meta")).device.type == "meta"


def test_inference_mode_does_not_matter():
    memory = Memory()
    with torch.inference_mode():
        made = memory.empty(SHAPE, CPU).fill_(2)
        place = made.data_ptr()
    assert made.numpy().sum() == 24
    del made
    assert memory.empty(SHAPE, CPU).data_ptr() == place
