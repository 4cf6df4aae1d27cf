"""The result of a data set's check on the terminal."""

from collections.abc import Sequence
from typing import Any

from rich.text import Text

from segmentation.console import console, percent
from segmentation.data.check.finding import Finding
from segmentation.report.check.facts import size_text
from segmentation.report.terminal.table import text_table

STYLES = {"error": "bold red", "warning": "yellow", "note": "cyan"}


def show_check(known: dict[str, Any], found: Sequence[Finding]) -> None:
    """Print the table of splits and the findings.

    Args:
        known: see `facts`.
        found: see `check_dataset`.
    """
    splits = known["splits"]
    classes = [*next(iter(splits.values()))["classes"]]
    columns = {"": ["images", "height x width", "brightness", "void", *classes]}
    for name, split in splits.items():
        brightness = split["brightness"]
        columns[name] = [
            _images(split),
            size_text(split["sizes"]),
            f"{brightness['median']:.0f}" if brightness else "–",
            percent(split["void"]),
            *(percent(split["classes"][label]["share"]) for label in classes),
        ]
    table = text_table(f"{known['data']} in {known['root']}", columns, wrapped=True)
    table.rows[3].end_section = True
    console.print(table)
    for finding in found:
        level = (f"{finding.level}: ", STYLES[finding.level])
        console.print(Text.assemble(level, _printable(finding.message)))
    if not found:
        console.print("No problems found.")


def _images(split: dict[str, Any]) -> str:
    images, usable = split["images"], split["usable"]
    return f"{images} ({usable} usable)" if usable < images else f"{images}"


def _printable(text: str) -> str:
    """Replace the bytes of file names that are not valid Unicode."""
    return text.encode("utf-8", errors="replace").decode()
