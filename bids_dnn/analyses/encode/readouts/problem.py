"""What is trained on: normalized maps and standardized responses of training stimuli."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from bids_dnn.analyses.encode.readouts.forms import Form, Options, rectifies
from bids_dnn.analyses.encode.readouts.sources import (
    FeatureSource,
    Index,
    finite_rows,
    stretches,
)
from bids_dnn.containers.readout import normalized
from bids_dnn.errors import NotEnoughDataError, ShapeError, UnreadableError

Array = NDArray[np.float64]
Values = NDArray[np.floating[Any]]
FEWEST = 4  # stimuli of a unit in either part
TINY_SHARE = 1e-12  # in place of none
FLAT = 1e-12  # of the squared mean: a variance of float32 rounding


@dataclass(frozen=True, slots=True, eq=False)
class Scaling:
    """How responses are brought to one size, learnt on the stimuli that weights are learnt on.

    Parameters
    ----------
    offset, scale : (n_units,) float64
        Mean and SD (gaussian), or 0 and mean (poisson); NaN for units that cannot be fitted.
    """

    offset: Array
    scale: Array

    @property
    def is_fitted(self) -> NDArray[np.bool_]:
        """Mark the units (n_units,) that can be fitted."""
        return np.isfinite(self.scale)


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """One layer and some units, ready to be trained on.

    Parameters
    ----------
    source
        Of all stimuli.
    form, options
        What is trained, and how.
    train, held : (n,) index
        Stimuli that weights are learnt on, and those of validation; sorted.
    mean, sd : (C,)
        Of each channel over `train` and all positions.
    truth : (n_stimuli, n_units)
        Standardized responses less their mean (gaussian) or over it (poisson); 0 = not measured.
    known : (n_stimuli, n_units)
        1 = measured, over the share that is: its mean over `train`, or over `held`, is 1.
    """

    source: FeatureSource
    form: Form
    options: Options
    train: Index
    held: Index
    mean: torch.Tensor
    sd: torch.Tensor
    truth: torch.Tensor
    known: torch.Tensor

    @property
    def gain(self) -> float:
        """Return ``sqrt(n_train / p)``: see `forms`."""
        return float((len(self.train) / np.prod(self.source.shape)) ** 0.5)

    @property
    def is_rectified(self) -> bool:
        """Return whether normalized maps are cut at zero."""
        return rectifies(self.form, self.options)

    def maps(self, index: Index) -> torch.Tensor:
        """Return the normalized maps of stimuli."""
        seen = self.source.rows(index)
        return normalized(seen, self.mean, self.sd, is_rectified=self.is_rectified)

    def parts(self, index: Index) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
        """Give maps, truth and known of stimuli, part by part."""
        for part in stretches(index, self.options.batch_size):
            rows = torch.as_tensor(part, device=self.truth.device)
            yield self.maps(part), self.truth[rows], self.known[rows]


def divide(train: Index, share: float, seed: int) -> tuple[Index, Index]:
    """Split the training stimuli at random: those to learn on, those to validate on.

    Parameters
    ----------
    train : (n_train,) index
    share
        Of validation.
    seed
        The split depends on it and on `train` alone.

    Returns
    -------
    learn, held
        Sorted, with none in common.

    Raises
    ------
    NotEnoughDataError
        If one of them would have fewer than four stimuli.
    """
    n_held = round(share * len(train))
    if min(n_held, len(train) - n_held) < FEWEST:
        raise NotEnoughDataError(
            f"A fold has {len(train)} training stimuli, of which {n_held} would be for "
            f"validation; {FEWEST} are needed to validate and {FEWEST} to learn.",
            mend="Give more stimuli, or another share for validation.",
        )
    order = np.random.default_rng([seed, 11]).permutation(len(train))
    return np.sort(train[order[n_held:]]), np.sort(train[order[:n_held]])


def check_shapes(responses: Values, masks: Mapping[str, NDArray[np.bool_]], n: int) -> None:
    """Refuse responses, or masks of stimuli, that do not fit the feature maps.

    Parameters
    ----------
    responses : (n, n_units)
    masks : (n,) bool
        By what they are.
    n
        Number of stimuli with feature maps.

    Raises
    ------
    ShapeError
        If there is not one row for each stimulus.
    """
    if responses.ndim != 2 or len(responses) != n:
        raise ShapeError(
            f"Responses have shape {responses.shape}, and there are feature maps of {n} stimuli.",
            mend="Give responses (n_stimuli, n_units) of the same stimuli in the same order.",
        )
    for name, mask in masks.items():
        if mask.shape != (n,):
            raise ShapeError(
                f"{name} has {mask.size} stimuli, but there are feature maps of {n}.",
                mend="Make the folds of the same stimuli.",
            )


def check_values(responses: Values, loss: str) -> None:
    """Refuse responses that cannot be.

    Raises
    ------
    UnreadableError
        If a response is infinite, or below zero where counts are asked for.
    """
    if np.isinf(responses).any():
        row, unit = np.argwhere(np.isinf(responses))[0]
        raise UnreadableError(
            f"The response of unit {unit} to the stimulus at index {row} is infinite.",
            mend="Mark what was not measured with NaN.",
        )
    if loss == "poisson" and (responses < 0).any():
        row, unit = np.argwhere(responses < 0)[0]
        raise UnreadableError(
            f"The response of unit {unit} to the stimulus at index {row} is "
            f"{responses[row, unit]:.4g}, and the Poisson loss takes counts.",
            mend="Use the Gaussian loss, or responses that are not standardized.",
        )


def scaling_of(responses: Values, train: Index, held: Index, loss: str) -> Scaling:
    """Learn how responses are standardized.

    Units that do not vary, or were measured for fewer than four stimuli of either part, get NaN.
    """
    own = responses[train].astype(np.float64)
    is_measured = np.isfinite(own)
    count = is_measured.sum(axis=0)
    enough = (count >= FEWEST) & (np.isfinite(responses[held]).sum(axis=0) >= FEWEST)
    mean = np.where(is_measured, own, 0.0).sum(axis=0) / np.maximum(count, 1)
    off = np.where(is_measured, own - mean, 0.0)
    sd = np.sqrt((off**2).sum(axis=0) / np.maximum(count, 1))
    enough &= (sd > 0) & (sd**2 > FLAT * mean**2)
    scale = mean if loss == "poisson" else sd
    offset = np.zeros_like(mean) if loss == "poisson" else mean
    enough &= scale > 0
    return Scaling(np.where(enough, offset, np.nan), np.where(enough, scale, np.nan))


def standardized(
    responses: Values, scaling: Scaling, train: Index, held: Index, device: str
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return `truth` and `known` of a `Problem`; rows of other stimuli are 0."""
    truth = np.zeros(responses.shape, dtype=np.float32)
    known = np.zeros(responses.shape, dtype=np.float32)
    for part in (train, held):
        values = (responses[part].astype(np.float64) - scaling.offset) / scaling.scale
        is_measured = np.isfinite(values)
        truth[part] = np.where(is_measured, values, 0.0)
        known[part] = is_measured / np.maximum(is_measured.mean(axis=0), TINY_SHARE)
    return torch.tensor(truth, device=device), torch.tensor(known, device=device)


def channel_moments(
    source: FeatureSource, train: Index, held: Index, device: str
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return mean and SD (C,) of each channel over training stimuli and positions, exactly.

    What a running average of BatchNorm would approach; it is computed once and never moves.
    Channels that do not vary get an SD of 1. The stimuli of validation are read as well, but
    only to refuse what is not finite.

    Raises
    ------
    UnreadableError
        If a value is not finite.

    References
    ----------
    Chan, Golub & LeVeque (1983), Am. Stat. 37:242, doi:10.1080/00031305.1983.10483115.
    """
    n, mean, m2 = 0, torch.zeros(()), torch.zeros(())
    for part in stretches(train):
        maps = finite_rows(source, part).transpose(0, 1).flatten(1)  # (C, n_part * H * W)
        own = maps.mean(dim=1, dtype=torch.float64)
        off = (maps - own[:, None].to(maps.dtype)).square().sum(dim=1, dtype=torch.float64)
        gap, count = own - mean.to(own.device), maps.shape[1]
        m2 = m2.to(own.device) + off + gap**2 * (n * count / (n + count))
        mean = mean.to(own.device) + gap * (count / (n + count))
        n += count
    for part in stretches(held):
        finite_rows(source, part)
    variance = m2 / n
    is_flat = variance <= FLAT * mean**2
    sd = torch.where(is_flat, torch.ones_like(variance), variance.sqrt())
    return mean.to(device, torch.float32), sd.to(device, torch.float32)
