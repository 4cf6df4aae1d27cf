"""Random resize-and-crop: the window that a crop needs, cut out and resized once.

Resizing an image, zooming it and cropping it come to one thing: some window of the source becomes
the crop. Only that window is read and resampled, so that a crop of a large memory-mapped image
costs what the crop costs, and no image is interpolated twice.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from segmentation.classes import VOID

Size = tuple[int, int]
FILL = (124, 116, 104)  # ImageNet's mean colour: padding that is close to zero once normalised
CANDIDATES = 4
COUNTED = 64 * 64  # labels looked at in a candidate: enough for shares of classes


@dataclass(frozen=True)
class Span:
    """One axis of a window: which pixels of the source become which pixels of the crop.

    Attributes:
        start, length: the pixels of the source.
        resized: how many pixels they become.
        before: pixels of padding before them.
        target: the crop's length; what is left of it after `before + resized` is padding too.
    """

    start: int
    length: int
    resized: int
    before: int
    target: int

    @property
    def pixels(self) -> slice:
        """The pixels of the source."""
        return slice(self.start, self.start + self.length)

    @property
    def padding(self) -> tuple[int, int]:
        """Pixels of padding before and after."""
        return self.before, self.target - self.resized - self.before


def random_span(source: int, target: int, zoom: float, rng: np.random.Generator) -> Span:
    """Place a window of `target / zoom` pixels at random on an axis of `source` pixels.

    The window has whole pixels, so that image and mask are cut alike: the zoom in effect is off by
    half a pixel of the source at most. Where the axis is shorter than the window all of it is
    used, and padded to `target` at random sides.

    Args:
        source, target: lengths in pixels.
        zoom: pixels of the crop for each pixel of the source.
        rng: where the place comes from.
    """
    length = max(1, round(target / zoom))
    if length <= source:
        return Span(int(rng.integers(source - length + 1)), length, target, 0, target)
    resized = min(target, max(1, round(source * zoom)))
    return Span(0, source, resized, int(rng.integers(target - resized + 1)), target)


def random_window(
    mask: np.ndarray, target: Size, zoom: tuple[float, float], rng: np.random.Generator
) -> tuple[Span, Span]:
    """Place a window at random on an image; `mask` (H, W) gives its size."""
    rows, columns = (
        random_span(source, length, factor, rng)
        for source, length, factor in zip(mask.shape, target, zoom, strict=True)
    )
    return rows, columns


def balanced_window(
    mask: np.ndarray, target: Size, zoom: tuple[float, float], rng: np.random.Generator
) -> tuple[Span, Span]:
    """Place some windows at random and keep the one whose classes are most evenly spread.

    That is the entropy of the classes' shares of the labelled pixels, times the share of the
    window that is labelled. mmsegmentation draws again while one class covers more than 75%
    (`cat_max_ratio` of its RandomCrop); with crops of half an image that hardly ever happens, and
    a comparison needs no threshold.

    Args:
        mask: `uint8` (H, W), void is `VOID`.
        target: (height, width) of the crop.
        zoom: pixels of the crop for each pixel of the source, along each axis.
        rng: where the places come from.
    """
    windows = [random_window(mask, target, zoom, rng) for _ in range(CANDIDATES)]
    return max(windows, key=lambda window: _evenness(mask[window[0].pixels, window[1].pixels]))


def _evenness(labels: np.ndarray) -> float:
    step = max(1, math.isqrt(labels.size // COUNTED))
    counts = np.bincount(labels[::step, ::step].ravel(), minlength=VOID + 1)
    labelled = counts[:VOID].sum()
    shares = counts[:VOID][counts[:VOID] > 0] / max(labelled, 1)
    return float(-(shares * np.log(shares)).sum() * labelled / counts.sum())


def cut(
    image: np.ndarray,
    mask: np.ndarray,
    rows: Span,
    columns: Span,
    fill: Sequence[float] = FILL,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the crop that a window becomes: image and mask, in memory of their own.

    Args:
        image: (H, W, C); a view of a read-only memory map will do.
        mask: `uint8` (H, W).
        rows, columns: the window.
        fill: the colour of padding, one number for each channel.

    Returns:
        (rows.target, columns.target, C) and (rows.target, columns.target); padding is `fill` in the
        image and `VOID` in the mask.
    """
    size = (rows.resized, columns.resized)
    image = resize_image(image[rows.pixels, columns.pixels], size)
    mask = resize_mask(mask[rows.pixels, columns.pixels], size)
    border = (*rows.padding, *columns.padding)
    if any(border):
        image = _padded(image, rows.padding, columns.padding, fill)
        mask = cv2.copyMakeBorder(mask, *border, cv2.BORDER_CONSTANT, value=VOID)
    elif size == (rows.length, columns.length):
        # Nothing made a copy yet, and transforms must not write into the cache's pixels.
        return np.array(image), np.array(mask)
    return image, mask


def _padded(image: np.ndarray, rows: Size, columns: Size, fill: Sequence[float]) -> np.ndarray:
    """Pad (H, W, C) by pixels before and after; OpenCV does that for up to four channels."""
    height, width, channels = image.shape
    shape = (height + sum(rows), width + sum(columns), channels)
    padded = np.empty(shape, image.dtype)
    padded[:] = np.asarray(fill, image.dtype)
    padded[rows[0] : rows[0] + height, columns[0] : columns[0] + width] = image
    return padded


def resize_image(image: np.ndarray, size: Size | None) -> np.ndarray:
    """Resize (H, W, C) to `size` = (height, width); None leaves it as it is."""
    if size is None or image.shape[:2] == tuple(size):
        return image
    height, width = size
    zoom = height / image.shape[0], width / image.shape[1]
    # Below half size bilinear skips pixels, thin poles among them; averaging all takes 8 times as
    # long, so not where every pixel counts anyway.
    skips = min(zoom) < 0.5 and max(zoom) < 1
    interpolation = cv2.INTER_AREA if skips else cv2.INTER_LINEAR
    if image.shape[2] in (3, 4):
        return cv2.resize(image, (width, height), interpolation=interpolation)
    parts = [  # OpenCV averages up to four channels at once
        cv2.resize(
            np.ascontiguousarray(image[..., first : first + 4]),
            (width, height),
            interpolation=interpolation,
        ).reshape(height, width, -1)
        for first in range(0, image.shape[2], 4)
    ]
    return np.concatenate(parts, axis=-1)


def resize_mask(mask: np.ndarray, size: Size) -> np.ndarray:
    """Resize labels (H, W) to `size` = (height, width), each pixel the nearest label."""
    if mask.shape == tuple(size):
        return mask
    # Not INTER_NEAREST: that one samples up to half a pixel beside the pixels' centres.
    return cv2.resize(mask, size[::-1], interpolation=cv2.INTER_NEAREST_EXACT)
