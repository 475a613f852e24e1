"""Color scales of maps: of numbers that grow from zero, and of categories that have names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bids_dnn.report.palette import DIVERGING, SCALE

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = NDArray[np.floating[Any]]
MOST_NAMED = 24  # categories in a legend
LEGEND_COLUMNS, LINE_IN, AROUND_IN = 4, 0.22, 0.15  # of a legend; inches
BAR_IN = 0.62  # of the bar of more categories, with what is around it


@dataclass(frozen=True, slots=True, eq=False)
class ColorScale:
    """Which color a value has.

    Parameters
    ----------
    cmap
        Of matplotlib.
    low, high
        Values of its ends; what lies beyond has the color of the end.
    names
        Of the categories, whose numbers begin with 1; none where values are numbers.
    is_counted
        Whether all values are whole numbers.
    """

    cmap: Any
    low: float
    high: float
    names: tuple[str, ...] = ()
    is_counted: bool = False

    @property
    def ticks(self) -> Any:
        """Where a bar of the scale has ticks: at whole numbers where values are, else anywhere."""
        from matplotlib.ticker import MaxNLocator

        return MaxNLocator(5, integer=True) if self.is_counted else None

    @property
    def legend(self) -> tuple[str, ...]:
        """Names that a legend tells; none where values are numbers, or it would be too long."""
        return self.names if len(self.names) <= MOST_NAMED else ()

    @property
    def legend_in(self) -> float:
        """Height of what names categories below a figure, in inches; 0 where there are none."""
        if not self.names:
            return 0.0
        lines = -(-len(self.legend) // LEGEND_COLUMNS)
        return lines * LINE_IN + AROUND_IN if lines else BAR_IN

    @property
    def ends(self) -> dict[str, Any]:
        """What ``imshow`` takes."""
        return {"cmap": self.cmap, "vmin": self.low, "vmax": self.high}

    @property
    def beside(self) -> dict[str, Any]:
        """What ``colorbar`` takes for a bar beside maps."""
        return {"ticks": self.ticks, "fraction": 0.03, "pad": 0.01, "aspect": 18}

    def rgb(self, values: Array) -> NDArray[np.float64]:
        """Return the colors (n, 3) of values (n,)."""
        share = np.clip((values - self.low) / (self.high - self.low), 0, 1)
        colors: NDArray[np.float64] = self.cmap(share)[:, :3]
        return colors

    def add_legend(self, figure: Figure) -> None:
        """Name the categories below a figure: all, or of many the first, middle and last."""
        from matplotlib.patches import Patch

        if self.names and not self.legend:
            self._add_bar(figure)
            return
        handles = [Patch(color=self.cmap(k), label=name) for k, name in enumerate(self.legend)]
        figure.legend(
            handles=handles, loc="outside lower center", ncols=LEGEND_COLUMNS, fontsize=8
        )

    def _add_bar(self, figure: Figure) -> None:
        from matplotlib.cm import ScalarMappable
        from matplotlib.colors import Normalize

        shades = ScalarMappable(Normalize(self.low, self.high), self.cmap)
        bar = figure.colorbar(shades, ax=figure.axes, location="bottom", shrink=0.6, aspect=45,
                              fraction=0.05, pad=0.02)  # fmt: skip
        n = len(self.names)
        places = (1, (n + 1) // 2, n)
        bar.set_ticks(places, labels=[self.names[k - 1] for k in places])
        bar.ax.tick_params(labelsize=8, length=3)
        bar.set_label(f"{n} layers, from first to last", fontsize=8)


def scale_of(
    maps: Sequence[Array], names: Sequence[str] = (), *, is_signed: bool = False
) -> ColorScale:
    """Return the scale that maps share.

    Parameters
    ----------
    maps
        Values of each; NaN is not drawn.
    names
        Where values are numbers of categories, from 1: their names.
    is_signed
        Whether values below zero mean something: the scale is one around zero.

    Returns
    -------
    scale
        From zero to the highest values (the very highest where all are whole numbers, as
        counts are), or as far on both sides, or one color a category.
    """
    import matplotlib as mpl
    from matplotlib.colors import ListedColormap

    if names:
        colors = ListedColormap(category_colors(len(names)))
        return ColorScale(colors, 0.5, len(names) + 0.5, tuple(names))
    known = np.concatenate([values[np.isfinite(values)] for values in maps])
    if is_signed:
        reach = float(np.percentile(np.abs(known), 99.5)) if known.size else 0.0
        return ColorScale(mpl.colormaps[DIVERGING], -(reach or 1.0), reach or 1.0)
    is_counted = np.array_equal(known, np.rint(known))
    highest = float(np.percentile(known, 100 if is_counted else 99.5)) if known.size else 1.0
    top = max(highest, 1.0 if is_counted else 0.05)
    return ColorScale(mpl.colormaps[SCALE], 0.0, top, is_counted=is_counted)


def category_colors(n: int) -> NDArray[np.float64]:
    """Return the colors (n, 4) of categories in order, such as layers: from dark to light."""
    import matplotlib as mpl

    colors: NDArray[np.float64] = mpl.colormaps[SCALE](np.linspace(0.05, 0.95, n))
    return colors
