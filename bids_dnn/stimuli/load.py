"""From picture files to what a network is fed."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, NoReturn, Required, TypedDict

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageOps, ImageSequence
from PIL.ImageFile import ImageFile

from bids_dnn.errors import BidsDnnError, MissingInputError, UnreadableError, nearest
from bids_dnn.stimuli.resize import MID_GREY, square
from bids_dnn.stimuli.transform import Transform, makes_square, transformed

if TYPE_CHECKING:
    from bids_dnn.containers.network import Interpolation, Resize

MAX_PIXELS = 100_000_000  # 300 MB as 8-bit RGB
FORMATS = (
    *("PNG", "JPEG", "BMP", "DIB", "GIF", "TIFF", "WEBP", "AVIF", "JPEG2000", "PPM"),
)  # those that are told by their first bytes and that run no other program
REFUSED = {
    "F": "floating-point",
    "I": "32-bit",
    "LAB": "CIE Lab",
    "HSV": "HSV",
}  # modes of pillow whose range or meaning a file does not fix
WIDE_AS_32_BIT = frozenset({"PNG", "PPM"})  # in which mode I holds 16 bits
BROKEN = (
    *(OSError, SyntaxError, ValueError, EOFError, RuntimeError, TypeError, IndexError),
    *(struct.error, zlib.error),
    Image.DecompressionBombError,
)  # what pillow raises on damaged files
PHOTOMETRIC = 262  # tag of TIFF; 0 = the least number is white
ANNEX_POINTER = b"/annex/objects/"


class _Rule(TypedDict, total=False):
    resize: Required[Resize]
    interpolation: Interpolation
    fill: float
    keep: float


@dataclass(frozen=True, slots=True)
class Loader:
    """Reads stimuli as a network wants them; may be sent to worker processes.

    Parameters
    ----------
    files
        Stimulus id to its files: one, or the two items of a ``pair``.
    size_px : int
        Side of the network's input.
    resize, interpolation
        See `resize.square`.
    transforms
        See `transform.transformed`.
    max_pixels : int
        Width x height above which a file is refused before it is decoded.
    """

    files: Mapping[str, tuple[Path, ...]]
    size_px: int
    resize: Resize
    interpolation: Interpolation = "bilinear"
    transforms: tuple[Transform, ...] = ()
    max_pixels: int = MAX_PIXELS

    def __call__(self, stimulus: str) -> NDArray[np.uint8] | NDArray[np.float32]:
        """Return the picture of a stimulus, not normalized.

        Parameters
        ----------
        stimulus
            Its id.

        Returns
        -------
        picture : (size_px, size_px, 3)
            RGB. uint8 where nothing but resizing was done; else float32 in units of [0, 1], not
            clipped. Resizing that comes first is done on 8 bits, as networks were trained.

        Raises
        ------
        MissingInputError
            If there is no such stimulus or file.
        UnreadableError
            As `read_rgb`.
        ConfigError
            As `transform.transformed`.
        """
        if stimulus not in self.files:
            raise MissingInputError(
                f"There is no stimulus {stimulus!r}.", mend=nearest(stimulus, self.files)
            )
        pictures = [read_rgb(one, max_pixels=self.max_pixels) for one in self.files[stimulus]]
        rule, others = self._first()
        if rule:
            pictures = [square(one, self.size_px, **rule) for one in pictures]
        if rule and not others and len(pictures) == 1:
            return np.array(pictures[0])
        return transformed(
            [np.asarray(one, dtype=np.float32) / np.float32(255) for one in pictures],
            others,
            size_px=self.size_px,
            resize=self.resize,
            interpolation=self.interpolation,
            stimulus=stimulus,
        )

    def _first(self) -> tuple[_Rule | None, tuple[Transform, ...]]:
        """Return how the pictures are resized first, on 8 bits, and what is done then."""
        rule = _Rule(resize=self.resize, interpolation=self.interpolation)
        if not makes_square(self.transforms):
            return rule, self.transforms
        first, others = self.transforms[0], self.transforms[1:]
        if first.name == "squash":
            return {**rule, "resize": "squash"}, others
        if first.name == "center-crop":
            return {**rule, "resize": "center-crop", "keep": first.number("keep")}, others
        if first.name == "pad" and isinstance(fill := first["fill"], float) and fill.is_integer():
            return {**rule, "resize": "pad", "fill": fill}, others
        return None, self.transforms


def read_rgb(path: Path, *, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """Read a picture, upright, as 8-bit RGB.

    What kind of file it is, its content says, not its name. The camera's orientation is applied;
    grey, palette and CMYK pictures become RGB (color profiles are not used); what is transparent
    shows mid grey (128); of 16 bits, grey is divided by 257, and of colors the upper 8 are taken.

    Parameters
    ----------
    path
        A picture file.
    max_pixels : int
        Width x height that is still decoded.

    Returns
    -------
    picture
        Of mode ``RGB``.

    Raises
    ------
    MissingInputError
        If there is no such file, or its content was not fetched.
    UnreadableError
        If the file may not be read, is no picture, is cut short, too large, has frames that
        differ, or a pixel format whose range is unknown.
    """
    try:
        _require(path)
        with path.open("rb") as stream:
            return _decoded(stream, path, max_pixels)
    except BidsDnnError:
        raise
    except PermissionError as err:
        raise UnreadableError(
            f"{path} cannot be opened ({err.strerror}).",
            mend=f"Give read permission: chmod u+r {path}",
        ) from err
    except BROKEN as err:
        raise UnreadableError(
            f"{path} is not a picture that can be read: {err or type(err).__name__}.",
            mend="Save it again as PNG or JPEG, or remove it.",
        ) from err


def _require(path: Path) -> None:
    if path.is_dir():
        raise UnreadableError(f"{path} is a folder, not a picture.", mend="Name the files in it.")
    if path.is_file():
        with path.open("rb") as stream:
            start = stream.read(64)
        if not start:
            raise UnreadableError(
                f"{path} is not a picture that can be read: the file is empty.",
                mend="Copy it again, or remove it.",
            )
        if not start.startswith(ANNEX_POINTER):
            return
    elif not path.is_symlink():
        raise MissingInputError(
            f"There is no picture {path}.",
            mend="Put it there, or correct the stim_file that names it.",
        )
    raise MissingInputError(
        f"The picture {path} is a link whose content was not fetched.",
        mend=f"Type: datalad get {path}",
    )


def _decoded(stream: IO[bytes], path: Path, max_pixels: int) -> Image.Image:
    with _opened(stream) as stored:
        width, height = stored.size
        if width * height > max_pixels:
            raise UnreadableError(
                f"{path} has {width} x {height} pixels, more than the {max_pixels} that are read.",
                mend=f"Type --max-pixels {width * height}, or save a smaller picture.",
            )
        _check_frames(stored, path)
        stored.load()
        is_wide = stored.mode.startswith("I;16") or (
            stored.mode == "I" and stored.format in WIDE_AS_32_BIT
        )
        is_negative = stored.format == "TIFF" and stored.getexif().get(PHOTOMETRIC) == 0
        ImageOps.exif_transpose(stored, in_place=True)
        if is_wide:
            return _narrowed(stored, is_negative=is_negative)
        if stored.mode in REFUSED:
            raise UnreadableError(
                f"{path} holds {REFUSED[stored.mode]} pixels, whose range is not known.",
                mend="Save it as 8-bit RGB or as 8- or 16-bit grey.",
            )
        return _as_rgb(stored)


def _opened(stream: IO[bytes]) -> ImageFile:
    """Identify a picture without decoding it.

    `PIL.Image.open` would do, but for its own limit of pixels, which only its global setting
    can raise.
    """
    start = stream.read(16)
    Image.init()
    said = "no format that is known"
    for name in FORMATS:
        if name not in Image.OPEN:  # a pillow without this format
            continue
        factory, accepts = Image.OPEN[name]
        accepted = accepts(start) if accepts else True
        if isinstance(accepted, str):  # a format that this pillow was built without
            said = accepted
        elif accepted:
            stream.seek(0)
            return factory(stream, "")
    raise ValueError(said)


def _check_frames(stored: ImageFile, path: Path) -> None:
    """Refuse a file whose frames or pages differ; of a camera's MPO the first is the picture."""
    n_frames: int = getattr(stored, "n_frames", 1)
    if n_frames == 1 or stored.format == "MPO":
        return
    size, first = stored.size, stored.convert("RGBA")
    for frame in ImageSequence.Iterator(stored):
        if frame.size != size:  # before it is decoded
            _refuse_frames(path, n_frames)
        shown = frame.convert("RGBA")
        if ImageChops.difference(first, shown).getbbox(alpha_only=False):
            _refuse_frames(path, n_frames)
    stored.seek(0)


def _refuse_frames(path: Path, n_frames: int) -> NoReturn:
    raise UnreadableError(
        f"{path} has {n_frames} frames that differ, and nothing says which was shown.",
        mend="Save the frame that was shown as a PNG.",
    )


def _narrowed(picture: Image.Image, *, is_negative: bool) -> Image.Image:
    """Return 16-bit grey as 8 bits; pillow keeps what is clear and which end is white aside."""
    wide = np.asarray(picture).astype(np.uint32)
    grey = (((65535 - wide if is_negative else wide) + 128) // 257).astype(np.uint8)
    clear = picture.info.get("transparency")
    if isinstance(clear, int):
        grey[wide == clear] = MID_GREY
    return Image.fromarray(grey).convert("RGB")


def _as_rgb(picture: Image.Image) -> Image.Image:
    if picture.has_transparency_data:
        over = Image.new("RGBA", picture.size, (*(MID_GREY,) * 3, 255))
        return Image.alpha_composite(over, picture.convert("RGBA")).convert("RGB")
    return picture.convert("RGB")
