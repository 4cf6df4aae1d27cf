"""The SHA-256 of every file of a data set, as ``sha256sum`` writes it, and which files match."""

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from segmentation.errors import DataError

_LINE = re.compile(r"([0-9a-f]{64}) [ *](.+)")


def read_checksums(path: Path) -> dict[str, str]:
    """Read a list of checksums.

    Args:
        path: one file a line: 64 hexadecimal digits, two spaces, a path with ``/``.

    Returns:
        The digest of each file by its path below the data set's folder.

    Raises:
        DataError: an invalid line, a path named twice, or one outside the folder.
    """
    checksums: dict[str, str] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        match = _LINE.fullmatch(line)
        if not match:
            raise DataError(f"{path}, line {number} is not a SHA-256 and a path: {line!r}.")
        digest, name = match.groups()
        parts = PurePosixPath(name)
        if parts.is_absolute() or ".." in parts.parts or re.search(r"[\\:\0]", name):
            raise DataError(f"{path}, line {number} leads out of the data set's folder: {name!r}.")
        if str(parts) in checksums:
            raise DataError(f"{path}, line {number} names {name!r} twice.")
        checksums[str(parts)] = digest
    return checksums


def sha256(data: bytes | bytearray) -> str:
    """Return the SHA-256 of `data` as 64 hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def compare(root: Path, checksums: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """Compare the files below `root` with their checksums.

    Returns:
        The paths of missing files, and of files with another checksum.
    """
    missing, wrong = [], []
    for path, digest in checksums.items():
        try:
            with open(root / path, "rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
        except (FileNotFoundError, NotADirectoryError):
            missing.append(path)
            continue
        if found != digest:
            wrong.append(path)
    return missing, wrong
