"""Read the names of classes from the files that data sets and annotation tools bring along."""

import csv
import io
import logging
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from segmentation.classes import Color
from segmentation.data.files import read_text
from segmentation.errors import DataError

log = logging.getLogger(__name__)

VOID_NAMES = ("void", "unlabelled", "unlabeled", "ignore", "ignored", "__ignore__")
"""Names of what is neither learnt nor scored, in any case."""


@dataclass(frozen=True)
class Name:
    """A class as a file of names has it.

    Attributes:
        name: as it is written.
        index: the value in index masks, where the file says it; else None.
        color: RGB in colour masks, where the file says it; else None.
    """

    name: str
    index: int | None = None
    color: Color | None = None

    @property
    def void(self) -> bool:
        """Whether the name says that it is neither learnt nor scored."""
        return self.name.lower() in VOID_NAMES


@dataclass(frozen=True)
class Names:
    """The names of a data set's classes, in the order of their file.

    Attributes:
        path: the file.
        names: one for each class, different from each other.
    """

    path: Path
    names: tuple[Name, ...]


def find_names(folders: Sequence[Path]) -> Names | None:
    """Return the names of the first file of names in some folders, or None.

    Args:
        folders: where to look, the likeliest first.
    """
    for folder in folders:
        there = {path.name.lower(): path for path in sorted(folder.glob("*")) if path.is_file()}
        for file, read in READERS.items():
            if file in there and (names := _read(there[file], read)):
                return Names(there[file], tuple(names))
    return None


def _read(path: Path, read: Callable[[str], list[Name]]) -> list[Name]:
    """Return a file's names, or none where it is something else of the same name."""
    try:
        names = read(read_text(path))
    except (ValueError, LookupError, ArithmeticError, csv.Error, DataError) as error:
        what = f"it has no column {error}" if isinstance(error, KeyError) else error
        log.warning("%s is not used for the names of classes: %s.", path, what)
        return []
    words = [name.name for name in names]
    if "" in words:
        log.warning("%s is not used for the names of classes: one is empty.", path)
        return []
    if len(set(words)) < len(words):
        log.warning("%s is not used for the names of classes: some repeat.", path)
        return []
    return names


def _lines(text: str) -> list[str]:
    """Return the lines that are no comment; an empty one among them would shift the others."""
    lines = [line.strip() for line in text.strip().splitlines()]
    if "" in lines:
        raise ValueError(f"line {lines.index('') + 1} is empty")
    return [line for line in lines if not line.startswith("#")]


def _color(parts: Sequence[str]) -> Color | None:
    """Return a colour from three numbers, 0..255, or fractions of one; None from empty parts."""
    if not any(part.strip() for part in parts):
        return None
    red, green, blue = (float(part) for part in parts)
    if max(red, green, blue) <= 1 and any("." in part for part in parts):
        red, green, blue = 255 * red, 255 * green, 255 * blue
    color = round(red), round(green), round(blue)
    if not all(0 <= part <= 255 for part in color):
        raise ValueError(f"{color} is not a colour")
    return color


def _labelmap(text: str) -> list[Name]:
    """CVAT's and Datumaro's labelmap.txt: ``name:r,g,b:parts:actions``, colours may be missing."""
    rows = [line.split(":") for line in _lines(text)]
    if not all(len(row) >= 2 for row in rows):
        raise ValueError("a line is not name:r,g,b:parts:actions")
    return [Name(row[0], color=_color(row[1].split(",")) if row[1] else None) for row in rows]


def _label_colors(text: str) -> list[Name]:
    """CamVid's own label_colors.txt: ``r g b  name``; Datumaro's has names alone."""
    names = []
    for line in _lines(text):
        match = re.fullmatch(r"(\d+)\s+(\d+)\s+(\d+)\s+(.+)", line)
        names.append(Name(match[4], color=_color(match.groups()[:3])) if match else Name(line))
    return names


def _plain(text: str) -> list[Name]:
    """One name on a line, or its number besides (``0: road``, ``0 road``), or its colour."""
    lines = _lines(text)
    colored = [re.fullmatch(r"([^,]+),\s*(\d+),\s*(\d+),\s*(\d+)", line) for line in lines]
    if len(lines) > 1 and all(colored[1:]):  # the first may be a header
        matches = [match for match in colored if match]
        return [Name(match[1].strip(), color=_color(match.groups()[1:])) for match in matches]
    numbered = [re.fullmatch(r"(\d+)\s*[:,;\t ]\s*(.+)", line) for line in lines]
    if lines and all(numbered):
        return [Name(match[2], index=int(match[1])) for match in numbered if match]
    return [Name(line) for line in lines]


def _class_dict(text: str) -> list[Name]:
    """class_dict.csv: a column of names and columns r, g, b."""
    rows = _rows(text)
    keys = ("name", "class_names", "class_name", "class", "label", "category")
    name = next((key for key in keys if key in rows[0]), None)
    if name is None:
        raise ValueError(f"it has no column of names, such as name (it has {', '.join(rows[0])})")
    if not {"r", "g", "b"} <= set(rows[0]):
        return [Name(row[name]) for row in rows]
    return [Name(row[name], color=_color([row["r"], row["g"], row["b"]])) for row in rows]


def _roboflow(text: str) -> list[Name]:
    """Roboflow's _classes.csv: Pixel Value, Class."""
    return [Name(row["class"], index=int(row["pixel value"])) for row in _rows(text)]


def _object_info(text: str) -> list[Name]:
    """ADE20K's objectInfo150.txt: Idx, Ratio, Train, Val, Name; indices from 1, 0 is no class."""
    rows = _rows(text, delimiter="\t")
    return [Name("unlabelled", index=0)] + [
        Name(row["name"].split(",")[0].strip(), index=int(row["idx"])) for row in rows
    ]


def _rows(text: str, delimiter: str = ",") -> list[dict[str, str]]:
    reader = csv.reader(io.StringIO(text), delimiter=delimiter, strict=True)
    header, *rows = [[cell.strip() for cell in row] for row in reader if any(row)]
    return [dict(zip(map(str.lower, header), row, strict=True)) for row in rows]


READERS: dict[str, Callable[[str], list[Name]]] = {
    "labelmap.txt": _labelmap,
    "_classes.csv": _roboflow,
    "class_dict.csv": _class_dict,
    "label_colors.txt": _label_colors,
    "objectinfo150.txt": _object_info,
    "classes.txt": _plain,
    "class_names.txt": _plain,
    "labels.txt": _plain,
}
"""The files of names by lower-case name, those that say more first."""
