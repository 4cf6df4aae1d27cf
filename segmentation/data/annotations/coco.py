"""COCO's JSON of objects: polygons and RLE; one file for each split, or one in all.

Format: https://cocodataset.org/#format-data
"""

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import BaseModel, BeforeValidator, ConfigDict

from segmentation.classes import Color
from segmentation.data.annotations.annotation_files import head, parse_json, tail
from segmentation.data.annotations.folder import Folder, split_in
from segmentation.data.annotations.regions import (
    AnnotatedImage,
    Annotations,
    NoMasksError,
    Region,
    Shape,
    count_text,
    to_points,
)
from segmentation.data.annotations.shapes import Encoded, Polygons, box
from segmentation.errors import DataError, listed

NAME = "COCO"

_KEYS = ("annotations", "categories", "segmentation", "image_id")


def _plain_id(value: object) -> object:
    """Return a number as its digits: the files that people merge have 1, 1.0 and "1" for one id."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else value


_Id = Annotated[str, BeforeValidator(_plain_id)]


class _Model(BaseModel):
    model_config = ConfigDict(allow_inf_nan=False, coerce_numbers_to_str=True)


class _Rle(_Model):
    size: tuple[int, int]
    counts: str | list[int]


class _Image(_Model):
    id: _Id
    file_name: str
    height: int | None = None
    width: int | None = None


class _Object(_Model):
    image_id: _Id
    category_id: int | None = None
    segmentation: _Rle | list[list[float]] | list[float] | None = None
    bbox: list[float] | None = None
    iscrowd: bool = False


class _Category(_Model):
    id: int
    name: str
    supercategory: str | None = None


class _File(_Model):
    images: list[_Image]
    annotations: list[_Object] = []
    categories: list[_Category] = []


def find(folder: Folder) -> list[Path]:
    """Return the COCO files of a folder."""
    return [path for path in folder.files(".json") if _is_coco(path)]


def _is_coco(path: Path) -> bool:
    start = head(path)
    text = start + tail(path)
    if not re.match(r"\s*{", start) or '"segments_info"' in text:  # the latter is panoptic
        return False
    # Of a large file the middle is not looked at, in which any of the keys may be.
    return bool(re.search(r'"images"\s*:\s*\[', text)) and any(f'"{key}"' in text for key in _KEYS)


def read(folder: Folder, paths: Sequence[Path]) -> Annotations:
    """Read COCO files as one data set; categories of one name are one class.

    Raises:
        DataError: an invalid file, no masks in any, or images that are in two files.
    """
    notes: list[str] = []
    remarks: list[str] = []
    files = _select(folder, _parse_all(paths), notes)

    # The classes: the names in the order of their ids
    classes: dict[str, Color | None] = {}
    for path, file in files.items():
        used = {one.category_id for one in file.annotations}
        for category in sorted(file.categories, key=lambda one: one.id):
            if category.id not in used and _is_roboflows_group(category, file.categories):
                remarks.append(
                    f"the category {category.name!r} (id {category.id}) of {folder.where(path)} "
                    "names the others' group, as Roboflow writes it, and has no objects: no class"
                )
                continue
            classes.setdefault(category.name.strip(), None)

    # The images of each split
    splits = {path: split_in([path.stem]) or folder.split_of(path) for path in files}
    _check_splits(folder, splits)
    images: list[AnnotatedImage] = []
    counts: Counter[str] = Counter()
    for path, file in files.items():
        images += _images(folder, path, file, splits[path], counts, notes)
    _check_listed_once(folder, images)
    if not counts["masks"] and not any(image.problem for image in images):
        raise NoMasksError(
            f"{', '.join(map(folder.where, files))}: COCO annotations of boxes alone "
            f"({count_text(counts['boxes'], 'box', 'boxes')}, no segmentation). Masks cannot be "
            "learnt from boxes: export the polygons, as 'COCO segmentation'."
        )
    _say_counts(counts, notes, remarks)
    number = count_text(len(files), "JSON file")
    return Annotations(NAME, number, classes, images, True, notes, remarks)


def _parse_all(paths: Sequence[Path]) -> dict[Path, _File]:
    """Return the files that have categories: captions and lists of images have none, or no key."""
    files = {path: parse_json(path, _File, NAME) for path in paths}
    for path, file in files.items():
        _check_ids(path, "images", [(image.id, image.file_name) for image in file.images])
        _check_ids(path, "categories", [(str(one.id), one.name) for one in file.categories])
    return {path: file for path, file in files.items() if file.categories}


def _check_ids(path: Path, kind: str, rows: Sequence[tuple[str, str]]) -> None:
    """Refuse an id that two rows have: it cannot be told which of them an object belongs to."""
    known: dict[str, str] = {}
    for number, name in rows:
        if (other := known.setdefault(number, name)) != name:
            raise DataError(
                f"{path}: the id {number} among its {kind} is that of {other} and of {name}. "
                "Number them anew where files are merged, or keep the files apart: several are "
                "read too."
            )


def _select(folder: Folder, files: dict[Path, _File], notes: list[str]) -> dict[Path, _File]:
    """Return the files that are objects with labels."""
    if not files:
        raise NoMasksError(
            f"the COCO files in {folder.base} have no objects: they are captions or lists of "
            "images."
        )
    empty = [path for path, file in files.items() if not file.annotations]
    if empty and len(empty) < len(files):
        notes.append(
            f"{listed(list(map(folder.where, empty)))}: no annotations, so it is left out (a test "
            "set whose labels are kept back?)."
        )
        files = {path: file for path, file in files.items() if path not in empty}
    instances = [path for path in files if path.name.startswith("instances_")]
    others = [path for path in files if path.name.startswith(("person_keypoints_", "stuff_"))]
    if instances and others:
        notes.append(
            f"{listed(list(map(folder.where, others)))}: left out, as there are instances_*.json "
            "beside it. To use it, pass data.annotations=<file>."
        )
        files = {path: file for path, file in files.items() if path not in others}
    return files


def _check_listed_once(folder: Folder, images: Sequence[AnnotatedImage]) -> None:
    seen: dict[Path, AnnotatedImage] = {}
    for image in images:
        other = seen.setdefault(image.path, image)
        if other.source != image.source:
            raise DataError(
                f"{folder.where(other.source)} and {folder.where(image.source)} both list "
                f"{folder.where(image.path)}. Choose the file, or a folder with one file for each "
                "split: data.annotations=<file or folder>."
            )


def _is_roboflows_group(category: _Category, categories: Sequence[_Category]) -> bool:
    others = [one for one in categories if one.id != category.id]
    return bool(others) and all(one.supercategory == category.name for one in others)


def _check_splits(folder: Folder, splits: dict[Path, str]) -> None:
    without = [folder.where(path) for path, split in splits.items() if not split]
    if without and len(without) < len(splits):
        named = next(folder.where(path) for path, split in splits.items() if split)
        raise DataError(
            f"{named} names a split and {listed(without)} does not. Rename it (train, val or test "
            "in its name), or choose one: data.annotations=<file or folder>."
        )


def _images(
    folder: Folder, path: Path, file: _File, split: str, counts: Counter[str], notes: list[str]
) -> list[AnnotatedImage]:
    """Return the images of one file that are there."""
    names = {one.id: one.name.strip() for one in file.categories}
    regions: dict[_Id, list[Region]] = {image.id: [] for image in file.images}
    problems: dict[_Id, str] = {}
    strangers = 0
    for number, one in enumerate(file.annotations):
        if one.image_id not in regions:
            strangers += 1
            continue
        if one.category_id not in names:
            raise DataError(
                f"{path}: annotation {number} has the category {one.category_id}, which is not "
                f"among its categories ({listed([str(known) for known in names])})."
            )
        try:
            shape = _shape(one, counts)
        except ValueError as error:
            problems.setdefault(one.image_id, f"annotation {number}: {error}.")
            continue
        if shape is not None:
            boxed = not one.segmentation
            label = None if boxed else names[one.category_id]
            regions[one.image_id].append(Region(label, shape, -1 if one.iscrowd or boxed else 0))
    if strangers == len(file.annotations) > 0:
        raise DataError(
            f"{path}: none of its annotations is of an image that it lists: their image_id "
            f"({file.annotations[0].image_id}, ...) is no id among its images "
            f"({listed(list(regions), 3)})."
        )
    if strangers:
        notes.append(
            f"{folder.where(path)}: {count_text(strangers, 'annotation')} of images that it does "
            "not list: left out."
        )
    found, missing = [], []
    files = [image.file_name for image in file.images]
    paths = folder.find_images(files, path, [split] * len(files), notes)
    for image, where in zip(file.images, paths, strict=True):
        if where is None:
            missing.append(image.file_name)
            continue
        size = (image.height, image.width) if image.height and image.width else None
        problem = problems.get(image.id, "")
        problem = problem and f"{path}: {image.file_name}: {problem}"
        found.append(AnnotatedImage(where, regions[image.id], size, split, path, problem))
    folder.note_missing(path, missing, len(file.images), notes)
    return found


def _shape(one: _Object, counts: Counter[str]) -> Shape | None:
    """Return the pixels of an object; void where only its box is known."""
    segmentation = one.segmentation
    if isinstance(segmentation, _Rle):
        height, width = segmentation.size
        counts["masks"] += 1
        counts["crowds"] += one.iscrowd
        return Encoded(segmentation.counts, (height, width))
    if segmentation:
        flat = isinstance(segmentation[0], float)
        rings = [segmentation] if flat else segmentation
        outlines: list[np.ndarray] = [to_points(ring) for ring in rings]  # type: ignore[arg-type]
        whole = [points for points in outlines if len(points) >= 3]
        counts["polygons"] += len(whole)
        counts["lines"] += len(outlines) - len(whole)
        counts["masks"] += bool(whole)
        counts["crowds"] += one.iscrowd
        return Polygons(whole) if whole else None
    if one.bbox and len(one.bbox) == 4:
        counts["boxes"] += 1
        left, top, across, down = one.bbox
        return box(left, top, left + across, top + down)
    counts["empty"] += 1
    return None


def _say_counts(counts: Counter[str], notes: list[str], remarks: list[str]) -> None:
    if counts["crowds"]:
        remarks.append(
            f"{count_text(counts['crowds'], 'crowd region')} (iscrowd) labelled as their class, "
            "below all other objects"
        )
    if counts["boxes"]:
        notes.append(
            f"{count_text(counts['boxes'], 'object')} with a box and no mask: the pixels of the "
            "box are void, below all other objects."
        )
    if counts["lines"]:
        notes.append(f"{count_text(counts['lines'], 'polygon')} of fewer than 3 points: left out.")
    if counts["empty"]:
        notes.append(f"{count_text(counts['empty'], 'object')} without mask or box: left out.")
