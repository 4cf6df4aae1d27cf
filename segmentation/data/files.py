"""Images and masks, read from their files."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from segmentation.classes import ClassTable
from segmentation.errors import DataError

# What Pillow raises for a file that is missing, cut off, no image at all, or a decompression bomb.
UNREADABLE = (
    OSError,
    SyntaxError,
    ValueError,
    UnidentifiedImageError,
    Image.DecompressionBombError,
)


def read_image(path: Path) -> np.ndarray:
    """Read an image as RGB, turned the way its EXIF tag says.

    Returns:
        `uint8` (H, W, 3).

    Raises:
        DataError: the file is missing, unreadable, cut off, or has more than 8 bits a channel.
    """
    try:
        with Image.open(path) as image:
            if image.mode.startswith(("I", "F")):
                raise DataError(
                    f"{path} has more than 8 bits a channel (mode {image.mode}). "
                    "Convert it to an 8-bit image first."
                )
            return np.array(ImageOps.exif_transpose(image).convert("RGB"))
    except UNREADABLE as error:
        raise _unreadable(path, error) from error


def read_mask(path: Path) -> np.ndarray:
    """Read a mask's indices, as they are on disk.

    Returns:
        `uint8` (H, W).

    Raises:
        DataError: the file is missing, unreadable or cut off, or holds colours and no indices.
    """
    try:
        with Image.open(path) as mask:
            if mask.mode not in ("L", "P"):
                raise DataError(
                    f"{path} is no index mask (mode {mask.mode}). A mask is an 8-bit greyscale or "
                    "palette PNG whose values are class indices."
                )
            return np.array(mask)
    except UNREADABLE as error:
        raise _unreadable(path, error) from error


def check_labels(path: Path, values: np.ndarray, classes: ClassTable) -> None:
    """Raise DataError if `values`, the indices a mask holds, are not all in the class table."""
    unknown = classes.unknown(values.tolist())
    if unknown:
        void = "no void index" if classes.void is None else f"void is {classes.void}"
        raise DataError(
            f"{path} holds labels outside the class table: {unknown} (classes are "
            f"0..{len(classes) - 1}, {void}). Mend the mask, or train with the table it was "
            "drawn for."
        )


def _unreadable(path: Path, error: Exception) -> DataError:
    if isinstance(error, FileNotFoundError):
        return DataError(f"{path} is not there.")
    return DataError(f"{path} cannot be read: {error}. Replace or remove the file.")
