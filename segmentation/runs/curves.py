"""The rows of `metrics.csv`, for whoever reads the curves of a run; nothing here imports torch."""

import csv
import re
from pathlib import Path

from segmentation.system.files import MAX_FILE_BYTES, damaged, read_bounded

CurveRow = dict[str, str]

STEP = re.compile("[0-9]{1,18}")
MOST_LINES = 10**6
MOST_CELLS = 10**8
"""Curves of 1,000 columns have 100,000 lines then: a run logs a line in ten steps."""
REMEDY = "Remove it: the run then has no curves up to here."


def read_rows(path: Path) -> list[CurveRow]:
    """Return the rows of a CSV file by column, without empty cells; none where there is no file.

    A last line without its end is left out: it was cut off.

    Raises:
        DataError: the file is damaged.
    """
    try:
        text = read_bounded(path, MAX_FILE_BYTES).decode(errors="replace")
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        raise damaged(path, error, REMEDY) from error
    whole = text[: text.rfind("\n") + 1]
    lines, columns = whole.count("\n"), whole.partition("\n")[0].count(",") + 1
    if lines > MOST_LINES or lines * columns > MOST_CELLS:
        raise damaged(path, f"{lines:,} lines of {columns:,} cells are no curves", REMEDY)
    try:
        return [
            {key: value for key, value in row.items() if key and value}
            for row in csv.DictReader(whole.splitlines())
            if STEP.fullmatch(row.get("step") or "")
        ]
    except csv.Error as error:
        raise damaged(path, error, REMEDY) from error
