"""Small annotated data sets, written by hand where no library writes their format."""

import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from segmentation.data.annotations.convert import find_annotations
from segmentation.data.discovery.splits import Splits
from segmentation.data.masks.labels import read_table

SQUARE = [2, 2, 8, 2, 8, 8, 2, 8]
"""A polygon of 36 pixels, x and y in turn."""


def write_images(root: Path, *names: str, size: tuple[int, int] = (12, 16)) -> None:
    """Write grey images of (height, width)."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size[::-1], (90, 90, 90)).save(root / name)


def write(path: Path, content: object) -> Path:
    """Write text, or anything else as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def found(root: Path, **options: object) -> Splits:
    """Return the converted samples; there are some."""
    splits = find_annotations(root, **options)  # type: ignore[arg-type]
    assert splits is not None
    return splits


def mask_of(splits: Splits, name: str) -> np.ndarray:
    """Return the mask of an image by its sample's name."""
    (sample,) = [one for rows in splits.samples.values() for one in rows if one.name == name]
    return np.asarray(Image.open(sample.mask))


def names_of(splits: Splits) -> list[str]:
    """Return the names in the class table."""
    return [entry.name for entry in read_table(splits.table)]


def coco(
    images: Iterable[str], objects: Iterable[dict], categories: dict[int, str] | None = None
) -> dict:
    """Return a COCO file of images of 12x16 pixels; objects name their image by its place."""
    return {
        "images": [
            {"id": number, "file_name": name, "height": 12, "width": 16}
            for number, name in enumerate(images)
        ],
        "annotations": [
            {"id": number, "image_id": 0, "category_id": 1, "iscrowd": 0, **one}
            for number, one in enumerate(objects)
        ],
        "categories": [
            {"id": number, "name": name, "supercategory": ""}
            for number, name in (categories or {1: "car"}).items()
        ],
    }
