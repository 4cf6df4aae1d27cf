"""Annotated images as every format is read into, before masks are drawn."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np

from segmentation.classes import Color
from segmentation.data.annotations.rle import RunLengths
from segmentation.errors import DataError

Size = tuple[int, int]  # height, width

MAX_ANNOTATION_BYTES = 1 << 30
"""The largest annotation file: COCO's own for 118,000 images takes 450 MB."""


class NoMasksError(DataError):
    """Annotations of a known format that hold no masks, such as boxes alone."""


class Shape(Protocol):
    """The outline or the pixels of a region."""

    def draw(self, size: Size) -> RunLengths | None:
        """Return the pixels of the shape in an image of that size; None if it has none.

        Raises:
            ValueError: the shape cannot be drawn; the message says why.
        """


@dataclass(frozen=True, eq=False)
class Region:
    """One annotated object.

    Args:
        label: the class's name; None for pixels that are neither learnt nor scored.
        shape: its pixels.
        layer: regions of a higher layer are on top.
    """

    label: str | None
    shape: Shape
    layer: int = 0


@dataclass(frozen=True, eq=False)
class AnnotatedImage:
    """One image with its regions.

    Args:
        path: of the image.
        regions: in the order of the file.
        size: height and width by the annotations; None: the image's own.
        split: train, val, test, or empty where the annotations have no splits.
        source: the file that the regions come from, for messages.
        problem: why a region of it is invalid: the image cannot be used then.
    """

    path: Path
    regions: Sequence[Region]
    size: Size | None
    split: str
    source: Path
    problem: str = ""


@dataclass(frozen=True, eq=False)
class Annotations:
    """The annotations of a data set.

    Args:
        format: the name people know it by.
        files: what was read, in words, such as ``"3 JSON files"``.
        classes: names in the order of their indices, with a colour where the format has one.
        images: every image that is annotated, or listed and empty.
        smaller_on_top: which region is on top where several of a layer overlap: the smaller one,
            else the later one.
        notes: what was left out; warned of at each start.
        remarks: what else is worth knowing; part of the description.
    """

    format: str
    files: str
    classes: Mapping[str, Color | None]
    images: Sequence[AnnotatedImage]
    smaller_on_top: bool
    notes: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def count_text(number: int, word: str, plural: str = "") -> str:
    """Return a number with its noun: ``"1,034 polygons"``."""
    return f"{number:,} {word if number == 1 else plural or word + 's'}"


def to_points(numbers: Sequence[float]) -> np.ndarray:
    """Return x, y, x, y, ... as `float64` (n, 2).

    Raises:
        ValueError: an odd number of coordinates.
    """
    if len(numbers) % 2:
        raise ValueError(f"a polygon has {len(numbers)} coordinates, an odd number")
    return np.asarray(numbers, dtype=np.float64).reshape(-1, 2)


def to_color(text: str) -> Color | None:
    """Return the colour of ``#rrggbb``; None for anything else."""
    if not re.fullmatch("#[0-9a-fA-F]{6}", text):
        return None
    red, green, blue = bytes.fromhex(text[1:])
    return red, green, blue
