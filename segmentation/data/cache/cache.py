"""The cache of decoded pairs: whether there is one, where, and how large.

A cache file is named by what it was made from (see `cache_key`), so a changed image, mask or class
table is another file, and none is ever out of date.
"""

import hashlib
import logging
import sys
from collections.abc import Callable, Collection, Mapping, Sequence

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from segmentation.data.cache.folder import CacheFolder, disk_folder, memory_folder, sweep_memory
from segmentation.data.cache.mapped_pairs import MARK, CachedPairs, places, write_pairs
from segmentation.data.discovery.labels import Labels
from segmentation.data.discovery.layouts import Sample
from segmentation.data.discovery.pairs import Pairs
from segmentation.data.discovery.scan import cache_key
from segmentation.data.discovery.scanned_dataset import ScannedDataset
from segmentation.errors import ConfigError, DataError

log = logging.getLogger(__name__)

MODES = ("auto", "disk", "ram", "off")
AUTO_LIMIT = 2 * 10**9
"""Bytes of the largest cache that is built unasked."""
AUTO_SHARE = 0.25
"""The part of the free room that such a cache may take."""


class UncachedPairs(Pairs):
    """Pairs that are decoded whenever they are asked for, and why they are not cached."""

    def __init__(self, samples: Sequence[Sample], labels: Labels, reason: str) -> None:
        super().__init__(samples, labels)
        self.reason = reason


def open_pairs(source: ScannedDataset, mode: str, build: bool = True) -> dict[str, Pairs]:
    """Return the pairs of each split, cached or not; `describe_cache` says which.

    What the cache does not have yet is built, after its size has been announced. Of several
    processes that ask at once one builds and the others wait.

    Args:
        source: what can be used of a data set.
        mode: ``"disk"``: in the user's cache directory, for this run and later ones; ``"ram"``: in
            memory, shared by the runs that use it at one time; ``"off"``: no cache; ``"auto"``: on
            disk where it is there already, or where the data are to be trained on, take at most
            `AUTO_LIMIT` and leave room enough.
        build: whether ``"auto"`` may build: reading every image once is faster without.

    Raises:
        ConfigError: another mode, or one that this system does not have.
        DataError: no room for the cache, or files that cannot be used any more.
    """
    mode = "off" if mode is False else mode  # which is how YAML reads off without quotes
    if mode not in MODES:
        raise ConfigError(f"data.cache={mode!r} is not known: use auto, disk, ram or off.")
    sweep_memory()
    if mode == "off":
        return _decoded(source, "files are decoded whenever they are needed")
    folder = memory_folder() if mode == "ram" else disk_folder()
    splits = {
        split: _Split(Pairs(samples, source.labels), source.scans[split].sizes, folder)
        for split, samples in source.samples.items()
    }
    needed = sum(split.size for split in splits.values())
    try:
        cached = _open(splits)
        if len(cached) < len(splits):
            if mode == "auto" and (why := _why_not(folder, needed, build and "train" in splits)):
                return _decoded(source, why)
            cached = _build(splits, folder)
    except OSError as error:
        if mode == "auto":
            log.warning("no cache of decoded images: %s cannot be used (%s).", folder.path, error)
            return _decoded(source, f"{folder.path} cannot be used ({error})")
        raise DataError(
            f"the cache in {folder.path} cannot be used: {error}. {folder.advice}"
        ) from error
    return cached


def describe_cache(splits: Collection[Pairs]) -> str:
    """Return in words where the pairs of some splits come from."""
    cached = [pairs for pairs in splits if isinstance(pairs, CachedPairs)]
    if cached:
        until = ", until the last run that uses it ends" if cached[0].remove else ""
        size = format_bytes(sum(pairs.size for pairs in cached))
        return f"{size} in {cached[0].path.parent}{until}"
    reasons = [pairs.reason for pairs in splits if isinstance(pairs, UncachedPairs)]
    return f"off: {reasons[0]}" if reasons else "off"


def _decoded(source: ScannedDataset, reason: str) -> dict[str, Pairs]:
    return {
        split: UncachedPairs(samples, source.labels, reason)
        for split, samples in source.samples.items()
    }


class _Split:
    """A split that is to be cached.

    Args:
        pairs: its pairs.
        sizes: (n, 2), their heights and widths.
        folder: where its file belongs.

    Attributes:
        file: the file for the images and masks as they are now.
        size: the bytes of the decoded pairs.
    """

    def __init__(self, pairs: Pairs, sizes: np.ndarray, folder: CacheFolder) -> None:
        self.pairs, self.sizes, self.folder = pairs, sizes, folder
        _, self.size = places(sizes)
        self.file = folder.file(self._key())

    def _key(self) -> str:
        digest = hashlib.sha256(MARK + self.sizes.astype("<i8").tobytes())
        digest.update(cache_key(self.pairs.samples, self.pairs.labels).encode())
        return digest.hexdigest()[:32]

    def open(self) -> CachedPairs | None:
        """Return the cached pairs, None where there is no file that is whole."""
        samples, labels = self.pairs.samples, self.pairs.labels
        try:
            return CachedPairs(self.file, samples, labels, self.sizes, self.folder.in_memory)
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
    """Return the cached pairs of those splits whose file is there and whole."""
    opened = {name: split.open() for name, split in splits.items()}
    return {name: pairs for name, pairs in opened.items() if pairs is not None}


def _build(splits: Mapping[str, _Split], folder: CacheFolder) -> dict[str, Pairs]:
    """Return the cached pairs of all splits, after building what is still missing."""
    with folder.alone():
        cached = _open(splits)  # held, so that making room leaves them alone
        missing = [split for name, split in splits.items() if name not in cached]
        needed = sum(split.size for split in missing)
        count = sum(len(split.pairs) for split in missing)
        if (room := folder.make_room(needed)) < needed:
            raise DataError(
                f"the cache takes {format_bytes(needed)} and {folder.path} has room for "
                f"{format_bytes(room)}. {folder.advice}"
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
    """Return why no cache is built unasked, or an empty string."""
    if not train:
        return "each image is read once"
    reason = ""
    if needed > AUTO_LIMIT:
        reason = f"more than {format_bytes(AUTO_LIMIT)}"
    elif needed > AUTO_SHARE * (room := folder.room()):
        reason = f"much of the {format_bytes(room)} that {folder.path} has left"
    return reason and f"{format_bytes(needed)}, {reason}; data.cache=disk builds it"


def _bar() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
        disable=not sys.stderr.isatty(),
    )


def format_bytes(size: int) -> str:
    """Return a number of bytes for people."""
    for unit, name in ((1e9, "GB"), (1e6, "MB")):
        if size >= unit:
            return f"{size / unit:.3g} {name}"
    return f"{size / 1e3:.3g} kB"
