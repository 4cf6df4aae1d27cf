"""Supervisely's projects: meta.json, and for each image a JSON of bitmaps and polygons.

Format: https://docs.supervisely.com/data-organization/00_ann_format_navi
"""

import base64
import binascii
import zlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from segmentation.classes import Color
from segmentation.data.annotations.annotation_files import head, parse_json
from segmentation.data.annotations.draw_masks import decode_png
from segmentation.data.annotations.folder import Folder, split_in
from segmentation.data.annotations.regions import (
    AnnotatedImage,
    Annotations,
    NoMasksError,
    Region,
    Shape,
    count_text,
    to_color,
)
from segmentation.data.annotations.rle import RunLengths, encode
from segmentation.data.annotations.shapes import Bitmap, Polygons, box

NAME = "Supervisely"

MAX_BITMAP_BYTES = 1 << 28
"""The largest PNG inside an annotation, unpacked from zlib."""
FLAT = ("point", "line", "graph", "cuboid", "cuboid_2d", "multichannelBitmap")


class _Model(BaseModel):
    model_config = ConfigDict(allow_inf_nan=False, coerce_numbers_to_str=True)


class _Class(_Model):
    title: str
    color: str = ""


class _Meta(_Model):
    classes: list[_Class]


class _Size(_Model):
    height: int
    width: int


class _Points(_Model):
    exterior: list[tuple[float, float]] = []
    interior: list[list[tuple[float, float]]] = []


class _Bitmap(_Model):
    data: str
    origin: tuple[int, int]


class _Tag(_Model):
    name: str


class _Object(_Model):
    title: str = Field(alias="classTitle")
    geometry: str = Field(default="", alias="geometryType")
    bitmap: _Bitmap | None = None
    points: _Points | None = None


class _File(_Model):
    size: _Size
    objects: list[_Object]
    tags: list[_Tag] = []


def find(folder: Folder) -> list[Path]:
    """Return meta.json and the files in ann/ of a project."""
    files = folder.files(".json")
    annotations = [path for path in files if path.parent.name == "ann"]
    if not annotations or '"objects"' not in head(annotations[0]):
        return []
    metas = [path for path in files if path.name == "meta.json" and '"classes"' in head(path)]
    return [*metas, *annotations]


def read(folder: Folder, paths: Sequence[Path]) -> Annotations:
    """Read a project; classes are in the order of meta.json.

    Raises:
        DataError: an invalid file, or no object that has an area.
    """
    notes: list[str] = []
    classes: dict[str, Color | None] = {}
    metas = [path for path in paths if path.parent.name != "ann"]
    for path in metas:
        for entry in parse_json(path, _Meta, NAME).classes:
            classes.setdefault(entry.title.strip(), to_color(entry.color))
    counts: Counter[str] = Counter()
    images, missing = [], []
    files = [path for path in paths if path.parent.name == "ann"]
    for path in files:
        file = parse_json(path, _File, NAME)
        tagged = split_in([tag.name for tag in file.tags if split_in([tag.name])])
        split = folder.split_of(path) or tagged
        image = _image(folder, path, split)
        if image is None:
            missing.append(folder.where(path).removesuffix(".json"))
            continue
        regions, problem = [], ""
        for number, one in enumerate(file.objects):
            try:
                shape = _shape(one, counts)
            except ValueError as error:
                problem = f"{path}: object {number} ({one.title}): {error}."
                break
            if shape is not None:
                classes.setdefault(one.title.strip(), None)
                regions.append(Region(one.title.strip(), shape))
        size = file.size.height, file.size.width
        images.append(AnnotatedImage(image, regions, size, split, path, problem))
    folder.note_missing(folder.base, missing, len(files), notes)
    if not counts["areas"] and not any(image.problem for image in images):
        raise NoMasksError(f"{folder.base}: the Supervisely project holds no bitmap or polygon.")
    if counts["flat"]:
        notes.append(
            f"{count_text(counts['flat'], 'object')} without an area (points, lines): not in any "
            "mask."
        )
    return Annotations(NAME, count_text(len(files), "annotation"), classes, images, False, notes)


def _image(folder: Folder, path: Path, split: str) -> Path | None:
    """Return the image of ann/<name>.json: img/<name>, or with any suffix in older projects."""
    name = path.name.removesuffix(".json")
    image = folder.find_image(name, path, split) or folder.find_stem(name, path, split)
    # Another data set of the project may have an image of that name
    own = image is not None and image.is_relative_to(path.parent.parent)
    return image if own or folder.chosen is not None else None


def _shape(one: _Object, counts: Counter[str]) -> Shape | None:
    if one.bitmap is not None:
        counts["areas"] += 1
        left, top = one.bitmap.origin
        return Bitmap(_Packed(one.bitmap.data, top, left))
    if one.geometry in FLAT or one.points is None:
        counts["flat"] += 1
        return None
    outline = np.array(one.points.exterior, dtype=np.float64).reshape(-1, 2)
    if one.geometry == "rectangle" and len(outline) == 2:
        counts["areas"] += 1
        (left, top), (right, bottom) = outline.min(axis=0), outline.max(axis=0)
        return box(left, top, right, bottom)
    if one.geometry in ("polygon", "") and len(outline) >= 3:
        counts["areas"] += 1
        holes = [np.array(ring, dtype=np.float64) for ring in one.points.interior if len(ring) >= 3]
        return Polygons([outline], holes)
    counts["flat"] += 1
    return None


class _Packed:
    """A mask as base64 of zlib of PNG, in a window."""

    def __init__(self, data: str, top: int, left: int) -> None:
        self.data, self.top, self.left = data, top, left

    def __call__(self, size: tuple[int, int]) -> RunLengths:
        try:
            packed = base64.b64decode(self.data, validate=True)
            inflate = zlib.decompressobj()
            png = inflate.decompress(packed, MAX_BITMAP_BYTES)
        except (binascii.Error, zlib.error) as error:
            raise ValueError(f"its bitmap is not base64 of zlib: {error}") from error
        if inflate.unconsumed_tail:
            raise ValueError("its bitmap is too large")
        return encode(decode_png(png, size) > 0, self.top, self.left)
