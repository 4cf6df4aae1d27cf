"""Predict images that are too large for the memory, window by window, into a tiled TIFF."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from segmentation.classes import VOID
from segmentation.data.images.geotiff import LabelTiff
from segmentation.data.images.windowed import WindowedImage, windows
from segmentation.errors import DataError
from segmentation.inference.predictor import Predictor

MARGIN = 128
"""Pixels around a window that the model sees and whose labels are not taken."""


def predict_large(
    predictor: Predictor, image: WindowedImage, path: Path, tags: Mapping[str, str] | None = None
) -> None:
    """Write the labels of an image as a tiled TIFF, with its coordinates and the classes' colours.

    Each window is predicted at the image's own size with `MARGIN` around it. Pixels without data
    are `VOID`. The memory needed is that of a window.

    Args:
        predictor: segments.
        image: the image.
        path: the file to write; it is not whole until the end.
        tags: texts for its header.

    Raises:
        DataError: the model takes whole images, or the image cannot be read.
    """
    if predictor.classes is None or predictor.columns is not None or predictor.size is not None:
        raise DataError(
            f"{image.path} is too large to be read as a whole, and the model takes whole images "
            "(it was trained with data.size or with image-level targets). Cut it into pieces."
        )
    colors = predictor.classes.palette()
    with LabelTiff(path, image.files[0], colors, tags) as result:
        for rows, columns in windows(image.shape):
            wide = [
                slice(max(axis.start - MARGIN, 0), min(axis.stop + MARGIN, length))
                for axis, length in zip((rows, columns), image.shape[:2], strict=True)
            ]
            top, left = (
                axis.start - outer.start for axis, outer in zip((rows, columns), wide, strict=True)
            )
            window = wide[0], wide[1]
            labels = predictor.predict_window(image[window])
            valid = image.valid(window)
            if valid is not None:
                labels = np.where(valid, labels, np.uint8(VOID))
            height, width = rows.stop - rows.start, columns.stop - columns.start
            result.write(labels[top : top + height, left : left + width], rows, columns)
