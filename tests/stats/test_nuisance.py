"""Nuisance out of responses, slopes learnt on training samples only."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression

from bids_dnn.errors import ConfigError, NotEnoughDataError
from bids_dnn.stats.nuisance import nuisance_columns, removal


def test_slopes_are_those_of_a_regression_on_the_training_samples(
    rng: np.random.Generator,
) -> None:
    z, y = rng.normal(size=(30, 2)) + np.array([5, -1]), rng.normal(size=(30, 4))
    train = np.arange(30) < 20

    model = LinearRegression().fit(z[train], y[train])
    expected = y - (z - z[train].mean(axis=0)) @ model.coef_.T

    assert np.allclose(removal(z, train) @ y, expected)


def test_the_gram_matrix_of_cleaned_responses_follows(rng: np.random.Generator) -> None:
    z, y = rng.normal(size=(12, 1)), rng.normal(size=(12, 50))
    operator = removal(z, np.arange(12) < 8)

    cleaned = operator @ y

    assert np.allclose(operator @ (y @ y.T) @ operator.T, cleaned @ cleaned.T)


def test_test_samples_teach_nothing(rng: np.random.Generator) -> None:
    z, y = rng.normal(size=(20, 1)), rng.normal(size=(20, 3))
    train = np.arange(20) < 15
    other = y.copy()
    other[~train] = rng.normal(size=(5, 3))

    slopes = [(removal(z, train) @ one)[train] for one in (y, other)]

    assert np.allclose(*slopes)


def test_a_constant_takes_nothing_and_a_missing_value_counts_as_the_mean(
    rng: np.random.Generator,
) -> None:
    y = rng.normal(size=(10, 2))
    train = np.arange(10) < 8
    assert np.allclose(removal(np.full((10, 1), 3.0), train) @ y, y)

    z = rng.normal(size=(10, 1))
    z[9] = np.nan
    assert np.allclose((removal(z, train) @ y)[9], y[9])


def test_columns_are_taken_by_name() -> None:
    samples = pd.DataFrame({"condition": ["a", "b", "c"], "response_time": ["0.5", "n/a", "1"]})

    found, warnings = nuisance_columns(samples, ["response_time"])

    assert found[0, 0] == 0.5
    assert np.isnan(found[1, 0])
    assert len(warnings) == 1
    assert "1 of 3 samples have no response_time" in warnings[0]
    assert nuisance_columns(samples, [])[0].shape == (3, 0)
    with pytest.raises(ConfigError, match="response_time"):
        nuisance_columns(samples, ["responsetime"])
    with pytest.raises(NotEnoughDataError, match="'condition' holds no number in 3 samples"):
        nuisance_columns(samples, ["condition"])


def test_a_column_that_does_not_vary_is_told() -> None:
    _, warnings = nuisance_columns(pd.DataFrame({"age": [3, 3, "n/a"]}), ["age"])
    assert warnings[0] == "age is the same in all samples, so that it explains nothing."
