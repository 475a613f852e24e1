"""Functions that numba compiles: loops that no array function does at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numba

Function = TypeVar("Function", bound=Callable[..., Any])
FAST = {"reassoc", "contract", "nsz"}  # sums in any order; infinities and NaN stay what they are


def compiled(function: Function) -> Function:
    """Let numba compile a function when it is first called.

    What was compiled is kept for the next process, beside the module or in the user's own cache;
    where neither can be written (an installation for reading only, a container), each process
    compiles anew. numba looks at the file of the function that Python calls: who alters another
    one that it calls removes what was kept (``__pycache__/*.nb?``). The function lets go of
    Python's lock.

    Parameters
    ----------
    function
        Of arrays and numbers; what it calls is compiled as well.

    Examples
    --------
    >>> @compiled
    ... def double(x):
    ...     return 2 * x
    >>> double(1.5)
    3.0
    """
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": FAST}
    try:
        made: Function = numba.njit(cache=True, **options)(function)
    except RuntimeError:  # numba found no folder that it may write to
        made = numba.njit(**options)(function)
    return made
