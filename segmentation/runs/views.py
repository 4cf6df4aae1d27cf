"""Small pictures of every scored image: the photo, the truth and the prediction, in one archive.

``views.zip`` holds for every image ``image/<name>.jpg``, ``truth/<name>.png`` and
``prediction/<name>.png``, all three of one size. Labels are palette PNGs: a pixel's index is its
label in memory (void is 255), and the palette has the colours of the classes.
"""

import io
import zipfile
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from segmentation.classes import ClassTable
from segmentation.system.files import DAMAGED_ARCHIVE, atomic_file

VIEWS = "views.zip"
LONGEST_SIDE = 480
"""Their longer side at most, in pixels."""
MOST_VIEWS = 1000
"""A split with more images has views of so many, evenly spaced."""
MOST_BYTES = 2**22
"""A single file in an archive larger than this is not read."""
PARTS = {"image": "jpg", "truth": "png", "prediction": "png"}


@dataclass(frozen=True)
class View:
    """The pictures of one image, as encoded files (JPEG, PNG, PNG)."""

    image: bytes
    truth: bytes
    prediction: bytes


def small(size: Sequence[int]) -> tuple[int, int]:
    """Return (height, width) of the views of an image of a size."""
    scale = min(1.0, LONGEST_SIDE / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def encode_photo(image: np.ndarray, size: tuple[int, int]) -> bytes:
    """Return `uint8` RGB (H, W, 3) as a JPEG of a size (height, width)."""
    return _encoded(Image.fromarray(image).resize(size[::-1]), "jpeg", quality=80)


def encode_labels(labels: np.ndarray, classes: ClassTable | None = None) -> bytes:
    """Return `uint8` labels (H, W) as a small PNG; without a class table it is a grey one."""
    height, width = small(labels.shape)
    picture = Image.fromarray(labels).resize((width, height), Image.Resampling.NEAREST)
    return _encoded(_coloured(picture, classes) if classes else picture, "png")


def recoloured(png: bytes, classes: ClassTable) -> bytes:
    """Return a PNG of labels with the colours of a class table."""
    with Image.open(io.BytesIO(png), formats=("PNG",)) as picture:
        return _encoded(_coloured(Image.fromarray(np.asarray(picture)), classes), "png")


def labels_of(png: bytes) -> np.ndarray:
    """Return the labels `uint8` (h, w) of a PNG in an archive."""
    with Image.open(io.BytesIO(png), formats=("PNG",)) as picture:
        return np.asarray(picture)


def write_views(directory: Path, views: Iterable[tuple[str, View]]) -> None:
    """Write the archive of some images, by their names.

    Args:
        directory: it must be there; an archive in it is replaced.
        views: taken one by one, so that they need not all be in memory.
    """
    with (
        atomic_file(directory / VIEWS) as partial,
        zipfile.ZipFile(partial, "w", zipfile.ZIP_STORED) as archive,  # they are compressed
    ):
        for name, view in views:
            for part, suffix in PARTS.items():
                archive.writestr(f"{part}/{name}.{suffix}", getattr(view, part))


def view_names(directory: Path) -> set[str]:
    """Return the names of the images that have views; empty where there is no archive."""
    try:
        with zipfile.ZipFile(directory / VIEWS) as archive:
            members = set(archive.namelist())
    except DAMAGED_ARCHIVE:
        return set()
    sets = [
        {
            member.removeprefix(f"{part}/").removesuffix(f".{suffix}")
            for member in members
            if member.startswith(f"{part}/") and member.endswith(f".{suffix}")
        }
        for part, suffix in PARTS.items()
    ]
    return set.intersection(*sets)


def read_views(directory: Path, names: Iterable[str]) -> dict[str, View]:
    """Return the views of the named images, as far as they are there.

    An archive may be a stranger's: one that is damaged counts as missing, and so does an image
    whose files are no pictures of one size, or larger than any view.
    """
    views = {}
    try:
        with zipfile.ZipFile(directory / VIEWS) as archive:
            sizes = {member.filename: member.file_size for member in archive.infolist()}
            for name in names:
                files = [f"{part}/{name}.{suffix}" for part, suffix in PARTS.items()]
                if all(sizes.get(file, MOST_BYTES + 1) <= MOST_BYTES for file in files):
                    view = View(*map(archive.read, files))
                    if _sound(view):
                        views[name] = view
    except DAMAGED_ARCHIVE:
        return {}
    return views


def _sound(view: View) -> bool:
    """Return whether the files are a photo and two label maps, of one size that a view may have."""
    contents = (view.image, view.truth, view.prediction)
    formats = (("JPEG", "RGB"), ("PNG", "P"), ("PNG", "P"))
    sizes = set()
    try:
        for content, (kind, mode) in zip(contents, formats, strict=True):
            with Image.open(io.BytesIO(content), formats=(kind,)) as picture:
                if picture.mode != mode or max(picture.size) > LONGEST_SIDE:
                    return False
                sizes.add(picture.size)
                picture.load()
    except (OSError, ValueError, SyntaxError, zlib.error, Image.DecompressionBombError):
        return False
    return len(sizes) == 1


def _coloured(labels: Image.Image, classes: ClassTable) -> Image.Image:
    picture = Image.new("P", labels.size)
    picture.frombytes(labels.tobytes())
    picture.putpalette(np.asarray(classes.palette(), np.uint8).tobytes())
    return picture


def _encoded(picture: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()
