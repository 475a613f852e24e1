"""Rules of regions -> regions: masks of terms are joined on all places of a space."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from bids_dnn.containers.roi import Roi
from bids_dnn.containers.space import Channels, Grayordinates, Grid, Hemisphere, Space, Surface
from bids_dnn.errors import ConfigError, NotEnoughDataError, ShapeError, SpaceError
from bids_dnn.rois.places import plural
from bids_dnn.rois.rule import Rule, Term

Mask = NDArray[np.bool_]
Resolve = Callable[[Term], tuple[Mask, list[str]]]
KNOW_SIDES = ("benson", "atlas", "annot", "aparc", "aparc.a2009s", "aparc.DKTatlas", "wang15")
SIDES: dict[str, Hemisphere] = {"L": "L", "R": "R"}
WORDS: dict[Hemisphere, str] = {"L": "LEFT", "R": "RIGHT"}
STANDARD = ("MNI", "IXI549", "fsLR")  # the midline of these is at x = 0


def build_region(name: str, rule: Rule, space: Space, resolve: Resolve) -> tuple[Roi, list[str]]:
    """Return the region that a rule describes.

    Parameters
    ----------
    name
        Letters and digits only, as it will stand in file names.
    rule
        Terms and joins, from `grammar.parse`.
    space
        Of the responses; all its places may belong to the region, measured or not.
    resolve
        Gives the places (n_places,) of one term, and warnings. The option ``hemi`` is its
        matter for the kinds in `KNOW_SIDES`, whose sources name the hemisphere, and is applied
        here to all others.

    Returns
    -------
    region
        Its `source` is the text of the rule.
    warnings
        A sentence each, no sentence twice.

    Raises
    ------
    ConfigError
        If the name holds anything but letters and digits.
    NotEnoughDataError
        If no unit is left; names how many each term has.
    ShapeError
        If a mask has not one value for each place.
    SpaceError
        If a hemisphere is asked for where there is none.
    """
    if not (name.isalnum() and name.isascii()):
        plain = "".join(c for c in name if c.isalnum() and c.isascii()) or "V1"
        raise ConfigError(
            f"The region name {name!r} holds more than letters and digits.",
            mend=f"Call it {plain!r}: --roi {plain}={rule}",
        )
    counts: dict[str, int] = {}

    def counted(term: Term) -> tuple[Mask, list[str]]:
        mask, said = one_term(term, space, resolve)
        counts[str(term)] = int(mask.sum())
        return mask, said

    mask, warnings = _joined(rule, counted)
    if not mask.any():
        had = ", ".join(f"{text} has {n}" for text, n in counts.items())
        raise NotEnoughDataError(
            f"Region {name!r} has none of the {plural(space)} of {space.describe()}: {had}.",
            mend=f"Change the rule ({rule}), or leave the region out.",
        )
    index = np.flatnonzero(mask).astype(np.int64)
    return Roi(name, space.at(index), str(rule), index.size), list(dict.fromkeys(warnings))


def mask_of(rule: Rule, space: Space, resolve: Resolve) -> tuple[Mask, list[str]]:
    """Mark the places (n_places,) of a rule, such as the one in ``within=``; may be none.

    Raises
    ------
    ShapeError, SpaceError
        As `build_region`.
    """
    return _joined(rule, lambda term: one_term(term, space, resolve))


def one_term(term: Term, space: Space, resolve: Resolve) -> tuple[Mask, list[str]]:
    """Mark the places (n_places,) of one term, in the hemisphere that it asks for.

    Raises
    ------
    ShapeError
        If the mask of the term has not one value for each place.
    SpaceError
        As `hemisphere`.
    """
    mask, warnings = resolve(term)
    if mask.shape != (space.n_places,):
        raise ShapeError(
            f"The mask of {term} has shape {mask.shape}, but {space.describe()} has "
            f"{space.n_places} places.",
            mend="Give one value for each place of the space, measured or not.",
        )
    side = term.options.get("hemi")
    if side and term.kind not in KNOW_SIDES:
        mask = hemisphere(mask, space, SIDES[side])
        warnings = warnings + midline_doubt(space, str(term))
    return mask, warnings


def hemisphere(mask: Mask, space: Space, side: Hemisphere) -> Mask:
    """Return a mask less what lies in the other hemisphere.

    Vertices are told apart by their mesh, grayordinates by the name of their structure, and
    voxels by their center: left where x < 0 in mm (RAS), right where x >= 0. A structure that
    is of neither side, such as the brain stem, is taken apart as voxels are.

    Parameters
    ----------
    mask : (n_places,) bool
        Not altered.
    space
        Whose places these are.
    side
        Which hemisphere is kept.

    Raises
    ------
    SpaceError
        If the places have no hemisphere (`Channels`).

    Examples
    --------
    >>> space = Surface("fsaverage5", (2, 2), np.arange(4))
    >>> hemisphere(np.array([True, False, True, True]), space, "R")
    array([False, False,  True,  True])
    """
    if isinstance(space, Surface):
        return mask & space.whole().in_hemisphere(side)
    if isinstance(space, Grid):
        voxels = np.stack(np.unravel_index(np.arange(space.n_places), space.shape), axis=1)
        return mask & _beside(voxels, space.affine, side)
    if isinstance(space, Grayordinates):
        kept = np.array([_sided(name, side) for name in space.structures], dtype=np.int8)
        of_place = kept[space.structure]
        return mask & np.where(
            of_place == 0, _beside(space.voxel, space.affine, side), of_place > 0
        )
    raise SpaceError(
        f"A hemisphere ({side}) was asked for, but the units are "
        f"{'channels' if isinstance(space, Channels) else space.describe()} without a place in "
        "the brain.",
        mend="Leave out hemi=, and name the channels by their area.",
    )


def midline_doubt(space: Space, what: str) -> list[str]:
    """Return a warning where the x of voxels is no safe sign of their hemisphere.

    Parameters
    ----------
    space
        Of the responses.
    what
        Was cut at x = 0: a term, or an atlas's label.
    """
    if not isinstance(space, Grid) or space.name.startswith(STANDARD):
        return []
    return [
        f"The hemisphere of {what} was cut at x = 0 mm of {space.name}, which is the middle of "
        "the head only where it lay straight in the scanner."
    ]


def _joined(rule: Rule, single: Resolve) -> tuple[Mask, list[str]]:
    if isinstance(rule, Term):
        return single(rule)
    left, said = _joined(rule.left, single)
    right, more = _joined(rule.right, single)
    joined = {"|": left | right, "&": left & right, "-": left & ~right}[rule.operator]
    return joined, said + more


def _sided(structure: str, side: Hemisphere) -> int:
    """Return 1 for a structure of this side, -1 for one of the other, 0 for one of neither."""
    words = structure.split("_")
    if WORDS[side] in words:
        return 1
    return -1 if {"LEFT", "RIGHT"} & set(words) else 0


def _beside(
    voxels: NDArray[np.integer], affine: NDArray[np.float64], side: Hemisphere
) -> NDArray[np.bool_]:
    x_mm = voxels @ affine[0, :3] + affine[0, 3]  # (n,)
    beside: NDArray[np.bool_] = x_mm < 0 if side == "L" else x_mm >= 0
    return beside
