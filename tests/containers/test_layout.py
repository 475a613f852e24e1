"""containers.layout: lengths agree, for the layout and for its channels."""

import numpy as np
import pytest

from bids_dnn.containers.layout import Layout
from bids_dnn.containers.space import Channels
from bids_dnn.errors import ShapeError

NAN = np.full((2, 2), np.nan)


@pytest.mark.parametrize(
    ("area", "channel", "place"),
    [
        (("V1",), [1, 2], NAN),
        (("V1", "V1"), [1], NAN),
        (("V1", "V1"), [1, 2], NAN[:1]),
    ],
)
def test_other_lengths_are_refused(area, channel, place):
    with pytest.raises(ShapeError, match=r"have the shapes \(\(2,\)"):
        Layout(("a", "a"), area, np.array(channel), place)


def test_negative_channels_are_refused():
    with pytest.raises(ShapeError, match="channel holds -1"):
        Layout(("a", "a"), ("", ""), np.array([1, -1]), NAN)


def test_a_layout_of_other_channels_is_refused_and_a_right_one_is_kept():
    layout = Layout(("a", "a"), ("", ""), np.array([1, 2]), NAN)
    with pytest.raises(ShapeError, match="of 2 channels, there are 1"):
        Channels("electrodes", ("x",), np.arange(1), layout)
    space = Channels("electrodes", ("x", "y"), np.arange(2), layout)
    assert space.select(np.array([False, True])).layout is layout
