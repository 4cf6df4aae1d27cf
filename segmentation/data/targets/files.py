"""`targets.csv`: a row for each image, a column for each target; cells may be empty."""

import csv
import io
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath, PurePosixPath

from segmentation.data.discovery.layouts import Sample, split_of
from segmentation.data.files import read_text
from segmentation.errors import DataError, did_you_mean
from segmentation.system.escaping import csv_text

TARGETS_FILE = "targets.csv"

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
    found = sorted(folder / TARGETS_FILE for folder in folders if (folder / TARGETS_FILE).is_file())
    if not found:
        raise DataError(
            f"no {TARGETS_FILE} in {root} nor beside its images. Image-level targets are a CSV "
            "file with a column image (a file name) and one for each target. Put it there, or "
            "pass its path: task.targets.file=<csv>."
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
        header = [csv_text(cell.strip()) for cell in next(lines, [])]
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
            texts = [csv_text(cell.strip()) for cell in cells]
            row = dict(zip(header, texts, strict=True))
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


class ImageIndex:
    """Finds an image by its path, by any end of its path, or by its name; the suffix may be absent.

    Args:
        splits: the samples of each split.
        folder: what paths in the file are relative to.
        only_below: leave out samples that do not lie below `folder`.
    """

    def __init__(
        self, splits: Mapping[str, Sequence[Sample]], folder: Path, only_below: bool
    ) -> None:
        self._whole: defaultdict[str, set[Sample]] = defaultdict(set)
        self._ends: defaultdict[str, set[Sample]] = defaultdict(set)
        self._known: dict[Sample, tuple[str, str]] = {}
        for split, samples in splits.items():
            for sample in samples:
                if sample.image.is_relative_to(folder):
                    self._add(split, sample, sample.image.relative_to(folder))
                elif not only_below:
                    self._add(split, sample, sample.image)

    def _add(self, split: str, sample: Sample, path: PurePath) -> None:
        self._known[sample] = split, path.as_posix()
        for parts in (path.parts, path.with_suffix("").parts):
            self._whole[_normal(PurePosixPath(*parts))].add(sample)
            for start in range(1, len(parts)):
                self._ends[_normal(PurePosixPath(*parts[start:]))].add(sample)
        self._ends[_normal(PurePosixPath(sample.name))].add(sample)

    def find(self, row: TargetRow) -> Sample | None:
        """Return the sample that a row means; None where no split has it.

        A whole path goes before the end of another; where the column `split` says one, it counts.

        Raises:
            DataError: several samples fit.
        """
        key = _normal(PurePosixPath(row.image.replace("\\", "/")))
        fits = self._whole.get(key) or self._ends.get(key) or set()
        if row.split:
            split = split_of(row.split) or row.split
            fits = {sample for sample in fits if self._known[sample][0] == split}
        if len(fits) > 1:
            found = sorted(self._known[sample][1] for sample in fits)
            raise DataError(
                f"{row.where}: {row.image!r} may be any of {', '.join(found[:3])}. Write its path, "
                f"such as {found[0]}, or add a column {SPLIT}."
            )
        return next(iter(fits), None)


def _normal(path: PurePosixPath) -> str:
    """Return a path in one spelling: macOS takes letters such as é apart, and tables do not."""
    return unicodedata.normalize("NFC", path.as_posix())
