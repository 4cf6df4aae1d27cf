"""The decoded pairs of a split as one file, which every process maps into its memory.

The file holds, pair after pair, the image (H, W, C) in the type of its file and the labels (H, W),
row after row, so that a crop touches the pages of its rows and no others; a seal at its end says
that it is whole.
Where each pair lies follows from the sizes, so there is no index to keep. It is a plain memory map
because the libraries for this either copy what is read (HDF5, Zarr, safetensors' NumPy side) or
want arrays of one shape, and all the project needs of one are offsets.
"""

import os
import struct
import time
import weakref
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np

from segmentation.data.cache.folder import share
from segmentation.data.discovery.layouts import Sample
from segmentation.data.discovery.pairs import PHOTOS, Pair, Pairs
from segmentation.data.images.channels import RGB, Channels
from segmentation.data.images.image_reader import ImageReader
from segmentation.data.masks.labels import Labels
from segmentation.errors import DataError
from segmentation.system.files import atomic_file
from segmentation.system.hardware import available_cores

SEAL = struct.Struct("<8sq")
"""A mark, and when the file was finished in whole seconds, which is its time of change too."""
MARK = b"cityseg1"
"""Another number whenever the same pairs become other bytes."""


class CachedPairs(Pairs):
    """Images and labels of a split, as read-only views of a file's bytes: nothing is copied.

    An item is (image, labels) as of `Pairs`. Forked processes share the map; one that gets a copy
    by pickling maps the same file again, and relies on the first to hold it.

    Args:
        path: the file, see `write_pairs`.
        samples, labels, reader: see `Pairs`.
        sizes: (n, 2), the pairs' heights and widths.

    Raises:
        FileNotFoundError: the file is missing or incomplete.
    """

    def __init__(
        self,
        path: Path,
        samples: Sequence[Sample],
        labels: Labels,
        sizes: np.ndarray,
        reader: ImageReader = PHOTOS,
    ) -> None:
        super().__init__(samples, labels, reader)
        self.path = path
        self.sizes = sizes
        self._starts, self.size = places(sizes, reader.channels)
        file = path.open("rb")
        weakref.finalize(self, file.close)
        if not share(file):
            raise FileNotFoundError(f"{path} has just been removed")
        self._bytes = self._map()

    def __getitem__(self, index: int) -> Pair:  # type: ignore[override]  # no slices
        height, width = self.sizes[index]
        start, pixels = self._starts[index], height * width
        channels, dtype = len(self.reader.channels), np.dtype(self.reader.channels.dtype)
        labels = start + channels * dtype.itemsize * pixels
        return (
            self._bytes[start:labels].view(dtype).reshape(height, width, channels),
            self._bytes[labels : labels + pixels].reshape(height, width),
        )

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_bytes": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._bytes = self._map()

    def _map(self) -> np.ndarray:
        with self.path.open("rb") as file:
            state = os.fstat(file.fileno())
            file.seek(self.size)
            seal = file.read()
            if len(seal) != SEAL.size:
                raise FileNotFoundError(f"{self.path} is cut off")
            mark, finished = SEAL.unpack(seal)
            if mark != MARK or state.st_mtime_ns != finished * 10**9:
                raise FileNotFoundError(f"{self.path} has been written to")
            return np.memmap(file, np.uint8, mode="r", shape=(self.size,)).view(np.ndarray)


def places(sizes: np.ndarray, channels: Channels = RGB) -> tuple[np.ndarray, int]:
    """Return the byte offset of each pair, and the total size.

    Args:
        sizes: (n, 2), heights and widths.
        channels: of the images; each begins at a multiple of its type's bytes.
    """
    pixels = np.asarray(sizes, dtype=np.int64).prod(axis=1)
    itemsize = np.dtype(channels.dtype).itemsize
    needed = (len(channels) * itemsize + 1) * pixels
    ends = np.cumsum(-(-needed // itemsize) * itemsize)
    return np.concatenate([[0], ends[:-1]]), int(ends[-1])


def write_pairs(path: Path, pairs: Pairs, sizes: np.ndarray, advance: Callable[[], object]) -> None:
    """Decode all pairs into a file that appears when it is complete.

    Args:
        path: the file.
        pairs: the pairs, which are decoded on all cores.
        sizes: (n, 2), their heights and widths.
        advance: called after each pair.

    Raises:
        DataError: files that cannot be used, or whose size has changed.
        OSError: the file cannot be written.
    """
    starts, size = places(sizes, pairs.reader.channels)

    def store(partial: Path, index: int) -> None:
        image, labels = pairs[index]
        if labels.shape != tuple(sizes[index]):
            raise DataError(f"{pairs.samples[index].image} has changed its size. Start again.")
        with partial.open("r+b") as file:
            file.seek(starts[index])
            file.write(np.ascontiguousarray(image).data)
            file.write(np.ascontiguousarray(labels).data)
        advance()

    with atomic_file(path) as partial:
        partial.touch()
        with ThreadPoolExecutor(available_cores()) as pool:
            for _ in pool.map(store, repeat(partial, len(pairs)), range(len(pairs))):
                pass  # an error cancels the tasks that have not begun
        finished = int(time.time())
        with partial.open("r+b") as file:
            file.seek(size)
            file.write(SEAL.pack(MARK, finished))
        os.utime(partial, ns=(time.time_ns(), finished * 10**9))
