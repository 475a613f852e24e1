"""analyses.decode.baseline: what columns alone tell."""

from dataclasses import replace

import numpy as np
import pytest

from bids_dnn.analyses.decode.choices import Choices
from bids_dnn.analyses.decode.decoding import decode
from bids_dnn.errors import ConfigError
from tests.factories.responses import make_patterns


def run(responses, *baseline):
    choices = Choices(comparisons=("all",), n_permutations=5, seed=0, baseline=baseline)
    return decode(responses, (), choices=choices).table.iloc[0]


@pytest.fixture
def responses(rng):
    made = make_patterns(rng, n_runs=5, n_each=6, n_units=10, effect=0.0)
    slow = (made.samples["condition"] == "a").to_numpy()
    rt = 1000 * (slow + 0.1 * rng.normal(size=len(slow)))
    rt[3] = np.nan
    return replace(made, samples=made.samples.assign(rt=rt, noise=rng.normal(size=len(slow))))


def test_a_column_that_tells_conditions_apart_is_found(responses):
    assert run(responses, "rt")["baseline"] > 0.95
    assert run(responses, "rt", "noise")["baseline"] > 0.9
    assert abs(run(responses, "noise")["baseline"] - 0.5) < 0.25  # 60 samples: SE 0.065


def test_without_columns_there_is_no_baseline_and_the_score_stays(responses):
    plain, beside = run(responses), run(responses, "rt")
    assert np.isnan(plain["baseline"])
    assert plain["score"] == beside["score"]
    assert plain["p"] == beside["p"]


def test_a_column_that_is_not_there_is_refused(responses):
    with pytest.raises(ConfigError, match="The baseline column 'rtt' is not in the sample"):
        run(responses, "rtt")
