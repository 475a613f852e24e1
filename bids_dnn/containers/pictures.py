"""Pictures in arrays: those that a data set keeps so, and those that a network sees."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bids_dnn.errors import MissingInputError, ShapeError, nearest

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

AXES = ("nyx", "nyxc")  # in any order


@dataclass(frozen=True, slots=True)
class PictureArray:
    """One array of pictures in a file of MATLAB or HDF5.

    Parameters
    ----------
    path
        The file.
    variable
        Name of the array in it.
    names : n_pictures
        Stimulus ids, in the order of the array.
    axes
        One letter an axis, in the order in which numpy shows the array: ``n`` pictures, ``y``
        down, ``x`` right, ``c`` red, green and blue (or grey alone, or with alpha). MATLAB's
        format 7.3 has them reversed.
    black, white : float
        Values that are shown as black and as white.

    Raises
    ------
    ShapeError
        If `axes` has other letters, or `black` equals `white`.
    """

    path: Path
    variable: str
    names: tuple[str, ...]
    axes: str = "nyx"
    black: float = 0.0
    white: float = 255.0

    def __post_init__(self) -> None:
        is_known = any(sorted(self.axes) == sorted(axes) for axes in AXES)
        if not is_known or self.black == self.white:
            raise ShapeError(
                f"An array of pictures has the axes {self.axes!r} from {self.black} to "
                f"{self.white}.",
                mend=f"Give two values, and as axes the letters {' or '.join(AXES)} in any order.",
            )


@dataclass(frozen=True, slots=True)
class Pictures:
    """All pictures that a data set keeps in arrays, each known by one name.

    Parameters
    ----------
    arrays
        Their names are unique among all of them.

    Raises
    ------
    ShapeError
        If a name stands twice.
    """

    arrays: tuple[PictureArray, ...]

    def __post_init__(self) -> None:
        names = self.names
        if len(set(names)) != len(names):
            raise ShapeError(
                f"{len(names) - len(set(names))} names of pictures stand twice.",
                mend="Give each picture a name of its own.",
            )

    @property
    def names(self) -> tuple[str, ...]:
        """Stimulus ids of all pictures, in the order of the arrays."""
        return tuple(name for array in self.arrays for name in array.names)

    def where(self, name: str) -> tuple[PictureArray, int]:
        """Return the array that holds a picture, and its number in it.

        Raises
        ------
        MissingInputError
            If there is no picture of this name.
        """
        for array in self.arrays:
            if name in array.names:
                return array, array.names.index(name)
        raise MissingInputError(
            f"No array holds a picture {name!r}.", mend=nearest(name, self.names)
        )


@dataclass(frozen=True, slots=True, eq=False)
class GreyPictures:
    """Luminance of the pictures of stimuli, as a network sees them.

    Parameters
    ----------
    stimuli : n_stimuli
        Ids, in the order of the rows of `values`.
    values : (n_stimuli, h, w) uint8
        From black to white.
    network
        The one that sees them, as the settings call it.

    Raises
    ------
    ShapeError
        If `values` are no pictures with a row for each stimulus.
    """

    stimuli: tuple[str, ...]
    values: NDArray[np.uint8]
    network: str

    def __post_init__(self) -> None:
        if self.values.ndim != 3 or len(self.values) != len(self.stimuli):
            raise ShapeError(
                f"values have shape {self.values.shape}, but there are {len(self.stimuli)} "
                "stimuli.",
                mend="Give (n_stimuli, rows, columns).",
            )
