"""An empty figure to draw on, whose PNG has the same bytes for the same drawing."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from bids_dnn.report.palette import Theme

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 144
WIDTH_IN = 8.4
MOST_BYTES = 400_000  # of a figure; above it, fewer shades of each channel must do
SHADES = (64, 32, 16)


@contextmanager
def drawing(width: float, height: float, theme: Theme) -> Iterator[tuple[Figure, io.BytesIO]]:
    """Give an empty figure of this size in inches; on leaving, its PNG is in the stream."""
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    style: Any = {
        "font.family": ["DejaVu Sans"],
        "font.size": 9.0,
        "axes.facecolor": theme.paper,
        "axes.edgecolor": theme.faint,
        "axes.labelcolor": theme.ink,
        "axes.titlecolor": theme.ink,
        "axes.titlesize": 10.0,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "text.color": theme.ink,
        "xtick.color": theme.ink,
        "ytick.color": theme.ink,
        "hatch.color": theme.faint,
        "hatch.linewidth": 0.8,
        "legend.frameon": False,
    }
    stream = io.BytesIO()
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(style)
        figure = Figure(figsize=(width, height), layout="constrained", facecolor=theme.paper)
        FigureCanvasAgg(figure)
        yield figure, stream
        figure.savefig(stream, format="png", dpi=DPI, metadata={"Software": None})
        if stream.tell() > MOST_BYTES:
            _use_fewer_shades(stream, theme.paper)


def _use_fewer_shades(stream: io.BytesIO, paper: str) -> None:
    """Write the picture again with ever fewer shades, until it is small; the paper stays."""
    from PIL import Image

    with Image.open(stream) as made:
        picture = made.convert("RGB")
    for n in SHADES:
        table: list[int] = []
        for kept in (int(paper[i : i + 2], 16) for i in (1, 3, 5)):
            shades = [round(round(v / 255 * (n - 1)) / (n - 1) * 255) for v in range(256)]
            table += [*shades[:kept], kept, *shades[kept + 1 :]]
        stream.seek(0)
        stream.truncate()
        picture.point(table).save(stream, format="png", optimize=True)
        if stream.tell() <= MOST_BYTES:
            return


def shorten(name: str, most: int = 28) -> str:
    """Return a name that fits beside a chart; its middle gives way.

    Examples
    --------
    >>> shorten("face:female+male+child vs vehicle:bike+car", 21)
    'face:femal…e:bike+car'
    """
    half = (most - 1) // 2
    return name if len(name) <= most else f"{name[:half]}…{name[-half:]}"
