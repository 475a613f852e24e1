"""Draw transforms.png: what each transform does to a picture whose every part is known.

Run from the top of the project: ``python docs/images/transforms.py``.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from bids_dnn.stimuli.transform import examples, parse_transforms

SIDE_PX, N_CHECKS, TILE_PX, GAP_PX, N_COLUMNS = 480, 24, 150, 8, 6
CAPTION_PX = 14
SHOWN = (
    *("squash", "center-crop", "pad", "grey", "contrast(factor=0.3)"),
    *("aperture(edge=0.2)", "noise(snr=0.5)", "noise(snr=0.5, channels=same)"),
    *("place(x=2, y=3, size=4, field=12)", "pair", "pair(orientation=inverted)"),
    *("retinawarp", "retinawarp(density=40)", "retinawarp(mode=fitted)"),
    *("retinawarp(x=0.4, y=0.3)", "retinawarp(fill=mean)"),
)


def drawn(color: tuple[int, int, int]) -> np.ndarray:
    """Return a checkerboard with a disk, (SIDE_PX, SIDE_PX, 3) float32 in [0, 1]."""
    rows, columns = np.indices((SIDE_PX, SIDE_PX)) * N_CHECKS // SIDE_PX
    checks = np.where((rows + columns)[:, :, None] % 2, (70, 110, 150), (170, 200, 190))
    picture = Image.fromarray(checks.astype(np.uint8))
    rim = (SIDE_PX * 0.3, SIDE_PX * 0.3, SIDE_PX * 0.7, SIDE_PX * 0.7)
    ImageDraw.Draw(picture).ellipse(rim, fill=color)
    return np.asarray(picture, dtype=np.float32) / 255


def main() -> None:
    """Write the sheet beside this file."""
    first, second = drawn((220, 120, 60)), drawn((110, 60, 150))
    wide = np.concatenate([first[:, 120:], second[:, :360]], axis=1)
    high = CAPTION_PX + TILE_PX + GAP_PX
    n_rows = -(-len(SHOWN) // N_COLUMNS)
    sheet = Image.new("RGB", (N_COLUMNS * (TILE_PX + GAP_PX), n_rows * high), "white")
    captions = ImageDraw.Draw(sheet)
    for position, text in enumerate(SHOWN):
        given = [first, second] if text.startswith("pair") else [first]
        if text in ("squash", "center-crop", "pad"):
            given = [wide]
        steps = examples(
            given, parse_transforms([text]), size_px=TILE_PX, resize="squash", stimulus=text
        )
        x, y = position % N_COLUMNS * (TILE_PX + GAP_PX), position // N_COLUMNS * high
        captions.text((x, y), text.replace(" ", "")[:25], fill="black")
        sheet.paste(Image.fromarray(list(steps.values())[-1]), (x, y + CAPTION_PX))
    sheet.quantize(128).save(Path(__file__).with_suffix(".png"), optimize=True)


if __name__ == "__main__":
    main()
