"""Read images, masks and text files."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageFile, ImageOps, TiffImagePlugin

from segmentation.classes import Color
from segmentation.data.images.image_format import MAX_PIXELS, describe, is_photo, opened
from segmentation.errors import DataError

MAX_BYTES = 64 << 20
"""The largest list or table: one short row for each image."""
ORIENTATION = 0x0112  # the EXIF tag
MOST_HEADER = 2**62  # pixels of a file of which the header alone is read
GDAL_NODATA = 42113  # the TIFF tag
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
    return read_upright(path, max_pixels)[0]


def read_upright(path: Path, max_pixels: int = MAX_PIXELS) -> tuple[np.ndarray, bool]:
    """Read an image as `read_image` does; also return whether it was rotated and kept its size."""
    try:
        with opened(path, max_pixels) as image:
            return upright_rgb(image, path)
    except DataError:
        raise
    except Exception as error:  # a damaged file makes Pillow raise nearly anything
        raise unreadable(path, error) from error


def upright_rgb(image: Image.Image, name: Path | str) -> tuple[np.ndarray, bool]:
    """Return the pixels of a picture of Pillow, see `read_upright`; of several frames the current.

    Args:
        image: the picture.
        name: of it, for messages.

    Raises:
        DataError: it cannot be read, holds more than 8-bit RGB, or is transparent somewhere.
    """
    if not (is_photo(image) or (image.mode == "RGB" and image.format != "TIFF")):
        raise DataError(f"{name} is not an 8-bit RGB image: it has {describe(image)}. {MORE}")
    try:
        image.load()
        turned = image.getexif().get(ORIENTATION, 1) != 1
        upright = ImageOps.exif_transpose(image)
        unclear = turned and upright.size == image.size
        return np.array(_opaque(upright, name).convert("RGB")), unclear
    except DataError:
        raise
    except Exception as error:  # a damaged file makes Pillow raise nearly anything
        raise unreadable(name, error) from error


def read_mask(path: Path, colors: bool = False, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Read a mask's values as stored.

    An index stays the number in the file, whatever its bit depth, palette, transparent value or
    TIFF photometric interpretation would show. A 16-bit mask of nothing but 0 and 65535 is one of
    0 and 255.

    Args:
        path: the file.
        colors: return the colours that a palette gives its indices.
        max_pixels: the largest mask that is read.

    Returns:
        `uint8`: indices (H, W) of a greyscale or palette mask of any bit depth, or RGB colours
        (H, W, 3).

    Raises:
        DataError: the file is missing, unreadable, too large or cut off, its indices exceed 255 or
            are no whole numbers, its compression changes labels (JPEG), it is animated or has
            several pages, or its mode is none of these.
    """
    try:
        with _open_mask(path, max_pixels) as file:
            if file.mode == "P":
                return np.array(file.convert("RGB") if colors else file)
            if file.mode in ("1", "L"):
                return _stored(file)
            if file.mode.startswith(("I", "F")):
                return _wide_indices(np.array(file), path)
            mask = _opaque(file, path)
            if mask.mode in ("L", "RGB"):
                return np.array(mask)
            raise DataError(
                f"{path} is not a mask (mode {mask.mode}). A mask is a PNG of class indices "
                "(greyscale or palette) or of RGB colours."
            )
    except DataError:
        raise
    except Exception as error:  # a damaged file makes Pillow raise nearly anything
        raise unreadable(path, error) from error


def read_palette(path: Path) -> tuple[dict[int, Color], frozenset[int]]:
    """Return the colours that a mask's palette gives its indices, and its transparent indices.

    Both are empty for a file that has none; they come from the header, pixels are not decoded.
    """
    with opened(path, MOST_HEADER) as image:
        flat = image.getpalette("RGB") if image.mode == "P" else None
        clear = image.info.get("transparency") if image.mode != "RGB" else None
        if isinstance(image, TiffImagePlugin.TiffImageFile) and image.mode != "RGB":
            clear = _nodata(image)
        if image.mode == "1" and clear:
            clear = 1  # which Pillow spreads to 255
    palette = dict(enumerate(zip(*[iter(flat or ())] * 3, strict=True)))
    if isinstance(clear, bytes):  # one alpha for each index of a palette
        return palette, frozenset(index for index, alpha in enumerate(clear) if alpha == 0)
    return palette, frozenset() if clear is None else frozenset({clear})


def _nodata(image: TiffImagePlugin.TiffImageFile) -> int | None:
    """Return the nodata value that GDAL writes into a TIFF, if it is an index."""
    text = str(image.tag_v2.get(GDAL_NODATA, "")).strip("\0 ")
    try:
        return int(text) if 0 <= int(text) <= 255 else None
    except ValueError:
        return None


@contextlib.contextmanager
def _open_mask(path: Path, max_pixels: int) -> Iterator[Image.Image]:
    with opened(path, max_pixels) as file:
        if file.format == "JPEG" or "jpeg" in str(file.info.get("compression")):
            raise DataError(f"{path} is JPEG-compressed: that changes labels. Save masks as PNG.")
        if file.format == "WEBP" and b"VP8 " in path.read_bytes():  # VP8L is the lossless kind
            raise DataError(f"{path} is lossy WebP: that changes labels. Save masks as PNG.")
        if (frames := getattr(file, "n_frames", 1)) > 1:
            raise DataError(f"{path} holds {frames} pictures: save each mask as a file of its own.")
        yield file


def _stored(file: Image.Image) -> np.ndarray:
    """Return the stored values of a greyscale image of 1, 2, 4 or 8 bits.

    Pillow spreads values of fewer bits over 0 to 255 and inverts TIFFs whose zero is white.
    """
    tiles = file.tile if isinstance(file, ImageFile.ImageFile) else []
    arguments = tiles[0].args if tiles else file.mode
    raw = str(arguments if isinstance(arguments, str) else (arguments or "L")[0])  # as "L;4I"
    values = np.array(file.convert("L"))
    _, _, layout = raw.partition(";")
    if "I" in layout:
        values = 255 - values
    bits = 1 if file.mode == "1" else int(layout[0]) if layout[:1] in ("2", "4") else 8
    return values // np.uint8(255 // (2**bits - 1))


def _wide_indices(values: np.ndarray, path: Path) -> np.ndarray:
    """Return indices of 16 or 32 bits, or of whole floating-point numbers, as `uint8`."""
    if values.dtype.kind == "f" and not np.array_equal(values, np.round(values)):
        raise DataError(f"{path} holds fractions: class indices are whole numbers, 0 to 255.")
    if values.min() >= 0 and values.max() <= 255:
        return values.astype(np.uint8)
    if set(np.unique(values).tolist()) <= {0, 65535}:
        return (values > 0) * np.uint8(255)
    wrong = values.min() if values.min() < 0 else values.max()
    raise DataError(
        f"{path} holds the index {wrong:g}: an index mask has 0 to 255. "
        "(Instance ids are not class indices.)"
    )


def read_pair(
    image_path: Path, mask_path: Path, colors: bool = False, max_pixels: int = MAX_PIXELS
) -> tuple[np.ndarray, np.ndarray]:
    """Read an image and its mask of the same size; see `read_image` and `read_mask`.

    Raises:
        DataError: also if their sizes differ, or if an EXIF tag rotates the image and its mask may
            or may not be rotated.
    """
    image, unclear = read_upright(image_path, max_pixels)
    mask = read_mask(mask_path, colors, max_pixels)
    check_pair(image_path, image, mask_path, mask, unclear)
    return image, mask


def check_pair(
    image_path: Path, image: np.ndarray, mask_path: Path, mask: np.ndarray, unclear: bool
) -> None:
    """Check that a mask fits its image.

    Args:
        image_path, image, mask_path, mask: the files, and what they hold.
        unclear: whether an EXIF tag rotated the image and its size does not tell.

    Raises:
        DataError: their sizes differ, or the mask may or may not be rotated.
    """
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


def _opaque(image: Image.Image, path: Path | str) -> Image.Image:
    """Drop an alpha channel that hides nothing."""
    if not image.has_transparency_data:
        return image
    image = image.convert("LA" if image.mode == "LA" else "RGBA")
    if np.array(image.getchannel("A")).min() < 255:
        raise DataError(
            f"{path} is transparent in places. Save it without an alpha channel, or if an image's "
            "fourth band holds data, and not transparency, type data.channels=[1,2,3,4]"
        )
    return image.convert("L" if image.mode == "LA" else "RGB")


def unreadable(path: Path | str, error: Exception) -> DataError:
    if isinstance(error, FileNotFoundError):
        return DataError(f"{path} does not exist.")
    return DataError(f"{path} cannot be read: {error}. Replace or remove the file.")
