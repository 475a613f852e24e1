"""derivatives.patterns: there and back on any kind of space, same bytes, refusals."""

from dataclasses import replace

import numpy as np
import pytest

from bids_dnn.containers.responses import Responses
from bids_dnn.containers.shared import SharedPatterns
from bids_dnn.derivatives import names
from bids_dnn.derivatives.patterns import read_patterns, write_patterns
from bids_dnn.errors import MissingInputError, ShapeError, UnreadableError
from bids_dnn.files import read_json
from tests.factories.responses import make_patterns
from tests.factories.results import make_spaces


@pytest.fixture
def shared(rng):
    made = make_patterns(rng, n_runs=2, n_each=1, n_units=6)
    samples = made.samples.assign(side=["l", "r"] * 2, session="1")
    made = replace(made, samples=samples, scale="psc")
    return SharedPatterns(made, {"V1": np.array([0, 2]), "LOC": np.array([2, 5])})


def test_patterns_come_back_as_they_were(tmp_path, shared):
    path = names.path_of(tmp_path, "patterns", participant="01", space="T1w", analysis="decode")
    assert path.name == "sub-01_space-T1w_desc-decode_patterns.npz"
    written = write_patterns(path, shared, sidecar={"RandomSeed": 3})
    assert written == [path, names.sidecar_of(path)]
    back = read_patterns(path)
    np.testing.assert_array_equal(back.responses.values, shared.responses.values)
    assert back.responses.values.dtype == np.float32
    assert back.responses.scale == "psc"
    columns = ["condition", "run", "session", "side"]
    found, given = (
        one.responses.samples[columns].to_numpy(str).tolist() for one in (back, shared)
    )
    assert found == given
    assert {name: one.tolist() for name, one in back.regions.items()} == {
        "V1": [0, 2],
        "LOC": [2, 5],
    }
    told = read_json(written[1])
    assert told["RandomSeed"] == 3
    assert told["Arrays"]["values"]["Shape"] == [4, 6]


@pytest.mark.parametrize("kind", ["grid", "surface", "left", "grayordinates", "channels"])
def test_each_kind_of_space_comes_back(tmp_path, rng, kind):
    spaces = make_spaces()
    space = spaces[kind]
    made = make_patterns(rng, n_runs=2, n_each=1, n_units=len(space))
    made = Responses(made.values, made.samples, space, "beta")
    path = tmp_path / "sub-01_patterns.npz"
    write_patterns(path, SharedPatterns(made, {"V1": np.arange(2)}), sidecar={})
    back = read_patterns(path).responses.space
    assert type(back) is type(space)
    assert back.has_places_of(space)
    np.testing.assert_array_equal(back.index, space.index)
    assert back.describe() == space.describe()


def test_the_same_patterns_give_the_same_bytes(tmp_path, shared):
    one, two = (
        write_patterns(tmp_path / f"{n}_patterns.npz", shared, sidecar={})[0].read_bytes()
        for n in "ab"
    )
    assert one == two


def test_what_is_not_there_or_broken_is_refused(tmp_path, shared):
    path = tmp_path / "sub-01_patterns.npz"
    with pytest.raises(MissingInputError, match="sub-01_patterns"):
        read_patterns(path)
    write_patterns(path, shared, sidecar={})
    path.write_bytes(path.read_bytes()[:400])
    with pytest.raises(UnreadableError, match="sub-01_patterns"):
        read_patterns(path)
    np.savez(path, values=np.zeros((1, 1)))
    with pytest.raises(UnreadableError, match="condition"):
        read_patterns(path)


def test_a_region_of_other_columns_is_refused(shared):
    with pytest.raises(ShapeError, match="'V2' has columns 4 to 6, the patterns have 6 units"):
        SharedPatterns(shared.responses, {"V2": np.array([4, 6])})
