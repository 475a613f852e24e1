"""analyses.decode.by_run: sides that runs tell apart are named."""

import numpy as np

from bids_dnn.analyses.decode.by_run import some
from bids_dnn.analyses.decode.choices import Choices
from bids_dnn.analyses.decode.decoding import decode
from tests.factories.responses import make_patterns, make_responses


def test_sides_that_never_share_a_run_are_told(rng):
    """What differs between runs tells a and b from c and d: p is right, chance is not 1/4."""
    first = np.tile(["a", "a", "b", "b"], 4)
    second = np.tile(["c", "c", "d", "d"], 4)
    runs = np.repeat(np.arange(8), 4)
    values = rng.normal(size=(32, 6))
    values[:16] += 3  # of runs
    responses = make_responses(values, conditions=np.concatenate([first, second]), runs=runs)
    choices = Choices(comparisons=("all",), n_permutations=99, seed=0)
    made = decode(responses, (), choices=choices)
    (told,) = [text for text in made.meta["warnings"] if "never in one run" in text]
    assert "('all')" in told
    row = made.table[made.table["comparison"] == "all"].iloc[0]
    assert row["score"] > 0.3
    assert row["p"] > 0.05
    plain = decode(make_patterns(rng, effect=0), (), choices=choices)
    assert not [text for text in plain.meta["warnings"] if "never in one run" in text]


def test_of_many_names_the_first_are_told():
    assert some(["a vs b"]) == "'a vs b'"
    assert some(list("abcdef")).startswith("'a', 'b', 'c'")
