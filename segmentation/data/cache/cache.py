"""Open the pairs of a data set from the cache, and build the cache if needed.

A cache file is named by a hash of its inputs (see `cache_key`), so a changed image, mask or class
table gives another file, and no file is ever out of date.
"""

import hashlib
import logging
import sys
from collections.abc import Callable, Collection, Mapping, Sequence

import numpy as np
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from segmentation.console import PlainConsole
from segmentation.data.cache.folder import CacheFolder, disk_folder
from segmentation.data.cache.mapped_pairs import MARK, CachedPairs, places, write_pairs
from segmentation.data.discovery.layouts import Sample
from segmentation.data.discovery.pairs import PHOTOS, Pairs
from segmentation.data.discovery.scan import cache_key
from segmentation.data.discovery.scanned_dataset import ScannedDataset
from segmentation.data.images.image_reader import ImageReader
from segmentation.data.masks.labels import Labels
from segmentation.data.options import check_mode
from segmentation.errors import DataError

log = logging.getLogger(__name__)

AUTO_LIMIT = 2 * 10**9
"""Largest cache, in bytes, that data.cache=auto builds."""
AUTO_SHARE = 0.25
"""Largest share of the free disk space that data.cache=auto takes."""
ADVICE = "Type data.cache=off, or XDG_CACHE_HOME=<folder on another disk> before the command."


class UncachedPairs(Pairs):
    """Pairs that are decoded at every access, with the reason why they are not cached."""

    def __init__(
        self,
        samples: Sequence[Sample],
        labels: Labels,
        reason: str,
        reader: ImageReader = PHOTOS,
    ) -> None:
        super().__init__(samples, labels, reader)
        self.reason = reason


def open_pairs(dataset: ScannedDataset, mode: str, build: bool = True) -> dict[str, Pairs]:
    """Open the pairs of each split, cached or not; `describe_cache` tells which.

    Missing cache files are built, after their size has been logged. If several processes need the
    same files, one builds them and the others wait.

    Args:
        dataset: the usable part of a data set.
        mode: ``"disk"``: a cache in the user's cache directory, for this run and later ones;
            ``"off"``: no cache; ``"auto"``: the cache if it exists, or if there is a train split
            and it takes at most `AUTO_LIMIT` and `AUTO_SHARE`.
        build: whether ``"auto"`` may build: reading every image only once is faster without.

    Raises:
        ConfigError: an invalid mode.
        DataError: not enough disk space, or files that cannot be used any more.
    """
    mode = check_mode(mode)
    if mode == "off":
        return _uncached(dataset, "files are decoded at every access")
    if large := _large(dataset):
        return _uncached(dataset, f"{large} are read in windows (data.max_pixels)")
    folder = disk_folder()
    splits = {
        split: _Split(
            Pairs(samples, dataset.labels, dataset.reader), dataset.scans[split].sizes, folder
        )
        for split, samples in dataset.samples.items()
    }
    needed = sum(split.size for split in splits.values())
    try:
        cached = _open(splits)
        if len(cached) < len(splits):
            if mode == "auto" and (why := _why_not(folder, needed, build and "train" in splits)):
                return _uncached(dataset, why)
            cached = _build(splits, folder)
    except OSError as error:
        if mode == "auto":
            log.warning("no cache of decoded images: %s cannot be used (%s).", folder.path, error)
            return _uncached(dataset, f"{folder.path} cannot be used ({error})")
        raise DataError(f"the cache in {folder.path} cannot be used: {error}. {ADVICE}") from error
    return cached


def _large(dataset: ScannedDataset) -> str:
    """Count the images that are not decoded as a whole, in words; empty for none."""
    most = dataset.reader.max_pixels
    count = sum(
        int((scan.sizes.astype(np.int64).prod(axis=1) > most).sum())
        for scan in dataset.scans.values()
    )
    return f"{count} large images" if count else ""


def describe_cache(splits: Collection[Pairs]) -> str:
    """Describe where the pairs of some splits come from."""
    cached = [pairs for pairs in splits if isinstance(pairs, CachedPairs)]
    if cached:
        size = format_bytes(sum(pairs.size for pairs in cached))
        return f"{size} in {cached[0].path.parent}"
    reasons = [pairs.reason for pairs in splits if isinstance(pairs, UncachedPairs)]
    return f"off: {reasons[0]}" if reasons else "off"


def _uncached(dataset: ScannedDataset, reason: str) -> dict[str, Pairs]:
    return {
        split: UncachedPairs(samples, dataset.labels, reason, dataset.reader)
        for split, samples in dataset.samples.items()
    }


class _Split:
    """A split and its cache file.

    Args:
        pairs: the pairs, decoded at every access.
        sizes: (n, 2), their heights and widths.
        folder: the cache folder.

    Attributes:
        file: the path of the cache file for the present images and masks.
        size: the decoded pairs' size in bytes.
    """

    def __init__(self, pairs: Pairs, sizes: np.ndarray, folder: CacheFolder) -> None:
        self.pairs, self.sizes, self.folder = pairs, sizes, folder
        _, self.size = places(sizes, pairs.reader.channels)
        self.file = folder.file(self._key())

    def _key(self) -> str:
        digest = hashlib.sha256(MARK + self.sizes.astype("<i8").tobytes())
        pairs = self.pairs
        digest.update(cache_key(pairs.samples, pairs.labels, pairs.reader).encode())
        return digest.hexdigest()[:32]

    def open(self) -> CachedPairs | None:
        """Return the cached pairs, or None if the file is missing or incomplete."""
        pairs = self.pairs
        try:
            return CachedPairs(self.file, pairs.samples, pairs.labels, self.sizes, pairs.reader)
        except FileNotFoundError:
            return None

    def write(self, advance: Callable[[], object]) -> None:
        """Write the file; `advance` is called after each pair."""
        write_pairs(self.file, self.pairs, self.sizes, advance)
        if self.folder.file(self._key()) != self.file:
            self.file.unlink()
            raise DataError(
                f"images or masks beside {self.pairs.samples[0].image} changed while they were "
                "read. Start again."
            )


def _open(splits: Mapping[str, _Split]) -> dict[str, Pairs]:
    """Return the cached pairs of the splits whose file is complete."""
    opened = {name: split.open() for name, split in splits.items()}
    return {name: pairs for name, pairs in opened.items() if pairs is not None}


def _build(splits: Mapping[str, _Split], folder: CacheFolder) -> dict[str, Pairs]:
    """Build the missing files, and return the cached pairs of all splits."""
    with folder.locked():
        cached = _open(splits)  # in use, so that make_room does not remove them
        missing = [split for name, split in splits.items() if name not in cached]
        needed = sum(split.size for split in missing)
        count = sum(len(split.pairs) for split in missing)
        if (room := folder.make_room(needed)) < needed:
            raise DataError(
                f"the cache takes {format_bytes(needed)} and {folder.path} has room for "
                f"{format_bytes(room)}. {ADVICE}"
            )
        if missing:
            log.info(
                "cache: decoding %d pairs into %s, %s", count, folder.path, format_bytes(needed)
            )
        with _bar() as bar:
            task = bar.add_task("decoding", total=count)
            for split in missing:
                split.write(lambda: bar.advance(task))
        return _open(splits)


def _why_not(folder: CacheFolder, needed: int, train: bool) -> str:
    """Return why data.cache=auto builds no cache, or an empty string."""
    if not train:
        return "each image is read once"
    reason = ""
    if needed > AUTO_LIMIT:
        reason = f"more than {format_bytes(AUTO_LIMIT)}"
    elif needed > AUTO_SHARE * (room := folder.free_bytes()):
        reason = f"much of the {format_bytes(room)} free in {folder.path}"
    return reason and f"{format_bytes(needed)}, {reason}; data.cache=disk builds it"


def _bar() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=PlainConsole(stderr=True),
        transient=True,
        disable=not sys.stderr.isatty(),
    )


def format_bytes(size: int) -> str:
    """Format a number of bytes, as in ``"147 kB"``."""
    for unit, name in ((1e9, "GB"), (1e6, "MB")):
        if size >= unit:
            return f"{size / unit:.3g} {name}"
    return f"{size / 1e3:.3g} kB"
