"""The tables on the terminal: rows of text, in one look."""

from collections.abc import Sequence

from rich import box
from rich.table import Table

NARROWEST_NAME = 8
"""Characters that the first column keeps, however narrow the terminal is."""
PLAIN = {"box": box.SIMPLE_HEAD, "pad_edge": False, "padding": (0, 1, 0, 0)}
FRAMED = {"box": box.HEAVY_HEAD}


def text_table(
    title: str, heads: Sequence[str], rows: Sequence[Sequence[str]], framed: bool = False
) -> Table:
    """Build a table whose first column is a name and whose other columns are numbers.

    Args:
        title: above the table.
        heads: of the columns; one without a head holds text, such as a bar or a verdict.
        rows: the cells, which are not read as markup.
        framed: draw lines around the cells, and wrap them where the terminal is too narrow.
    """
    table = Table(title=title, title_justify="left", **(FRAMED if framed else PLAIN))
    longest = max((len(row[0]) for row in rows), default=0)
    table.add_column(heads[0], overflow="fold", min_width=min(longest, NARROWEST_NAME))
    for head in heads[1:]:
        table.add_column(head, justify="right" if head else "left", no_wrap=not framed)
    for row in rows:
        table.add_row(*row)
    return table
