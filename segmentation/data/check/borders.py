"""Where void lies: how much of each class's border touches it."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from segmentation.classes import VOID
from segmentation.data.discovery.scanned_dataset import ScannedDataset
from segmentation.errors import DataError
from segmentation.system.hardware import available_cores

MOST_MASKS = 200
"""Masks looked at, evenly over the split: enough for a share, and seconds at most."""
MOST_PIXELS = 2**26
"""Larger masks are left out."""


@dataclass(frozen=True)
class VoidBorders:
    """The borders of classes in some masks, in pairs of neighbouring pixels.

    Attributes:
        share: of each class's border that touches void: (C,), 0..1, NaN for a class without border.
        whole: the share of all classes together, NaN without any border.
        masks: that were looked at.
    """

    share: np.ndarray
    whole: float
    masks: int


def void_borders(source: ScannedDataset, split: str = "train") -> VoidBorders | None:
    """Count which borders of classes touch void in the masks of a split; None without masks."""
    classes = len(source.labels.classes)
    if split not in source.scans:
        return None
    small = source.scans[split].sizes.prod(axis=1) <= MOST_PIXELS
    paths = [
        sample.mask
        for sample, one in zip(source.samples[split], small, strict=True)
        if one and sample.mask is not None
    ]
    paths = paths[:: -(-len(paths) // MOST_MASKS)] if paths else []

    def borders(path: Path) -> np.ndarray | None:
        try:
            return neighbours(source.labels.decode(source.labels.read(path), path))
        except DataError:
            return None  # the findings name it

    with ThreadPoolExecutor(available_cores()) as pool:
        counts = [found for found in pool.map(borders, paths) if found is not None]
    if not counts:
        return None
    total = np.sum(counts, axis=0)[:classes]
    at_void, every = total[:, VOID], total.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return VoidBorders(at_void / every, float(at_void.sum() / every.sum()), len(counts))


def neighbours(labels: np.ndarray) -> np.ndarray:
    """Count the pairs of neighbouring pixels with different labels.

    Args:
        labels: `uint8` (H, W).

    Returns:
        `int64` (256, 256), symmetric.
    """
    counts = np.zeros(256 * 256, dtype=np.int64)
    for one, other in ((labels[1:], labels[:-1]), (labels[:, 1:], labels[:, :-1])):
        differ = one != other
        pairs = one[differ].astype(np.int64) * 256 + other[differ]
        counts += np.bincount(pairs, minlength=len(counts))
    square = counts.reshape(256, 256)
    return square + square.T
