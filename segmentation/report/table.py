"""A table of a page: cells with the text to show and the number to sort by."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from segmentation.console import duration

DASH = "–"


@dataclass(frozen=True)
class Cell:
    """One cell.

    Attributes:
        text: what is shown.
        value: what it is sorted by; None: by its text. Columns that have one are set as numbers.
        color: CSS colour of a swatch in front of the text.
    """

    text: str
    value: float | None = None
    color: str | None = None


Row = Sequence[Cell | str]


@dataclass(frozen=True)
class Grid:
    """A table.

    Attributes:
        name: what it shows, for screen readers.
        heads: of the columns.
        rows: of cells; the first is the head of its row. Plain text stands for a cell of it.
    """

    name: str
    heads: Sequence[str]
    rows: Sequence[Row]

    @property
    def cells(self) -> list[list[Cell]]:
        """The rows, all of them cells."""
        return [[one if isinstance(one, Cell) else Cell(one) for one in row] for row in self.rows]

    @property
    def numeric(self) -> list[bool]:
        """Which columns hold numbers."""
        columns = zip(*self.cells, strict=True) if self.rows else ([] for _ in self.heads)
        return [any(cell.value is not None for cell in column) for column in columns]


def points(value: float | None) -> Cell:
    """Return a fraction as a cell in per cent with one digit."""
    return number(None if value is None else 100 * value, ".1f")


def number(value: float | None, form: str = ",.4g") -> Cell:
    """Return a number as a cell; a dash for one that is not known."""
    if value is None or not math.isfinite(value):
        return Cell(DASH)
    return Cell(format(value, form), float(value))


def interval(ends: Sequence[float] | None) -> Cell:
    """Return the ends of an interval of fractions as a cell in per cent."""
    if ends is None or not all(map(math.isfinite, ends)):
        return Cell(DASH)
    return Cell(f"{100 * ends[0]:.1f} to {100 * ends[1]:.1f}", ends[0])


def time_taken(seconds: float | None) -> Cell:
    """Return seconds as a cell, as every command says them."""
    if seconds is None or not math.isfinite(seconds):
        return Cell(DASH)
    return Cell(duration(seconds), seconds)


def number_cells(texts: Sequence[str], values: Sequence[float | None]) -> list[Cell]:
    """Return cells of texts that are sorted by values."""
    return [
        Cell(text, None if value is None or math.isnan(value) else float(value))
        for text, value in zip(texts, values, strict=True)
    ]
