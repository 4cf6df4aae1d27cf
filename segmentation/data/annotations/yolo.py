"""YOLO's segmentation labels: a text file for each image, a polygon a line; names in data.yaml.

Format: https://docs.ultralytics.com/datasets/segment/
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from segmentation.classes import Color
from segmentation.data.annotations.annotation_files import head
from segmentation.data.annotations.draw_masks import image_size
from segmentation.data.annotations.folder import SPLIT_WORDS, Folder, split_in
from segmentation.data.annotations.name_list import HIGHEST, by_number, find_name_list
from segmentation.data.annotations.regions import (
    AnnotatedImage,
    Annotations,
    NoMasksError,
    Region,
    count_text,
)
from segmentation.data.annotations.shapes import Polygons, box
from segmentation.data.annotations.yolo_labels import LabelFinder
from segmentation.data.files import read_text
from segmentation.errors import DataError, listed
from segmentation.system.plain_data import load_yaml

NAME = "YOLO"

SPLIT_KEYS = ("train", "val", "valid", "validation", "test")
NAMES = re.compile(r"^['\"]?names['\"]?\s*:", re.MULTILINE)
OUTSIDE = 0.05
"""How far outside of 0 to 1 a coordinate may lie: rounding and labels at the border."""


def find(folder: Folder) -> list[Path]:
    """Return data.yaml where there is one, else the label files.

    Raises:
        DataError: beside labels, a file that may be data.yaml is invalid.
    """
    labels = _label_files(folder)
    if not labels:
        return []
    return [*(path for path in folder.files(".yaml", ".yml") if _is_config(path)), *labels]


def _is_config(path: Path) -> bool:
    text = read_text(path)
    try:
        values = load_yaml(text, yaml.BaseLoader)
    except ValueError as error:
        if NAMES.search(text) is None:
            return False
        raise DataError(f"{path} is invalid: {error}. Fix it: it names the classes.") from error
    keys = ("nc", "path", *SPLIT_KEYS)
    return isinstance(values, dict) and "names" in values and any(key in values for key in keys)


def _label_files(folder: Folder) -> list[Path]:
    """Return the text files of images if they hold a class and coordinates, and further such."""
    stems = {path.stem for path in folder.images}
    files = [path for path in folder.files(".txt") if path.stem in stems]
    first = next((path for path in files if head(path).strip()), None)
    if first is None or not _is_label(head(first)):
        return []
    # Labels whose images are not there: to be told of
    alone = [path for path in folder.files(".txt") if path.stem not in stems]
    return sorted(files + [path for path in alone if _is_label(head(path))])


def _is_label(text: str) -> bool:
    words = text.strip().partition("\n")[0].split()
    try:
        [float(word) for word in words]
    except ValueError:
        return False
    return len(words) >= 5 and _is_number(words[0])


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal()


def read(folder: Folder, paths: Sequence[Path]) -> Annotations:
    """Read YOLO's labels.

    Raises:
        DataError: an invalid file, boxes alone, several data.yaml, or a class without a name.
    """
    notes: list[str] = []
    labels = [path for path in paths if path.suffix == ".txt"]
    config = _choose([path for path in paths if path.suffix != ".txt"])
    # Every scalar is the text that was written: a class may be named no
    values = load_yaml(read_text(config), yaml.BaseLoader) if config else {}
    if "kpt_shape" in values:
        raise NoMasksError(f"{config} is a data set of key points (kpt_shape): it has no masks.")
    names = _names(folder, config, values, labels, notes)

    # The images: those with labels, and those of the same folders without
    finder = LabelFinder(folder, labels)
    splits: dict[Path, str] = {}
    twice = 0
    for image, split in _images(folder, config, values, finder, notes):
        twice += splits.setdefault(image, split) != split
    if twice:
        notes.append(
            f"{folder.where(config or folder.base)} has {count_text(twice, 'image')} in two "
            "splits: they stay in the first of train, val and test."
        )

    # Their regions
    counts: Counter[str] = Counter()
    images, used = [], set()
    for image, split in splits.items():
        source = finder.find(image)
        counts["unlabelled"] += source is None
        regions: list[Region] = []
        problem = ""
        if source is not None:
            used.add(source)
            try:
                regions = list(_Lines(image, source, names, counts))
            except DataError as error:
                problem = str(error)
        source = source or config or image
        images.append(AnnotatedImage(image, regions, None, split, source, problem))
    alone = [folder.where(path) for path in labels if path not in used]
    counts["invalid"] = sum(bool(image.problem) for image in images)
    _say_counts(folder.where(labels[0].parent), counts, alone, notes)
    number = count_text(len(used), "label file")
    where = f"{folder.where(config)} and {number}" if config else number
    return Annotations(NAME, where, names, images, True, notes)


def _say_counts(where: str, counts: Counter[str], alone: list[str], notes: list[str]) -> None:
    """Note what is no polygon of an image.

    Raises:
        NoMasksError: there is no polygon at all.
    """
    if not counts["polygons"] and not counts["boxes"] and not counts["invalid"]:
        raise NoMasksError(f"{where}: the YOLO labels hold no object.")
    if not counts["polygons"] and not counts["invalid"]:
        raise NoMasksError(
            f"{where}: YOLO labels of boxes alone ({count_text(counts['boxes'], 'box', 'boxes')}). "
            "Masks cannot be learnt from boxes: export the data set for segmentation."
        )
    if counts["boxes"]:
        notes.append(
            f"{count_text(counts['boxes'], 'object')} with a box and no polygon: the pixels of the "
            "box are void, below all other objects."
        )
    if counts["unlabelled"]:
        notes.append(
            f"{count_text(counts['unlabelled'], 'image')} without a label file: all background, as "
            "in YOLO."
        )
    if alone:
        notes.append(f"{count_text(len(alone), 'label file')} of no image: {listed(alone)}.")


def _choose(configs: Sequence[Path]) -> Path | None:
    if len(configs) > 1:
        raise DataError(
            f"several data sets for YOLO: {listed([str(path) for path in configs])}. Choose one: "
            "data.annotations=<its data.yaml>."
        )
    return configs[0] if configs else None


def _names(
    folder: Folder,
    config: Path | None,
    values: dict[str, Any],
    labels: Sequence[Path],
    notes: list[str],
) -> dict[str, Color | None]:
    """Return the names in the order of their numbers."""
    if config is not None:
        given = values["names"]
        if isinstance(given, dict):
            if not all(_is_number(str(key)) for key in given):
                raise DataError(f"{config}: names are numbered from 0: {listed(list(given))}.")
            listing = by_number({int(key): name for key, name in given.items()}, config)
        elif isinstance(given, list):
            listing = given
        else:
            raise DataError(f"{config}: names is not a list of names.")
        return _unique(listing, config)
    if (found := find_name_list(folder)) is not None:
        path, listing = found
        return _unique(listing, path)
    highest = max(
        (int(words[0]) for path in labels for line in read_text(path).splitlines()
         if (words := line.split()) and _is_number(words[0])), default=0,
    )  # fmt: skip
    notes.append(
        f"there is no data.yaml or classes.txt: the classes are named class_0 to class_{highest}. "
        "Put the names, one a line, into classes.txt."
    )
    return dict.fromkeys(f"class_{k}" for k in range(min(highest + 1, HIGHEST)))


def _unique(names: Sequence[Any], source: Path) -> dict[str, Color | None]:
    if not all(isinstance(name, str) for name in names):  # an alias may stand for a huge list
        raise DataError(f"{source}: names is not a list of names.")
    if len(set(names)) < len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise DataError(f"{source}: several classes are named {twice[0]!r}. Rename them.")
    return dict.fromkeys(names)


def _images(
    folder: Folder,
    config: Path | None,
    values: dict[str, Any],
    labels: LabelFinder,
    notes: list[str],
) -> Iterator[tuple[Path, str]]:
    """Yield the images of each split: those that data.yaml names, else by the folders' names."""
    named, empty = False, []
    for key in SPLIT_KEYS if config else ():
        for entry in _entries(config, key, values):
            paths = _resolve(folder, config, _entries(config, "path", values), entry, notes)
            named = named or bool(paths)
            empty += [] if paths else [f"{key}: {entry}"]
            for path in paths:
                yield path, SPLIT_WORDS[key]
    if empty and config:
        notes.append(
            f"{folder.where(config)} names folders or lists without an image here: {listed(empty)}."
            + ("" if named else " The folders' own names tell the splits.")
        )
    if not named:
        for image in folder.images:
            if labels.covers(image):
                yield image, folder.split_of(image)


def _entries(config: Path | None, key: str, values: dict[str, Any]) -> list[str]:
    value = values.get(key)
    entries = value if isinstance(value, list) else [value] if value else []
    if not all(isinstance(entry, str) for entry in entries):  # an alias may stand for a huge list
        raise DataError(f"{config}: {key} is neither a path nor a list of paths.")
    return entries


def _resolve(
    folder: Folder, config: Path | None, bases: Sequence[str], entry: str, notes: list[str]
) -> list[Path]:
    """Return the images of an entry of data.yaml: a folder or a list, maybe another computer's.

    Nothing outside of the data set's folders is looked at: of a path the last parts count, with
    that which names a split.
    """
    parts = [part for part in Path(entry.replace("\\", "/")).parts if part not in ("..", ".", "/")]
    homes = [folder.base, folder.root, *([config.parent] if config else [])]
    for base in bases:
        homes += [folder.base / Path(base).name, folder.root / Path(base).name]
    names = [index for index, part in enumerate(parts) if split_in([part])]
    for start in range(len(parts) if not names else names[-1] + 1):
        for home in homes:
            path = home.joinpath(*parts[start:])
            if path.is_dir():
                return [image for image in folder.images if image.is_relative_to(path)]
            if path.is_file() and path.suffix == ".txt":
                return _listed(folder, path, notes)
    return []


def _listed(folder: Folder, listing: Path, notes: list[str]) -> list[Path]:
    found: list[Path] = []
    missing: list[str] = []
    split = split_in([listing.stem])
    lines = list(filter(None, map(str.strip, read_text(listing).splitlines())))
    images = folder.find_images(lines, listing, [split] * len(lines), notes)
    for line, image in zip(lines, images, strict=True):
        if image is None:
            missing.append(line)
        else:
            found.append(image)
    folder.note_missing(listing, missing, len(found) + len(missing), notes)
    return found


class _Lines:
    """The regions of one label file, read when they are iterated."""

    def __init__(
        self, image: Path, source: Path, names: dict[str, Color | None], counts: Counter[str]
    ) -> None:
        self.image, self.source = image, source
        self.names, self.counts = list(names), counts

    def __iter__(self) -> Iterator[Region]:
        size: tuple[int, int] | None = None
        for number, line in enumerate(read_text(self.source).splitlines(), start=1):
            words = line.split()
            if not words:
                continue
            where = f"{self.source}, line {number}"
            size = size or image_size(self.image)
            yield self._region(words, where, size)

    def _region(self, words: list[str], where: str, size: tuple[int, int]) -> Region:
        try:
            index, values = int(words[0]), np.array(words[1:], dtype=np.float64)
        except ValueError as error:
            raise DataError(
                f"{where}: expected a class and coordinates, got {words[:6]}."
            ) from error
        if not 0 <= index < len(self.names):
            raise DataError(
                f"{where}: the class {index} has no name: there are {len(self.names)} names, "
                f"numbered from 0 ({listed(self.names)}). Add it to data.yaml or classes.txt."
            )
        if not np.isfinite(values).all() or (abs(values - 0.5) > 0.5 + OUTSIDE).any():
            raise DataError(
                f"{where}: coordinates are shares of the image's width and height, 0 to 1; this "
                f"line has {values[np.argmax(np.abs(values - 0.5))]:g}."
            )
        height, width = size
        if len(values) == 4:
            self.counts["boxes"] += 1
            x, y, across, down = values * (width, height, width, height)
            return Region(None, box(x - across / 2, y - down / 2, x + across / 2, y + down / 2), -1)
        if len(values) % 2 or len(values) < 6:
            raise DataError(
                f"{where}: {len(values)} coordinates; a polygon has pairs of x and y, at least 3."
            )
        self.counts["polygons"] += 1
        return Region(self.names[index], Polygons([values.reshape(-1, 2) * (width, height)]))
