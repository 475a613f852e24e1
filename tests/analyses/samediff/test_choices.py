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
        ({"answer": "categry"}, r"'categry'.*'category'"),
        ({"answer": "category", "variants": ("contrastive",)}, "contrastive learns a distance"),
        (
            {"answer": "category", "variants": ("siamese",), "foveal": "other-category"},
            "fovea is shown an exemplar of another category",
        ),
    ],
)
def test_refusals(wrong, said):
    with pytest.raises(ConfigError, match=said):
        Choices(**wrong)


def test_what_the_fovea_is_shown_does_not_matter_where_there_is_none():
    Choices(answer="category", variants=("frozen",), foveal="same-category")
    Choices(answer="same", variants=("siamese",), foveal="same-category")
