"""The result of a data set's check on the terminal."""

from collections.abc import Sequence
from typing import Any

from rich.text import Text

from segmentation.console import console, percent
from segmentation.data.check.finding import Finding
from segmentation.report.check.facts import summary_grid
from segmentation.report.terminal.table import text_table

STYLES = {"error": "bold red", "warning": "yellow", "note": "cyan"}


def show_check(known: dict[str, Any], findings: Sequence[Finding]) -> None:
    """Print the table of splits, from their `facts`, and the findings."""
    splits = known["splits"]
    columns = summary_grid(splits).columns
    facts = len(columns[""])
    columns[""] += next(iter(splits.values()))["classes"]
    for name, split in splits.items():
        columns[name] += [percent(counts["share"]) for counts in split["classes"].values()]
    table = text_table(f"{known['data']} in {known['root']}", columns, wrapped=True)
    table.rows[facts - 1].end_section = True
    console.print(table)
    for finding in findings:
        level = (f"{finding.level}: ", STYLES[finding.level])
        console.print(Text.assemble(level, _printable(finding.message)))
    if not findings:
        console.print("No problems findings.")


def _printable(text: str) -> str:
    """Replace the bytes of file names that are not valid Unicode."""
    return text.encode("utf-8", errors="replace").decode()
