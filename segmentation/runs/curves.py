"""The rows of `metrics.csv`, for whoever reads the curves of a run; nothing here imports torch."""

import csv
from pathlib import Path

CurveRow = dict[str, str]


def read_rows(path: Path) -> list[CurveRow]:
    """Return the rows of a CSV file by column, without empty cells; none where there is no file.

    A last line without its end is left out: it was cut off.
    """
    try:
        text = path.read_bytes().decode(errors="replace")
    except FileNotFoundError:
        return []
    whole = text[: text.rfind("\n") + 1]
    rows = csv.DictReader(whole.splitlines())
    return [
        {key: value for key, value in row.items() if key and value}
        for row in rows
        if (row.get("step") or "").isdigit()
    ]
