"""From `targets.csv` to the targets of each image of each split."""

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from segmentation.data.discovery.layouts import Sample
from segmentation.data.targets.files import (
    IMAGE,
    SPLIT,
    ImageIndex,
    TargetRow,
    find_target_files,
    read_target_file,
)
from segmentation.errors import ConfigError, DataError, did_you_mean
from segmentation.targets import HUGE, MAX_CATEGORIES, NO_CATEGORY, TargetColumns

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TargetTable:
    """The targets of one split, in the order of its samples.

    Attributes:
        category: `int64` (images,), `NO_CATEGORY` where the cell is empty.
        values: `float32` (images, columns), in the columns' own units, NaN where empty.
    """

    category: np.ndarray
    values: np.ndarray

    def item(self, index: int | None) -> dict[str, np.ndarray]:
        """Return the targets of one image as a dataset's item has them; None: empty cells."""
        if index is None:
            empty = np.full(self.values.shape[1], np.nan, dtype=np.float32)
            return {"category": np.array(NO_CATEGORY), "values": empty}
        return {"category": self.category[index], "values": self.values[index]}


def empty_table(images: int, columns: TargetColumns) -> TargetTable:
    """Return a table of which every cell is empty."""
    values = np.full((images, len(columns.values)), np.nan, dtype=np.float32)
    return TargetTable(np.full(images, NO_CATEGORY, dtype=np.int64), values)


class TargetCells:
    """What the files say of the samples: the text of the wanted columns.

    Args:
        root: the data set's folder.
        splits: the samples of every split; rows that name none of them are warned of.
        category: the column of categories, if one is wanted.
        values: the columns of numbers that are wanted.
        file: the one file to read; None: every `targets.csv` of `find_target_files`.

    Raises:
        ConfigError: no column is wanted, or one that cannot be a target.
        DataError: files, columns or rows that cannot be used.
    """

    def __init__(
        self,
        root: Path,
        splits: Mapping[str, Sequence[Sample]],
        category: str | None,
        values: Sequence[str],
        file: Path | None = None,
    ) -> None:
        self.category, self.values = category, tuple(values)
        columns = (*(() if category is None else (category,)), *values)
        for column in columns:
            if column in (IMAGE, SPLIT):
                raise ConfigError(f"the column {column!r} says which image is meant: no target.")
        self._rows: dict[Sample, TargetRow] = {}
        everything = [sample for samples in splits.values() for sample in samples]
        strangers: list[str] = []
        for path in [file] if file else find_target_files(root, everything):
            folder = root if file else path.parent
            places = ImageIndex(splits, folder, only_below=folder != root)
            for row in read_target_file(path, columns):
                if (sample := places.find(row)) is None:
                    strangers.append(row.image)
                else:
                    self._add(row, sample)
        if strangers:
            log.warning(
                "%d rows of targets name images that are in no split (%s%s): they are left out.",
                len(strangers), ", ".join(strangers[:3]), ", ..." if len(strangers) > 3 else "",
            )  # fmt: skip

    def _add(self, row: TargetRow, sample: Sample) -> None:
        if sample in self._rows:
            raise DataError(
                f"{row.where}: the image {row.image!r} stands twice, also in "
                f"{self._rows[sample].where}. Remove one of the rows."
            )
        self._rows[sample] = row

    def columns(self, train: Sequence[Sample]) -> TargetColumns:
        """Return the categories, means and standard deviations of the training samples.

        Raises:
            DataError: a column has fewer than two different entries there, or too many categories.
        """
        rows = [self._rows[sample] for sample in train if sample in self._rows]
        for column in (*filter(None, [self.category]), *self.values):
            entries = {row.cells[column] for row in rows} - {""}
            if len(entries) < 2:
                found = f"only {entries.pop()!r}" if entries else "no entry at all"
                raise DataError(
                    f"the train split has {found} in the column {column!r}: there is nothing to "
                    "learn. Fill in the cells, or leave the column out of task.targets."
                )
        categories = {row.cells[self.category] for row in rows if self.category} - {""}
        if len(categories) > MAX_CATEGORIES:
            raise DataError(
                f"the column {self.category!r} has {len(categories)} categories; at most "
                f"{MAX_CATEGORIES} can be learnt. If it holds numbers, name it in "
                "task.targets.values."
            )
        numbers = self._numbers(train).astype(np.float64)
        mean, std = np.nanmean(numbers, axis=0), np.nanstd(numbers, axis=0)
        for column, spread in zip(self.values, std, strict=True):
            if spread < 1 / HUGE:
                raise DataError(
                    f"all numbers in the column {column!r} of the train split are the same: there "
                    "is nothing to learn. Leave it out of task.targets.values."
                )
        return TargetColumns(
            self.category,
            tuple(sorted(categories)),
            self.values,
            tuple(mean.tolist()),
            tuple(std.tolist()),
        )

    def table(self, samples: Sequence[Sample], columns: TargetColumns) -> TargetTable:
        """Return the targets of a split, as the model of these columns means them.

        Raises:
            DataError: a cell that is no number, or a category that the model does not have.
        """
        category = np.full(len(samples), NO_CATEGORY, dtype=np.int64)
        known = {name: index for index, name in enumerate(columns.categories)}
        for index, sample in enumerate(samples):
            row = self._rows.get(sample)
            if columns.category is None or not (row and row.cells[columns.category]):
                continue
            cell = row.cells[columns.category]
            if cell not in known:
                raise DataError(
                    f"{row.where}: no training image has the {columns.category} {cell!r}, so it "
                    f"cannot be scored.{did_you_mean(cell, known)} Leave such cells empty, or let "
                    "the train split have some."
                )
            category[index] = known[cell]
        return TargetTable(category, self._numbers(samples))

    def _numbers(self, samples: Sequence[Sample]) -> np.ndarray:
        numbers = np.full((len(samples), len(self.values)), np.nan, dtype=np.float32)
        for index, sample in enumerate(samples):
            row = self._rows.get(sample)
            for k, column in enumerate(self.values):
                if row and row.cells[column]:
                    numbers[index, k] = _number(row.cells[column], column, row.where)
        return numbers


def _number(cell: str, column: str, where: str) -> float:
    try:
        number = float(cell)
    except ValueError:
        number = math.nan
    if not abs(number) < HUGE:
        raise DataError(
            f"{where}: {cell!r} in the column {column!r} is no number. Write it like 0.25, and "
            "leave the cell empty where nothing is known."
        )
    return number
