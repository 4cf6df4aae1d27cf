"""The tables of a page: cells with a text to show and a number to sort by."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

DASH = "–"


@dataclass(frozen=True)
class Cell:
    """A cell.

    Attributes:
        text: shown in the page.
        value: to sort by; None sorts by the text. A column with values is set as numbers.
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
        name: for screen readers.
        heads: of the columns.
        rows: of cells, or of text for cells without a value; the first is the head of its row.
    """

    name: str
    heads: Sequence[str]
    rows: Sequence[Row]

    @property
    def cells(self) -> list[list[Cell]]:
        """The rows, with a `Cell` for each text."""
        return [
            [cell if isinstance(cell, Cell) else Cell(cell) for cell in row] for row in self.rows
        ]

    @property
    def columns(self) -> dict[str, list[str]]:
        """The texts of each column, by its head."""
        texts = [[cell.text for cell in row] for row in self.cells]
        return {head: [row[place] for row in texts] for place, head in enumerate(self.heads)}

    @property
    def numeric(self) -> list[bool]:
        """For each column, whether it holds numbers."""
        columns = zip(*self.cells, strict=True) if self.rows else ([] for _ in self.heads)
        return [any(cell.value is not None for cell in column) for column in columns]


def points(value: float | None) -> Cell:
    """Make a cell of a fraction, in per cent with one decimal."""
    return number(None if value is None else 100 * value, "z.1f")


def number(value: float | None, form: str = ",.4g") -> Cell:
    """Make a cell of a number; a dash if it is not known."""
    if value is None or not math.isfinite(value):
        return Cell(DASH)
    return Cell(format(value, form), float(value))


def interval(ends: Sequence[float] | None) -> Cell:
    """Make a cell of an interval of fractions, in per cent."""
    if ends is None or not all(map(math.isfinite, ends)):
        return Cell(DASH)
    return Cell(f"{100 * ends[0]:z.1f} to {100 * ends[1]:z.1f}", ends[0])


def number_cells(texts: Sequence[str], values: Sequence[float | None]) -> list[Cell]:
    """Make cells of texts that are sorted by values."""
    return [
        Cell(text, None if value is None or math.isnan(value) else float(value))
        for text, value in zip(texts, values, strict=True)
    ]
