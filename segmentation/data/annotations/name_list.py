"""The list of class names that lies beside YOLO's and LabelMe's files."""

from pathlib import Path

from segmentation.classes import MAX_CLASSES
from segmentation.data.annotations.folder import Folder
from segmentation.data.files import read_text
from segmentation.data.masks.names import READERS
from segmentation.errors import DataError

_read_plain = READERS["classes.txt"]
FILES = {file for file, read in READERS.items() if read is _read_plain} | {
    "obj.names",
    "_darknet.labels",
}
"""Files with a name on each line, in lower case."""
HIGHEST = 4 * MAX_CLASSES
"""No class has a number as high, even where some are left out later."""


def find_name_list(folder: Folder) -> tuple[Path, list[str]] | None:
    """Return the file of names of a data set, and the names in the order of their numbers.

    Raises:
        DataError: an empty line among them, which leaves the others' numbers open.
    """
    for path in folder.files(".txt", ".names", ".labels"):
        if path.name.lower() in FILES:
            return path, _read(path)
    return None


def _read(path: Path) -> list[str]:
    try:
        names = _read_plain(read_text(path))
    except ValueError as error:
        raise DataError(f"{path}: {error}. Expected one name on each line.") from error
    numbered = {name.index: name.name for name in names if name.index is not None}
    if len(numbered) < len(names):
        return [name.name for name in names]
    return by_number(numbered, path)


def by_number(names: dict[int, str], path: Path) -> list[str]:
    """Return names in the order of their numbers from 0; those left out are called class_<number>.

    Raises:
        DataError: a number that no class has.
    """
    highest = max(names, default=-1)
    if highest >= HIGHEST:
        raise DataError(f"{path}: the class number {highest} is too high.")
    return [names.get(number, f"class_{number}") for number in range(highest + 1)]
