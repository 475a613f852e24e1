"""Linear systems of Gram matrices that are scaled and shifted along their diagonal."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from bids_dnn.backend import namespace, put

Array = NDArray[np.float64]
Solve = Callable[[Array, Array, Array, Array], Array]


def solve_shifted(gram: Array, right: Array, scale: Array, shift: Array) -> Array:
    """Solve ``(scale gram + shift I) a = right``, of arrays or tensors.

    Parameters
    ----------
    gram : (b, n, n)
        Of b problems.
    right : (b, n, k)
    scale, shift : (b, 1, k), or (b, 1, 1)
        Above zero.

    Returns
    -------
    solution : (b, n, k)

    Examples
    --------
    >>> one = np.ones((1, 1, 1))
    >>> solve_shifted(3 * one, 8 * one, 2 * one, 2 * one).tolist()
    [[[1.0]]]
    """
    if scale.shape[2] == shift.shape[2] == 1:
        matrix = scale * gram + shift * put(np.eye(gram.shape[1]), gram)
        made: Array = namespace(gram).linalg.solve(matrix, right)
        return made
    columns = []
    for k in range(right.shape[2]):
        own = [one[:, :, k : k + 1] if one.shape[2] > 1 else one for one in (scale, shift)]
        columns.append(solve_shifted(gram, right[:, :, k : k + 1], *own))
    joined: Array = namespace(gram).concatenate(columns, axis=2)
    return joined


def solve_compiled(gram: Array, right: Array, scale: Array, shift: Array) -> Array:
    """Solve the same by compiled loops, which are faster for many small matrices.

    Parameters
    ----------
    gram, right, scale, shift
        As for `solve_shifted`.

    Returns
    -------
    solution : (b, n, k)
        NaN where rounding leaves no positive matrix.
    """
    from bids_dnn.analyses.decode.classifiers.factors import solve_each  # numba

    made = np.array(right.mT, dtype=np.float64, order="C")  # (b, k, n)
    shape = (len(gram), 1, right.shape[2])
    numbers = [np.ascontiguousarray(np.broadcast_to(one, shape)[:, 0]) for one in (scale, shift)]
    solve_each(np.ascontiguousarray(gram), made, *numbers)
    return made.mT
