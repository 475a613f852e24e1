"""benchmarks.searchlight: answers are compared before times."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from benchmarks import searchlight
from benchmarks.searchlight import CLASSIFIERS, check, make_case, ours


@pytest.fixture(scope="module")
def case():
    return make_case(8, 3, n_threads=1)


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_both_answers_agree(case, name):
    check(case, name)
    assert ours(case, name).shape == case.inner.shape


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_both_answers_agree_on_a_gpu(case, name):
    check(replace(case, device="cuda"), name)


def test_other_accuracies_are_refused(case, monkeypatch):
    monkeypatch.setattr(
        searchlight, "peer", lambda case, name: ours(case, name, is_whole=False) + np.r_[0, 0.1, 0]
    )
    with pytest.raises(ArithmeticError, match="ridge differs from its peer in 1 of 3 spheres"):
        check(case, "ridge")
