"""What a check prints."""

from collections.abc import Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from segmentation.console import console, percent
from segmentation.data.check.finding import Finding
from segmentation.report.check.facts import size_text

STYLES = {"error": "bold red", "warning": "yellow", "note": "cyan"}


def show_check(known: dict[str, Any], found: Sequence[Finding]) -> None:
    """Print the table of splits and the findings.

    Args:
        known: see `facts`.
        found: see `check_dataset`.
    """
    splits = known["splits"]
    table = Table(title=f"{known['data']} in {known['root']}", title_justify="left")
    table.add_column("")
    for split in splits:
        table.add_column(split, justify="right")
    rows = {
        "images": [
            f"{one['images']}"
            + (f" ({one['usable']} usable)" if one["usable"] < one["images"] else "")
            for one in splits.values()
        ],
        "height x width": [size_text(one["sizes"]) for one in splits.values()],
        "brightness": [
            f"{one['brightness']['median']:.0f}" if one["brightness"] else "–"
            for one in splits.values()
        ],
        "void": [percent(one["void"]) for one in splits.values()],
    }
    for name, cells in rows.items():
        table.add_row(name, *cells)
    table.add_section()
    for name in next(iter(splits.values()))["classes"]:
        table.add_row(name, *(percent(one["classes"][name]["share"]) for one in splits.values()))
    console.print(table)
    for one in found:
        level = (f"{one.level}: ", STYLES[one.level])
        console.print(Text.assemble(level, _printable(one.message)))
    if not found:
        console.print("Nothing to complain about.")


def _printable(text: str) -> str:
    """Return a text that any terminal takes, whatever bytes file names hold."""
    return text.encode("utf-8", errors="replace").decode()
