"""The files of a ``.tar.gz``, while it arrives: what came before a drop is not lost."""

import tarfile
import zlib
from collections.abc import Iterator
from typing import IO, cast

from segmentation.data.fetch.client import DroppedError
from segmentation.errors import DataError

LIMIT = 2**30
"""Bytes, unpacked, after which an archive is cut off: CamVid's is a fifth of it."""


def members(
    pieces: Iterator[bytes], largest: int, limit: int = LIMIT
) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of each file in a ``.tar.gz``.

    Args:
        pieces: the archive's bytes as they arrive.
        largest: files with more bytes are passed over.
        limit: bytes, unpacked, after which the archive is cut off.

    Raises:
        DroppedError: it is damaged or ends too early.
        DataError: it does not end at `limit`.
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
    """A gzip stream as tarfile reads it: `read` gives some unpacked bytes, none at the end."""

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
                raise DataError(f"the archive was cut off: it does not end at {self._limit} bytes.")
            if data:
                return data
            if not packed and not self._gzip.eof:
                raise DroppedError("the archive ends too early")
        return b""
