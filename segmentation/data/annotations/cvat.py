"""CVAT for images 1.1: one XML with polygons, masks, boxes and ellipses of many images.

Format: https://docs.cvat.ai/docs/manual/advanced/formats/format-cvat/
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from xml.etree.ElementTree import Element, ParseError

import numpy as np
from defusedxml import DefusedXmlException
from defusedxml import ElementTree as SafeTree

from segmentation.classes import Color
from segmentation.data.annotations.annotation_files import head, read_bytes
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
from segmentation.data.annotations.rle import RunLengths, from_rows
from segmentation.data.annotations.shapes import Bitmap, Polygons, box, ellipse
from segmentation.errors import DataError

NAME = "CVAT"

FLAT = ("polyline", "points", "cuboid", "skeleton")
KINDS = ("polygon", "mask", "box", "ellipse", *FLAT)


def find(folder: Folder) -> list[Path]:
    """Return CVAT's files for images of a folder."""
    return [path for path in folder.files(".xml") if _is_cvat(path)]


def _is_cvat(path: Path) -> bool:
    text = head(path)
    return "<annotations" in text and "<track" not in text and (
        "<meta" in text or "<image " in text
    )  # fmt: skip


def read(folder: Folder, paths: Sequence[Path]) -> Annotations:
    """Read CVAT's files as one data set; labels are classes in their order in the first file.

    Raises:
        DataError: an invalid file, or no shape that has an area.
    """
    notes: list[str] = []
    classes: dict[str, Color | None] = {}
    counts: Counter[str] = Counter()
    images: list[AnnotatedImage] = []
    for path in paths:
        tree = _parse(path)
        for label in tree.iterfind(".//meta//labels/label"):
            if name := (label.findtext("name") or "").strip():
                classes.setdefault(name, to_color(label.findtext("color") or ""))
        images += _images(folder, path, tree, classes, counts, notes)
    if not counts["areas"] and not any(image.problem for image in images):
        raise NoMasksError(f"{folder.base}: the CVAT files hold no polygon, mask, box or ellipse.")
    if counts["flat"]:
        notes.append(
            f"{count_text(counts['flat'], 'point, line or cuboid', 'points, lines and cuboids')} "
            "have no area: not in any mask."
        )
    return Annotations(NAME, count_text(len(paths), "XML file"), classes, images, False, notes)


def _parse(path: Path) -> Element:
    try:
        return SafeTree.fromstring(read_bytes(path), forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError) as error:
        raise DataError(f"{path} is not valid XML of CVAT: {error}. Export it again.") from error


def _images(
    folder: Folder,
    path: Path,
    tree: Element,
    classes: dict[str, Color | None],
    counts: Counter[str],
    notes: list[str],
) -> list[AnnotatedImage]:
    found, missing = [], []
    elements = tree.findall("image")
    names = [element.get("name", "") for element in elements]
    subsets = [split_in([element.get("subset", "")]) for element in elements]
    other = folder.split_of(path) or split_in([path.stem])
    splits = [subset or other for subset in subsets]
    paths = folder.find_images(names, path, splits, notes)
    for element, name, split, image in zip(elements, names, splits, paths, strict=True):
        if image is None:
            missing.append(name)
            continue
        size, regions, problem = None, [], ""
        try:
            size = int(element.get("height", "")), int(element.get("width", ""))
            regions = list(_regions(element, classes, counts))
        except ValueError as error:
            problem = f"{path}: the image {name!r}: {error}."
        found.append(AnnotatedImage(image, regions, size, split, path, problem))
    folder.note_missing(path, missing, len(elements), notes)
    return found


def _regions(
    image: Element, classes: dict[str, Color | None], counts: Counter[str]
) -> Iterator[Region]:
    for element in image:
        if element.tag not in KINDS:
            continue
        if element.tag in FLAT:
            counts["flat"] += 1
            continue
        label = element.get("label", "").strip()
        if not label:
            raise ValueError(f"a {element.tag} without a label")
        classes.setdefault(label, None)
        counts["areas"] += 1
        yield Region(label, _shape(element), int(element.get("z_order", "0")))


def _shape(element: Element) -> Shape:
    def number(key: str) -> float:
        return float(element.get(key, "nan"))

    rotation = float(element.get("rotation", "0"))
    if element.tag == "box":
        return box(number("xtl"), number("ytl"), number("xbr"), number("ybr"), rotation)
    if element.tag == "ellipse":
        return ellipse(number("cx"), number("cy"), number("rx"), number("ry"), rotation)
    if element.tag == "mask":
        sides = [int(element.get(key, "")) for key in ("height", "width", "top", "left")]
        return Bitmap(_Rows(element.get("rle", ""), *sides))
    pairs = [point.split(",") for point in element.get("points", "").split(";") if point.strip()]
    return Polygons([np.array(pairs, dtype=np.float64).reshape(-1, 2)])


class _Rows:
    """A mask in a box as CVAT's run lengths."""

    def __init__(self, text: str, height: int, width: int, top: int, left: int) -> None:
        self.text, self.box = text, (height, width, top, left)

    def __call__(self, size: tuple[int, int]) -> RunLengths:
        height, width, top, left = self.box
        if not (0 < height <= size[0] and 0 < width <= size[1]):
            raise ValueError(f"its box of {width}x{height} pixels is larger than its image")
        counts = [int(count) for count in self.text.split(",") if count.strip()]
        return from_rows(counts, height, width, top, left)
