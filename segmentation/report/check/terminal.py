"""The result of a data set's check on the terminal."""

from collections.abc import Sequence
from typing import Any

from rich.text import Text

from segmentation.console import console, percent, show_summary
from segmentation.data.check.finding import Finding
from segmentation.report.check.facts import summary_grid
from segmentation.report.terminal.table import text_table
from segmentation.system.redaction import shown

STYLES = {"error": "bold red", "warning": "yellow", "note": "cyan"}


def show_check(known: dict[str, Any], findings: Sequence[Finding]) -> None:
    """Print where things come from, the table of splits and classes, and the findings.

    Args:
        known: see `facts`.
        findings: see `check_dataset`.
    """
    show_summary(known["summary"])
    columns = summary_grid(known["splits"]).columns
    facts = len(columns[""])
    for head, cells in _class_columns(known).items():
        columns.setdefault(head, [""] * facts).extend(cells)
    table = text_table(f"{known['data']} in {known['root']}", columns, wrapped=True)
    table.rows[facts - 1].end_section = True
    console.print(table)
    for finding in findings:
        level = (f"{finding.level}: ", STYLES[finding.level])
        console.print(Text.assemble(level, shown(finding.message)))
    if not findings:
        console.print("No problems found.")


def _class_columns(known: dict[str, Any]) -> dict[str, list[str]]:
    """Return the class table by column, with what is not learnt at its end."""
    entries = known["class_table"]
    columns = {"": [entry["name"] for entry in entries]}
    for name, split in known["splits"].items():
        columns[name] = [
            percent(split["classes"][entry["name"]]["share"])
            if entry["counts_as"] is None
            else entry["counts_as"]
            for entry in entries
        ]
    columns["value"] = [entry["values"] for entry in entries]
    for key, head, form in (("weight", "weight", ".2f"), ("border_at_void", "at void", ".0%")):
        if any(entry[key] for entry in entries):
            columns[head] = [
                "" if entry[key] is None else format(entry[key], form) for entry in entries
            ]
    return columns
