"""`metrics.csv`: the curves that every run keeps and continues when it is resumed."""

import csv
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers import CSVLogger
from pytorch_lightning.loggers.logger import rank_zero_experiment
from pytorch_lightning.utilities import rank_zero_only

from segmentation.loggers.fault_tolerant import FaultTolerant
from segmentation.runs.curves import CurveRow, read_rows
from segmentation.system.files import atomic_file


class CurveFile:
    """A CSV file whose header grows with its columns, and which is complete at any moment.

    A row that exists already is not added, because validation may be repeated after a resume. A
    row replaces another of the same step whose values it contains.

    Args:
        path: of the file.
        first: rows of an existing file from this step on are dropped with the first write; None
            keeps them all.
    """

    def __init__(self, path: Path, first: int | None = None) -> None:
        self.path = path
        self.first = first
        self.metrics: list[dict[str, Any]] = []
        self._columns: list[str] | None = None
        self._tail: list[CurveRow] = []

    @property
    def opened(self) -> bool:
        """Whether the rows to drop have been dropped."""
        return self._columns is not None

    def log_metrics(self, values: Mapping[str, Any], step: int) -> None:
        """Add a row that the next `save` writes."""
        self.metrics.append({**values, "step": step})

    def save(self) -> None:
        """Write the new rows."""
        if not self.metrics:
            return
        columns = self._open() if self._columns is None else self._columns
        replaced: list[CurveRow] = []
        new: list[CurveRow] = []
        for row in ({key: str(value) for key, value in row.items()} for row in self.metrics):
            if self._tail and self._tail[-1]["step"] != row["step"]:
                self._tail = []
            if any(row.items() <= known.items() for known in self._tail):
                continue
            replaced += [known for known in self._tail if known.items() <= row.items()]
            self._tail.append(row)
            new.append(row)
        if replaced or not set(_columns(new)) <= set(columns) or not self.path.is_file():
            self._write([row for row in [*read_rows(self.path), *new] if row not in replaced])
        else:
            with self.path.open("a", newline="", encoding="utf-8") as file:
                csv.DictWriter(file, columns).writerows(new)
        self.metrics = []

    def _open(self) -> list[str]:
        """Drop rows that will be logged again and a truncated last line; return the columns."""
        rows = read_rows(self.path)
        if self.first is not None:
            rows = [row for row in rows if int(row["step"]) < self.first]
        self._tail = [row for row in rows if row["step"] == rows[-1]["step"]]
        return self._write(rows)

    def _write(self, rows: list[CurveRow]) -> list[str]:
        """Replace the file; return its columns."""
        columns = _columns(rows)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with (
            atomic_file(self.path) as partial,
            partial.open("w", newline="", encoding="utf-8") as file,
        ):
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(rows)
        self._columns = columns
        return columns


class ResumableCSVLogger(FaultTolerant, CSVLogger):
    """Lightning's CSV logger, except that it continues the file of an earlier start.

    Lightning deletes that file. Here only the rows from the next step on are dropped (all rows in a
    new run), so that a killed and resumed run ends with the curves of an uninterrupted one.

    Args:
        save_dir: the run directory.
    """

    service = "metrics.csv"
    buffers = True

    def __init__(self, save_dir: str | os.PathLike) -> None:
        # Written whenever Lightning calls `save`, which is after each row.
        super().__init__(save_dir, name="", version="", flush_logs_every_n_steps=sys.maxsize)
        self._file: CurveFile | None = None
        self._first: int | None = 0
        self._step = 0

    @property
    @rank_zero_experiment
    def experiment(self) -> CurveFile:
        """The file. Lightning asks for it before it is known where the run resumes."""
        if self._file is None:
            self._file = CurveFile(Path(self.save_dir) / "metrics.csv", self._first)
        return self._file

    def reopen(self, error: Exception) -> None:
        """Read the file again before the next write, because its last row may be incomplete."""
        if self._file is not None:
            # Pending rows are passed to it again; rows that were dropped stay dropped.
            self._first, self._file = (None if self._file.opened else self._first), None

    @rank_zero_only
    def finalize(self, status: str = "success") -> None:
        """Write the pending rows."""
        self._retry_at = 0.0
        self.save()

    @rank_zero_only
    def resume_from(self, step: int) -> None:
        """Drop the rows from `step` on, which will be logged again."""
        self._file, self._first = None, step
        self._step = max(0, step - 1)

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Add a row; without a step it belongs to the last one."""
        self._step = self._step if step is None else step
        super().log_metrics(metrics, self._step)


def _columns(rows: list[CurveRow]) -> list[str]:
    return sorted({key for row in rows for key in row})
