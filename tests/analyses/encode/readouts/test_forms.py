"""analyses.encode.readouts.forms: what the readouts compute, and settings that are refused."""

import numpy as np
import pytest
import torch

from bids_dnn.analyses.encode.readouts.forms import (
    FORMS,
    PENALTIES,
    Options,
    Setting,
    drive,
    form_of,
    penalty,
    rectifies,
    strengths_of,
)
from bids_dnn.analyses.encode.readouts.penalties import ON_WEIGHTS, per_size
from bids_dnn.containers.readout import READOUTS
from bids_dnn.errors import ConfigError


def params_of(rng, kind, *, n=3, c=4, h=5, w=2):
    def draw(*shape):
        return torch.tensor(rng.normal(size=shape))

    bias = draw(n)
    if FORMS[kind].mask is None:
        return {"weights": draw(n, c, h, w), "bias": bias}
    return {"mask": draw(n, h, w), "vector": draw(n, c), "bias": bias}


def product(kind, params):
    """Write each readout's weights down as its paper does."""
    if kind == "cadena":
        return params["weights"]
    m, v = params["mask"], params["vector"]
    if kind != "factorized":
        m = m.abs()
    if kind.startswith("factorized"):
        m = m / (m**2).sum(dim=(1, 2), keepdim=True).sqrt()
    return torch.einsum("nhw,nc->nchw", m, v)


@pytest.mark.parametrize("shape", [(4, 5, 2), (9, 2, 2)])  # both orders of summing
@pytest.mark.parametrize("kind", FORMS)
def test_the_drive_is_a_sum_over_channels_and_space(rng, kind, shape):
    c, h, w = shape
    params = params_of(rng, kind, c=c, h=h, w=w)
    maps = torch.tensor(rng.normal(size=(6, *shape)))
    made = drive(FORMS[kind], params, maps, 0.3)
    expected = 0.3 * torch.einsum("bchw,nchw->bn", maps, product(kind, params)) + params["bias"]
    np.testing.assert_allclose(made, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("kind", FORMS)
def test_penalties_are_those_of_the_weights_in_use(rng, kind):
    params = params_of(rng, kind)
    strengths = {name: torch.tensor([0.0, 0.5, 2.0]) * (k + 1) for k, name in enumerate(PENALTIES)}
    w = product(kind, params)
    expected = sum(
        strengths[name] * ON_WEIGHTS[name](w) / per_size(name, w.shape[1:]) for name in PENALTIES
    )
    made = penalty(FORMS[kind], params, strengths)
    np.testing.assert_allclose(made, expected, rtol=1e-6)
    assert made[0] == 0


def test_strengths_follow_the_settings_and_leave_out_what_nobody_uses():
    settings = [Setting(smooth=1.0), Setting(smooth=2.0, sparse=3.0)]
    made = strengths_of(settings, torch.tensor([1, 0, 1]), "cpu")
    assert set(made) == {"smooth", "sparse"}
    np.testing.assert_array_equal(made["smooth"], [2.0, 1.0, 2.0])
    np.testing.assert_array_equal(made["sparse"], [3.0, 0.0, 3.0])


def test_rectification_is_the_papers_unless_asked_otherwise():
    found = {kind: rectifies(form, Options()) for kind, form in FORMS.items()}
    assert found == {
        "bashivan": True,
        "cadena": True,
        "factorized": False,
    }
    assert not rectifies(FORMS["cadena"], Options(is_rectified=False))


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ({"smooth": -0.1}, "smooth = -0.1"),
        ({"ridge": float("nan")}, "ridge = nan"),
        ({"sparse": float("inf")}, "sparse = inf"),
        ({"rate": 0.0}, "rate = 0.0 of a readout; it must be finite and above zero"),
    ],
)
def test_settings_out_of_range_are_refused(setting, words):
    with pytest.raises(ConfigError, match=words):
        Setting(**setting)


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ({"loss": "gaussian-"}, r"no loss 'gaussian-' of a readout\. Did you mean 'gaussian'"),
        ({"decay": "linear"}, "no decay 'linear'"),
        ({"n_epochs": 0}, "n_epochs = 0"),
        ({"validation": 1.0}, "validation = 1.0"),
    ],
)
def test_options_out_of_range_are_refused(option, words):
    with pytest.raises(ConfigError, match=words):
        Options(**option)


def test_an_unknown_readout_is_refused_with_the_nearest():
    with pytest.raises(ConfigError, match=r"'bashiwan'\. Did you mean 'bashivan'"):
        form_of("bashiwan")


def test_each_readout_has_a_form():
    assert set(READOUTS) <= set(FORMS)
