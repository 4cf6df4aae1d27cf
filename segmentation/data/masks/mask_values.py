"""Count what values a data set's masks hold, and how they lie beside each other."""

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from segmentation.classes import Color
from segmentation.data.files import read_mask, read_palette
from segmentation.data.images.image_format import MAX_PIXELS
from segmentation.data.masks.labels import pack
from segmentation.errors import DataError
from segmentation.system.hardware import available_cores

MOST_VALUES = 50_000
"""Masks with more colours are photos, whatever their number of pixels."""
MANY_VALUES, NAMED = 512, 3
"""Of more values than the first only so many files are kept as the second."""
SQUARE = np.ones((3, 3), np.uint8)
SMALL = 0.25
"""The largest share of all pixels that is void beside gapless indices, without a doubt."""
THIN = 0.1
"""The largest share of a border's pixels that are further from other values than it is wide."""
BORDER = 0.015
"""Half the width of a border of void, as a share of an image's shorter side: VOC's are 5 pixels."""


@dataclass
class Value:
    """One value of a data set's masks: an index, or a colour as 0xRRGGBB.

    Attributes:
        pixels: that hold it.
        inner: those of them whose eight neighbours hold it too.
        between: those that lie, in each channel, between the least and the greatest of their
            neighbours, and neither of both.
        deep: those that are further from other values than a border of void is wide.
        files: the masks with it; the first few where there are very many values.
    """

    pixels: int = 0
    inner: int = 0
    between: int = 0
    deep: int = 0
    files: list[Path] = field(default_factory=list)


@dataclass
class MaskValues:
    """The values of a data set's masks.

    Attributes:
        indices, colors: by value, in rising order.
        pixels: of all masks.
        palettes: the colours that palettes give to the indices in use, with a file of each.
        without_palette: an index mask without a palette, if there is one.
        index_file, color_file: a mask of each kind, if there is one.
        transparent: indices that some mask declares transparent.
        grey: whether all colours are shades of grey.
        error: of a mask that cannot be read.
    """

    indices: dict[int, Value] = field(default_factory=dict)
    colors: dict[int, Value] = field(default_factory=dict)
    pixels: int = 0
    palettes: dict[int, dict[Color, list[Path]]] = field(default_factory=dict)
    without_palette: Path | None = None
    index_file: Path | None = None
    color_file: Path | None = None
    transparent: frozenset[int] = frozenset()
    grey: bool = True
    error: DataError | None = None


def count_values(
    masks: Sequence[Path], colors: bool = False, max_pixels: int = MAX_PIXELS
) -> MaskValues:
    """Count the values of masks; those that cannot be read are left out.

    Args:
        masks: the files.
        colors: count the colours of palettes in place of indices.
        max_pixels: of a mask; larger ones are not read.

    Raises:
        DataError: none can be read.
    """
    result = MaskValues()
    with ThreadPoolExecutor(available_cores()) as pool, _cancelled_on_error(pool):
        for path, counted in zip(
            masks, pool.map(lambda path: _count(path, colors, max_pixels), masks), strict=True
        ):
            if isinstance(counted, DataError):
                result.error = counted
            else:
                _add(result, path, *counted)
    if result.error and not result.pixels:
        raise result.error
    result.indices = dict(sorted(result.indices.items()))
    result.colors = dict(sorted(result.colors.items()))
    return result


@contextlib.contextmanager
def _cancelled_on_error(pool: ThreadPoolExecutor) -> Iterator[None]:
    """Drop what a pool has not begun when an error ends its use."""
    try:
        yield
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise


Counted = tuple[np.ndarray, np.ndarray, bool, dict[int, Color], frozenset[int]]


def _count(path: Path, colors: bool, max_pixels: int) -> Counted | DataError:
    """Return the values of a mask, their four counts (n, 4), and what its header says."""
    try:
        stored = read_mask(path, colors, max_pixels)
        palette, transparent = read_palette(path)
    except DataError as error:
        return error
    codes = stored if stored.ndim == 2 else pack(stored)
    low, high = cv2.erode(stored, SQUARE), cv2.dilate(stored, SQUARE)
    inner, between = low == high, (low < stored) & (stored < high)
    if stored.ndim == 3:
        # A blend may leave a channel as it is, where both colours share it
        within = (low < stored) & (stored < high) | (low == high)
        inner, between = inner.all(axis=2), within.all(axis=2) & between.any(axis=2)
    reach = 1 + 2 * max(1, round(BORDER * min(codes.shape)))
    square = np.ones((reach, reach), np.uint8)
    deep = (cv2.erode(stored, square) == cv2.dilate(stored, square)).reshape(*codes.shape, -1)
    if stored.ndim == 2:
        values, where = np.arange(256), codes.ravel()  # sorting takes many times as long
    else:
        values, where = np.unique(codes, return_inverse=True)
        where = where.ravel()
    counts = np.stack(
        [
            np.bincount(where, weights, minlength=len(values)).astype(np.int64)
            for weights in (None, inner.ravel(), between.ravel(), deep.all(axis=2).ravel())
        ],
        axis=1,
    )
    held = counts[:, 0] > 0
    values, counts = values[held], counts[held]
    used = {} if stored.ndim == 3 else {int(v): palette[v] for v in values.tolist() if v in palette}
    return values, counts, stored.ndim == 3, used, transparent


def _add(
    result: MaskValues,
    path: Path,
    values: np.ndarray,
    counts: np.ndarray,
    colored: bool,
    palette: dict[int, Color],
    transparent: frozenset[int],
) -> None:
    table = result.colors if colored else result.indices
    if len(table) + len(values) > MOST_VALUES:
        raise DataError(
            f"the masks hold more than {MOST_VALUES} colours ({path} has the last of them): they "
            "are photos, or were saved with compression that changes labels."
        )
    for value, (pixels, inner, between, deep) in zip(values.tolist(), counts.tolist(), strict=True):
        entry = table.setdefault(value, Value())
        entry.pixels += pixels
        entry.inner += inner
        entry.between += between
        entry.deep += deep
        if len(table) <= MANY_VALUES or len(entry.files) < NAMED:
            entry.files.append(path)
    result.pixels += int(counts[:, 0].sum())
    if colored:
        result.color_file = result.color_file or path
        red, green, blue = unpack(values).T
        result.grey = result.grey and bool(((red == green) & (green == blue)).all())
        return
    result.index_file = result.index_file or path
    result.transparent |= transparent
    if not palette:
        result.without_palette = result.without_palette or path
    for index, color in palette.items():
        result.palettes.setdefault(index, {}).setdefault(color, []).append(path)


def looks_void(values: MaskValues, index: int) -> bool:
    """Return whether an index could be void: a thin border, or a small share of the pixels."""
    found = [table[key] for table, key in _places(values, index) if key in table]
    pixels, deep = (sum(getattr(value, key) for value in found) for key in ("pixels", "deep"))
    return deep <= THIN * pixels or pixels <= SMALL * values.pixels


def _places(values: MaskValues, index: int) -> Iterable[tuple[dict[int, Value], int]]:
    """Return where an index and its grey are counted."""
    return (values.indices, index), (values.colors, index << 16 | index << 8 | index)


def unpack(codes: Iterable[int] | np.ndarray) -> np.ndarray:
    """Return 0xRRGGBB codes as `uint8` RGB colours (n, 3)."""
    codes = np.asarray(codes, dtype=np.int64)
    return np.stack([codes >> 16, codes >> 8 & 255, codes & 255], axis=-1).astype(np.uint8)
