"""Drawings of four categories, each exemplar with its own layout, colors, texture and size."""

from __future__ import annotations

import colorsys
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw

SIZE_PX = 128
Color = tuple[int, int, int]
Range = tuple[float, float]


class Pen:
    """Draws on a picture in units of the object: its center is (0, 0), its side is 1."""

    def __init__(self, picture: Image.Image, rng: np.random.Generator) -> None:
        self.draw = ImageDraw.Draw(picture)
        self.rng = rng
        self.side = rng.uniform(0.55, 1.0) * SIZE_PX
        self.x = SIZE_PX * (0.5 + rng.uniform(-0.15, 0.15))
        self.y = SIZE_PX * (0.5 + rng.uniform(-0.12, 0.12))

    def _at(self, x: float, y: float) -> tuple[float, float]:
        return self.x + x * self.side, self.y + y * self.side

    def disc(self, center: tuple[float, float], radii: tuple[float, float], fill: Color) -> None:
        """Draw an ellipse."""
        (x, y), (a, b) = center, radii
        self.draw.ellipse([self._at(x - a, y - b), self._at(x + a, y + b)], fill=fill)

    def block(self, corner: tuple[float, float], other: tuple[float, float], fill: Color) -> None:
        """Draw a rectangle from its upper left to its lower right corner."""
        self.draw.rectangle([self._at(*corner), self._at(*other)], fill=fill)

    def shape(self, corners: list[tuple[float, float]], fill: Color) -> None:
        """Draw a polygon."""
        self.draw.polygon([self._at(*corner) for corner in corners], fill=fill)


def draw_pictures(
    rng: np.random.Generator, *, n_exemplars: int
) -> dict[str, tuple[str, Image.Image]]:
    """Draw exemplars of each category on backgrounds that tell nothing about the category.

    Parameters
    ----------
    rng
        Each picture takes a generator spawned from it.
    n_exemplars : int
        Of each category.

    Returns
    -------
    pictures
        File name to category and picture (RGB), in the order of the names.
    """
    made = {}
    for category, paint in PAINTERS.items():
        for i, own in enumerate(rng.spawn(n_exemplars), start=1):
            picture = _background(own)
            paint(Pen(picture, own), own)
            made[f"{category}{i:02}.png"] = (category, picture)
    return made


def _color(
    rng: np.random.Generator,
    hue: float | None = None,
    saturation: Range = (0.3, 0.9),
    brightness: Range = (0.2, 1.0),
) -> Color:
    tint = rng.random() if hue is None else (hue + rng.normal(0, 0.05)) % 1
    parts = colorsys.hsv_to_rgb(tint, rng.uniform(*saturation), rng.uniform(*brightness))
    red, green, blue = (round(255 * part) for part in parts)
    return red, green, blue


def _background(rng: np.random.Generator) -> Image.Image:
    ends = [
        np.array(_color(rng, saturation=(0.0, 0.8), brightness=(0.0, 1.0)), dtype=np.float64)
        for _ in range(2)
    ]
    angle = rng.uniform(0, 2 * np.pi)
    y, x = np.mgrid[0:SIZE_PX, 0:SIZE_PX] / SIZE_PX - 0.5
    blend = np.clip(0.5 + np.cos(angle) * x + np.sin(angle) * y, 0, 1)[..., None]
    grain = rng.normal(size=(int(rng.integers(4, 33)),) * 2).astype(np.float32)
    texture = Image.fromarray(grain).resize((SIZE_PX, SIZE_PX), Image.Resampling.BICUBIC)
    painted = ends[0] * (1 - blend) + ends[1] * blend
    painted += rng.uniform(0, 40) * np.asarray(texture)[..., None]
    return Image.fromarray(np.clip(painted, 0, 255).astype(np.uint8))


def _car(pen: Pen, rng: np.random.Generator) -> None:
    body = _color(rng, 0.62, (0.4, 1.0), (0.1, 0.5))
    glass, hub = _color(rng), _color(rng)
    pen.block((-0.5, -0.02), (0.5, 0.2), body)
    pen.shape([(-0.3, 0.0), (-0.18, -0.22), (0.2, -0.22), (0.33, 0.0)], body)
    pen.shape([(-0.22, -0.02), (-0.14, -0.18), (0.16, -0.18), (0.24, -0.02)], glass)
    for x in (-0.28, 0.28):
        pen.disc((x, 0.2), (0.12, 0.12), (20, 20, 20))
        pen.disc((x, 0.2), (0.05, 0.05), hub)


def _face(pen: Pen, rng: np.random.Generator) -> None:
    skin = _color(rng, 0.06, (0.3, 0.7), (0.3, 0.75))
    shade = (round(0.8 * skin[0]), round(0.8 * skin[1]), round(0.8 * skin[2]))
    width, apart, iris = rng.uniform(0.28, 0.4), rng.uniform(0.1, 0.18), _color(rng)
    pen.disc((0, -0.1), (width + 0.05, 0.4), _color(rng, brightness=(0.1, 0.6)))
    pen.disc((0, 0.04), (width, 0.44), skin)
    for x in (-apart, apart):
        pen.disc((x, -0.07), (0.07, 0.05), (250, 250, 250))
        pen.disc((x, -0.065), (0.03, 0.035), iris)
    pen.shape([(0, 0), (-0.05, 0.13), (0.05, 0.13)], shade)
    pen.disc((0, 0.28), (0.14, rng.uniform(0.02, 0.07)), (180, 30, 40))


def _house(pen: Pen, rng: np.random.Generator) -> None:
    wall = _color(rng, 0.12, (0.05, 0.5), (0.6, 1.0))
    roof, window = _color(rng, 0.02, (0.4, 0.9), (0.4, 0.9)), _color(rng)
    floor = rng.uniform(0.3, 0.48)
    pen.block((-0.42, -0.1), (0.42, floor), wall)
    pen.shape([(-0.5, -0.1), (0.5, -0.1), (rng.uniform(-0.2, 0.2), -0.48)], roof)
    n_windows = int(rng.integers(2, 5))
    for i in range(n_windows):
        x = -0.36 + 0.72 * (i + 0.5) / n_windows
        pen.block((x - 0.06, -0.02), (x + 0.06, 0.12), window)
    pen.block((-0.07, 0.15), (0.07, floor), _color(rng))


def _tree(pen: Pen, rng: np.random.Generator) -> None:
    pen.block((-0.06, 0.1), (0.06, 0.5), _color(rng, 0.07, (0.4, 0.9), (0.2, 0.5)))
    for _ in range(int(rng.integers(5, 14))):
        center = (rng.uniform(-0.3, 0.3), rng.uniform(-0.4, 0.12))
        radius = rng.uniform(0.1, 0.22)
        pen.disc(center, (radius, radius), _color(rng, 0.3, (0.5, 1.0), (0.45, 0.95)))


PAINTERS: dict[str, Callable[[Pen, np.random.Generator], None]] = {
    "car": _car,
    "face": _face,
    "house": _house,
    "tree": _tree,
}
