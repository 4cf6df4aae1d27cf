"""A sheet of pictures that shows what an augmentation makes of training images."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import ExifTags, Image

from segmentation import console
from segmentation.build.inspection import PreviewPlan
from segmentation.classes import VOID, ClassTable
from segmentation.data.images.image_format import NO_LIMIT, opened
from segmentation.errors import ConfigError
from segmentation.pictures import (
    CAPTION_TEXT,
    FAINT,
    GAP,
    INK,
    MARGIN,
    PAPER,
    TITLE_TEXT,
    legend,
    overlay,
    pad,
    viewed,
    write,
    write_picture,
)
from segmentation.system.files import make_folder

TILE = 320
"""Every picture on the sheet has this width, in pixels."""
WRITER = "cityseg preview"
"""Stands in the picture as the software that wrote it: only such a file is replaced."""
STRIPE, DARK, LIGHT = 7, (45, 45, 45), (250, 250, 250)


@dataclass(frozen=True)
class PreviewRow:
    """One training image and what training makes of it.

    Attributes:
        name: what the image is called.
        draws: image (H, W, 3) and labels (H, W) of the sample itself, then of each epoch.
    """

    name: str
    draws: Sequence[tuple[np.ndarray, np.ndarray]]


def preview(plan: PreviewPlan) -> Path:
    """Write the sheet of the configured data and augmentation; return its path.

    Raises:
        SegmentationError: on invalid user input.
    """
    if plan.output.exists() and not _is_own(plan.output):
        raise ConfigError(
            f"output={plan.output} is there already, and preview did not write it: nothing of "
            "yours is replaced. Choose another name."
        )
    source, data = plan.find_data()
    dataset = data.train_set
    rows = []
    for index in diverse(source.scans["train"].pixels, plan.images):
        draws = [dataset[epoch, index] for epoch in range(plan.draws)]
        crops = [(item["image"].permute(1, 2, 0).numpy(), item["mask"].numpy()) for item in draws]
        shown = dataset.pairs.reader.channels.shown
        image, mask = dataset.pairs[index]
        whole = [(image, mask)] if isinstance(image, np.ndarray) else [crops[0]]  # in windows
        pictures = [(viewed(image, shown), mask) for image, mask in (*whole, *crops)]
        rows.append(PreviewRow(dataset.names[index], pictures))
    make_folder(plan.output.parent)
    exif = Image.Exif()
    exif[ExifTags.Base.Software] = WRITER
    write_picture(plan.output, preview_sheet(rows, source.labels.classes), exif=exif)
    console.console.print(f"written to {plan.output}", soft_wrap=True)
    return plan.output


def _is_own(path: Path) -> bool:
    """Return whether a file is a picture that preview wrote."""
    try:
        with opened(path, NO_LIMIT) as image:
            return image.getexif().get(ExifTags.Base.Software) == WRITER
    except Exception:  # a damaged file makes Pillow raise nearly anything
        return False


def diverse(pixels: np.ndarray, count: int) -> list[int]:
    """Return images that differ and show many classes between them.

    One comes from each of `count` equal parts of the split, since neighbouring frames look alike:
    the one with the most classes, those that were shown before counting less.

    Args:
        pixels: (images, C), labelled pixels of each class in each image.
        count: how many, where there are so many.
    """
    shown = pixels > 0
    seen = np.zeros(shown.shape[1])
    chosen = []
    for part in np.array_split(np.arange(len(shown)), min(count, len(shown))):
        best = int(part[(shown[part] / (seen + 1)).sum(axis=1).argmax()])
        chosen.append(best)
        seen += shown[best]
    return chosen


def preview_sheet(rows: Sequence[PreviewRow], classes: ClassTable) -> np.ndarray:
    """Draw each row's images and, below them, the same with their labels; void is striped.

    Args:
        rows: at least one, all with equally many draws.
        classes: the class table.

    Returns:
        RGB (H, W, 3), on white paper with a margin and a legend.
    """
    columns = len(rows[0].draws)
    width = columns * TILE + (columns - 1) * GAP
    titles = ["Image", *(f"Epoch {epoch}" for epoch in range(1, columns))]
    parts = [_texts(titles, TITLE_TEXT, INK, width)]
    for row in rows:
        parts.append(_texts([row.name], CAPTION_TEXT, FAINT, width))
        labels = [_resized(mask, cv2.INTER_NEAREST) for _, mask in row.draws]
        images = [_resized(image, cv2.INTER_AREA) for image, _ in row.draws]
        parts += [
            pad(_side_by_side(images), bottom=GAP),
            _side_by_side([_labelled(*draw, classes) for draw in zip(images, labels, strict=True)]),
        ]
    entries = [*zip(classes.names, classes.colors, strict=True), ("void: striped", DARK)]
    parts.append(legend(entries, width))
    return pad(np.concatenate(parts), MARGIN, MARGIN, MARGIN, MARGIN)


def _labelled(image: np.ndarray, labels: np.ndarray, classes: ClassTable) -> np.ndarray:
    """Lay the colours of the classes over an image, and stripes over what is void."""
    view = overlay(image, labels, classes, alpha=0.65)
    diagonal = np.indices(labels.shape).sum(axis=0)
    stripes = np.where((diagonal // STRIPE % 2 == 0)[..., None], LIGHT, DARK)
    return np.where((labels == VOID)[..., None], stripes, view).astype(np.uint8)


def _resized(picture: np.ndarray, interpolation: int) -> np.ndarray:
    height, width = picture.shape[:2]
    size = (TILE, max(1, round(height * TILE / width)))
    enlarged = width < TILE and interpolation == cv2.INTER_AREA
    return cv2.resize(picture, size, interpolation=cv2.INTER_CUBIC if enlarged else interpolation)


def _side_by_side(tiles: Sequence[np.ndarray]) -> np.ndarray:
    height = max(tile.shape[0] for tile in tiles)
    filled = [pad(tile, bottom=height - tile.shape[0], right=GAP) for tile in tiles]
    return np.concatenate(filled, axis=1)[:, :-GAP]


def _texts(texts: Sequence[str], size: int, color: tuple[int, int, int], width: int) -> np.ndarray:
    """Draw a strip with one text above each column."""
    strip = Image.new("RGB", (width, size + 2 * GAP), PAPER)
    for column, text in enumerate(texts):
        write(strip, (column * (TILE + GAP), strip.height // 2), text, size, color)
    return np.asarray(strip)
