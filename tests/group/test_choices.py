"""group.choices: what is refused."""

from __future__ import annotations

import pytest

from bids_dnn.errors import ConfigError
from bids_dnn.group.choices import Choices


@pytest.mark.parametrize(
    ("told", "match"),
    [
        ({"tests": ("sign-flp",)}, "'sign-flp'.*'sign-flip'"),
        ({"correct": "fdx"}, "'fdx'.*'fdr'"),
        ({"tests": ("t", "sign-flip"), "correct": "max"}, r"\['t', .*'sign-flip' first"),
        ({"tests": ("t",), "correct": "tfce"}, r"'tfce'.*'sign-flip' first"),
        ({"tests": ("prevalence",), "correct": "max"}, r"\['prevalence'\].*'sign-flip' first"),
        ({"tests": ("wilcoxon",), "covariates": ("age",)}, r"\['age'\].*'wilcoxon'"),
        ({"tests": ("t", "mixed"), "covariates": ("age",)}, r"\['age'\].*'mixed'"),
        ({"p_unit": 0.001, "n_maps": 500}, r"0\.001.*n_maps = 500.*n_maps = 999"),
    ],
)
def test_what_does_not_exist_or_fit_is_refused(told, match):
    with pytest.raises(ConfigError, match=match):
        Choices(**told)


def test_the_first_test_of_a_mean_is_corrected():
    assert Choices(("prevalence", "wilcoxon", "t")).first_test == "wilcoxon"
    assert Choices(("prevalence",)).first_test == ""
