"""The pairs of a task and the pictures of their exemplars, and how a pair is shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bids_dnn.analyses.samediff.augment import Copy, Picture, augmented
from bids_dnn.analyses.samediff.pairs import ANSWERS, COLUMNS, Answer, names_of
from bids_dnn.analyses.samediff.split import check_split
from bids_dnn.errors import MissingInputError, NotEnoughDataError, ShapeError

Draw = Callable[[Picture, Picture, str], Picture]  # first, second, orientation -> one picture
Entries = NDArray[np.intp]  # (n, 2): row of the pair, number of the copy
SHOWN = 5
NOISE = 51  # tells this draw from others of the same seed


@dataclass(frozen=True, slots=True, eq=False)
class Material:
    """What is to be judged.

    Parameters
    ----------
    pairs
        See `pairs.draw_pairs`; rows with the same ``pair`` are copies of one.
    exemplars : n_exemplars
        Ids, in the order of `pictures`.
    pictures : (n_exemplars, h, w, 3) float32, in [0, 1]
        As large as an exemplar is shown.
    draw
        Puts two of them onto one canvas (size, size, 3), in [0, 1].

    Raises
    ------
    MissingInputError
        If a column lacks, or an exemplar of a pair has no picture.
    ShapeError
        If the pictures have another form or range.
    LeakageError
        If a pair or an exemplar stands on both sides of the split.
    """

    pairs: pd.DataFrame
    exemplars: tuple[str, ...]
    pictures: NDArray[np.float32]
    draw: Draw
    _sides: NDArray[np.intp] = field(init=False, repr=False)  # (2, n_pairs)

    def __post_init__(self) -> None:
        if missing := [name for name in (*COLUMNS, "split") if name not in self.pairs]:
            raise MissingInputError(
                f"The table of pairs lacks {', '.join(missing)}.",
                mend="Make it with draw_pairs, or complete it with completed and draw_split.",
            )
        shape, kind = self.pictures.shape, self.pictures.dtype
        if self.pictures.ndim != 4 or shape[0] != len(self.exemplars) or shape[3] != 3:
            raise ShapeError(
                f"The pictures of {len(self.exemplars)} exemplars have shape {shape}.",
                mend="Give (n_exemplars, height, width, 3).",
            )
        if kind != np.float32 or not (self.pictures.min() >= 0 and self.pictures.max() <= 1):
            raise ShapeError(
                f"The pictures are of type {kind}, from {self.pictures.min():g} to "
                f"{self.pictures.max():g}; float32 in [0, 1] was expected.",
                mend="Divide 8-bit values by 255.",
            )
        shown = {*self.pairs["first"], *self.pairs["second"]}
        if unknown := sorted(shown - set(self.exemplars)):
            more = f" and {len(unknown) - SHOWN} more" if len(unknown) > SHOWN else ""
            raise MissingInputError(
                f"There is no picture of {', '.join(unknown[:SHOWN])}{more}.",
                mend="Name exemplars as the catalog of stimuli does.",
            )
        check_split(self.pairs)
        place = {name: k for k, name in enumerate(self.exemplars)}
        sides = [[place[name] for name in self.pairs[side]] for side in ("first", "second")]
        object.__setattr__(self, "_sides", np.array(sides, dtype=np.intp))

    def classes(self, answer: Answer) -> tuple[tuple[str, ...], NDArray[np.intp]]:
        """Return the names of what may be answered, and which is true of each pair, (n_pairs,).

        Parameters
        ----------
        answer
            Key of `pairs.ANSWERS`.

        Raises
        ------
        NotEnoughDataError
            If there is one category, and it is to be answered.
        """
        names = names_of(self.pairs, answer)
        if len(names) < 2:
            raise NotEnoughDataError(
                f"All pairs are of the category {names[0]!r}, so that it cannot be answered.",
                mend="Give pictures of two categories or more, or answer same.",
            )
        told = self.pairs[ANSWERS[answer]].to_numpy(str)
        return names, np.array([names.index(one) for one in told], dtype=np.intp)

    def sides(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return the numbers of the first and second exemplar of each pair: (n_pairs,) each."""
        return self._sides[0], self._sides[1]

    def entries(self, part: str, n_copies: int = 1) -> Entries:
        """Return the pairs of a part, each with each copy: (n, 2)."""
        rows = np.flatnonzero(self.pairs["split"] == part)
        return np.stack([np.repeat(rows, n_copies), np.tile(np.arange(n_copies), len(rows))], 1)

    def crops(
        self, row: int, copies: Sequence[Copy], which: int, *, seed: int, epoch: int = 0
    ) -> tuple[Picture, Picture]:
        """Return both pictures of a pair under one augmentation.

        Noise is drawn for each of the two: were it shared, it would tell which pairs are the
        same.

        Parameters
        ----------
        row : int
            Of the pair.
        copies
            All that are made.
        which : int
            The one that is wanted.
        seed, epoch : int
            Of what is drawn.
        """
        first, second = (
            augmented(
                self.pictures[self._sides[side, row]],
                copies[which],
                seed=[seed, NOISE, row, which, side, epoch],
            )
            for side in range(2)
        )
        return first, second
