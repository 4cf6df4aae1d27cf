"""Write predicted polygons in the formats of annotation tools: COCO, LabelMe, YOLO, GeoJSON.

The files are below a folder named like the format. `RECORD` there has the SHA-256 of each that was
written: a file that somebody has edited since is theirs, and is not replaced.
"""

import hashlib
import json
import os
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import yaml

from segmentation.classes import ClassTable
from segmentation.data.annotations.draw_masks import BACKGROUND_NAMES
from segmentation.data.images.geotiff import degrees_of
from segmentation.inference.polygons import TOLERANCE, Polygon, polygons, signed_area
from segmentation.system.files import MAX_FILE_BYTES, atomic_file, read_bounded

RECORD = "written.sha256"
"""The hashes of the files that were written, as the program sha256sum writes and checks them."""


@dataclass(frozen=True)
class PolygonImage:
    """An image and its polygons.

    Attributes:
        path: of the image.
        name: of its mask, without suffix.
        size: (height, width) in pixels.
        polygons: see `polygons`.
    """

    path: Path
    name: str
    size: tuple[int, int]
    polygons: list[Polygon]


class PolygonFiles(ABC):
    """Writes the polygons of masks; a class called background is where no polygon is.

    Args:
        output: the folder that holds that of the format.
        classes: of the masks.
        tolerance: see `polygons`.
    """

    format: ClassVar[str]
    ending: ClassVar[str]
    """Of the file of an image; empty if one file holds all."""
    shared: ClassVar[tuple[str, ...]] = ()
    """Files for all images together."""

    def __init__(self, output: Path, classes: ClassTable, tolerance: float = TOLERANCE) -> None:
        self.folder = output / self.format
        self.classes = classes
        self.tolerance = tolerance
        self._labels = [
            label
            for label, name in enumerate(classes.names)
            if name.lower() not in BACKGROUND_NAMES
        ]

    def add(self, path: Path, name: str, mask: np.ndarray) -> None:
        """Write the polygons of a mask.

        Args:
            path: of the image.
            name: of its mask, without suffix.
            mask: `uint8` (H, W), labels.
        """
        height, width = mask.shape
        self.write(
            PolygonImage(path, name, (height, width), polygons(mask, self._labels, self.tolerance))
        )

    @abstractmethod
    def write(self, image: PolygonImage) -> None:
        """Write the polygons of an image."""

    def finish(self) -> None:
        """Write the files for all images together."""
        return

    def target(self, name: str) -> Path:
        """Return the file of an image."""
        return self.folder / f"{name}{self.ending}"

    def foreign(self, names: Collection[str]) -> list[Path]:
        """Return the files that would be replaced and are not as they were written here."""
        targets = [self.folder / name for name in self.shared]
        targets += [self.target(name) for name in names] if self.ending else []
        there = [path for path in targets if os.path.lexists(path)]
        try:
            record = read_bounded(self.folder / RECORD, MAX_FILE_BYTES)
        except (OSError, ValueError):
            return there
        own = set(record.splitlines())
        return [path for path in there if not path.is_file() or self._line(path, path) not in own]

    def write_text(self, path: Path, texts: Iterable[str]) -> None:
        """Write a file whole, and before it appears its line in the record."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_file(path) as partial:
            with partial.open("w", encoding="utf-8") as file:
                file.writelines(texts)
            line = self._line(path, partial)
            with (self.folder / RECORD).open("ab") as record:
                record.write(line + b"\n")

    def _line(self, path: Path, content: Path) -> bytes:
        with content.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return digest.encode() + b"  " + os.fsencode(path.relative_to(self.folder).as_posix())


class Coco(PolygonFiles):
    """Writes COCO's ``instances.json``; a polygon is an object, its holes are cut into its outline.

    Format: https://cocodataset.org/#format-data
    """

    format = "coco"
    ending = ""
    shared = ("instances.json",)

    def __init__(self, output: Path, classes: ClassTable, tolerance: float = TOLERANCE) -> None:
        super().__init__(output, classes, tolerance)
        self._images: list[dict[str, Any]] = []
        self._objects = 0
        self._spool = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115

    def write(self, image: PolygonImage) -> None:
        """Keep an image and its objects, these in a temporary file."""
        number = len(self._images) + 1
        name = image.name + image.path.suffix
        height, width = image.size
        row = {"id": number, "file_name": name, "height": height, "width": width}
        self._images.append(row)
        for polygon in image.polygons:
            low, high = polygon.outline.min(axis=0), polygon.outline.max(axis=0)
            self._objects += 1
            values = {
                "id": self._objects,
                "image_id": number,
                "category_id": polygon.label + 1,
                "segmentation": [polygon.ring.ravel().tolist()],
                "area": polygon.area,
                "bbox": [*low.tolist(), *(high - low).tolist()],
                "iscrowd": 0,
            }
            self._spool.write(("," if self._objects > 1 else "") + "\n" + json.dumps(values))

    def finish(self) -> None:
        """Write the file."""
        categories = [
            {"id": label + 1, "name": self.classes.names[label], "supercategory": ""}
            for label in self._labels
        ]
        head = json.dumps({"images": self._images, "categories": categories})
        self._spool.seek(0)
        chunks = iter(lambda: self._spool.read(1 << 20), "")
        (name,) = self.shared
        self.write_text(
            self.folder / name, chain([head[:-1], ', "annotations": ['], chunks, ["\n]}\n"])
        )
        self._spool.close()


class LabelMe(PolygonFiles):
    """Writes a LabelMe file for each image, which names the image by its relative path.

    Format: https://github.com/wkentaro/labelme
    """

    format = "labelme"
    ending = ".json"

    def write(self, image: PolygonImage) -> None:
        """Write the file of an image."""
        target = self.target(image.name)
        shapes = [
            {
                "label": self.classes.names[polygon.label],
                "points": polygon.ring.tolist(),
                "group_id": None,
                "description": "",
                "shape_type": "polygon",
                "flags": {},
                "mask": None,
            }
            for polygon in image.polygons
        ]
        values: dict[str, Any] = {
            "version": "5.5.0",
            "flags": {},
            "shapes": shapes,
            "imagePath": os.path.relpath(image.path, target.parent),
            "imageData": None,
            "imageHeight": image.size[0],
            "imageWidth": image.size[1],
        }
        self.write_text(target, [json.dumps(values, indent=1) + "\n"])


class Yolo(PolygonFiles):
    """Writes YOLO's segmentation labels, a line for each polygon, and ``data.yaml``.

    Format: https://docs.ultralytics.com/datasets/segment/
    """

    format = "yolo"
    ending = ".txt"
    shared = ("data.yaml",)

    def target(self, name: str) -> Path:
        """Return the label file of an image."""
        return super().target(f"labels/{name}")

    def write(self, image: PolygonImage) -> None:
        """Write the label file of an image."""
        height, width = image.size
        lines = [
            f"{polygon.label} "
            + " ".join(f"{value:.7g}" for value in (polygon.ring / (width, height)).ravel())
            for polygon in image.polygons
        ]
        self.write_text(self.target(image.name), [line + "\n" for line in lines])

    def finish(self) -> None:
        """Write ``data.yaml``: the names of the classes, and where the images belong."""
        values = {
            "path": ".",
            "train": "images",
            "val": "images",
            "names": dict(enumerate(self.classes.names)),
        }
        text = yaml.safe_dump(values, sort_keys=False, allow_unicode=True)
        self.write_text(self.folder / self.shared[0], [text])


class GeoJson(PolygonFiles):
    """Writes GeoJSON for each image: degrees of WGS84 if the image has coordinates, else pixels.

    Format: RFC 7946, https://www.rfc-editor.org/rfc/rfc7946

    Attributes:
        in_pixels: number of images without coordinates.
    """

    format = "geojson"
    ending = ".geojson"
    in_pixels = 0

    def write(self, image: PolygonImage) -> None:
        """Write the file of an image."""
        to_degrees = degrees_of(image.path)
        self.in_pixels += to_degrees is None
        features = []
        for polygon in image.polygons:
            rings = [polygon.outline, *polygon.holes]
            if to_degrees is not None:
                rings = [to_degrees(ring) for ring in rings]
            if signed_area(rings[0]) < 0:  # as where y points up: outlines are counterclockwise
                rings = [ring[::-1] for ring in rings]
            features.append(
                {
                    "type": "Feature",
                    "properties": {
                        "class": self.classes.names[polygon.label],
                        "label": polygon.label,
                    },
                    "geometry": {
                        "type": "Polygon",
                        "coordinates": [[*ring.tolist(), ring[0].tolist()] for ring in rings],
                    },
                }
            )
        unit = "degrees of WGS84" if to_degrees else "pixels from the top left, y down"
        values = {"type": "FeatureCollection", "coordinates_are": unit, "features": features}
        self.write_text(self.target(image.name), [json.dumps(values) + "\n"])


POLYGON_FORMATS: dict[str, type[PolygonFiles]] = {
    kind.format: kind for kind in (Coco, LabelMe, Yolo, GeoJson)
}
