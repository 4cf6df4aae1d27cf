"""Images too large for the memory, and their labels, read in windows from tiled TIFFs.

Both look like arrays of which only ``array[rows, columns]`` is ever read: a crop costs what the
crop costs.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from segmentation.classes import VOID
from segmentation.data.images.geotiff import Tiff
from segmentation.data.images.image_format import (
    ImageFormat,
    opened,
    read_format,
)
from segmentation.data.images.image_reader import (
    ImageReader,
    choose_bands,
    fill_missing,
    joined,
)
from segmentation.data.masks.labels import Labels
from segmentation.errors import DataError

MAX_BLOCK = 1 << 24
"""The most pixels of a piece of a file: a file in larger ones cannot be read in windows."""
SIDE = 1024
"""The side of the windows that a whole image is gone through in."""
TIFFS = (".tif", ".tiff")

Window = tuple[slice, slice]


def is_large(path: Path, max_pixels: int) -> bool:
    """Return whether an image is a TIFF of more pixels than may be read as a whole.

    A file that cannot be opened is not: reading it tells why.
    """
    if path.suffix.lower() not in TIFFS:
        return False
    try:
        with opened(path, 1 << 62) as image:
            return image.height * image.width > max_pixels
    except Exception:  # GDAL knows more of them
        try:
            height, width = read_format(path).size
        except DataError:
            return False
        return height * width > max_pixels


def windows(shape: tuple[int, ...], side: int = SIDE) -> Iterator[Window]:
    """Yield windows that cover an image (H, W, ...) once, row after row."""
    for top in range(0, shape[0], side):
        for left in range(0, shape[1], side):
            yield (
                slice(top, min(top + side, shape[0])),
                slice(left, min(left + side, shape[1])),
            )


def thumbnail(array: "WindowedImage | WindowedLabels", longest: int) -> np.ndarray:
    """Return evenly spaced pixels, at most `longest` rows and columns; all windows are read."""
    step = -(-max(array.shape[:2]) // longest)
    height, width, *channels = array.shape
    result = np.empty((-(-height // step), -(-width // step), *channels), array.dtype)
    for rows, columns in windows(array.shape):
        row, column = -(-rows.start // step), -(-columns.start // step)
        part = array[rows, columns][row * step - rows.start :: step]
        part = part[:, column * step - columns.start :: step]
        result[row : row + part.shape[0], column : column + part.shape[1]] = part
    return result


class WindowedImage:
    """An image that is read in windows, see `ImageReader.read` for what a window holds.

    Args:
        path: the file; of several that hold the bands, the first.
        reader: reads images.

    Raises:
        DataError: it cannot be read in windows, or has other bands.
    """

    def __init__(self, path: Path, reader: ImageReader) -> None:
        self.path = path
        self.channels = reader.channels
        self.files = reader.files_of(path)
        formats = [_tiff_format(file, reader.max_pixels) for file in self.files]
        found = joined(self.files, formats, self.channels.files)
        self._counts = [kind.bands for kind in formats]
        if self.channels.photos and found.dtype == "uint8" and found.bands == 1:
            self._bands = [1, 1, 1]  # greyscale becomes RGB
        elif self.channels.photos:
            if found.dtype != "uint8" or found.bands not in (3, 4) or found.names[3:] == ("",):
                raise DataError(
                    f"{path} holds {found}, which RGB would drop a part of. Type "
                    "data.channels=auto, or data.channels=[1,2,3]"
                )
            self._bands = [1, 2, 3]
        else:
            self._bands = choose_bands(self.channels, path, found)
        self.shape = (*found.size, len(self.channels))
        self.dtype = np.dtype(self.channels.dtype)
        self._last: tuple[Window, np.ndarray, np.ndarray | None] | None = None

    def __getitem__(self, window: Window) -> np.ndarray:
        """Return the pixels of a window, (h, w, channels)."""
        return self._read(window)[0]

    def valid(self, window: Window) -> np.ndarray | None:
        """Return where a window has data, `bool` (h, w); None: everywhere."""
        return self._read(window)[1]

    def _read(self, window: Window) -> tuple[np.ndarray, np.ndarray | None]:
        if self._last is not None and self._last[0] == window:  # its labels come next
            return self._last[1:]
        rows, columns = (
            (start, stop - start)
            for start, stop, _ in (
                axis.indices(length) for axis, length in zip(window, self.shape[:2], strict=True)
            )
        )
        layers: dict[int, np.ndarray] = {}
        masks: dict[int, np.ndarray] = {}
        before = 0
        for file, count in zip(self.files, self._counts, strict=True):
            here = [band for band in dict.fromkeys(self._bands) if before < band <= before + count]
            if here:
                with Tiff(file) as tiff:
                    part, mask = tiff.read([band - before for band in here], rows, columns)
                part = part.astype(self.dtype, copy=False)
                layers |= {band: part[..., index] for index, band in enumerate(here)}
                if mask is not None:
                    masks |= {band: mask[..., index] for index, band in enumerate(here)}
            before += count
        pixels = np.stack([layers[band] for band in self._bands], axis=-1)
        valid = None
        if masks:
            everywhere = np.ones(pixels.shape[:2], bool)
            known = np.stack([masks.get(band, everywhere) for band in self._bands], axis=-1)
            pixels, valid = fill_missing(pixels, known, self.channels)
        self._last = (window, pixels, valid)
        return pixels, valid


class WindowedLabels:
    """The labels of an image that is read in windows.

    Args:
        path: the mask; None: all is void.
        image: the image, which has data or not.
        labels: decodes the mask.
        max_pixels: see `ImageReader`.

    Raises:
        DataError: the mask cannot be read in windows, or has another size than its image.
    """

    def __init__(
        self, path: Path | None, image: WindowedImage, labels: Labels, max_pixels: int
    ) -> None:
        self.path, self.image, self.labels = path, image, labels
        self.shape = image.shape[:2]
        self.dtype = np.dtype(np.uint8)
        if path is None:
            return
        found = _tiff_format(path, max_pixels)
        if found.size != self.shape:
            raise DataError(
                f"{path} is {found.size[1]}x{found.size[0]} but its image {image.path.name} is "
                f"{self.shape[1]}x{self.shape[0]}. A mask has the size of its image."
            )
        self._bands = [1] if found.bands <= 2 else [1, 2, 3]

    @property
    def size(self) -> int:
        """The number of pixels."""
        return self.shape[0] * self.shape[1]

    def __getitem__(self, window: Window) -> np.ndarray:
        """Return the labels of a window, `uint8` (h, w)."""
        spans = [
            (start, stop - start)
            for start, stop, _ in (
                axis.indices(length) for axis, length in zip(window, self.shape, strict=True)
            )
        ]
        if self.path is None:
            labels = np.full([length for _, length in spans], VOID, np.uint8)
        else:
            labels = self.labels.decode(self.values(spans[0], spans[1]), self.path)
        valid = self.image.valid(window)
        return labels if valid is None else np.where(valid, labels, np.uint8(VOID))

    def values(self, rows: tuple[int, int], columns: tuple[int, int]) -> np.ndarray:
        """Return the mask's own values in a window: indices (h, w) or colours (h, w, 3)."""
        assert self.path is not None
        with Tiff(self.path) as tiff:
            values, _ = tiff.read(self._bands, rows, columns)
            if len(self._bands) == 1 and self.labels.by_color and (palette := tiff.palette()):
                table = np.zeros((256, 3), np.uint8)
                for index, color in palette.items():
                    table[index] = color[:3]
                return table[values[..., 0]]
        if values.min(initial=0) < 0 or values.max(initial=0) > 255:
            raise DataError(f"{self.path} holds the index {values.max():g}: masks have 0 to 255.")
        return values[..., 0].astype(np.uint8) if len(self._bands) == 1 else values.astype(np.uint8)


def _tiff_format(path: Path, max_pixels: int) -> ImageFormat:
    """Return the format of a file that can be read in windows.

    Raises:
        DataError: it is not a TIFF, or its pieces are too large.
    """
    if path.suffix.lower() not in TIFFS:
        raise DataError(
            f"{path} is too large to be read as a whole (data.max_pixels={max_pixels}), and only "
            f"TIFFs are read in windows: rio convert {path.name} {path.stem}.tif --co TILED=YES"
        )
    with Tiff(path) as tiff:
        found = tiff.format()
    if found.block is not None and found.block[0] * found.block[1] > MAX_BLOCK:
        raise DataError(
            f"{path} has more pixels than data.max_pixels={max_pixels}, and is stored in pieces of "
            f"{found.block[1]}x{found.block[0]}. Save it in tiles, which are read in windows: "
            f"rio convert {path.name} tiled.tif --co TILED=YES --co COMPRESS=DEFLATE"
        )
    return found
