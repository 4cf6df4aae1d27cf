"""The tables on the terminal: columns of text, in one look."""

from collections.abc import Collection, Mapping, Sequence

from rich import box
from rich.console import JustifyMethod
from rich.table import Table

NARROWEST_NAME = 8
"""Characters that the first column keeps, however narrow the terminal is."""


def text_table(
    title: str,
    columns: Mapping[str, Sequence[str]],
    text: Collection[str] = ("",),
    wrapped: bool = False,
    total: bool = False,
) -> Table:
    """Build a table whose first column is a name and whose other columns are numbers.

    Args:
        title: above the table.
        columns: the cells by the head of their column; they are not read as markup.
        text: heads of further columns that hold text, such as a bar or a verdict.
        wrapped: wrap the cells where the terminal is too narrow, between lines around them.
        total: set the last row apart.
    """
    table = Table(title=title, title_justify="left", box=box.HEAVY_HEAD)
    if not wrapped:
        table.box, table.pad_edge, table.padding = box.SIMPLE_HEAD, False, (0, 1, 0, 0)
    name, *others = columns
    longest = max(map(len, columns[name]), default=0)
    table.add_column(name, overflow="fold", min_width=min(longest, NARROWEST_NAME))
    for head in others:
        side: JustifyMethod = "left" if head in text else "right"
        table.add_column(head, justify=side, no_wrap=not wrapped, overflow="fold")
    for row in zip(*columns.values(), strict=True):
        table.add_row(*row)
    if total:
        table.rows[-1].style = "bold"
        if len(table.rows) > 1:
            table.rows[-2].end_section = True
    return table
