"""A sheet of images with their masks over them, so that a person sees whether they fit."""

from itertools import islice
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from segmentation.data.discovery.layouts import Sample
from segmentation.data.discovery.pairs import Pairs
from segmentation.data.discovery.scanned_dataset import ScannedDataset
from segmentation.data.images.windowed import WindowedImage, WindowedLabels, thumbnail
from segmentation.errors import DataError
from segmentation.pictures import (
    GAP,
    INK,
    MARGIN,
    PAPER,
    legend,
    overlay,
    pad,
    viewed,
    write,
    write_picture,
)

COUNT, COLUMNS = 20, 4
TILE = (240, 320)
"""Height and width in which each image is fitted, in pixels."""
CAPTION = 28


def write_overlays(path: Path, source: ScannedDataset) -> int:
    """Write the first `COUNT` images, their masks over them in half, and a legend of the classes.

    Void keeps the image's own colours. Pairs that cannot be read are passed over.

    Returns:
        The number of images drawn; without any no file is written.
    """
    labelled = (
        (split, sample)
        for split, rows in source.samples.items()
        for sample in rows
        if sample.mask is not None
    )
    drawn = (_tile(split, sample, source) for split, sample in labelled)
    tiles = list(islice((tile for tile in drawn if tile is not None), COUNT))
    if not tiles:
        return 0
    blank = np.full_like(tiles[0], PAPER[0])
    rows = [tiles[start : start + COLUMNS] for start in range(0, len(tiles), COLUMNS)]
    columns = len(rows[0])
    sheet = [np.concatenate(row + [blank] * (columns - len(row)), axis=1) for row in rows]
    classes = source.labels.classes
    sheet.append(legend(list(zip(classes.names, classes.colors, strict=True)), sheet[0].shape[1]))
    picture = pad(np.concatenate(sheet), MARGIN, MARGIN, MARGIN, MARGIN)
    write_picture(path, picture, quality=90)
    return len(tiles)


def _tile(split: str, sample: Sample, source: ScannedDataset) -> np.ndarray | None:
    """Draw one image with its name; None if the pair cannot be read."""
    try:
        image, mask = Pairs([sample], source.labels, source.reader)[0]
        if isinstance(image, WindowedImage) and isinstance(mask, WindowedLabels):
            image, mask = (thumbnail(array, 2 * max(TILE)) for array in (image, mask))
    except DataError:
        return None
    image = viewed(image, source.reader.channels.shown)
    height, width = image.shape[:2]
    scale = min(TILE[0] / height, TILE[1] / width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    image = cv2.resize(
        image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_NEAREST
    )
    mask = cv2.resize(mask, size, interpolation=cv2.INTER_NEAREST)
    tile = overlay(image, mask, source.labels.classes)
    tile = pad(tile, bottom=TILE[0] - size[1], right=TILE[1] - size[0] + GAP)
    strip = Image.new("RGB", (tile.shape[1], CAPTION), PAPER)
    write(strip, (0, CAPTION // 2), f"{split}: {sample.name}"[-40:], 16, INK)
    return np.concatenate([np.asarray(strip), tile])
