"""The signed-rank test, exact at any number of participants."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Array = NDArray[np.floating[Any]]
DIGITS = 10  # of the largest value, to which values are ranked: rounding must not part ties


def signed_rank(values: Array) -> tuple[float, float]:
    """Test one-sided that values lie above zero, by Wilcoxon's signed ranks.

    Values of zero are left out, as Wilcoxon did; equal sizes share their mean rank. The p is
    exact in all cases: it counts the sums of ranks over all signs (a convolution), ties counted
    as they are.

    Parameters
    ----------
    values : (n,)
        One a participant, less what is expected by chance; NaN is left out.

    Returns
    -------
    p : float, in (0, 1]
        One where all values are zero, NaN where there is none.
    floor : float
        The smallest p that is possible: one over 2 to the number of values that are not zero.

    References
    ----------
    Wilcoxon (1945), Biometrics Bull. 1:80, doi:10.2307/3001968.

    Examples
    --------
    >>> signed_rank(np.array([0.2, 0.1, 0.3, -0.15]))
    (0.1875, 0.0625)
    """
    known = np.asarray(values[np.isfinite(values)], dtype=np.float64)
    if not known.size:
        return float("nan"), float("nan")
    largest = float(np.abs(known).max()) or 1.0
    known = np.round(known / largest, DIGITS)
    known = known[known != 0]
    doubled = np.rint(2 * stats.rankdata(np.abs(known))).astype(np.intp)  # whole, also of ties
    chances = np.ones(1)  # of each sum of doubled ranks with a positive sign
    for rank in doubled:
        longer = np.zeros(chances.size + rank)
        longer[: chances.size] += chances / 2
        longer[rank:] += chances / 2
        chances = longer
    p = float(chances[int(doubled[known > 0].sum()) :].sum())
    return min(p, 1.0), 0.5**known.size
