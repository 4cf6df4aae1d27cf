"""Predict images that are too large for the memory, window by window, into a tiled TIFF."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from segmentation.classes import VOID
from segmentation.data.images.geotiff import LabelTiff
from segmentation.data.images.windowed import WindowedImage
from segmentation.errors import DataError
from segmentation.inference.parts import tiles
from segmentation.inference.predictor import Predictor


def predict_large(
    predictor: Predictor, image: WindowedImage, path: Path, tags: Mapping[str, str] | None = None
) -> None:
    """Write the labels of an image as a tiled TIFF, with its coordinates and the classes' colours.

    Each window is predicted at the image's own size with a margin around it, see `tiles`. Pixels
    without data are `VOID`. The memory needed is that of a window.

    Args:
        predictor: segments.
        image: the image.
        path: the file to write; it is not whole until the end.
        tags: texts for its header.

    Raises:
        DataError: the model takes whole images, or the image cannot be read.
    """
    if predictor.classes is None or predictor.takes_whole_images:
        raise DataError(
            f"{image.path} is too large to be read as a whole, and the model takes whole images "
            "(it was trained with data.size or with image-level targets, or resizes images). "
            "Cut it into pieces."
        )
    colors = predictor.classes.palette()
    with LabelTiff(path, image.files[0], colors, tags) as result:
        for (rows, columns), window in tiles(image.shape):
            labels = predictor.predict_window(image[window])
            valid = image.valid(window)
            if valid is not None:
                labels = np.where(valid, labels, np.uint8(VOID))
            top, left = rows.start - window[0].start, columns.start - window[1].start
            height, width = rows.stop - rows.start, columns.stop - columns.start
            result.write(labels[top : top + height, left : left + width], rows, columns)
