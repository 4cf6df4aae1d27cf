"""Run-length encodings of masks: COCO's, CVAT's, and Label Studio's.

Files are anybody's, and a decoder in C trusts its input: every encoding is decoded to run lengths
here, and those must add up to the mask's pixels before anything is drawn.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np


@dataclass(frozen=True, eq=False)
class RunLengths:
    """A mask as run lengths in a window of an image.

    Args:
        counts: `int64`, lengths of runs of 0 and 1 in turn, 0 first, down the columns (COCO's
            order); they add up to height * width.
        height, width: of the window.
        top, left: where the window lies in its image.
    """

    counts: np.ndarray
    height: int
    width: int
    top: int = 0
    left: int = 0

    @cached_property
    def area(self) -> int:
        """Number of pixels of the mask."""
        return int(self.counts[1::2].sum())

    def decode(self) -> np.ndarray:
        """Return the mask, boolean (height, width)."""
        values = np.arange(len(self.counts)) % 2 == 1
        return np.repeat(values, self.counts).reshape(self.width, self.height).T


def encode(mask: np.ndarray, top: int = 0, left: int = 0) -> RunLengths:
    """Encode a boolean mask (H, W)."""
    height, width = mask.shape
    flat = np.asarray(mask, dtype=bool).ravel(order="F")
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    edges = np.concatenate([[0], changes, [flat.size]]) if flat.size else np.zeros(1, np.int64)
    counts = np.diff(edges)
    if flat.size and flat[0]:
        counts = np.concatenate([[0], counts])
    return RunLengths(counts.astype(np.int64), height, width, top, left)


def from_counts(counts: Sequence[int] | str | bytes, height: int, width: int) -> RunLengths:
    """Read COCO's run lengths, as a list or in its compressed text.

    Raises:
        ValueError: they are invalid, or are not those of a mask of that size.
    """
    if isinstance(counts, str | bytes):
        lengths = _uncompress(counts.encode() if isinstance(counts, str) else counts)
    else:
        lengths = _integers(counts)
    # Each is bounded before they are added up: a sum must not overflow.
    if (lengths < 0).any() or (lengths > height * width).any():
        raise ValueError("its RLE holds a run longer than the mask, or a negative one")
    if lengths.sum() != height * width:
        raise ValueError(
            f"its RLE covers {lengths.sum():,} pixels; its size, {height}x{width}, has "
            f"{height * width:,}"
        )
    return RunLengths(lengths, height, width)


def _integers(numbers: Sequence[int] | np.ndarray) -> np.ndarray:
    try:
        return np.asarray(numbers, dtype=np.int64).reshape(-1)
    except (OverflowError, TypeError, ValueError) as error:
        raise ValueError("its RLE holds a number that is too large, or none") from error


def _uncompress(text: bytes) -> np.ndarray:
    """Decode COCO's text: 5 bits a character, from 48 on; from the fourth, differences."""
    codes = np.frombuffer(text, dtype=np.uint8).astype(np.int64) - 48
    if not len(codes):
        return np.zeros(0, dtype=np.int64)
    last = (codes & 32) == 0
    if codes.min() < 0 or codes.max() > 63 or not last[-1]:
        raise ValueError("its RLE is not COCO's text")
    ends = np.flatnonzero(last)
    starts = np.concatenate([[0], ends[:-1] + 1])
    if (ends - starts).max() > 7:
        raise ValueError("its RLE holds a number that is too long")
    place = np.arange(len(codes)) - np.repeat(starts, ends - starts + 1)
    values = np.add.reduceat((codes & 31) << (5 * place), starts)
    negative = (codes[ends] & 16) != 0
    values -= np.where(negative, 1 << (5 * (ends - starts + 1)), 0)
    values[1::2] = np.cumsum(values[1::2])
    values[2::2] = np.cumsum(values[2::2])
    return values


def from_rows(counts: Sequence[int], height: int, width: int, top: int, left: int) -> RunLengths:
    """Read CVAT's run lengths, which go along the rows of a box.

    Raises:
        ValueError: they are not those of a box of that size.
    """
    transposed = from_counts(counts, width, height)
    return encode(transposed.decode().T, top, left)


class _Bits:
    """Reads numbers of a few bits from bytes, the highest bit first."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def read(self, bits: int) -> int:
        start, end = self._at, self._at + bits
        if end > 8 * len(self._data):
            raise ValueError("its RLE is cut off")
        self._at = end
        first, last = start // 8, (end + 7) // 8
        value = int.from_bytes(self._data[first:last], "big")
        return value >> (8 * last - end) & ((1 << bits) - 1)

    def read_many(self, number: int, bits: int) -> np.ndarray:
        """Return so many numbers of a few bits each, as `int64`."""
        start, end = self._at, self._at + number * bits
        if end > 8 * len(self._data):
            raise ValueError("its RLE is cut off")
        self._at = end
        packed = np.frombuffer(self._data[start // 8 : (end + 7) // 8], dtype=np.uint8)
        digits = np.unpackbits(packed)[start % 8 :][: number * bits].reshape(number, bits)
        return digits @ (1 << np.arange(bits)[::-1])


def from_brush(rle: Sequence[int] | np.ndarray, height: int, width: int) -> RunLengths:
    """Read Label Studio's brush, the RLE of an RGBA picture whose alpha is the mask.

    The format is that of https://github.com/thi-ng/umbrella/tree/develop/packages/rle-pack: the
    number of values, their width in bits, four widths of run lengths, then runs.

    Raises:
        ValueError: it is invalid, or is not that of a picture of this size.
    """
    data = _integers(rle)
    if data.size == 0 or data.min() < 0 or data.max() > 255:
        raise ValueError("its RLE is not a list of bytes")
    bits = _Bits(data.astype(np.uint8).tobytes())
    total = bits.read(32)
    if total != 4 * height * width:
        raise ValueError(
            f"its RLE holds {total:,} values; an RGBA picture of {height}x{width} has "
            f"{4 * height * width:,}"
        )
    word = bits.read(5) + 1
    widths = [bits.read(4) + 1 for _ in range(4)]
    values = np.zeros(total, dtype=np.uint8)
    at = 0
    while at < total:
        repeated = bits.read(1)
        length = bits.read(widths[bits.read(2)]) + 1
        end = min(at + length, total)
        if repeated:
            values[at:end] = min(bits.read(word), 255)
        else:
            values[at:end] = np.minimum(bits.read_many(end - at, word), 255)
        at = end
    return encode(values.reshape(height, width, 4)[..., 3] > 127)
