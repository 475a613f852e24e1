"""Stacks: one file that holds many pictures, and where in it they are."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from bids_dnn import imaging
from bids_dnn.containers.pictures import AXES, PictureArray, Pictures
from bids_dnn.errors import MissingInputError, ShapeError, UnreadableError, nearest
from bids_dnn.stimuli import catalog
from bids_dnn.stimuli.stack_files import Reader, Stored, reading

SPEC = re.compile(
    r"(?P<path>.+\.(?:h5|hdf5|hdf|mat)):(?P<variable>[^@]+?)(?:@(?P<axes>\w+))?", re.IGNORECASE
)
COLORS = (3, 1, 4)  # lengths of an axis of colors: RGB, grey, RGB with alpha
ONE_PICTURE = (3, 4)  # an array of 3 axes, one of which has this length, is one color picture
THIN = 8  # pictures this many times as long as wide are unlikely
N_DIGITS = 6  # of ids that are numbers of rows
NAMES = (
    *("stimulus_id", "stimulus_ids", "stim_id", "stim_ids", "stimulus", "stimuli", "stim_file"),
    *("names", "name", "image_names", "image_name", "file_names", "file_name", "filenames"),
    *("filename", "ids", "id", "image_ids", "image_id"),
)  # of arrays beside the pictures that name them, the best first
FIXED = {"uint8": (0.0, 255.0), "logical": (0.0, 1.0)}  # black and white of a type
RANGES = {
    "whole": ((0.0, 255.0), (0.0, 65535.0)),
    "real": ((0.0, 1.0), (-0.5, 0.5), (-1.0, 1.0), (0.0, 255.0)),
}  # black and white of values within, the first that fits
ROUND = 1e-6  # relative, for rounding in float32


def find_stack(place: Path, *, limits: tuple[float, float] | None = None) -> Pictures:
    """Find the pictures in a file of HDF5 or MATLAB, without reading them all at once.

    Parameters
    ----------
    place
        ``FILE``, ``FILE:VARIABLE`` or ``FILE:VARIABLE@AXES`` (``a.h5:train/images@nyxc``), or a
        folder that holds one such file and no pictures. `AXES` are ``n`` pictures, ``y`` down,
        ``x`` right and ``c`` colors in the order of the program that wrote the file: MATLAB's
        for ``.mat``.
    limits : (black, white)
        Values shown as black and as white; None = by the type and the values. ``uint8``: 0 and
        255. ``logical``: 0 and 1. Other whole numbers: 0 and 255, or else 0 and 65535, where all
        lie within. Others: 0 and 1, -0.5 and 0.5, -1 and 1, or 0 and 255, the first within which
        all lie. What lies in none of these: the least and the greatest value of the stack.

    Returns
    -------
    pictures
        One array. Ids are what an array of names beside it says (less the suffix of a picture),
        else the numbers of the pictures, from ``000000``.

    Raises
    ------
    MissingInputError
        If the file or the variable is not there, or the file was not fetched.
    UnreadableError
        If it is damaged, holds no array of pictures, or several; or values that are no numbers.
    ShapeError
        If it cannot be told which axis is which, or a name stands twice.
    """
    path, variable, axes = split_stack(place)
    if path.is_dir():
        path = _only_file(path)
    imaging.require_file(path)
    with reading(path) as file:
        stored = _choose(path, file.arrays(), variable)
        forms = _forms_of(stored) if axes is None else [axes]
        _check_axes(path, stored, forms)
        lengths = {stored.shape[form.index("n")] for form in forms}
        names = _names(file.names_beside(stored.variable, lengths, NAMES))
        form = _form(path, stored, forms, names)
        n = stored.shape[form.index("n")]
        ids = _ids(path, names[n]) if n in names else _numbers(n)
        black, white = limits or _limits(path, stored, file)
    shown = _as_shown(form, stored)
    return Pictures((PictureArray(path, stored.variable, ids, shown, black, white),))


def is_stack(place: Path) -> bool:
    """Tell whether a place is a stack: a file, a variable of one, or a folder with one alone.

    Raises
    ------
    MissingInputError, UnreadableError
        If the one file of a folder was not fetched or is damaged.
    """
    path, variable, _ = split_stack(place)
    if path.is_dir():
        return stack_in(path) is not None
    return variable is not None or path.suffix.lower() in catalog.STACKS


def stack_in(folder: Path) -> Path | None:
    """Return the stack of a folder that holds one and no pictures, None for another folder.

    Raises
    ------
    MissingInputError, UnreadableError
        If there is no such folder, or its one file was not fetched or is damaged.
    """
    found = catalog.scan(folder)
    if found.pictures or found.not_fetched or len(found.stacks) != 1:
        return None
    path = folder / found.stacks[0]
    imaging.require_file(path)
    with reading(path) as file:
        return path if any(_forms_of(one) for one in file.arrays()) else None


def split_stack(place: Path) -> tuple[Path, str | None, str | None]:
    """Split ``FILE:VARIABLE@AXES`` into its parts; None for what is not told.

    Examples
    --------
    >>> split_stack(Path("a.h5:train/images@nyxc"))
    (PosixPath('a.h5'), 'train/images', 'nyxc')
    >>> split_stack(Path("a.h5"))
    (PosixPath('a.h5'), None, None)
    """
    told = None if place.exists() else SPEC.fullmatch(str(place))
    if told is None:
        return place, None, None
    return Path(told["path"]), told["variable"], told["axes"]


def describe_stack(pictures: Pictures) -> str:
    """Say in a sentence what a stack was taken for.

    Parameters
    ----------
    pictures
        As `find_stack` gives them.
    """
    (array,) = pictures.arrays
    return (
        f"{array.path} is taken as {len(array.names)} pictures, {array.names[0]} to "
        f"{array.names[-1]}: the array {array.variable}, axes {array.axes}, {array.black:g} = "
        f"black, {array.white:g} = white."
    )


# --- which array


def _only_file(folder: Path) -> Path:
    path = stack_in(folder)
    if path is None:
        raise MissingInputError(
            f"The folder {folder} does not hold one stack of pictures, and nothing else.",
            mend="Name the file.",
        )
    return path


def _choose(path: Path, arrays: Sequence[Stored], variable: str | None) -> Stored:
    if variable is not None:
        known = {one.variable: one for one in arrays}
        if variable.strip("/") not in known:
            raise MissingInputError(
                f"{path} holds no array {variable!r} of numbers with 3 or 4 axes.",
                mend=nearest(variable, known),
            )
        return known[variable.strip("/")]
    fit = [one for one in arrays if _forms_of(one)]
    if len(fit) == 1:
        return fit[0]
    if not fit:
        raise UnreadableError(
            f"{path} holds no stack of pictures: an array with 3 axes, or 4 of which one has the "
            f"length 3; there are: {_listed(arrays) or 'none with 3 or 4 axes'}.",
            mend=f"Name one and its axes, such as {path.name}:{_example(arrays)}@nyx, or give "
            "another file.",
        )
    raise UnreadableError(
        f"{path} holds {len(fit)} arrays that may be pictures: {_listed(fit)}.",
        mend=f"Name one, such as {path.name}:{fit[0].variable}",
    )


def _listed(arrays: Iterable[Stored]) -> str:
    return ", ".join(f"{one.variable} {one.shape}" for one in arrays)


def _example(arrays: Sequence[Stored]) -> str:
    return arrays[0].variable if arrays else "images"


# --- which axis


def _forms_of(stored: Stored) -> list[str]:
    if stored.is_list:
        return ["nyxc"[: len(stored.shape)]]
    return _forms(stored.shape, stored.is_matlab)


def _forms(shape: Sequence[int], is_matlab: bool) -> list[str]:  # noqa: FBT001
    """Return what the axes of an array may be, the likeliest first; [] = no stack of pictures."""
    if len(shape) == 4:
        order = ("yxcn", "nyxc", "ncyx") if is_matlab else ("nyxc", "ncyx", "yxcn")
        fit = [form for form in order if _length(shape, form, "c") in COLORS]
        fit = [form for form in fit if min(_sides(shape, form)) > 1]
        return sorted(fit, key=lambda form: _doubt(shape, form))
    if len(shape) != 3 or shape[0] in ONE_PICTURE or shape[2] in ONE_PICTURE:
        return []
    fit = [form for form in ("nyx", "yxn") if min(_sides(shape, form)) > 1]
    square = [form for form in fit if len(set(_sides(shape, form))) == 1]
    if len(square) == 1:
        return square
    return fit if is_matlab else fit[:1]


def _doubt(shape: Sequence[int], form: str) -> tuple[bool, bool]:
    short, long = sorted(_sides(shape, form))
    return long > THIN * short, _length(shape, form, "c") != COLORS[0]


def _length(shape: Sequence[int], form: str, axis: str) -> int:
    return shape[form.index(axis)]


def _sides(shape: Sequence[int], form: str) -> tuple[int, int]:
    return _length(shape, form, "y"), _length(shape, form, "x")


def _check_axes(path: Path, stored: Stored, forms: Sequence[str]) -> None:
    for form in forms:
        is_known = any(sorted(form) == sorted(axes) for axes in AXES)
        if is_known and len(form) == len(stored.shape):
            has_colors = "c" not in form or _length(stored.shape, form, "c") in COLORS
            if has_colors and _length(stored.shape, form, "n"):
                continue
        raise ShapeError(
            f"{path} has {stored.variable} of shape {stored.shape}, which does not fit the axes "
            f"{form!r}.",
            mend="Write n (pictures), y (down), x (right) and, of 4 axes, c (colors, 1, 3 or 4 "
            f"of them) in their order, such as {path.name}:{stored.variable}@nyxc",
        )
    if not forms:
        raise ShapeError(
            f"{path} has {stored.variable} of shape {stored.shape}; which axes are what cannot be "
            "told.",
            mend=f"Name them, such as {path.name}:{stored.variable}@nyx",
        )


def _form(
    path: Path, stored: Stored, forms: Sequence[str], names: Mapping[int, Sequence[str]]
) -> str:
    """Choose among what the axes may be: as many pictures as names, else the likeliest."""
    named = [form for form in forms if _length(stored.shape, form, "n") in names]
    if len(named) == 1:
        return named[0]
    if len(forms) > 1 and len(stored.shape) == 3:
        spec = f"{path.name}:{stored.variable}"
        raise ShapeError(
            f"{path} has {stored.variable} of shape {stored.shape}; whether the first or the last "
            "axis counts pictures cannot be told.",
            mend=" or ".join(f"{spec}@{form}" for form in forms) + " says which.",
        )
    return forms[0]


def _as_shown(form: str, stored: Stored) -> str:
    """Return axes in the order in which numpy shows them."""
    if stored.is_list and stored.is_reversed:
        return form[0] + form[:0:-1]
    return form[::-1] if stored.is_reversed else form


# --- names


def _names(found: Sequence[tuple[str, tuple[str, ...]]]) -> dict[int, tuple[str, ...]]:
    """Return names by their number: those of the best array, else those of the only one."""
    best: dict[int, tuple[str, ...]] = {}
    for n in {len(names) for _, names in found}:
        here = {variable: names for variable, names in found if len(names) == n}
        known = [variable for variable in NAMES if variable in here]
        others = [variable for variable, names in here.items() if len(set(names)) == n]
        if known or len(others) == 1:  # categories stand beside pictures too, but several times
            best[n] = here[(known or others)[0]]
    return best


def _ids(path: Path, names: Sequence[str]) -> tuple[str, ...]:
    plain = [catalog.plain_path(name).removeprefix("stimuli/") for name in names]
    if not all(plain):
        raise UnreadableError(
            f"{path} gives the picture {plain.index('')} an empty name.",
            mend="Name all of them, or none.",
        )
    bare = [_bare(name) for name in plain]
    return tuple(bare if len(set(bare)) == len(set(plain)) else plain)


def _bare(name: str) -> str:
    folder, sign, _ = name.rpartition("/")
    return f"{folder}{sign}{catalog.stem(name)}"


def _numbers(n: int) -> tuple[str, ...]:
    width = max(N_DIGITS, len(str(n - 1)))
    return tuple(f"{number:0{width}d}" for number in range(n))


# --- black and white


def _limits(path: Path, stored: Stored, file: Reader) -> tuple[float, float]:
    """Return what is shown as black and as white, by the type, else by all values."""
    if stored.kind in FIXED:
        return FIXED[stored.kind]
    low, high = file.extremes(stored.variable)
    if not (math.isfinite(low) and math.isfinite(high)):
        raise UnreadableError(
            f"{path} has values of {stored.variable} from {low} to {high}; numbers were expected.",
            mend="Save it with finite values.",
        )
    slack = ROUND * max(abs(low), abs(high))
    for black, white in RANGES[stored.kind]:
        if black - slack <= low and high <= white + slack:
            return black, white
    return low, high
