"""Measure the range of the values in each channel of the training images.

The 1st and the 99th percentile of a channel are to the model what 0 and 255 are of an 8-bit image:
sensors have outliers, and few use all of their 16 bits.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np

from segmentation.data.discovery.layouts import Sample
from segmentation.data.discovery.scanned_dataset import ScannedDataset
from segmentation.data.images.image_reader import ImageReader
from segmentation.data.images.windowed import WindowedImage, is_large
from segmentation.errors import DataError
from segmentation.system.hardware import available_cores

PERCENTILES = (1, 99)
IMAGES = 64
"""Images that are measured, evenly spaced among those of the training split."""
PLACES = 6
"""Windows down and across an image that is read in windows."""
SIDE = 128
"""Rows and columns of each that are measured, evenly spaced."""


def with_value_range(source: ScannedDataset) -> ScannedDataset:
    """Return a data set whose channels know their range; without a train split, or RGB, as it is.

    Raises:
        DataError: no training image can be read.
    """
    channels = source.reader.channels
    if channels.is_rgb or channels.low or "train" not in source.samples:
        return source
    good = source.scans["train"].problem == ""
    samples = [sample for sample, use in zip(source.samples["train"], good, strict=True) if use]
    if not samples:
        return source  # each file's problem is known
    low, high = value_range(samples, source.reader)
    channels = replace(channels, low=low, high=high)
    return replace(source, reader=replace(source.reader, channels=channels))


def sample_values(path: Path, reader: ImageReader) -> tuple[np.ndarray, np.ndarray]:
    """Return the values of evenly spaced pixels of an image, and where there are data.

    Of an image that is read in windows they come from evenly spaced windows.

    Returns:
        Both (n, channels).
    """
    if not is_large(path, reader.max_pixels):
        return reader.sample_values(path, SIDE)
    image = WindowedImage(path, reader)
    height, width = image.shape[:2]
    parts, masks = [], []
    for top in np.linspace(0, height - SIDE, PLACES).astype(int).tolist():
        for left in np.linspace(0, width - SIDE, PLACES).astype(int).tolist():
            window = slice(top, top + SIDE), slice(left, left + SIDE)
            pixels, valid = image[window], image.valid(window)
            parts.append(pixels.reshape(-1, pixels.shape[2]))
            masks.append(np.ones(parts[-1].shape, bool) if valid is None else
                         np.repeat(valid.reshape(-1, 1), pixels.shape[2], axis=1))  # fmt: skip
    return np.concatenate(parts), np.concatenate(masks)


def value_range(
    samples: Sequence[Sample], reader: ImageReader
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the percentiles of each channel; pixels without data do not count.

    Args:
        samples: of the training split.
        reader: reads their images.

    Raises:
        DataError: they have no data in a channel.
    """
    chosen = [samples[index] for index in np.linspace(0, len(samples) - 1, IMAGES).astype(int)]
    unique = list(dict.fromkeys(chosen))
    with ThreadPoolExecutor(available_cores()) as pool:
        parts = list(pool.map(lambda sample: sample_values(sample.image, reader), unique))
    low, high = [], []
    for index, band in enumerate(reader.channels.bands):
        values = np.concatenate([values[:, index][known[:, index]] for values, known in parts])
        if not values.size:
            raise DataError(f"band {band} of the training images has no data in any pixel.")
        ends = np.percentile(values.astype(np.float64), PERCENTILES)
        low.append(float(ends[0]))
        high.append(float(ends[1] if ends[1] > ends[0] else ends[0] + 1))
    return tuple(low), tuple(high)
