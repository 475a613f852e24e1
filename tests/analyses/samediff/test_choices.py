"""analyses.samediff.choices: wrong names and numbers are refused."""

import pytest

from bids_dnn.analyses.samediff.choices import Choices
from bids_dnn.errors import ConfigError


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"variants": ("siames",)}, r"'siames'.*'siamese'"),
        ({"variants": ()}, "No variant"),
        ({"foveal": "gray"}, r"'gray'.*'grey'"),
        ({"augment": ("blurs",)}, r"'blurs'.*'blur'"),
        ({"n_epochs": 0}, "n_epochs is 0; 1 at least"),
        ({"rate": float("nan")}, "rate is nan"),
        ({"batch_size": -1}, "batch_size is -1"),
        ({"margin": 0.0}, "margin is 0.0"),
    ],
)
def test_refusals(wrong, said):
    with pytest.raises(ConfigError, match=said):
        Choices(**wrong)
