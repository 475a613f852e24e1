"""How differently stimuli are represented."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bids_dnn.errors import ShapeError

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Rdm:
    """A representational dissimilarity matrix, one value for each pair of stimuli.

    Parameters
    ----------
    values : (n * (n - 1) / 2,) float64
        Pairs (0, 1), (0, 2) ... (1, 2) ...; NaN = not defined.
    stimuli : n
        Stimulus ids; no id twice.
    method
        The kind of dissimilarity.

    Raises
    ------
    ShapeError
        If there is not one value for each pair, or an id stands twice.
    """

    values: NDArray[np.float64]
    stimuli: tuple[str, ...]
    method: str

    def __post_init__(self) -> None:
        n = len(self.stimuli)
        if self.values.shape != (n * (n - 1) // 2,):
            raise ShapeError(
                f"values have shape {self.values.shape}, but {n} stimuli make "
                f"{n * (n - 1) // 2} pairs.",
                mend="Give one value for each pair, (0, 1), (0, 2) ... (1, 2) ...",
            )
        if len(set(self.stimuli)) != n:
            raise ShapeError(
                f"{n - len(set(self.stimuli))} stimulus id(s) stand twice in the RDM.",
                mend="Give each stimulus once.",
            )

    def matrix(self) -> NDArray[np.float64]:
        """Return the values as a symmetric matrix (n, n) with zeros in the diagonal.

        Examples
        --------
        >>> Rdm(np.array([1.0, 2.0, 3.0]), ("a", "b", "c"), "euclidean").matrix().tolist()
        [[0.0, 1.0, 2.0], [1.0, 0.0, 3.0], [2.0, 3.0, 0.0]]
        """
        n = len(self.stimuli)
        made = np.zeros((n, n))
        made[~np.tri(n, dtype=bool)] = self.values
        made += made.T
        return made
