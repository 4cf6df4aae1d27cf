"""Find the configured image-level targets: their columns and their tables."""

import logging
from pathlib import Path

import numpy as np
from omegaconf import DictConfig

from segmentation.config import user_path
from segmentation.data.discovery.scanned_dataset import ScannedDataset
from segmentation.data.targets.files import find_target_files
from segmentation.data.targets.table import TargetCells, TargetTable, empty_table
from segmentation.errors import DataError
from segmentation.targets import NO_CATEGORY, TargetColumns

log = logging.getLogger(__name__)


def find_targets(
    task: DictConfig, root: Path, source: ScannedDataset
) -> tuple[TargetColumns | None, dict[str, TargetTable]]:
    """Return the columns to learn (None for none) and the table of each split.

    Args:
        task: see conf/train.yaml; checked by `task_options.check_task`.
        root: the data set's folder.
        source: the data set, with a train and a val split.

    Raises:
        ConfigError, DataError: on invalid user input.
    """
    targets = task.targets
    if not (targets.category or targets["values"]):
        return None, {}
    file = user_path(targets.file) if targets.file else None
    cells = _cells(root, source, targets.category, tuple(targets["values"]), file)
    columns = cells.columns(source.samples["train"])
    tables = {split: cells.table(rows, columns) for split, rows in source.samples.items()}
    for split, table in tables.items():
        if empty := _empty(columns, table):
            log.warning("no image of the %s split has %s.", split, " or ".join(empty))
    if not task.segmentation:
        _check_monitor(columns, tables["val"])
    return columns, tables


def known_targets(
    columns: TargetColumns, root: Path, source: ScannedDataset, file: Path | None, needed: bool
) -> dict[str, TargetTable]:
    """Return the targets of a data set in the columns of a trained model.

    Args:
        columns: of the model.
        root, source: the data set.
        file: the file that holds them; None: `targets.csv` beside the images.
        needed: whether a missing file is an error, not a warning.

    Raises:
        ConfigError, DataError: on invalid user input.
    """
    try:
        if file is None:
            find_target_files(root, [row for rows in source.samples.values() for row in rows])
    except DataError as error:
        if needed:
            raise
        log.warning("the image-level targets are not scored: %s", error)
        return {split: empty_table(len(rows), columns) for split, rows in source.samples.items()}
    cells = _cells(root, source, columns.category, columns.values, file)
    return {split: cells.table(rows, columns) for split, rows in source.samples.items()}


def _cells(
    root: Path,
    source: ScannedDataset,
    category: str | None,
    values: tuple[str, ...],
    file: Path | None,
) -> TargetCells:
    everything = {**source.splits.unselected, **source.samples}
    return TargetCells(root, everything, category, values, file)


def _empty(columns: TargetColumns, table: TargetTable) -> list[str]:
    """Return the columns without a value in a split."""
    without = np.isnan(table.values).all(axis=0)
    empty = [column for column, nothing in zip(columns.values, without, strict=True) if nothing]
    if columns.category is not None and (table.category == NO_CATEGORY).all():
        empty.insert(0, columns.category)
    return empty


def _check_monitor(columns: TargetColumns, val: TargetTable) -> None:
    """Check that the val split can select the best weights."""
    if columns.category is not None:
        if (val.category != NO_CATEGORY).any():
            return
        target = f"the column {columns.category!r}"
    else:
        # unique, not the spread: NumPy warns of columns without a number
        if any(len(np.unique(column[~np.isnan(column)])) > 1 for column in val.values.T):
            return
        target = f"{', '.join(columns.values)} (two different numbers in one of them)"
    raise DataError(
        f"the val split has nothing in {target}, so the best weights can't be selected. Fill in "
        "the cells of its images."
    )
