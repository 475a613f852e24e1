"""Functions that numba compiles: as `stats.compiled` has it."""

from bids_dnn.stats.compiled import FAST, compiled

__all__ = ["FAST", "compiled"]
