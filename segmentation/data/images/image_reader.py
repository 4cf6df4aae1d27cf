"""Read the channels of images: photos as RGB, and any bands of other files."""

import re
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import ImageOps

from segmentation.data.files import ORIENTATION, read_upright, unreadable
from segmentation.data.images.channels import RGB, Channels
from segmentation.data.images.geotiff import Tiff
from segmentation.data.images.image_format import (
    MAX_PIXELS,
    ImageFormat,
    check_pixels,
    opened,
    raw_mode,
    read_format,
)
from segmentation.errors import DataError

STEM = "{stem}"


@dataclass(frozen=True)
class Decoded:
    """A decoded image.

    Attributes:
        pixels: (H, W, channels), of the channels' type; those without data have their `fill`.
        valid: `bool` (H, W), False where no channel has data; None: everywhere is.
        unclear: whether it was rotated by an EXIF tag and kept its size.
    """

    pixels: np.ndarray
    valid: np.ndarray | None = None
    unclear: bool = False


@dataclass(frozen=True)
class ImageReader:
    """Reads images alike.

    Attributes:
        channels: what is read.
        max_pixels: the most pixels of an image that is read as a whole.
    """

    channels: Channels = RGB
    max_pixels: int = MAX_PIXELS

    def read(self, path: Path) -> Decoded:
        """Read an image.

        Args:
            path: the file; of several that hold the bands, the first.

        Raises:
            DataError: a file cannot be read, is too large, or has other bands.
        """
        if self.channels.photos:
            pixels, unclear = read_upright(path, self.max_pixels)
            return Decoded(pixels, None, unclear)
        pixels, valid, unclear = self._decode(path)
        return Decoded(*fill_missing(pixels, valid, self.channels), unclear)

    def sample_values(self, path: Path, side: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the values of evenly spaced pixels, and where there are data, (n, channels).

        Args:
            path: see `read`.
            side: at most so many rows and columns.
        """
        pixels, valid, _ = self._decode(path)
        steps = tuple(slice(None, None, -(-length // side)) for length in pixels.shape[:2])
        count = pixels.shape[2]
        return pixels[steps].reshape(-1, count), valid[steps].reshape(-1, count)

    def _decode(self, path: Path) -> tuple[np.ndarray, np.ndarray, bool]:
        """Return (H, W, channels), where there are data, and whether a rotation is unclear."""
        files = self.files_of(path)
        formats = [read_format(file) for file in files]
        check_pixels(path, *formats[0].size, self.max_pixels)
        chosen = choose_bands(self.channels, path, joined(files, formats, self.channels.files))
        layers, masks, taken = [], [], []
        first, unclear = 0, False
        for file, kind in zip(files, formats, strict=True):
            here = [band for band in chosen if first < band <= first + kind.bands]
            numbers = [band - first for band in here]
            first += kind.bands
            if here:
                taken += here
                part, mask, turned = read_bands(file, kind, numbers)
                unclear |= turned
                layers.append(part.astype(self.channels.dtype, copy=False))
                masks.append(np.ones(part.shape, bool) if mask is None else mask)
        order = [taken.index(band) for band in chosen]
        pixels = np.ascontiguousarray(np.concatenate(layers, axis=-1)[..., order])
        valid = np.concatenate(masks, axis=-1)[..., order]
        return pixels, valid, unclear

    def files_of(self, path: Path) -> list[Path]:
        """Return the files that hold an image's bands: itself, or those beside it by their names.

        Raises:
            DataError: its name is not like the first of `Channels.files`.
        """
        if not self.channels.files:
            return [path]
        stem = stem_of(path.name, self.channels.files[0])
        if stem is None:
            raise DataError(f"{path} is not named like data.bands, {self.channels.files[0]}.")
        return [path.with_name(name.replace(STEM, stem)) for name in self.channels.files]


def fill_missing(
    pixels: np.ndarray, valid: np.ndarray, channels: Channels
) -> tuple[np.ndarray, np.ndarray | None]:
    """Give pixels without data the channels' fill.

    Args:
        pixels: (H, W, channels), written to.
        valid: `bool` of the same shape.
        channels: which have a fill.

    Returns:
        The pixels, and `bool` (H, W), False where no channel has data; None: there is none.
    """
    if valid.all():
        return pixels, None
    pixels = np.where(valid, pixels, np.array(channels.fill, pixels.dtype))
    anywhere = np.asarray(valid.any(axis=-1))
    return pixels, None if anywhere.all() else anywhere


def stem_of(name: str, pattern: str) -> str | None:
    """Return what ``{stem}`` of a pattern stands for in a file's name; None if it does not fit."""
    before, _, after = pattern.partition(STEM)
    found = re.fullmatch(f"{re.escape(before)}(.+){re.escape(after)}", name, re.IGNORECASE)
    return found and found[1]


def band_name(pattern: str) -> str:
    """Return the name of the band in a file of a pattern: ``"{stem}_B04.tif"`` holds B04."""
    return re.sub(r"^[\W_]+|[\W_]+$", "", Path(pattern.replace(STEM, "")).stem)


def joined(files: list[Path], formats: list[ImageFormat], patterns: tuple[str, ...]) -> ImageFormat:
    """Return the format of files that hold one image's bands together.

    Raises:
        DataError: their sizes or types differ.
    """
    first = formats[0]
    for file, kind in zip(files, formats, strict=True):
        if kind.size != first.size:
            raise DataError(
                f"{file} is {kind.size[1]}x{kind.size[0]} but {files[0].name} is {first.size[1]}x"
                f"{first.size[0]}: bands of one image have one size. Resample them first, such as "
                f"rio warp {file.name} OUT.tif --like {files[0].name}"
            )
        if kind.dtype != first.dtype:
            raise DataError(
                f"{file} holds {kind.dtype} but {files[0].name} {first.dtype}: convert one."
            )
    if len(files) == 1:
        return first
    names: list[str] = []
    for pattern, kind in zip(patterns, formats, strict=True):
        name = band_name(pattern)
        names += [name] if kind.bands == 1 else [f"{name}.{n}" for n in range(1, kind.bands + 1)]
    photo = False
    return ImageFormat(first.size, len(names), first.dtype, tuple(names), photo, first.gdal)


def choose_bands(channels: Channels, path: Path, found: ImageFormat) -> list[int]:
    """Return the numbers of the bands of a file that are an image's channels.

    Raises:
        DataError: the file does not have them.
    """
    if found.dtype != channels.dtype:
        raise DataError(
            f"{path} holds {found}, and the other images {channels.dtype}: convert one of them."
        )
    if channels.by_name:
        lower = [name.lower() for name in found.names]
        missing = [name for name in channels.names if name.lower() not in lower]
        if missing:
            raise DataError(f"{path} has no band {missing[0]!r}: it holds {found}.")
        return [lower.index(name.lower()) + 1 for name in channels.names]
    bands = found.bands
    if channels.total not in (None, bands) or max(channels.bands) > bands:
        wanted = f"{channels.total} bands" if channels.total else f"a band {max(channels.bands)}"
        raise DataError(
            f"{path} holds {found}, and {wanted} "
            f"{'are' if channels.total else 'is'} expected. Name the bands to take: "
            "data.channels=[1,2,3]"
        )
    for band, name in zip(channels.bands, channels.names, strict=True):
        other = found.names[band - 1]
        if name and other and name.lower() != other.lower():
            raise DataError(
                f"{path}: band {band} is {other!r}, and {name!r} in other files. Choose bands by "
                f"name: data.channels=[{','.join(filter(None, channels.names))}]"
            )
    return list(channels.bands)


def read_bands(
    path: Path, found: ImageFormat, numbers: list[int]
) -> tuple[np.ndarray, np.ndarray | None, bool]:
    """Read some bands of a file.

    Returns:
        (H, W, bands), where there are data (`bool` of the same shape; None: everywhere), and
        whether it was rotated and kept its size.

    Raises:
        DataError: it cannot be read.
    """
    index = [number - 1 for number in numbers]
    if found.gdal:
        with Tiff(path) as tiff:
            return *tiff.read(numbers), False
    try:
        with opened(path, 1 << 62) as image:
            wide = ";16" in raw_mode(image) and image.mode.startswith("RGB")
            turned = image.getexif().get(ORIENTATION, 1)  # which may decode a PNG
            if wide:
                pixels = _read_16_bit_colors(path)
                if turned != 1:
                    raise DataError(f"{path} has 16 bits and an EXIF rotation: save it upright.")
            else:
                upright = ImageOps.exif_transpose(image)
                if upright.mode in ("P", "PA", "CMYK", "YCbCr", "LAB") or (
                    found.photo and found.bands == 3 and upright.mode != "RGBA"
                ):
                    upright = upright.convert("RGB")
                pixels = np.asarray(upright.convert("L") if upright.mode == "1" else upright)
                turned = turned != 1 and upright.size == image.size
    except DataError:
        raise
    except Exception as error:  # a damaged file makes Pillow raise nearly anything
        raise unreadable(path, error) from error
    pixels = pixels[..., None] if pixels.ndim == 2 else pixels
    pixels = pixels[..., index]
    valid = np.isfinite(pixels) if pixels.dtype.kind == "f" else None
    return pixels, valid, bool(turned is True)


def _read_16_bit_colors(path: Path) -> np.ndarray:
    """Read RGB or RGBA of 16 bits, of which Pillow keeps the upper 8."""
    content = np.frombuffer(path.read_bytes(), np.uint8)
    pixels = cv2.imdecode(content, cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.ndim != 3:
        raise DataError(f"{path} cannot be read. Replace or remove the file.")
    pixels[..., :3] = pixels[..., 2::-1].copy()
    return pixels
