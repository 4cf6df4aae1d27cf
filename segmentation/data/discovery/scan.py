"""Scan every file of a split before training: validity, and statistics of images and masks.

The result is kept in the user's cache directory under the files' fingerprint, so that unchanged
data are scanned only once.
"""

import contextlib
import hashlib
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from pathlib import Path

import imagehash
import numpy as np
from PIL import Image
from platformdirs import user_cache_path

from segmentation.data.discovery.layouts import Sample
from segmentation.data.discovery.pairs import PHOTOS, Pairs
from segmentation.data.images.image_reader import ImageReader
from segmentation.data.images.windowed import WindowedImage, WindowedLabels, thumbnail, windows
from segmentation.data.masks.labels import Labels, to_list
from segmentation.errors import DataError
from segmentation.pictures import viewed
from segmentation.system.files import DAMAGED_ARCHIVE, atomic_file, file_state
from segmentation.system.hardware import available_cores

THUMBNAIL = 512
"""Rows and columns that stand for an image that is read in windows."""
VERSION = 2
"""To be raised whenever decoding, counting or hashing changes."""


KINDS = {
    "pixels": "i",
    "void": "i",
    "unknown": "i",
    "sizes": "i",
    "brightness": "f",
    "appearance": "u",
    "image_hash": "U",
    "mask_hash": "U",
    "problem": "U",
}
"""The kind of NumPy type of each column of a scan."""


@dataclass(frozen=True)
class Scan:
    """Statistics of a split, in the order of its samples.

    Attributes:
        pixels: `int64` (n, C): labelled pixels of each class in each image.
        void: `int64` (n,): pixels of each image that are void.
        unknown: `int64` (n,): void pixels with a value outside the class table.
        sizes: `int64` (n, 2): height and width.
        brightness: `float32` (n, 2): mean and standard deviation of the luma, 0..255.
        appearance: `uint64` (n,): perceptual hash; similar images differ in few bits.
        image_hash, mask_hash: text (n,): SHA-256 of the files, empty without a mask.
        problem: text (n,): why a pair cannot be used; else empty.
    """

    pixels: np.ndarray
    void: np.ndarray
    unknown: np.ndarray
    sizes: np.ndarray
    brightness: np.ndarray
    appearance: np.ndarray
    image_hash: np.ndarray
    mask_hash: np.ndarray
    problem: np.ndarray

    def __len__(self) -> int:
        return len(self.problem)

    def select(self, chosen: np.ndarray) -> "Scan":
        """Return the scan of a part of the samples: `chosen` is a boolean (n,)."""
        return Scan(*(getattr(self, field.name)[chosen] for field in fields(self)))

    def fingerprint(self, samples: Sequence[Sample]) -> str:
        """Return a hash of the names and contents of all files; copies of the data share it."""
        digest = hashlib.sha256()
        for sample, image, mask in zip(samples, self.image_hash, self.mask_hash, strict=True):
            digest.update(f"{sample.name}|{image}|{mask}\n".encode())
        return digest.hexdigest()[:32]


def scan_samples(samples: Sequence[Sample], labels: Labels, reader: ImageReader = PHOTOS) -> Scan:
    """Decode every image and mask once; `Scan.problem` tells what is wrong with a pair."""
    key = cache_key(samples, labels, reader)
    cached = user_cache_path("cityseg") / "scans" / f"{key}.npz"
    kept = _read(cached, len(samples), len(labels.classes))
    # A problem may have been the disk or a permission: such pairs are scanned again.
    todo = np.arange(len(samples)) if kept is None else np.flatnonzero(kept.problem != "")
    if kept is not None and not len(todo):
        return kept
    pairs = Pairs(samples, labels, reader)
    with ThreadPoolExecutor(available_cores()) as pool:
        rows = list(pool.map(lambda index: _scan_pair(pairs, index), todo.tolist()))
    found = Scan(*map(np.array, zip(*rows, strict=True)))
    if kept is not None:
        found = _replace_rows(kept, found, todo)
    _write(cached, found)
    return found


def _replace_rows(kept: Scan, found: Scan, rows: np.ndarray) -> Scan:
    """Replace some rows of a scan."""
    rest = np.setdiff1d(np.arange(len(kept)), rows)
    order = np.argsort(np.concatenate([rest, rows]))
    columns = [(getattr(kept, one.name)[rest], getattr(found, one.name)) for one in fields(Scan)]
    return Scan(*(np.concatenate(pair)[order] for pair in columns))


def cache_key(samples: Sequence[Sample], labels: Labels, reader: ImageReader = PHOTOS) -> str:
    """Hash the files of a split, the class table and what is read; any change gives another key.

    Computed from the states of the files, see `file_state`.
    """
    table = [VERSION, to_list(labels.table), labels.unknown]
    digest = hashlib.sha256(json.dumps(table).encode())
    if not reader.channels.photos:
        digest.update(json.dumps(reader.channels.to_dict()).encode())
    for sample in samples:
        for path in filter(None, (*_image_files(sample.image, reader), sample.mask)):
            digest.update(file_state(path).encode())
    return digest.hexdigest()[:32]


def _image_files(path: Path, reader: ImageReader) -> list[Path]:
    try:
        return reader.files_of(path)
    except DataError:  # which reading it tells
        return [path]


def _scan_pair(pairs: Pairs, index: int) -> tuple:
    """Return one row of a `Scan`."""
    classes, sample = len(pairs.labels.classes), pairs.samples[index]
    try:
        image, mask = pairs[index]
        counts, unknown = _counts(mask, pairs, sample.mask)
        if isinstance(image, WindowedImage):
            image = thumbnail(image, THUMBNAIL)
    except DataError as error:
        nothing = np.zeros(classes, dtype=np.int64)
        return nothing, 0, 0, (0, 0), (0.0, 0.0), np.uint64(0), "", "", str(error)
    luma = Image.fromarray(viewed(image, pairs.reader.channels.shown)).convert("L")
    bits = imagehash.phash(luma).hash.ravel()
    values = np.asarray(luma, dtype=np.float32)
    return (
        counts[:classes],
        mask.size - counts[:classes].sum(),
        unknown,
        mask.shape,
        (values.mean(), values.std()),
        np.packbits(bits).view(">u8")[0].astype(np.uint64),
        _hash(*_image_files(sample.image, pairs.reader)),
        _hash(sample.mask) if sample.mask else "",
        "",
    )


def _hash(*files: Path) -> str:
    digest = hashlib.sha256()
    for path in files:
        with path.open("rb") as file:
            while part := file.read(1 << 20):
                digest.update(part)
    return digest.hexdigest()


def _counts(
    mask: np.ndarray | WindowedLabels, pairs: Pairs, path: Path | None
) -> tuple[np.ndarray, int]:
    """Return the pixels of each label, (256,), and of values outside the class table."""
    if not isinstance(mask, WindowedLabels):
        counts = np.bincount(mask.ravel(), minlength=256).astype(np.int64)
        return counts, _unknown(pairs, path)
    counts, unknown = np.zeros(256, np.int64), 0
    for rows, columns in windows(mask.shape):
        part = mask[rows, columns]
        counts += np.bincount(part.ravel(), minlength=256)
        if path is not None and pairs.labels.unknown == "void":
            spans = [(axis.start, axis.stop - axis.start) for axis in (rows, columns)]
            values = mask.values(spans[0], spans[1])
            unknown += int(np.count_nonzero(~pairs.labels.known(values, path)))
    return counts, unknown


def _unknown(pairs: Pairs, mask: Path | None) -> int:
    labels = pairs.labels
    if mask is None or labels.unknown == "error":
        return 0
    values = labels.read(mask, pairs.reader.max_pixels)
    return int(np.count_nonzero(~labels.known(values, mask)))


def _read(path: Path, images: int, classes: int) -> Scan | None:
    """Return a scan that was kept; None if it is missing, damaged or of another version."""
    shapes = {"pixels": (images, classes), "sizes": (images, 2), "brightness": (images, 2)}
    try:
        with np.load(path, allow_pickle=False) as kept:
            columns = {field.name: kept[field.name] for field in fields(Scan)}
    except DAMAGED_ARCHIVE:
        return None
    for name, kinds in KINDS.items():
        column = columns[name]
        if column.shape != shapes.get(name, (images,)) or column.dtype.kind not in kinds:
            return None
    return Scan(**columns)


def _write(path: Path, found: Scan) -> None:
    """Write the scan to the cache; where that is read-only the next start scans again."""
    arrays = {field.name: getattr(found, field.name) for field in fields(Scan)}
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_file(path) as partial, partial.open("wb") as file:
            np.savez_compressed(file, **arrays)
