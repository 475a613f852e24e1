"""Which classifier, with which parameters."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from typing import Literal

from bids_dnn.errors import ConfigError, nearest

Kind = Literal["svm-linear", "svm-rbf", "lda", "ridge", "logistic"]
# What of a classifier can be searched for, in the order in which candidates are tried.
PARAMETERS: dict[Kind, tuple[str, ...]] = {
    "svm-linear": ("c",),
    "svm-rbf": ("c", "gamma"),
    "lda": ("shrinkage",),
    "ridge": ("alpha",),
    "logistic": ("c",),
}
WEIGHTED: tuple[Kind, ...] = ("svm-linear", "svm-rbf", "lda", "logistic")


@dataclass(frozen=True, slots=True, kw_only=True)
class Classifier:
    """A classifier of two classes; several classes vote one against one.

    Parameters
    ----------
    kind
        See `PARAMETERS`.
    c : above 0
        Cost, of support vector machines and logistic regression.
    gamma : above 0
        Of radial basis functions: ``exp(-gamma / n_units * distance^2)``.
    shrinkage : in (0, 1]
        Of linear discriminant analysis; None = as Ledoit & Wolf estimate it.
    alpha : at least 0
        Penalty of ridge regression, in multiples of the mean diagonal of the centered training
        Gram matrix; 0 = least squares.
    is_weighted
        Whether classes count alike, however many samples they have.
    device
        Of torch, such as ``cuda``, where decisions are made; None = compiled, on the CPU. It
        alters them by rounding alone.

    Raises
    ------
    ConfigError
        If there is no such classifier, a parameter is out of its range, or ridge regression is
        weighted.
    """

    kind: Kind = "svm-linear"
    c: float = 1.0
    gamma: float = 1.0
    shrinkage: float | None = None
    alpha: float = 1.0
    is_weighted: bool = False
    device: str | None = None

    def __post_init__(self) -> None:
        if self.kind not in PARAMETERS:
            raise ConfigError(
                f"There is no classifier {self.kind!r}.",
                mend=nearest(self.kind, PARAMETERS),
            )
        is_right = {
            "c": self.c > 0,
            "gamma": self.gamma > 0,
            "shrinkage": self.shrinkage is None or 0 < self.shrinkage <= 1,
            "alpha": self.alpha >= 0,
        }
        for name, fits in is_right.items():
            if not fits:
                raise ConfigError(
                    f"{name} is {getattr(self, name)}, which is out of its range.",
                    mend="c and gamma lie above 0, shrinkage above 0 and up to 1, alpha from 0 on "
                    "(decode in analysis.toml).",
                )
        if self.is_weighted and self.kind not in WEIGHTED:
            raise ConfigError(
                f"The classifier {self.kind!r} cannot weight classes.",
                mend='Type balance = "subsample" under [decode], or another classifier: '
                f"{', '.join(WEIGHTED)}.",
            )


def candidates(classifier: Classifier, grid: dict[str, tuple[float, ...]]) -> list[Classifier]:
    """Return the classifier with each set of parameters of a grid, in the grid's order.

    Parameters
    ----------
    classifier
        Whose other parameters stay.
    grid
        Values by parameter.

    Raises
    ------
    ConfigError
        If this classifier has no such parameter, or one has no value.

    Examples
    --------
    >>> [one.c for one in candidates(Classifier(), {"c": (0.1, 10.0)})]
    [0.1, 10.0]
    """
    known = PARAMETERS[classifier.kind]
    for name, values in grid.items():
        if name not in known or not values:
            raise ConfigError(
                f"search names {name!r} with {len(values)} value(s), and {classifier.kind} has "
                f"{', '.join(known)}.",
                mend="Give each of them a list of values, as in search = { c = [0.01, 1, 100] }.",
            )
    names = [name for name in known if name in grid]
    return [
        replace(classifier, **dict(zip(names, values, strict=True)))  # type: ignore[arg-type]
        for values in product(*(grid[name] for name in names))
    ]
