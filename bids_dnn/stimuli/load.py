"""From a picture file to what a network is fed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from bids_dnn.errors import MissingInputError, UnreadableError

if TYPE_CHECKING:
    from bids_dnn.containers.network import Card

MID_GREY = (128, 128, 128)
REFUSED = {
    "F": "floating-point",
    "I": "32-bit",
    "LAB": "CIE Lab",
    "HSV": "HSV",
}  # modes of pillow whose range or meaning a file does not fix


def load_picture(path: Path, card: Card) -> NDArray[np.float32]:
    """Read a picture as `card` says that its network wants it.

    The camera's orientation is applied; grey and palette pictures become RGB; what is
    transparent shows mid grey (128); 16-bit grey is divided by 257; of several frames the first
    is taken. Resizing is bilinear with antialiasing, on 8 bits.

    Parameters
    ----------
    path
        A picture file.
    card
        Size, way of resizing, mean and standard deviation of the network's input.

    Returns
    -------
    picture : (3, size, size)
        RGB in [0, 1], less the mean, over the standard deviation.

    Raises
    ------
    MissingInputError
        If there is no such file.
    UnreadableError
        If the file is not a picture, is cut short, or has a pixel format whose range is unknown.
    """
    rgb = read_rgb(path)
    square = _squash(rgb, card.size_px) if card.resize == "squash" else _crop(rgb, card.size_px)
    unit = np.asarray(square, dtype=np.float32) / np.float32(255)  # (size, size, 3)
    centered = unit - np.asarray(card.mean, dtype=np.float32)
    scaled = centered / np.asarray(card.sd, dtype=np.float32)
    return np.ascontiguousarray(np.moveaxis(scaled, 2, 0))


def read_rgb(path: Path) -> Image.Image:
    """Read a picture, upright, as 8-bit RGB; see `load_picture` for how others become so.

    Raises
    ------
    MissingInputError
        If there is no such file.
    UnreadableError
        If the file is not a picture, is cut short, or has a pixel format whose range is unknown.
    """
    if not path.is_file():
        raise MissingInputError(
            f"There is no picture {path}.",
            mend="Put it there, or correct the stim_file that names it.",
        )
    try:
        with Image.open(path) as stored:
            stored.load()
            upright = ImageOps.exif_transpose(stored)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as err:
        raise UnreadableError(
            f"{path} is not a picture that can be read: {err}.",
            mend="Save it again as PNG or JPEG, or remove it.",
        ) from err
    if upright.mode in REFUSED:
        raise UnreadableError(
            f"{path} holds {REFUSED[upright.mode]} pixels, whose range is not known.",
            mend="Save it as 8-bit RGB or as 8- or 16-bit grey.",
        )
    return _as_rgb(upright)


def _as_rgb(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith("I;16"):
        wide = np.asarray(picture).astype(np.uint32)
        return Image.fromarray(((wide + 128) // 257).astype(np.uint8)).convert("RGB")
    if picture.has_transparency_data:
        over = Image.new("RGBA", picture.size, (*MID_GREY, 255))
        return Image.alpha_composite(over, picture.convert("RGBA")).convert("RGB")
    return picture.convert("RGB")


def _squash(picture: Image.Image, size: int) -> Image.Image:
    return picture.resize((size, size), Image.Resampling.BILINEAR)


def _crop(picture: Image.Image, size: int) -> Image.Image:
    scale = size / min(picture.size)
    width, height = (max(size, round(side * scale)) for side in picture.size)
    whole = picture.resize((width, height), Image.Resampling.BILINEAR)
    left, top = (width - size) // 2, (height - size) // 2
    return whole.crop((left, top, left + size, top + size))
