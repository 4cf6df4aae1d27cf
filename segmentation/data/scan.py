"""One look at every file of a split before training: that all of it can be used, and its counts.

The result is kept in the user's cache directory under the files' fingerprint, so that the look is
taken once for each state of the data.
"""

import contextlib
import hashlib
import json
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from platformdirs import user_cache_path

from segmentation.classes import ClassTable
from segmentation.data.files import check_labels, read_image, read_mask
from segmentation.data.layouts import Sample
from segmentation.errors import DataError
from segmentation.hardware import available_cores

SHOWN = 5
ORIENTATION = 0x0112  # the EXIF tag


@dataclass(frozen=True)
class Scan:
    """What a split holds, in the order of its samples.

    Attributes:
        pixels: `int64` (images, C): labelled pixels of each class in each image.
        sizes: `int64` (images, 2): height and width.
        fingerprint: a hash of the names and contents of all files; copies of the data share it.
    """

    pixels: np.ndarray
    sizes: np.ndarray
    fingerprint: str


def scan(samples: Sequence[Sample], classes: ClassTable) -> Scan:
    """Decode every image and mask once and count the labels.

    Raises:
        DataError: files that cannot be read, masks of another size than their image, or labels
            outside the class table; the message lists the first of them.
    """
    key = cache_key(samples, classes)
    cached = user_cache_path("cityseg") / "scans" / f"{key}.npz"
    if (kept := _load(cached, len(samples), len(classes))) is not None:
        return kept
    with ThreadPoolExecutor(available_cores()) as pool:
        results = list(pool.map(lambda sample: _look(sample, classes), samples))
    problems = [result for result in results if isinstance(result, DataError)]
    if problems:
        shown = "\n  ".join(str(problem) for problem in problems[:SHOWN])
        more = f"\n  and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
        raise DataError(f"{len(problems)} of {len(samples)} pairs cannot be used:\n  {shown}{more}")
    good = [result for result in results if not isinstance(result, DataError)]
    digest = hashlib.sha256()
    for sample, (_, _, content) in zip(samples, good, strict=True):
        digest.update(f"{sample.name}|{content}\n".encode())
    found = Scan(
        pixels=np.stack([counts for counts, _, _ in good]),
        sizes=np.array([size for _, size, _ in good], dtype=np.int64),
        fingerprint=digest.hexdigest()[:32],
    )
    _keep(cached, found)
    return found


def cache_key(samples: Sequence[Sample], classes: ClassTable) -> str:
    """Return a hash that changes whenever a file of the split, or the class table, does.

    It is made from the files' places, sizes and times of change, without reading them.
    """
    digest = hashlib.sha256(json.dumps(classes.to_dict()).encode())
    for sample in samples:
        for path in (sample.image, sample.mask):
            try:
                state = path.stat()
            except OSError as error:
                raise DataError(f"{path} cannot be read: {error.strerror}.") from error
            digest.update(f"{path.resolve()}|{state.st_size}|{state.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:32]


def _look(
    sample: Sample, classes: ClassTable
) -> tuple[np.ndarray, tuple[int, int], str] | DataError:
    """Return the labelled pixels, the size and a hash of one pair, or what is wrong with it."""
    try:
        image = read_image(sample.image)
        mask = read_mask(sample.mask)
        if mask.shape != image.shape[:2]:
            raise DataError(
                f"{sample.mask} is {mask.shape[1]}x{mask.shape[0]} but its image "
                f"{sample.image.name} is {image.shape[1]}x{image.shape[0]}. "
                "A mask has the size of its image."
            )
        with Image.open(sample.image) as header:
            if header.getexif().get(ORIENTATION, 1) != 1:
                raise DataError(
                    f"{sample.image} carries an EXIF rotation that its mask cannot have. "
                    "Save it upright and without the tag."
                )
        counts = np.bincount(mask.ravel(), minlength=256)
        check_labels(sample.mask, np.flatnonzero(counts), classes)
        files = (sample.image.read_bytes(), sample.mask.read_bytes())
    except DataError as error:
        return error
    content = "|".join(hashlib.sha256(content).hexdigest() for content in files)
    return counts[: len(classes)].astype(np.int64), mask.shape, content


def _load(path: Path, images: int, classes: int) -> Scan | None:
    try:
        with np.load(path, allow_pickle=False) as kept:
            found = Scan(kept["pixels"], kept["sizes"], str(kept["fingerprint"]))
    except (OSError, ValueError, KeyError):
        return None  # not there yet, or damaged: look again
    return found if found.pixels.shape == (images, classes) else None


def _keep(path: Path, found: Scan) -> None:
    """Write the cache if it can be written; a machine without one only looks again next time."""
    partial = path.with_suffix(f".{os.getpid()}.npz")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(
            partial, pixels=found.pixels, sizes=found.sizes, fingerprint=found.fingerprint
        )
        partial.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
