"""LabelMe's JSON: one file for each image, with polygons, boxes, circles and masks.

Format: https://github.com/wkentaro/labelme
"""

import base64
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path, PureWindowsPath

import numpy as np
from pydantic import BaseModel, ConfigDict

from segmentation.classes import Color
from segmentation.data.annotations.annotation_files import head, parse_json, tail
from segmentation.data.annotations.draw_masks import decode_png
from segmentation.data.annotations.folder import IMAGE_WORDS, Folder, is_mask_folder, shares_folder
from segmentation.data.annotations.name_list import find_name_list
from segmentation.data.annotations.regions import (
    AnnotatedImage,
    Annotations,
    NoMasksError,
    Region,
    Shape,
    count_text,
)
from segmentation.data.annotations.rle import RunLengths, encode
from segmentation.data.annotations.shapes import Bitmap, Polygons, box, ellipse
from segmentation.errors import listed

NAME = "LabelMe"
IGNORED = "__ignore__"
"""LabelMe's own name for what is neither learnt nor scored."""
FLAT = ("point", "points", "line", "linestrip")


class _Shape(BaseModel):
    model_config = ConfigDict(allow_inf_nan=False, coerce_numbers_to_str=True)
    label: str
    points: list[tuple[float, float]]
    shape_type: str | None = "polygon"
    mask: str | None = None


class _File(BaseModel):
    model_config = ConfigDict(allow_inf_nan=False)
    shapes: list[_Shape]
    imagePath: str | None = None  # noqa: N815 (LabelMe's keys)
    imageHeight: int | None = None  # noqa: N815
    imageWidth: int | None = None  # noqa: N815


def find(folder: Folder) -> list[Path]:
    """Return LabelMe's files of a folder."""
    return [path for path in folder.files(".json") if _is_labelme(path)]


def _is_labelme(path: Path) -> bool:
    text = head(path)
    return bool(re.match(r"\s*{", text)) and '"shapes"' in text and (
        '"imagePath"' in text or '"imagePath"' in tail(path)
    )  # fmt: skip


def read(folder: Folder, paths: Sequence[Path]) -> Annotations:
    """Read LabelMe's files as one data set.

    Raises:
        DataError: an invalid file, or no shape that has an area.
    """
    notes: list[str] = []
    counts: Counter[str] = Counter()
    labels: set[str] = set()
    images, missing = [], []
    files = {path: parse_json(path, _File, NAME) for path in paths}
    found = _find_images(folder, files, notes)
    for path, file in files.items():
        split = folder.split_of(path)
        image = found[path]
        if image is None:
            missing.append(file.imagePath or path.stem)
            continue
        regions, problem = [], ""
        for number, shape in enumerate(file.shapes):
            try:
                drawn = _draw(shape, counts)
            except ValueError as error:
                problem = f"{path}: shape {number} ({shape.label}): {error}."
                break
            if drawn is not None:
                label = shape.label.strip()
                labels.add(label)
                regions.append(Region(None if label == IGNORED else label, drawn))
        size = (file.imageHeight, file.imageWidth) if file.imageHeight and file.imageWidth else None
        images.append(AnnotatedImage(image, regions, size, split, path, problem))
    folder.note_missing(folder.base, missing, len(paths), notes)
    if not labels and not any(image.problem for image in images):
        raise NoMasksError(f"{folder.base}: the LabelMe files hold no polygon, box or mask.")
    if counts["flat"]:
        notes.append(
            f"{count_text(counts['flat'], 'point or line', 'points and lines')} have no area: not "
            "in any mask."
        )
    photos = [path for path in folder.images if not is_mask_folder(path.parent.name)]
    unlisted = len(photos) - len({image.path for image in images})
    if unlisted > 0:
        notes.append(f"{count_text(unlisted, 'image')} without a LabelMe file: left out.")
    classes = _classes(folder, labels, notes)
    return Annotations(NAME, count_text(len(paths), "JSON file"), classes, images, False, notes)


def _find_images(
    folder: Folder, files: Mapping[Path, _File], notes: list[str]
) -> dict[Path, Path | None]:
    """Return the image that each file names, else the one with the file's own name.

    Where those of a folder lie beside their files, or as they are named, others are not looked for
    elsewhere: an image of that name is another one.
    """
    found: dict[Path, Path | None] = {}
    homes: dict[Path, list[Path]] = {}
    at_home: set[Path] = set()
    for path, file in files.items():
        name = PureWindowsPath(file.imagePath or "").as_posix()
        split = folder.split_of(path)
        image = folder.find_image(name, path, split) or folder.find_stem(path.stem, path, split)
        found[path] = image
        homes.setdefault(path.parent, []).append(path)
        if image and (image.parent == path.parent or shares_folder(image, name)):
            at_home.add(path)
    for home, paths in homes.items():
        if at_home.intersection(paths):
            found |= {path: None for path in paths if path not in at_home}
            continue
        apart = {image.parent for path in paths if (image := found[path])}
        strange = [path for path in apart if path.name.lower() not in IMAGE_WORDS]
        if strange:
            notes.append(
                f"no image lies beside the LabelMe files in {folder.where(home)}: those of their "
                f"names in {listed([folder.where(path) for path in strange])} are taken."
            )
    return found


def _draw(shape: _Shape, counts: Counter[str]) -> Shape | None:
    points = np.array(shape.points, dtype=np.float64).reshape(-1, 2)
    kind = shape.shape_type or "polygon"
    if kind in FLAT:
        counts["flat"] += 1
        return None
    if kind == "polygon":
        if len(points) < 3:
            counts["flat"] += 1
            return None
        return Polygons([points])
    if kind == "mask" and shape.mask:
        left, top = points.min(axis=0).round().astype(int).tolist()
        return Bitmap(_Mask(shape.mask, top, left))
    if kind == "rectangle" and len(points) == 2:
        (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
        return box(left, top, right, bottom)
    if kind in ("rectangle", "oriented_rectangle") and len(points) == 4:
        return Polygons([points])
    if kind == "circle" and len(points) == 2:
        radius = float(np.hypot(*(points[1] - points[0])))
        return ellipse(float(points[0, 0]), float(points[0, 1]), radius, radius)
    raise ValueError(f"the shape {kind!r} with {len(points)} points is not known")


class _Mask:
    """A mask in a window, as base64 of a PNG."""

    def __init__(self, text: str, top: int, left: int) -> None:
        self.text, self.top, self.left = text, top, left

    def __call__(self, size: tuple[int, int]) -> RunLengths:
        values = decode_png(base64.b64decode(self.text, validate=True), size)
        return encode(values > 0, self.top, self.left)


def _classes(folder: Folder, labels: set[str], notes: list[str]) -> dict[str, Color | None]:
    """Return the names: in the order of labels.txt where there is one, else of the alphabet."""
    order: list[str] = []
    if (found := find_name_list(folder)) is not None:
        path, order = found
        if unknown := sorted(labels - {*order, IGNORED}):
            notes.append(f"{folder.where(path)} does not list {listed(unknown)}: added.")
    names = dict.fromkeys([*order, *sorted(labels)])
    return {name: None for name in names if name != IGNORED}
