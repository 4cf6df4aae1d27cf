"""Unpack a ``.tar.gz`` while it arrives, so that a dropped connection loses no complete file."""

import tarfile
import zlib
from collections.abc import Iterator
from typing import IO, cast

from segmentation.data.fetch.client import DroppedError
from segmentation.errors import DataError

LIMIT = 2**30
"""The largest unpacked size of an archive, in bytes, about five times CamVid's."""


def members(
    pieces: Iterator[bytes], largest: int, limit: int = LIMIT
) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of each file in a ``.tar.gz``.

    Args:
        pieces: the archive's bytes as they arrive.
        largest: larger files are skipped, in bytes.
        limit: the largest unpacked size, in bytes.

    Raises:
        DroppedError: the archive is damaged or ends too early.
        DataError: the archive is larger than `limit`.
    """
    try:
        with tarfile.open(fileobj=cast(IO[bytes], _Unpacked(pieces, limit)), mode="r|") as archive:
            for member in archive:
                if member.isreg() and member.size <= largest:
                    content = archive.extractfile(member)
                    assert content is not None  # it is a regular file
                    yield member.name, content.read()
    except (tarfile.TarError, zlib.error) as error:
        raise DroppedError(f"the archive is damaged ({error})") from error


class _Unpacked:
    """A gzip stream as tarfile reads it: `read` returns unpacked bytes, none at the end."""

    def __init__(self, pieces: Iterator[bytes], limit: int) -> None:
        self._pieces = pieces
        self._left = self._limit = limit
        self._gzip = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)

    def read(self, size: int) -> bytes:
        while not self._gzip.eof:
            packed = self._gzip.unconsumed_tail or next(self._pieces, b"")
            data = self._gzip.decompress(packed, size)
            self._left -= len(data)
            if self._left < 0:
                raise DataError(f"the archive is larger than {self._limit} bytes, unpacked.")
            if data:
                return data
            if not packed and not self._gzip.eof:
                raise DroppedError("the archive ends too early")
        return b""
