"""Read images, masks and text files."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from segmentation.data.discovery.image_format import MAX_PIXELS, describe, is_photo, opened
from segmentation.errors import DataError

MAX_BYTES = 64 << 20
"""The largest list or table: one short row for each image."""
ORIENTATION = 0x0112  # the EXIF tag
MORE = (
    "Reading it as RGB would drop a part. Type data.channels=auto for all of it, or "
    "data.channels=[1,2,3] for three of its bands."
)


def read_image(path: Path, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Read an image as RGB, rotated as its EXIF tag says.

    Greyscale, palette and CMYK become RGB; a PNG of 16-bit RGB keeps its upper 8 bits.

    Returns:
        `uint8` (H, W, 3).

    Raises:
        DataError: the file is missing, unreadable, cut off, a decompression bomb, holds more than
            8-bit RGB, or is transparent somewhere.
    """
    return _upright(path, max_pixels)[0]


def _upright(path: Path, max_pixels: int = MAX_PIXELS) -> tuple[np.ndarray, bool]:
    """Read an image as `read_image` does; also return whether it was rotated and kept its size."""
    try:
        with opened(path, max_pixels) as image:
            if not (is_photo(image) or (image.mode == "RGB" and image.format != "TIFF")):
                raise DataError(
                    f"{path} is not an 8-bit RGB image: it has {describe(image)}. {MORE}"
                )
            image.load()
            turned = image.getexif().get(ORIENTATION, 1) != 1
            upright = ImageOps.exif_transpose(image)
            unclear = turned and upright.size == image.size
            return np.array(_opaque(upright, path).convert("RGB")), unclear
    except DataError:
        raise
    except Exception as error:  # a damaged file makes Pillow raise nearly anything
        raise _unreadable(path, error) from error


def read_mask(path: Path) -> np.ndarray:
    """Read a mask's values as stored.

    Returns:
        `uint8`: indices (H, W) of a greyscale, palette, 1-bit or 16-bit mask, or RGB colours
        (H, W, 3).

    Raises:
        DataError: the file is missing, unreadable or cut off, its indices exceed 255, its
            compression changes labels (JPEG), or its mode is none of these.
    """
    try:
        with Image.open(path) as file:
            if file.format == "JPEG" or "jpeg" in str(file.info.get("compression")):
                raise DataError(
                    f"{path} is JPEG-compressed: that changes labels. Save masks as PNG."
                )
            mask = file if file.mode == "P" else _opaque(file, path)
            if mask.mode in ("L", "P", "RGB"):
                return np.array(mask)
            if mask.mode == "1" or mask.mode.startswith("I"):
                values = np.array(mask)
                if values.min() >= 0 and values.max() <= 255:
                    return values.astype(np.uint8)
                raise DataError(
                    f"{path} holds the index {values.max()}: an index mask has 0 to 255. "
                    "(Instance ids are not class indices.)"
                )
            raise DataError(
                f"{path} is not a mask (mode {mask.mode}). A mask is a PNG of class indices "
                "(greyscale or palette) or of RGB colours."
            )
    except DataError:
        raise
    except Exception as error:  # a damaged file makes Pillow raise nearly anything
        raise _unreadable(path, error) from error


def read_pair(image_path: Path, mask_path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read an image and its mask of the same size; see `read_image` and `read_mask`.

    Raises:
        DataError: also if their sizes differ, or if an EXIF tag rotates the image and its mask may
            or may not be rotated.
    """
    image, unclear = _upright(image_path)
    mask = read_mask(mask_path)
    if mask.shape[:2] != image.shape[:2]:
        raise DataError(
            f"{mask_path} is {mask.shape[1]}x{mask.shape[0]} but its image {image_path.name} is "
            f"{image.shape[1]}x{image.shape[0]}. A mask has the size of its image."
        )
    if unclear:  # quarter turns swap the sides; other turns fit either way
        raise DataError(
            f"{image_path} has an EXIF rotation, and its size does not tell whether the mask is "
            "rotated too. Save the image upright and without the tag."
        )
    return image, mask


def read_text(path: Path) -> str:
    """Read a list or a table in UTF-8, with or without a byte order mark.

    Raises:
        DataError: the file cannot be read, is larger than `MAX_BYTES`, or is not UTF-8.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise DataError(
                f"{path} is larger than {MAX_BYTES >> 20} MiB: it holds one short row for "
                "each image. Is it the right file?"
            )
        return content.decode("utf-8-sig")
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text ({error.reason}): save it as UTF-8.") from error


def _opaque(image: Image.Image, path: Path) -> Image.Image:
    """Drop an alpha channel that hides nothing."""
    if not image.has_transparency_data:
        return image
    image = image.convert("LA" if image.mode == "LA" else "RGBA")
    if np.array(image.getchannel("A")).min() < 255:
        raise DataError(f"{path} is transparent in places. Save it without an alpha channel.")
    return image.convert("L" if image.mode == "LA" else "RGB")


def _unreadable(path: Path, error: Exception) -> DataError:
    if isinstance(error, FileNotFoundError):
        return DataError(f"{path} does not exist.")
    return DataError(f"{path} cannot be read: {error}. Replace or remove the file.")
