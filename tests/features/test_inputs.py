"""features.inputs: options that exist."""

import pytest

from bids_dnn.errors import ConfigError
from bids_dnn.features.inputs import Options


def test_defaults_are_exact():
    assert Options() == Options("cpu", "float32", 0, 0)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"precision": "float23"}, r"no precision 'float23'\. Did you mean 'float32'"),
        ({"device": "gpu"}, r"no device 'gpu'\. .*cpu"),
        ({"precision": "tf32"}, "on a CPU, which has no TF32"),
        ({"batch_size": -1}, "batch_size is -1"),
        ({"n_workers": -2}, "n_workers is -2"),
    ],
)
def test_what_cannot_be_is_refused(given, told):
    with pytest.raises(ConfigError, match=told):
        Options(**given)
