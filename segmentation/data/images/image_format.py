"""Tell what an image file holds, from its header: bands, number type, names of bands, size.

Pillow tells of every format but TIFFs with more than it knows (more than RGB and an alpha channel,
several pages, most with more than 8 bits): it opens some of them as RGB and drops the rest in
silence. Those are GDAL's, see `segmentation.data.images.geotiff`.
"""

import contextlib
import importlib.util
import logging
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from PIL import Image

from segmentation.errors import DataError

log = logging.getLogger(__name__)

MAX_PIXELS = 178_956_970
"""The largest image that is read as a whole by default: Pillow's own limit against bombs."""
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF")
"""The decoders that are used, whatever a file is called: others start programs, as EPS does."""
MOST_PAGES = 1024
PLANAR = 284  # a TIFF tag, as the following
BITS, PHOTOMETRIC, SAMPLES, EXTRA, SAMPLE_FORMAT, SUBFILE, NODATA = (
    258, 262, 277, 338, 339, 254, 42113,
)  # fmt: skip
"""TIFF tags."""
CMYK = 5
UNSIGNED = 1
ALPHA = (1, 2)
PHOTO_COLORS = {0: 1, 1: 1, 2: 3, 3: 1, CMYK: 4, 6: 3, 8: 3}
"""The colour bands of each TIFF colour space that becomes RGB by Pillow."""
REDUCED, MASK = 1, 4
"""Bits of a page's kind: an overview, a mask."""

COLORS = ("red", "green", "blue")
NO_LIMIT = 1 << 62

_lock = threading.Lock()


@dataclass(frozen=True)
class ImageFormat:
    """What a file holds.

    Attributes:
        size: (height, width) as stored, in pixels.
        bands: number of bands, with an alpha channel, which is named so.
        dtype: ``"uint8"``, ``"uint16"`` or ``"float32"``: the type that keeps the values.
        names: the name of each band, ``""`` where the file gives none.
        photo: an 8-bit image that becomes RGB without loss by Pillow.
        gdal: read by rasterio; else by Pillow or OpenCV.
        block: (height, width) of the pieces that the file can be read in; the whole for most.
    """

    size: tuple[int, int]
    bands: int
    dtype: str
    names: tuple[str, ...]
    photo: bool
    gdal: bool = False
    block: tuple[int, int] | None = None

    def __str__(self) -> str:
        bands = "band" if self.bands == 1 else "bands"
        named = [name for name in self.names if name]
        return f"{self.bands} {bands} of {self.dtype}" + (f" ({', '.join(named)})" if named else "")


@contextlib.contextmanager
def opened(path: Path, max_pixels: int = MAX_PIXELS) -> Iterator[Image.Image]:
    """Open an image by Pillow, with a limit on its pixels in place of Pillow's own.

    Args:
        path: the file.
        max_pixels: the limit.

    Raises:
        DataError: the image has more pixels, or is not a file.
        Exception: of whatever kind Pillow raises where it cannot read the file.
    """
    if path.exists() and not path.is_file():  # opening a pipe would wait for its writer
        raise DataError(f"{path} is not a file. Remove it.")
    with _lock:  # the limit is a global of Pillow's; opening reads no more than the header
        kept, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            image = Image.open(path, formats=FORMATS)
        finally:
            Image.MAX_IMAGE_PIXELS = kept
    with image:
        check_pixels(path, image.height, image.width, max_pixels)
        yield image


def check_pixels(path: Path, height: int, width: int, max_pixels: int) -> None:
    """Check that an image may be read as a whole.

    Raises:
        DataError: it has more than `max_pixels` pixels.
    """
    if height * width > max_pixels:
        raise DataError(
            f"{path} has {height * width:,} pixels ({width}x{height}), more than "
            f"data.max_pixels={max_pixels}. To read it as a whole type "
            f"data.max_pixels={height * width}, if the memory takes it "
            f"({height * width * 3 / 1e9:.2g} GB for 8-bit RGB); or save it as a tiled TIFF, which "
            "is read in windows: rio convert IN OUT.tif --co TILED=YES (pip install 'cityseg[geo]')"
        )


def read_format(path: Path) -> ImageFormat:
    """Read what a file holds from its header.

    Raises:
        DataError: it is missing or unreadable, or is GDAL's to read and rasterio is not installed.
    """
    from segmentation.data.images.geotiff import Tiff  # which needs this module

    try:
        with opened(path, NO_LIMIT) as image:
            photo, mode, kind = is_photo(image), image.mode, image.format
            pages = count_pages(image) if kind == "TIFF" else 1
            tags = image.tag_v2 if kind == "TIFF" else {}  # type: ignore[attr-defined]
            size, raw = (image.height, image.width), raw_mode(image)
    except DataError:
        raise
    except FileNotFoundError as error:
        raise DataError(f"{path} does not exist.") from error
    except Exception as error:  # Pillow's; of TIFFs GDAL knows more
        if path.suffix.lower() not in (".tif", ".tiff"):
            raise DataError(
                f"{path} cannot be read: {error}. Replace or remove the file."
            ) from error
        with Tiff(path) as tiff:
            return tiff.format()
    if photo and NODATA in tags:  # kept apart, so that pixels without data become void
        if importlib.util.find_spec("rasterio") is not None:
            with Tiff(path) as tiff:
                return tiff.format()
        _warn_of_nodata(path.parent)
    if photo:
        names = (("",) if mode in ("L", "LA", "1") else COLORS) + ("alpha",) * mode.endswith("A")
        straight = kind != "TIFF" or not mode.endswith("A")  # Pillow undoes premultiplied alpha
        return ImageFormat(size, len(names), "uint8", names, True, not straight)
    # Pillow opens separate planes as the first, and fails where one band is said to be a plane
    one = tags.get(SAMPLES, 1) == pages == tags.get(PLANAR, 1) == 1
    if kind == "TIFF" and not (one and mode in ("I;16", "F") and NODATA not in tags):
        with Tiff(path) as tiff:
            return tiff.format()
    if mode.startswith(("I", "F")):
        return ImageFormat(
            size, 1, "uint16" if mode.startswith("I;16") else "float32", ("",), False
        )
    names = (COLORS if raw.startswith("RGB") else ("",)) + ("alpha",) * mode.endswith("A")
    return ImageFormat(size, len(names), "uint16", names, False)


@cache
def _warn_of_nodata(folder: Path) -> None:
    """Warn, once for each folder, that NoData is not read."""
    log.warning(
        "images in %s have a NoData value, which rasterio reads: such pixels are not void. Type "
        "pip install 'cityseg[geo]'",
        folder,
    )


def is_photo(image: Image.Image) -> bool:
    """Tell whether an opened image becomes 8-bit RGB by Pillow and loses nothing."""
    if image.mode.startswith(("I", "F")):
        return False
    if image.format != "TIFF":
        return ";16" not in raw_mode(image)
    tags = image.tag_v2  # type: ignore[attr-defined]
    extra = tags.get(EXTRA, ())
    colors = PHOTO_COLORS.get(tags.get(PHOTOMETRIC, 1))
    return (
        max(_numbers(tags.get(BITS, 1))) <= 8
        and set(_numbers(tags.get(SAMPLE_FORMAT, UNSIGNED))) == {UNSIGNED}
        and tags.get(SAMPLES, 1) - sum(kind in ALPHA for kind in _numbers(extra)) == colors
        and count_pages(image) == 1
    )


def raw_mode(image: Image.Image) -> str:
    """Return Pillow's name of how pixels are stored in the file, such as ``"RGB;16B"``."""
    tile = getattr(image, "tile", None)  # of pictures that were opened from files alone
    args = tile[0][3] if tile else ""
    return str(args[0] if isinstance(args, tuple) else args)


def count_pages(image: Image.Image) -> int:
    """Count a TIFF's pages of the first one's size; overviews, masks and previews are left out."""
    pages = 1
    for page in range(1, min(getattr(image, "n_frames", 1), MOST_PAGES)):
        image.seek(page)
        kind = image.tag_v2.get(SUBFILE, 0)  # type: ignore[attr-defined]
        size = image.tag_v2.get(256), image.tag_v2.get(257)  # type: ignore[attr-defined]
        image.seek(0)
        pages += not kind & (REDUCED | MASK) and size == image.size
    return pages


def describe(image: Image.Image) -> str:
    """Describe the bands of an image that Pillow has opened, for messages."""
    if image.format != "TIFF":
        return f"16 bits a channel (mode {raw_mode(image)})"
    tags, pages = image.tag_v2, count_pages(image)  # type: ignore[attr-defined]
    bands = tags.get(SAMPLES, 1)
    words = f"{bands} band{'s' * (bands > 1)} of {max(_numbers(tags.get(BITS, 1)))} bits"
    return words + (f" in each of {pages} pages" if pages > 1 else "")


def _numbers(value: object) -> tuple[int, ...]:
    return tuple(value) if isinstance(value, tuple) else (int(value),)  # type: ignore[call-overload]
