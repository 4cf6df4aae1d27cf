"""Write PNG and TIFF files bit by bit, as no image library does of its own accord."""

import struct
import zlib
from pathlib import Path

import numpy as np


def _rows(values: np.ndarray, bits: int, wide: str) -> list[bytes]:
    """Pack the rows of an (H, W) array into so many bits a value, each row in whole bytes."""
    if bits == 16:
        return [row.astype(wide).tobytes() for row in values]
    spread = np.unpackbits(values.astype(np.uint8)[..., None], axis=2)[..., 8 - bits :]
    return [np.packbits(row).tobytes() for row in spread]


def write_png(
    path: Path,
    values: np.ndarray,
    bits: int,
    palette: bytes = b"",
    transparency: bytes = b"",
) -> Path:
    """Write a greyscale or palette PNG; `transparency` is the content of its tRNS chunk."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        crc = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", crc)

    height, width = values.shape
    header = struct.pack(">IIBBBBB", width, height, bits, 3 if palette else 0, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row for row in _rows(values, bits, ">u2")))
    chunks = [(b"IHDR", header), (b"PLTE", palette), (b"tRNS", transparency), (b"IDAT", pixels)]
    body = b"".join(chunk(kind, content) for kind, content in chunks if content)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body + chunk(b"IEND", b""))
    return path


def write_tiff(path: Path, values: np.ndarray, bits: int, white_is_zero: bool) -> Path:
    """Write an uncompressed greyscale TIFF in one strip, little-endian."""
    height, width = values.shape
    pixels = b"".join(_rows(values, bits, "<u2"))
    pixels += b"\0" * (len(pixels) % 2)
    tags = {256: width, 257: height, 258: bits, 259: 1, 262: int(not white_is_zero)}
    tags |= {273: 8, 277: 1, 278: height, 279: len(pixels)}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    directory = struct.pack("<H", len(tags)) + entries + struct.pack("<I", 0)
    path.write_bytes(b"II*\0" + struct.pack("<I", 8 + len(pixels)) + pixels + directory)
    return path
