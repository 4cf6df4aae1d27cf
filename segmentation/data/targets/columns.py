"""Every column of `targets.csv` as text, for whoever only sorts images by it."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from segmentation.data.discovery.layouts import Sample
from segmentation.data.files import read_text
from segmentation.data.targets.files import (
    IMAGE,
    SPLIT,
    ImageIndex,
    find_target_files,
    read_target_file,
)
from segmentation.errors import DataError
from segmentation.system.escaping import csv_text


def read_target_columns(
    root: Path,
    splits: Mapping[str, Sequence[Sample]],
    split: str,
    file: Path | None = None,
) -> dict[str, list[str]]:
    """Return the cells of each image of a split, by column: all but those that name the image.

    Args:
        root: the data set's folder.
        splits: the samples of every split, in which images are looked for.
        split: the one that is wanted.
        file: the one file to read; None: every `targets.csv` of `find_target_files`.

    Returns:
        For each column one text an image, in the order of the split; empty where nothing is said.

    Raises:
        DataError: there is no file, one that cannot be read, or none that says anything of these
            images.
    """
    samples = splits[split]
    everything = [sample for rows in splits.values() for sample in rows]
    place = {sample: index for index, sample in enumerate(samples)}
    found: dict[str, list[str]] = {}
    paths = [file] if file else find_target_files(root, everything)
    for path in paths:
        folder = root if file else path.parent
        places = ImageIndex(splits, folder, only_below=folder != root)
        for row in read_target_file(path, column_names(path)):
            sample = places.find(row)
            if sample not in place:
                continue
            for column, cell in row.cells.items():
                found.setdefault(column, [""] * len(samples))[place[sample]] = cell
    if not any(map(any, found.values())):
        raise DataError(
            f"{', '.join(map(str, paths))} has nothing to say of the images of the {split} split. "
            "Its column image has to name them."
        )
    return found


def column_names(path: Path) -> list[str]:
    """Return the columns of a file that do not name the image."""
    try:
        header = next(csv.reader(io.StringIO(read_text(path), newline=""), strict=True), [])
    except csv.Error as error:
        raise DataError(f"{path} is no CSV: {error}.") from error
    names = [csv_text(cell.strip()) for cell in header]
    return [name for name in names if name and name not in (IMAGE, SPLIT)]
