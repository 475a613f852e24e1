"""group.people: numbers, what is missing, refusals."""

from __future__ import annotations

import numpy as np
import pytest

from bids_dnn.errors import ConfigError
from bids_dnn.group.people import numbers_of, texts_of

PEOPLE = {
    "01": {"age": "31", "group": "patient"},
    "02": {"age": "n/a", "group": "control"},
    "03": {"age": " 2.5e1", "group": ""},
}


def test_numbers_come_in_the_order_of_participants():
    found = numbers_of(PEOPLE, ["age"], ["03", "01", "02", "04"])
    np.testing.assert_array_equal(found, [[25.0], [31.0], [np.nan], [np.nan]])
    assert numbers_of(PEOPLE, [], ["01"]).shape == (1, 0)


def test_texts_are_empty_where_nothing_is_known():
    assert texts_of(PEOPLE, "group", ["01", "03", "04"]) == ["patient", "", ""]


def test_wrong_columns_and_words_are_refused():
    with pytest.raises(ConfigError, match=r"'agee'.*'age'"):
        numbers_of(PEOPLE, ["agee"], ["01"])
    with pytest.raises(ConfigError, match=r"'group' is 'patient' for sub-01.*0 and 1"):
        numbers_of(PEOPLE, ["group"], ["01"])
