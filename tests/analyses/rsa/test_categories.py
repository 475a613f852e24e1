"""analyses.rsa.categories: dissimilarities of labels, and labels in columns."""

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import pdist

from bids_dnn.analyses.rsa.categories import category_rdm, labels_of_column
from bids_dnn.errors import ConfigError, NotEnoughDataError


def test_pairs_of_one_label_are_alike(rng):
    codes = rng.integers(3, size=9)
    items = [f"s{k}" for k in range(9)]
    labels = {item: f"label {code}" for item, code in zip(items, codes, strict=True)}
    made = category_rdm(labels, items, name="kind")
    np.testing.assert_array_equal(made.values, pdist(codes[:, None], "hamming"))
    renamed = {item: label.upper() for item, label in labels.items()}
    np.testing.assert_array_equal(category_rdm(renamed, items, name="kind").values, made.values)


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ({"a": "x", "b": ""}, "2 of 3 items have no label of 'side', such as 'b', 'c'"),
        (dict.fromkeys("abc", "x"), "3 items have 1 label.s. of 'side'"),
        ({"a": "x", "b": "y", "c": "z"}, "3 items have 3 label.s. of 'side'"),
    ],
)
def test_labels_that_make_no_difference_are_refused(labels, words):
    with pytest.raises(NotEnoughDataError, match=words):
        category_rdm(labels, ["a", "b", "c"], name="side")


def test_columns_give_labels_where_they_are_of_one_mind():
    told = pd.DataFrame(
        {"condition": ["a", "b", "a", ""], "big": [1, 2, 1, 3], "side": ["x", "y", "z", "x"]}
    )
    assert labels_of_column(told, "big", items="condition") == {"a": "1", "b": "2"}
    told.loc[1, "side"] = None
    assert labels_of_column(told.iloc[:2], "side", items="condition") == {"a": "x"}
    with pytest.raises(
        NotEnoughDataError, match=r"1 of 1 items .* column 'side', such as 'a': x, z"
    ):
        labels_of_column(told, "side", items="condition")
    with pytest.raises(ConfigError, match=r"names 'bigg', which is no column.*'big'"):
        labels_of_column(told, "bigg", items="condition")
