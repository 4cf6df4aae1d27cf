"""Decode the values of mask files to labels, by a data set's class table."""

import reprlib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from segmentation.classes import MAX_CLASSES, VOID, ClassTable, Color, Entry
from segmentation.data.files import read_mask, read_text
from segmentation.data.images.image_format import MAX_PIXELS
from segmentation.errors import ConfigError, DataError, did_you_mean
from segmentation.system.files import write_atomic
from segmentation.system.plain_data import load_yaml

GUESS = "# guessed from"
UNKNOWN = 254
"""Marks a value outside the class table while a mask is decoded; never a label."""
KEYS = ("name", "color", "index", "void", "merge")
HEADER = """# The class table of this data set: edit the names, then train again.
# index: the value in index masks, or a list of them; color: RGB in colour masks, and in pictures;
# void: true = neither learnt nor scored; merge: <name> = learnt as that class.
"""


class Labels:
    """Map the values of a data set's masks to labels.

    Args:
        table: one entry for each value or colour in the masks.
        void: ``"ignore"``: entries marked void are neither learnt nor scored, the field's protocol;
            ``"class"``: they are classes like the others.
        unknown: whether a value outside the table is an ``"error"`` or ``"void"``.

    Attributes:
        classes: the names and colours of the classes: the entries that are neither void nor merged
            into another, in the table's order.
        table: the entries, with `void` applied.

    Raises:
        ConfigError: an invalid `void` or `unknown`, or a contradictory table.
    """

    def __init__(
        self, table: Iterable[Entry], void: str = "ignore", unknown: str = "error"
    ) -> None:
        if void not in ("ignore", "class"):
            raise ConfigError(
                f"invalid data.void={void!r}: use data.void=ignore or data.void=class."
            )
        if unknown not in ("error", "void"):
            raise ConfigError(
                f"invalid data.unknown={unknown!r}: use data.unknown=error or data.unknown=void."
            )
        self.table = tuple(replace(entry, void=entry.void and void == "ignore") for entry in table)
        self.unknown = unknown
        own = [entry for entry in self.table if not entry.void and entry.merge is None]
        self.classes = ClassTable(
            tuple(entry.name for entry in own), tuple(entry.color for entry in own)
        )
        names = [entry.name for entry in self.table]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ConfigError(
                f"the class table has several entries named {twice[0]!r}. Rename them, and "
                "use merge for those that count as one class."
            )
        self._label = {entry.name: VOID for entry in self.table if entry.void}
        self._label |= {entry.name: label for label, entry in enumerate(own)}
        for entry in self.table:
            if entry.merge is not None and entry.merge not in self._label:
                raise ConfigError(
                    f"class {entry.name!r} merges into {entry.merge!r}, which is not in the "
                    f"table (or is merged itself).{did_you_mean(entry.merge, self._label)}"
                )
        self._indices = self._mapping("index")
        self._colors = self._mapping("color")

    def _mapping(self, key: str) -> dict[Any, int]:
        """Return the label of each index or colour, unless two entries disagree about it."""
        mapping: dict[Any, int] = {}
        for entry in self.table:
            label = self._label[entry.merge or entry.name]
            for value in entry.indices if key == "index" else entry.colors:
                if mapping.setdefault(value, label) == label:
                    continue
                if key == "index":
                    raise ConfigError(f"the class table has index {value} twice.")
                mapping[value] = UNKNOWN  # as Cityscapes' poles: an error only in masks that use it
        return mapping

    @property
    def by_color(self) -> bool:
        """Whether only colours are decoded, a palette's among them."""
        return not self._indices

    def read(self, path: Path, max_pixels: int = MAX_PIXELS) -> np.ndarray:
        """Read a mask's values as this table decodes them; see `read_mask`."""
        return read_mask(path, self.by_color, max_pixels)

    def __getstate__(self) -> dict[str, Any]:
        # Spawned workers build their own lookups of 16 MB.
        return {key: value for key, value in self.__dict__.items() if "lookup" not in key}

    @cached_property
    def _index_lookup(self) -> np.ndarray:
        lookup = np.full(256, UNKNOWN, dtype=np.uint8)
        for index, label in self._indices.items():
            lookup[index] = label
        return lookup

    @cached_property
    def _color_lookup(self) -> np.ndarray:
        lookup = np.full(1 << 24, UNKNOWN, dtype=np.uint8)  # 16 MB, ten times as fast as a search
        for (red, green, blue), label in self._colors.items():
            lookup[red << 16 | green << 8 | blue] = label
        return lookup

    def decode(self, values: np.ndarray, where: str | Path) -> np.ndarray:
        """Decode a mask to labels.

        Args:
            values: `uint8`, indices (H, W) or RGB colours (H, W, 3), as `read_mask` gives them.
            where: the file, for messages.

        Returns:
            `uint8` (H, W), 0..C-1 or `VOID`.

        Raises:
            DataError: values outside the table, unless they become void.
        """
        labels = self._find(values, where)
        unknown = labels == UNKNOWN
        if unknown.any():
            if self.unknown == "error":
                raise DataError(self._complaint(values, unknown, where))
            labels[unknown] = VOID
        return labels

    def known(self, values: np.ndarray, where: str | Path) -> np.ndarray:
        """Return which pixels of a mask have a value that is in the table, boolean (H, W)."""
        if values.ndim == 2 and self.by_color:
            return np.zeros(values.shape, dtype=bool)
        return self._find(values, where) != UNKNOWN

    def _find(self, values: np.ndarray, where: str | Path) -> np.ndarray:
        if values.ndim == 3:
            return self._color_lookup[pack(values)]
        if self.by_color:
            raise DataError(
                f"{where} holds indices, but the class table has only colours. Add an index to its "
                "entries."
            )
        return self._index_lookup[values]

    def _complaint(self, values: np.ndarray, unknown: np.ndarray, where: str | Path) -> str:
        found = np.unique(values[unknown], axis=0).tolist()
        what = "labels" if values.ndim == 2 else "colours"
        more = f" and {len(found) - 5} more" if len(found) > 5 else ""
        return (
            f"{where} holds {what} outside the class table: {str(found[:5])[1:-1]}{more} "
            f"({unknown.mean():.1%} of its pixels). Add them to the table (data.classes=<file>), "
            "or pass data.unknown=void."
        )


def pack(colors: np.ndarray) -> np.ndarray:
    """Return `uint8` RGB colours (..., 3) as one `int32` each: 0xRRGGBB."""
    red, green, blue = (colors[..., channel].astype(np.int32) for channel in range(3))
    return red << 16 | green << 8 | blue


def read_table(path: Path) -> tuple[Entry, ...]:
    """Read a class table from YAML: a list of entries with the fields of `Entry`.

    Names are taken as they are written: YAML's no, yes, null, on and numbers too.

    Raises:
        ConfigError: an unreadable or invalid class table; the message names the entry.
    """
    try:
        text = read_text(path)
        rows, words = load_yaml(text, yaml.SafeLoader), load_yaml(text, yaml.BaseLoader)
    except (DataError, ValueError) as error:
        raise ConfigError(f"the class table {path} cannot be read: {error}") from error
    if not isinstance(rows, list) or not rows or len(rows) > 4 * MAX_CLASSES:
        raise ConfigError(f"{path} is not a class table: expected a list of '- name: ...' entries.")
    return from_list(rows, words, str(path))


def from_list(rows: list, words: list, where: str) -> tuple[Entry, ...]:
    """Rebuild a table from `to_list`, or from what a file holds.

    Args:
        rows: the fields of each entry.
        words: the same with each value as the text that was written; the names are taken from here.
        where: the file, for messages.

    Raises:
        ConfigError: an invalid entry.
    """
    return tuple(
        _entry(row, word, f"{where}, entry {number}")
        for number, (row, word) in enumerate(zip(rows, words, strict=True), 1)
    )


def read_guess(path: Path) -> str:
    """Return what the header of a class table says that it was guessed from, or nothing."""
    first = read_text(path).lstrip().split("\n", 1)[0]
    return first.removeprefix(GUESS).split(";")[0].strip() if first.startswith(GUESS) else ""


def write_table(path: Path, table: Iterable[Entry], guess: str = "") -> None:
    """Write a class table for `read_table` and for editing by hand, one entry a line.

    Args:
        path: the file.
        table: the entries.
        guess: what the table was guessed from; the header says so, see `read_guess`.

    Raises:
        OSError: the file cannot be written.
    """
    rows = "".join(
        "- " + yaml.safe_dump(row, default_flow_style=True, sort_keys=False, width=10_000)
        for row in to_list(table)
    )
    note = f"{GUESS} {guess}; take this line out once the table is right.\n" if guess else ""
    write_atomic(path, note + HEADER + rows)


def to_list(table: Iterable[Entry]) -> list[dict]:
    """Return a table as plain values, without fields at their defaults."""
    return [
        {
            key: value
            for key, value in asdict(entry).items()
            if key != "more" and not (value is None or value is False)
        }
        | {"color": list(entry.color)}
        | ({"index": list(entry.indices)} if entry.more else {})
        for entry in table
    ]


def _entry(row: Any, words: Any, where: str) -> Entry:
    """Return a row's entry; `words` is the row with each value as the text that was written."""
    if not isinstance(row, dict) or "name" not in row or set(row) != set(words):
        got = reprlib.repr(row)
        raise ConfigError(f"{where}: expected {{name: ..., color: [r, g, b], ...}}, got {got}.")
    for key in row:
        if key not in KEYS:
            raise ConfigError(f"{where} has no field {key!r}.{did_you_mean(str(key), KEYS)}")
    index, void, merge = row.get("index"), row.get("void", False), row.get("merge")
    indices = index if isinstance(index, list) else [] if index is None else [index]
    if not all(type(value) is int and 0 <= value <= 255 for value in indices) or index == []:
        raise ConfigError(f"{where}: index {reprlib.repr(index)} is not an integer from 0 to 255.")
    if not isinstance(void, bool):
        raise ConfigError(f"{where}: void is {reprlib.repr(void)}; expected true or false.")
    if void and merge is not None:
        raise ConfigError(f"{where} is void and merged: remove one of the two.")
    name = words["name"]
    for key, word in (("name", name), ("merge", words.get("merge", name))):
        if not isinstance(word, str) or not word.strip():
            raise ConfigError(f"{where}: {key} is {reprlib.repr(word)}; expected a word.")
    return Entry(
        name,
        _color(row.get("color"), where),
        indices[0] if indices else None,
        void,
        None if merge is None else words["merge"],
        tuple(indices[1:]),
    )


def _color(value: Any, where: str) -> Color:
    good = isinstance(value, Sequence) and not isinstance(value, str) and len(value) == 3
    if not good or not all(type(part) is int and 0 <= part <= 255 for part in value):
        raise ConfigError(
            f"{where}: color is {reprlib.repr(value)}; expected [red, green, blue], 0 to 255."
        )
    red, green, blue = value
    return red, green, blue
