"""`targets.csv`: a row for each image, a column for each target; cells may be empty."""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from segmentation.data.files import read_text
from segmentation.data.layouts import Sample
from segmentation.errors import DataError, did_you_mean

NAME = "targets.csv"
IMAGE, SPLIT = "image", "split"


@dataclass(frozen=True)
class TargetRow:
    """One row of a file, with the wanted columns only.

    Args:
        where: file and line, for messages.
        image: what names the image.
        split: what the column `split` says; None where there is none.
        cells: the text of each wanted column.
    """

    where: str
    image: str
    split: str | None
    cells: dict[str, str]


def find_target_files(root: Path, samples: Iterable[Sample]) -> list[Path]:
    """Return every `targets.csv` in `root`, beside an image, or in a folder between the two.

    Raises:
        DataError: there is none.
    """
    folders = {root}
    for image_folder in {sample.image.parent for sample in samples}:
        folders.add(image_folder)
        folders |= {one for one in image_folder.parents if one.is_relative_to(root)}
    found = sorted(folder / NAME for folder in folders if (folder / NAME).is_file())
    if not found:
        raise DataError(
            f"no {NAME} in {root} nor beside its images. Image-level targets are a CSV file with "
            "a column image (a file name) and one for each target. Put it there, or say where it "
            "is: task.targets.file=<csv>."
        )
    return found


def read_target_file(path: Path, columns: Sequence[str]) -> list[TargetRow]:
    """Read the rows of a file: CSV with commas and a header, UTF-8.

    Args:
        path: the file.
        columns: the wanted columns besides `image` and `split`.

    Raises:
        DataError: a file that cannot be read, is too large or has no rows, a column
            that is not there or stands twice, or a row of another length than the header.
    """
    lines = csv.reader(io.StringIO(read_text(path), newline=""), strict=True)
    try:
        header = [cell.strip() for cell in next(lines, [])]
        _check_header(path, header, columns)
        rows = []
        for cells in lines:
            if not any(map(str.strip, cells)):
                continue
            where = f"{path}, line {lines.line_num}"
            if len(cells) != len(header):
                raise DataError(
                    f"{where} has {len(cells)} cells, the header {len(header)}. Put text with "
                    "commas in quotation marks, and leave a cell empty where nothing is known."
                )
            row = dict(zip(header, map(str.strip, cells), strict=True))
            if not row[IMAGE]:
                raise DataError(f"{where} names no image.")
            wanted = {column: row[column] for column in columns}
            rows.append(TargetRow(where, row[IMAGE], row.get(SPLIT), wanted))
    except csv.Error as error:
        raise DataError(f"{path}, line {lines.line_num}, is no CSV: {error}.") from error
    if not rows:
        raise DataError(f"{path} has no rows below its header.")
    return rows


def _check_header(path: Path, header: Sequence[str], columns: Sequence[str]) -> None:
    for column in (IMAGE, *columns):
        if header.count(column) == 1:
            continue
        if column in header:
            raise DataError(f"{path} has {header.count(column)} columns {column!r}: keep one.")
        if len(header) == 1 and ";" in header[0]:
            raise DataError(f"{path} has semicolons between its columns: save it with commas.")
        near = did_you_mean(column, header)
        raise DataError(
            f"{path} has no column {column!r}.{near} It has: {', '.join(header) or 'nothing'}."
        )
