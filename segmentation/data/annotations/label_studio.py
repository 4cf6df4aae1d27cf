"""Label Studio's exports: JSON with brush strokes (RLE) and polygons, or a PNG for each brush.

Formats: https://labelstud.io/guide/export and its converter's brush.py
"""

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, RootModel, model_validator

from segmentation.data.annotations.annotation_files import head, parse_json
from segmentation.data.annotations.folder import Folder, split_in
from segmentation.data.annotations.label_studio_brushes import BRUSH_FILE, read_brushes
from segmentation.data.annotations.regions import (
    AnnotatedImage,
    Annotations,
    NoMasksError,
    Region,
    Shape,
    count_text,
)
from segmentation.data.annotations.rle import RunLengths, from_brush
from segmentation.data.annotations.shapes import Bitmap, Polygons, box, ellipse
from segmentation.errors import DataError, listed

NAME = "Label Studio"

LABELS = ("brushlabels", "polygonlabels", "rectanglelabels", "ellipselabels", "labels")
SIDES = ("original_width", "original_height", "image_rotation")


class _Model(BaseModel):
    model_config = ConfigDict(allow_inf_nan=False)


class _Result(_Model):
    type: str = ""
    value: dict[str, Any] = {}
    original_width: int | None = None
    original_height: int | None = None
    image_rotation: float | None = None


class _Annotation(_Model):
    id: int | str = 0
    result: list[_Result]
    was_cancelled: bool = False
    ground_truth: bool = False


class _Task(_Model):
    id: int | str | None = None
    data: dict[str, Any]
    annotations: list[_Annotation] = []

    @model_validator(mode="before")
    @classmethod
    def _of_min(cls, values: Any) -> Any:
        """Bring a task of JSON-MIN, whose results lie in columns, into the form of JSON."""
        if not isinstance(values, dict) or "data" in values:
            return values
        regions = [
            item
            for column in values.values()
            if isinstance(column, list)
            for item in column
            if isinstance(item, dict)
        ]
        results = [{"value": item, **{key: item.get(key) for key in SIDES}} for item in regions]
        return {"id": values.get("id"), "data": values, "annotations": [{"result": results}]}


class _Export(RootModel[list[_Task]]):
    pass


def find(folder: Folder) -> list[Path]:
    """Return Label Studio's JSON exports of a folder, or else the PNGs of brushes."""
    exports = [path for path in folder.files(".json") if _is_export(path)]
    return exports or [path for path in folder.images if BRUSH_FILE.fullmatch(path.stem)]


def _is_export(path: Path) -> bool:
    text = head(path)
    return bool(re.match(r"\s*\[\s*{", text)) and (
        ('"annotations"' in text and '"data"' in text) or '"original_width"' in text
    )


def read(folder: Folder, paths: Sequence[Path]) -> Annotations:
    """Read Label Studio's exports as one data set.

    Raises:
        DataError: an invalid file, no region with an area, or PNGs whose images are unknown.
    """
    if paths[0].suffix.lower() == ".json":
        return _read_exports(folder, paths)
    return read_brushes(folder, paths)


def _read_exports(folder: Folder, paths: Sequence[Path]) -> Annotations:
    notes: list[str] = []
    counts: Counter[str] = Counter()
    images: list[AnnotatedImage] = []
    for path in paths:
        tasks = parse_json(path, _Export, NAME).root
        images += _images(folder, path, tasks, counts, notes)
    if not counts["areas"] and not any(image.problem for image in images):
        raise NoMasksError(
            f"{listed(list(map(folder.where, paths)))}: no brush, polygon, rectangle or ellipse."
        )
    if counts["several"]:
        notes.append(
            f"{count_text(counts['several'], 'task')} with several annotations: the one marked as "
            "ground truth is used, else the last."
        )
    if counts["unfinished"]:
        notes.append(f"{count_text(counts['unfinished'], 'task')} not annotated: left out.")
    if counts["labels"]:
        notes.append(
            f"{count_text(counts['labels'], 'region')} with several labels: the first one counts."
        )
    if counts["flat"]:
        notes.append(f"{count_text(counts['flat'], 'result')} without an area: not in any mask.")
    labels = {region.label for image in images for region in image.regions if region.label}
    return Annotations(
        NAME, count_text(len(paths), "JSON file"), dict.fromkeys(sorted(labels)), images, False,
        notes,
    )  # fmt: skip


def _images(
    folder: Folder, path: Path, tasks: Sequence[_Task], counts: Counter[str], notes: list[str]
) -> list[AnnotatedImage]:
    split = split_in([path.stem]) or folder.split_of(path)
    found, missing = [], []
    chosen: list[_Annotation] = []
    names: list[str] = []
    for task in tasks:
        finished = [one for one in task.annotations if not one.was_cancelled]
        if not finished:
            counts["unfinished"] += 1
            continue
        counts["several"] += len(finished) > 1
        chosen.append(next((one for one in finished if one.ground_truth), finished[-1]))
        names.append(_image_name(task, path))
    paths = folder.find_images(names, path, [split] * len(names), notes)
    for annotation, name, image in zip(chosen, names, paths, strict=True):
        if image is None:
            missing.append(name)
            continue
        regions: list[Region] = []
        size, problem = None, ""
        try:
            regions, size = _regions(annotation, counts)
        except KeyError as error:
            problem = f"{path}: the task of {name}: a region has no {error}."
        except (ValueError, TypeError, OverflowError) as error:
            problem = f"{path}: the task of {name}: {error}."
        found.append(AnnotatedImage(image, regions, size, split, path, problem))
    total = len(found) + len(missing)
    folder.note_missing(path, missing, total, notes)
    return found


def _image_name(task: _Task, path: Path) -> str:
    """Return the image of a task: the value of `image`, else the only text that names a file."""
    texts = {key: text for key, text in task.data.items() if isinstance(text, str)}
    for key in ("image", "img", "photo"):
        if key in texts:
            return texts[key]
    named = [text for text in texts.values() if re.search(r"\.\w{2,5}(\?.*)?$", text)]
    if len(named) != 1:
        raise DataError(
            f"{path}: the task {task.id} names no image (its data: {listed(list(texts))})."
        )
    return named[0]


def _regions(
    annotation: _Annotation, counts: Counter[str]
) -> tuple[list[Region], tuple[int, int] | None]:
    """Return the regions of an annotation, and its image's size where that is known."""
    regions, size = [], None
    for result in annotation.result:
        if result.original_height and result.original_width:
            size = (result.original_height, result.original_width)
        labels = next((result.value[key] for key in LABELS if result.value.get(key)), None)
        if labels is None:
            continue  # choices, text, or a region without a label
        if not isinstance(labels, list):
            raise ValueError(f"the labels of a region are {labels!r:.60}, not a list")
        if result.image_rotation:
            raise ValueError(
                f"it was annotated turned by {result.image_rotation:g} degrees; only images as "
                "they are stored are supported"
            )
        shape = _shape(result.value, size)
        if shape is None:
            counts["flat"] += 1
            continue
        counts["areas"] += 1
        counts["labels"] += len(labels) > 1
        regions.append(Region(str(labels[0]).strip(), shape))
    return regions, size


def _shape(value: dict[str, Any], size: tuple[int, int] | None) -> Shape | None:
    """Return the pixels of a region; coordinates are percent of the image's sides."""
    if "rle" in value:
        return Bitmap(_Brush(value["rle"]))
    if size is None:
        raise ValueError("original_width or original_height is missing")
    height, width = size
    scale = np.array([width, height]) / 100
    if "points" in value:
        return Polygons([np.asarray(value["points"], dtype=np.float64).reshape(-1, 2) * scale])
    if "radiusX" in value:
        x, y = np.array([value["x"], value["y"]], dtype=np.float64) * scale
        across, down = np.array([value["radiusX"], value["radiusY"]], dtype=np.float64) * scale
        return ellipse(x, y, across, down, float(value.get("rotation", 0)))
    if "width" in value and "height" in value:
        return _rectangle(value, scale)
    return None


def _rectangle(value: dict[str, Any], scale: np.ndarray) -> Polygons:
    """Return a rectangle, which Label Studio turns about its top left corner."""
    left, top = np.array([value["x"], value["y"]], dtype=np.float64) * scale
    across, down = np.array([value["width"], value["height"]], dtype=np.float64) * scale
    angle = np.deg2rad(float(value.get("rotation", 0)))
    along = np.array([np.cos(angle), np.sin(angle)])
    aside = np.array([-np.sin(angle), np.cos(angle)])
    if not angle:
        return box(left, top, left + across, top + down)
    corner = np.array([left, top])
    points = [corner, corner + across * along, corner + across * along + down * aside,
              corner + down * aside]  # fmt: skip
    return Polygons([np.array(points)])


class _Brush:
    """A brush's RLE."""

    def __init__(self, rle: Sequence[int]) -> None:
        self.rle = rle

    def __call__(self, size: tuple[int, int]) -> RunLengths:
        return from_brush(self.rle, *size)
