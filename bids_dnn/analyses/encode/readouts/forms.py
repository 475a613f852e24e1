"""The three readouts, and what is set of them.

Letters: `p` = C * H * W weights of a unit in full, `n` training stimuli. Weights are held times
``sqrt(p / n)``: then the ridge penalty is the same multiple of the mean diagonal of the Gram
matrix (of features of unit variance) as in `encode.solvers`, whatever the size of the maps.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Literal

import torch

from bids_dnn.analyses.encode.readouts.penalties import ON_FACTORS, ON_WEIGHTS, per_size
from bids_dnn.containers.readout import through_factors, through_weights
from bids_dnn.errors import ConfigError, nearest

Loss = Literal["gaussian", "poisson"]
Decay = Literal["cosine", "step", "none"]
Start = Literal["ridge", "covariance"]
Choose = Literal["unit", "region"]
Params = dict[str, torch.Tensor]
TINY = 1e-30


def unit_norm(mask: torch.Tensor) -> torch.Tensor:
    """Return masks (n, H, W) over their norm; zero where they are zero."""
    norm: torch.Tensor = torch.linalg.vector_norm(mask.flatten(1), dim=1)
    return mask / norm.clamp(min=TINY)[:, None, None]


@dataclass(frozen=True, slots=True)
class Form:
    """What tells one readout from another.

    Parameters
    ----------
    mask
        From the mask that is learnt to the mask that is used; None = full weights, no mask.
    is_rectified
        Whether normalized features are cut at zero, unless options say otherwise.
    is_positive
        Whether the mask in use is never below zero.

    References
    ----------
    Bashivan, Kar & DiCarlo (2019), Science 364:eaav9436, doi:10.1126/science.aav9436.
    Cadena et al. (2019), PLOS Comput. Biol. 15:e1006897, doi:10.1371/journal.pcbi.1006897.
    Klindt et al. (2017), NeurIPS 30, arXiv:1711.02653 (factorized).
    """

    mask: Callable[[torch.Tensor], torch.Tensor] | None
    is_rectified: bool
    is_positive: bool


FORMS: dict[str, Form] = {
    "bashivan": Form(mask=torch.abs, is_rectified=True, is_positive=True),
    "cadena": Form(mask=None, is_rectified=True, is_positive=False),
    "factorized": Form(mask=unit_norm, is_rectified=False, is_positive=False),
}


@dataclass(frozen=True, slots=True)
class Setting:
    """What is searched over: penalties on the weights (see `penalties`) and the size of steps.

    Parameters
    ----------
    smooth
        Squared Laplacian over space.
    ridge
        Squares; 1 weighs as ``alpha = 1`` of the ridge regression of `encode`.
    sparse
        Sizes of single weights.
    channels
        Norms of channels (group sparsity).
    places
        Norms of positions: sparse over the mask.
    rate
        First step of Adam, as a share of the root mean square of the weights at the start.

    Raises
    ------
    ConfigError
        If a penalty is below zero or not finite, or the rate is not above zero.
    """

    smooth: float = 0.0
    ridge: float = 0.0
    sparse: float = 0.0
    channels: float = 0.0
    places: float = 0.0
    rate: float = 0.03

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not math.isfinite(value) or value < 0 or (field.name == "rate" and value == 0):
                raise ConfigError(
                    f"{field.name} = {value!r} of a readout; it must be finite and "
                    + ("above zero." if field.name == "rate" else "not below zero."),
                    mend="Leave the penalty out with 0, or the rate at its default of 0.03.",
                )


PENALTIES = tuple(field.name for field in fields(Setting) if field.name != "rate")


@dataclass(frozen=True, slots=True)
class Options:
    """How readouts are trained; the same for all settings.

    Parameters
    ----------
    loss
        ``gaussian`` = squared error, or ``poisson`` = negative log likelihood of counts, with
        ELU + 1 as output.
    is_rectified
        Whether normalized features are cut at zero; None = as the readout was published.
    n_epochs, batch_size
        Of Adam; batches hold stimuli.
    patience
        Epochs without a lower loss on the validation part after which a unit's weights rest.
    decay
        Of the steps over all epochs.
    validation
        Share of the training stimuli on which training stops early and settings are chosen.
    start
        ``ridge`` = alternating ridge regressions of mask and vector, ``covariance`` = the best
        product of mask and vector for the covariance of responses and features.
    choose
        One setting for each ``unit``, or one for all units of the ``region``.
    seed
        Of the validation part and of the order of stimuli.
    device
        Of torch.
    memory : int, bytes
        Most that weights and what comes with them take; units are split into groups to fit.

    Raises
    ------
    ConfigError
        If a number is out of its range or a name unknown.
    """

    loss: Loss = "gaussian"
    is_rectified: bool | None = None
    n_epochs: int = 24
    batch_size: int = 256
    patience: int = 6
    decay: Decay = "cosine"
    validation: float = 0.1
    start: Start = "ridge"
    choose: Choose = "unit"
    seed: int = 0
    device: str = "cpu"
    memory: int = 4 << 30

    def __post_init__(self) -> None:
        for name, known in KNOWN.items():
            if getattr(self, name) not in known:
                raise ConfigError(
                    f"There is no {name} {getattr(self, name)!r} of a readout.",
                    mend=nearest(str(getattr(self, name)), known),
                )
        for name in ("n_epochs", "batch_size", "patience", "memory"):
            if getattr(self, name) < 1:
                raise ConfigError(
                    f"{name} = {getattr(self, name)!r} of a readout; it must be 1 or more.",
                    mend=f"Leave {name} out for its default.",
                )
        if not 0 < self.validation < 1:
            raise ConfigError(
                f"validation = {self.validation!r}; it is a share between 0 and 1.",
                mend="Leave it at 0.1.",
            )


KNOWN: dict[str, tuple[str, ...]] = {
    "loss": ("gaussian", "poisson"),
    "decay": ("cosine", "step", "none"),
    "start": ("ridge", "covariance"),
    "choose": ("unit", "region"),
}


def form_of(kind: str) -> Form:
    """Return a readout by its name.

    Raises
    ------
    ConfigError
        If there is none of this name.
    """
    if kind not in FORMS:
        raise ConfigError(f"There is no readout {kind!r}.", mend=nearest(kind, FORMS))
    return FORMS[kind]


def rectifies(form: Form, options: Options) -> bool:
    """Return whether normalized maps are cut at zero."""
    return form.is_rectified if options.is_rectified is None else options.is_rectified


def drive(form: Form, params: Params, maps: torch.Tensor, gain: float) -> torch.Tensor:
    """Return what goes into the output, (n, n_columns).

    Parameters
    ----------
    form, params
        Of `n_columns` readouts: ``weights``, or ``mask`` and ``vector``, and ``bias``.
    maps : (n, C, H, W)
        Normalized.
    gain
        ``sqrt(n_train / p)``.
    """
    if form.mask is None:
        made = through_weights(maps, params["weights"])
    else:
        made = through_factors(maps, form.mask(params["mask"]), params["vector"])
    return made * gain + params["bias"]


def penalty(form: Form, params: Params, strengths: dict[str, torch.Tensor]) -> torch.Tensor:
    """Return the sum of penalties of each readout, (n_columns,).

    Parameters
    ----------
    form, params
        Of `n_columns` readouts.
    strengths
        For each penalty in use, its weight (n_columns,).
    """
    total = torch.zeros_like(params["bias"])
    if form.mask is None:
        w = params["weights"]
        shape = (w.shape[1], w.shape[2], w.shape[3])
        for name, strength in strengths.items():
            total = total + strength * ON_WEIGHTS[name](w) / per_size(name, shape)
        return total
    m, v = form.mask(params["mask"]), params["vector"]
    shape = (v.shape[1], m.shape[1], m.shape[2])
    for name, strength in strengths.items():
        total = total + strength * ON_FACTORS[name](m, v) / per_size(name, shape)
    return total


def strengths_of(
    settings: Sequence[Setting], which: torch.Tensor, device: str
) -> dict[str, torch.Tensor]:
    """Return the weight of each penalty for columns of settings; those that are all 0 left out.

    Parameters
    ----------
    settings
        Those that are tried.
    which : (n_columns,)
        Setting of each column.
    device
        Of torch.
    """
    found = {}
    for name in PENALTIES:
        values = torch.tensor([getattr(one, name) for one in settings], dtype=torch.float32)
        column = values[which.cpu()]
        if bool(column.any()):
            found[name] = column.to(device)
    return found
