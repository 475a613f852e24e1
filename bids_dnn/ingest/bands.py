"""Low-pass filters as matrices, so that series and designs are filtered alike."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from bids_dnn.errors import ConfigError


def low_pass_operator(
    keep: NDArray[np.bool_], *, t_r_s: float, low_pass_hz: float, run: str
) -> NDArray[np.float64]:
    """Return the matrix that low-passes the kept volumes of a run, (n_kept, n_kept).

    nilearn's filter (Butterworth, 5th order, forth and back; volumes that are left out within
    the run are interpolated first, by a cubic spline) is linear, so that it is known by what it
    makes of impulses. Interpolated here, because ``nilearn.signal.clean`` keeps a volume that is
    left out as it is where its mirror image in the run is left out too (0.14).

    Parameters
    ----------
    keep : (n_volumes,) bool
        Volumes that count.
    t_r_s : s
        Between volumes.
    low_pass_hz : Hz
        Cut-off.
    run
        For the error.

    Raises
    ------
    ConfigError
        If the cut-off is not below half the sampling rate.
    """
    from nilearn import signal

    check_low_pass(low_pass_hz, t_r_s=t_r_s, run=run)
    kept = np.flatnonzero(keep)
    within = slice(int(kept[0]), int(kept[-1]) + 1)
    impulses = np.zeros((len(keep), len(kept)))
    impulses[kept] = np.eye(len(kept))
    impulses = interpolated(impulses, keep)[within]
    filtered = signal.butterworth(impulses, sampling_rate=1 / t_r_s, low_pass=low_pass_hz)
    operator: NDArray[np.float64] = filtered[kept - kept[0]]
    return operator


def interpolated(values: NDArray[np.float64], keep: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return values (n_volumes, n) with those that are left out put in by a cubic spline."""
    if keep.all():
        return values
    made = values.copy()
    made[~keep] = CubicSpline(np.flatnonzero(keep), values[keep])(np.flatnonzero(~keep))
    return made


def check_low_pass(low_pass_hz: float, *, t_r_s: float, run: str) -> None:
    """Refuse a cut-off that the volumes cannot show.

    Raises
    ------
    ConfigError
        If it is not above 0 and below half the sampling rate.
    """
    nyquist = 0.5 / t_r_s
    if not 0 < low_pass_hz < nyquist:
        raise ConfigError(
            f"responses.low_pass_hz is {low_pass_hz:g} Hz, but run {run} has a volume each "
            f"{t_r_s:g} s, so that a cut-off between 0 and {nyquist:g} Hz was expected.",
            mend="Choose a lower cut-off, or leave responses.low_pass_hz out.",
        )
