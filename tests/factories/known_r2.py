"""Units of which the best linear predictor explains a known share, and what learning it costs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from bids_dnn.analyses.encode.scores import score_r2
from bids_dnn.stats.folds import Fold, by_stimulus

SHARES = (0.0, 0.1, 0.3, 0.6)
N_IMAGES, N_FEATURES, N_FOLDS = 600, 10, 3


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """Features (n, p), responses (n, units), their folds, and the R^2 of the true weights."""

    x: Any
    y: Any
    folds: list[Fold]
    inner: list[list[Fold]]
    oracle: Any


def make(rng, *, each=40):
    """Draw normal features of variances 1, 1/2, 1/3 and so on, and `each` units of each share."""
    sd = 1 / np.sqrt(np.arange(1, N_FEATURES + 1))
    x = sd * rng.normal(size=(N_IMAGES, N_FEATURES))
    weights = rng.normal(size=(N_FEATURES, each * len(SHARES)))
    weights /= np.sqrt(((sd[:, None] * weights) ** 2).sum(axis=0))  # the signal has variance 1
    share = np.repeat(SHARES, each)
    signal = np.sqrt(share) * (x @ weights)
    y = signal + np.sqrt(1 - share) * rng.normal(size=signal.shape)
    names = [f"{k:03}" for k in range(N_IMAGES)]
    folds = by_stimulus(names, N_FOLDS, rng)
    inner = [by_stimulus([names[k] for k in np.flatnonzero(f.train)], 3, rng) for f in folds]
    means = [y[fold.train].mean(axis=0) for fold in folds]
    told = signal.copy()
    for fold, mean in zip(folds, means, strict=True):
        told[fold.test] -= mean
    return Known(x, y, folds, inner, score_r2(y, told, folds, means))


def check(known, r2):
    """Check that R^2 is what the shares of explained variance and least squares allow.

    For normal features, least squares on n images loses (1 - R^2) of
    ((1 + 1/n) (n - 2) / (n - p - 2) - 1) on new images (Breiman & Freedman 1983, J. Am. Stat.
    Assoc. 78:131, doi:10.1080/01621459.1983.10477941): at most 0.028 here. Penalties chosen well
    lose no more, and nothing gains on the true weights. Units have noise of their own, so that
    six standard errors over 20 of them are passed once in 10^5.
    """
    n, p = N_IMAGES - N_IMAGES // N_FOLDS, N_FEATURES
    assert r2.shape == known.oracle.shape
    groups = (one.reshape(len(SHARES), -1) for one in (known.oracle, r2))
    for share, oracle, found in zip(SHARES, *groups, strict=True):
        assert abs(oracle.mean() - share) < 0.03
        lost = oracle - found
        error = 6 * lost.std() / np.sqrt(len(lost))
        cost = (1 - share) * ((1 + 1 / n) * (n - 2) / (n - p - 2) - 1)
        assert cost < 0.03
        assert -error < lost.mean() < cost + error, (share, lost.mean(), cost, error)
