"""Thumbnails for findings: the image, and its mask in the colours of the classes."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from segmentation.classes import Color
from segmentation.data.check.finding import Item
from segmentation.data.discovery.pairs import PHOTOS
from segmentation.data.images.image_reader import ImageReader
from segmentation.data.images.windowed import WindowedImage, WindowedLabels, is_large, thumbnail
from segmentation.data.masks.labels import Labels
from segmentation.errors import DataError
from segmentation.pictures import viewed
from segmentation.report.data_uri import drawing_uri, photo_uri
from segmentation.system.hardware import available_cores

THUMBNAIL_SIDE = 320  # pixels: a row of two fills a phone, and 12 of them weigh under a megabyte
UNKNOWN: Color = (255, 0, 255)
"""The colour of values that the class table does not have."""


@dataclass(frozen=True)
class Thumbnail:
    """Image and mask of a pair as `src` of an image; the text says why one is missing."""

    image: str | None
    mask: str | None
    image_text: str
    mask_text: str


def thumbnails(
    items: Iterable[Item], labels: Labels, reader: ImageReader = PHOTOS
) -> dict[Item, Thumbnail]:
    """Return the thumbnails of pairs; each pair is decoded once."""
    unique = list(dict.fromkeys(items))
    with ThreadPoolExecutor(available_cores()) as pool:
        made = pool.map(lambda item: _thumbnail(item, labels, reader), unique)
        return dict(zip(unique, made, strict=True))


def _thumbnail(item: Item, labels: Labels, reader: ImageReader) -> Thumbnail:
    image = mask = None
    image_text, mask_text = "no image", "no mask"
    if item.image is not None:
        try:
            pixels = _pixels(item.image, reader)
            image = photo_uri(viewed(pixels, reader.channels.shown), THUMBNAIL_SIDE)
            image_text = f"image {item.image.name}"
        except DataError:
            image_text = f"{item.image.name} cannot be read"
    if item.mask is not None:
        try:
            mask = drawing_uri(_mask_picture(item, labels, reader), THUMBNAIL_SIDE)
            mask_text = f"mask {item.mask.name}"
        except DataError:
            mask_text = f"{item.mask.name} cannot be read"
    return Thumbnail(image, mask, image_text, mask_text)


def _pixels(path: Path, reader: ImageReader) -> np.ndarray:
    if is_large(path, reader.max_pixels):
        return thumbnail(WindowedImage(path, reader), THUMBNAIL_SIDE)
    return reader.read(path).pixels


def _mask_picture(item: Item, labels: Labels, reader: ImageReader) -> np.ndarray:
    """Return a mask in the colours of its classes; unknown values of a large one are black."""
    assert item.mask is not None
    if item.image is None or not is_large(item.image, reader.max_pixels):
        return colored(item.mask, labels)
    image = WindowedImage(item.image, reader)
    lenient = Labels(labels.table, unknown="void")
    values = WindowedLabels(item.mask, image, lenient, reader.max_pixels)
    return labels.classes.palette()[thumbnail(values, THUMBNAIL_SIDE)]


def colored(path: Path, labels: Labels) -> np.ndarray:
    """Read a mask in the colours of its classes, `uint8` RGB (H, W, 3); void is black.

    Raises:
        DataError: it cannot be read.
    """
    values = labels.read(path)
    known = labels.known(values, path)
    picture = np.full((*known.shape, 3), UNKNOWN, dtype=np.uint8)
    if known.any():
        lenient = Labels(labels.table, unknown="void")
        picture[known] = labels.classes.palette()[lenient.decode(values, path)][known]
    return picture
