"""group.stack: order, who is missing, refusals."""

from __future__ import annotations

import pandas as pd
import pytest

from bids_dnn.errors import NotEnoughDataError, ShapeError
from bids_dnn.group.stack import stack


def frame(score):
    return pd.DataFrame({"region": ["V1"], "score": [score]})


def test_stack_sorts_participants_and_names_the_missing():
    table, missing = stack({"02": frame(0.2), "01": frame(0.1)}, ["01", "02", "03"])
    assert table["participant"].tolist() == ["01", "02"]
    assert table["score"].tolist() == [0.1, 0.2]
    assert list(table.columns) == ["participant", "region", "score"]
    assert missing == ("03",)


def test_stack_does_not_depend_on_order():
    one, _ = stack({"02": frame(0.2), "01": frame(0.1)}, [])
    two, _ = stack({"01": frame(0.1), "02": frame(0.2)}, [])
    pd.testing.assert_frame_equal(one, two)


def test_stack_refuses_nothing_and_other_columns():
    with pytest.raises(NotEnoughDataError, match="None of the 2"):
        stack({}, ["01", "02"])
    with pytest.raises(ShapeError, match=r"'01' and '02'.*\['extra'\]"):
        stack({"01": frame(0.1), "02": frame(0.2).assign(extra=1)}, [])
