"""What a page is made of: sections of pictures, tables and sentences."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from bids_dnn.report.palette import DARK, LIGHT, Theme

LONG = 48  # characters above which a cell's text is wrapped
MANY = {"vertex": "vertices"}  # whose plural is no s
LABELS = {
    "ci_low": "95 % low",
    "ci_high": "95 % high",
    "p_corrected": "p corrected",
    "p_floor": "p floor",
    "p_fwe": "p over the map",
    "p_t": "p (t test)",
    "p_wilcoxon": "p (signed ranks)",
    "p_mixed": "p (mixed model)",
    "prevalence_low": "prevalence 95 % low",
    "prevalence_high": "prevalence 95 % high",
    "normalized": "of ceiling",
}


@dataclass(frozen=True, slots=True)
class Picture:
    """A figure in light and dark, with the words that stand for it.

    Parameters
    ----------
    name
        Of the file, without suffix.
    alt
        What is to be seen, for who cannot see it.
    caption
        What is drawn; error bars are named here.
    light, dark
        PNG.
    """

    name: str
    alt: str
    caption: str
    light: bytes
    dark: bytes

    @property
    def sources(self) -> tuple[str, str]:
        """Data URIs of light and dark."""
        return data_uri(self.light), data_uri(self.dark)


@dataclass(frozen=True, slots=True)
class Cell:
    """One place of a table: what is shown, by what it is sorted, and where it leads."""

    text: str
    order: str
    is_number: bool = False
    link: str = ""

    @property
    def look(self) -> str:
        """Class in the style sheet."""
        if self.is_number:
            return "n"
        return "long" if len(self.text) > LONG else ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table that the reader can sort and take along.

    Parameters
    ----------
    caption
        What one row is.
    heads
        Label and description of each column.
    rows
        Cells.
    link
        Where its TSV lies, from the page; "" = nowhere.
    """

    caption: str
    heads: tuple[tuple[str, str], ...]
    rows: tuple[tuple[Cell, ...], ...]
    link: str = ""

    def look(self, column: int) -> str:
        """Class of a column's head: as of its first cell."""
        return self.rows[0][column].look if self.rows else ""


@dataclass(frozen=True, slots=True)
class Section:
    """A question, its answer, and what shows it.

    Parameters
    ----------
    name
        Anchor within the page.
    title, question, answer
        One line each; the answer is computed from the data.
    pictures, tables
        In this order.
    how
        How it was done, in a few sentences.
    notes
        Lists with a heading each, such as what found no partner.
    """

    name: str
    title: str
    question: str
    answer: str
    pictures: tuple[Picture, ...] = ()
    tables: tuple[Table, ...] = ()
    how: str = ""
    notes: tuple[tuple[str, tuple[str, ...]], ...] = ()


@dataclass(frozen=True, slots=True)
class Number:
    """A number that matters, and what it is of."""

    value: str
    label: str
    detail: str = ""


def data_uri(png: bytes) -> str:
    """Return a PNG as a URI that stands within the page."""
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def picture(name: str, draw: Callable[[Theme], bytes], *, alt: str, caption: str) -> Picture:
    """Draw a figure in light and in dark."""
    return Picture(name, alt, caption, draw(LIGHT), draw(DARK))


def table_of(
    frame: pd.DataFrame, columns: Mapping[str, str], *, caption: str, link: str = ""
) -> Table:
    """Return a tidy table as it is shown.

    Parameters
    ----------
    frame
        One row an observation.
    columns
        Description of each column.
    caption
        What one row is.
    link
        Where its TSV lies, from the page.
    """
    names = list(map(str, frame.columns))
    heads = tuple((label_of(name), columns.get(name, "")) for name in names)
    rows = tuple(
        tuple(cell(name, value) for name, value in zip(names, row, strict=True))
        for row in frame.itertuples(index=False)
    )
    return Table(caption, heads, rows, link)


def label_of(column: str) -> str:
    """Return how a column is headed.

    Examples
    --------
    >>> label_of("n_samples"), label_of("p_corrected")
    ('samples', 'p corrected')
    """
    return LABELS.get(column, column.removeprefix("n_").replace("_", " "))


def cell(column: str, value: Any) -> Cell:
    """Return a value as it is shown in a table.

    Examples
    --------
    >>> cell("p", 0.00099).text, cell("score", float("nan")).text, cell("n_able", 5.0).text
    ('0.00099', 'n/a', '5')
    """
    if isinstance(value, bool) or type(value).__name__ == "bool":
        return Cell("yes" if value else "", str(int(value)))
    if isinstance(value, float):
        if math.isnan(value):
            return Cell("n/a", "", is_number=True)
        if column.startswith("n_") and value.is_integer():  # a column with n/a is one of floats
            return Cell(f"{value:,.0f}", repr(float(value)), is_number=True)
        is_p = column == "p" or column.startswith("p_")
        return Cell(
            f"{value:.2g}" if is_p else decimals(value), repr(float(value)), is_number=True
        )
    if isinstance(value, int) or type(value).__name__.startswith("int"):
        return Cell(f"{value:,}", str(value), is_number=True)
    return Cell(str(value), str(value))


def decimals(value: float, n_digits: int = 3) -> str:
    """Return a number with fixed decimals, fewer where it is large, never ``-0.000``.

    Examples
    --------
    >>> decimals(-0.0001), decimals(54.0), decimals(12345.6)
    ('0.000', '54.0', '12,346')
    """
    if math.isnan(value):
        return "n/a"
    if abs(value) >= 10:
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.1f}"
    text = f"{value:.{n_digits}f}"
    return text.lstrip("-") if float(text) == 0 else text


def counted(n: int, one: str, many: str | None = None) -> str:
    """Return a count with its noun.

    Examples
    --------
    >>> counted(1, "run"), counted(1200, "volume")
    ('1 run', '1,200 volumes')
    """
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def units(n: int, unit: str) -> str:
    """Return a count of units.

    Examples
    --------
    >>> units(2, "vertex"), units(1, "voxel")
    ('2 vertices', '1 voxel')
    """
    return counted(n, unit, many(unit))


def many(unit: str) -> str:
    """Return the plural of what a unit is called.

    Examples
    --------
    >>> many("vertex"), many("channel")
    ('vertices', 'channels')
    """
    return MANY.get(unit, f"{unit}s")


def listed(items: list[str], most: int = 12) -> str:
    """Return items as a phrase, the rest counted.

    Examples
    --------
    >>> listed(["a", "b", "c"], most=2)
    'a, b and 1 more'
    """
    more = len(items) - most
    return ", ".join(items[:most]) + (f" and {more} more" if more > 0 else "")
