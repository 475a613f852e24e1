"""containers.result: labels, maps fit their space, columns are described."""

import numpy as np
import pandas as pd
import pytest

from bids_dnn.containers.result import Result, StatMap, model_label
from bids_dnn.containers.space import Grid
from bids_dnn.errors import ShapeError

TABLE = pd.DataFrame({"score": [0.5]})


def test_a_map_of_another_length_is_refused():
    space = Grid("T1w", (4, 1, 1), np.eye(4), np.arange(4))
    made = StatMap("pearson", np.zeros(3, dtype=np.float32), "", "r")
    with pytest.raises(ShapeError, match=r"'pearson' has shape \(3,\).*4 units"):
        Result("encode", TABLE, {"score": "r"}, maps=(made,), space=space)


def test_a_column_without_a_word_is_refused():
    with pytest.raises(ShapeError, match=r"\['score'\].*decode"):
        Result("decode", TABLE, {})


def test_a_model_label_leaves_out_names_without_letters():
    assert model_label("*", "chosen layer") == "chosenlayer"
    assert model_label("", "net conv.0", "banded") == "netconv0+banded"
