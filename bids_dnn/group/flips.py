"""Maps of t under flips of signs or exchanged groups, a few at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bids_dnn.errors import ShapeError
from bids_dnn.group.watch import Progress
from bids_dnn.stats.designs import Design
from bids_dnn.stats.exchange import Draws, Model, vary

Float = NDArray[np.float64]
MOST_AT_ONCE = 2_000_000  # draws x units: t and what is made of them, some 50 MB


@dataclass(frozen=True, slots=True, eq=False)
class Flips:
    """What is flipped, and how.

    Parameters
    ----------
    design
        Of the participants who are in.
    model
        Of that design.
    known : (n_known,) intp
        Numbers of the units that are tested.
    rows : (n_participants, n_known)
        Their values.
    draws
        The flips, or exchanges.
    """

    design: Design
    model: Model
    known: NDArray[np.intp]
    rows: Float
    draws: Draws

    def __len__(self) -> int:
        return len(self.draws.values)

    def seen(self) -> Float:
        """Return t (1, n_known) of the data as they are."""
        return self.model.as_t(self.model.null(self.rows, self.draws.identity()))

    def parts(self, progress: Progress | None = None) -> Iterator[tuple[int, Float]]:
        """Give t (n_some, n_known) of some flips after the other, each with its first number.

        Parameters
        ----------
        progress
            Told how many flips are done, and of how many.
        """
        size = max(1, MOST_AT_ONCE // max(1, self.known.size))
        for start in range(0, len(self), size):
            some = Draws(self.draws.values[start : start + size], False, 0, False)  # noqa: FBT003
            yield start, self.model.as_t(self.model.null(self.rows, some))
            if progress is not None:
                progress(min(start + size, len(self)), len(self))

    def p_of(self, count: NDArray[np.integer]) -> Float:
        """Return p, given how many flips are at least as extreme as the data.

        Random draws may miss the one that turns all signs, which counts where both directions do:
        p is the floor at least.

        Parameters
        ----------
        count : (n,)
        """
        share = count / len(self) if self.draws.enumerated else (1 + count) / (1 + len(self))
        return np.maximum(share, self.draws.floor(is_two_sided=self.design.is_two_sided))


def flips_of(values: Float, design: Design, *, n_units: int, n_flips: int, seed: int) -> Flips:
    """Draw flips of signs, or exchanges of groups, of the units that can be tested.

    Parameters
    ----------
    values : (n_units, n_participants)
        NaN = not measured.
    design
        Of the participants.
    n_units : int
        That the space has.
    n_flips : int
        Random ones, or all where there are no more.
    seed

    Returns
    -------
    flips
        Without units where a participant has no value, or some flip leaves no variance: t would
        be infinite there.

    Raises
    ------
    ShapeError
        If `values` has not a row for each unit and a column for each participant.
    NotEnoughDataError
        If there are no more participants than covariates + 1, or a group has fewer than two.
    """
    if values.shape != (n_units, design.n):
        raise ShapeError(
            f"values have shape {values.shape}, there are {n_units} units and "
            f"{design.n} participants.",
            mend="Give one row for each unit and one column for each participant.",
        )
    y, own = values[:, design.who], design.known()
    model = own.model()
    known = np.flatnonzero(np.isfinite(y).all(axis=1))
    known = known[own.varies(y[known])]
    made = Flips(own, model, known, y[known].T.astype(np.float64), own.draws(n_flips, seed))
    if not own.covariates.size:
        return made
    keep = vary(made.seen(), model)  # a flip may be one that covariates fit
    for _, t in made.parts():
        keep &= vary(t, model)
    return replace(made, known=known[keep], rows=made.rows[:, keep])
