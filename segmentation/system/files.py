"""Atomic writes: a file is complete or absent, whoever reads it and whenever its writer dies."""

import csv
import hashlib
import io
import json
import math
import os
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from segmentation.errors import ConfigError, DataError, explain_validation
from segmentation.system.escaping import csv_cell

T = TypeVar("T")

PARTIAL = ".partial"
"""Suffix of a file that is being written."""
MAX_FILE_BYTES = 2**26
"""Larger than any table or list of files of this project; anything above it is not read."""
MAX_JSON_BYTES = 2**22
"""Larger than any other JSON file of this project, and 100 MB in memory at most."""
DAMAGED_ARCHIVE = (
    OSError,
    ValueError,
    KeyError,
    EOFError,
    MemoryError,
    RuntimeError,
    zipfile.BadZipFile,
    zlib.error,
)
"""What NumPy and zipfile raise for a damaged archive, whatever is damaged."""
LONGEST_NAME = 200
"""Bytes of a name to which a process number and `PARTIAL` can be added; file systems allow 255."""
BINARY = (bytes, bytearray, memoryview)


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`, and rename it to `path` after the block, synced.

    Its name ends in the process number and `PARTIAL`, so that several processes may write the same
    file at once. If the block raises, `path` is left untouched and the temporary file is removed.
    """
    name = path.name
    if len(os.fsencode(name)) > LONGEST_NAME:
        name = hashlib.sha256(os.fsencode(name)).hexdigest()
    partial = path.with_name(f"{name}.{os.getpid()}{PARTIAL}")
    try:
        yield partial
        sync(partial)  # a crash must not leave a name without its bytes
        partial.replace(path)
    except BaseException:
        with suppress(OSError):  # the first error is the one to report
            partial.unlink(missing_ok=True)
        raise


def make_folder(path: Path, option: str = "output") -> None:
    """Make a folder that a user named, and those above it, unless it is there.

    Raises:
        ConfigError: it can't be made, or something else has its name.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise ConfigError(f"{option}={path} is not a folder. Choose another name.") from error
    except OSError as error:
        raise ConfigError(
            f"{option}={path} can't be made: {error.strerror}. Choose another place."
        ) from error


def sync(path: Path) -> None:
    """Write a file to the disk, or all files below a folder."""
    for file in [path] if path.is_file() else path.rglob("*"):
        if file.is_file():
            with file.open("rb") as opened:
                os.fsync(opened.fileno())


def file_sizes(folder: Path) -> dict[str, int]:
    """Return the size in bytes of each file below a folder, by its path in it."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.stat().st_size for path in files}


def write_atomic(path: Path, content: str | bytes) -> None:
    """Write a whole file at once, see `atomic_file`; text as UTF-8."""
    with atomic_file(path) as partial:
        partial.write_bytes(content.encode() if isinstance(content, str) else content)


def write_csv(path: Path, columns: Mapping[str, Sequence[Any]]) -> None:
    """Write a table as UTF-8: a column of equal length for each name, NaN as an empty cell."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(map(csv_cell, columns))
    for row in zip(*columns.values(), strict=True):
        writer.writerow(
            "" if isinstance(cell, float) and math.isnan(cell) else csv_cell(cell) for cell in row
        )
    write_atomic(path, text.getvalue())


def write_json(path: Path, values: dict[str, Any]) -> None:
    """Write values that `json.dumps` accepts, see `jsonable`."""
    write_atomic(path, json.dumps(values, indent=2) + "\n")


def file_state(path: Path) -> str:
    """Return a line that changes whenever a file does, without reading it.

    Among its times is that of the last change of the inode, which no copying tool sets back.
    """
    try:
        state = path.stat()
    except OSError:
        return f"{path}|missing\n"
    times = f"{state.st_mtime_ns}|{state.st_ctime_ns}"
    return f"{path.resolve()}|{state.st_size}|{times}\n"


def read_json(path: Path, remedy: str = "", most: int = MAX_JSON_BYTES) -> dict[str, Any] | None:
    """Return the dictionary in a file, or None if there is no such file.

    Args:
        path: the file.
        remedy: ends the message of the error.
        most: the most bytes that are read.

    Raises:
        DataError: it cannot be read, is too large, not UTF-8, invalid JSON, nested too deeply, or
            not an object.
    """
    try:
        content = read_bounded(path, most)
        values = json.loads(content.decode("utf-8"))
        if b"\\u" in content:  # half a surrogate pair cannot be written anywhere
            json.dumps(values, ensure_ascii=False).encode("utf-8")
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise damaged(path, error, remedy) from error
    if not isinstance(values, dict):
        raise damaged(path, "it is not a JSON object", remedy)
    return values


def read_json_as(kind: type[T], path: Path, remedy: str = "") -> T | None:
    """Return the content of a file as a dataclass, or None if there is no such file.

    Raises:
        DataError: see `read_json`; also fields that are missing or of another type.
    """
    from pydantic import TypeAdapter, ValidationError  # takes 0.2 s, too long for `--help`

    values = read_json(path, remedy)
    try:
        return None if values is None else TypeAdapter(kind).validate_python(values)
    except ValidationError as error:
        raise damaged(path, explain_validation(error), remedy) from error


def read_bounded(path: Path, most: int) -> bytes:
    """Return the content of a regular file of at most `most` bytes.

    Raises:
        OSError: it cannot be read.
        ValueError: it is larger, or not a file: opening a pipe would wait for its writer.
    """
    if path.exists() and not path.is_file():
        raise ValueError("it is not a file")
    with path.open("rb") as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise ValueError(f"it is larger than {most:,} bytes")
    return content


def damaged(path: Path, reason: object, remedy: str = "") -> DataError:
    """Return the error for a file that is there and cannot be used."""
    words = reason.strerror if isinstance(reason, OSError) and reason.strerror else str(reason)
    return DataError(f"{path} is damaged: {words.rstrip('.')}. {remedy}".rstrip())


def jsonable(value: object) -> Any:
    """Convert a value to the types of JSON; floats that are not finite become None.

    Args:
        value: JSON's own types, paths, NumPy's numbers and arrays, an object with a `to_json`
            method that returns such values, and dictionaries, sequences and sets of these.

    Raises:
        TypeError: any other type, pandas objects among them, whose `to_json` returns a string.
        RecursionError: it contains itself.
    """
    if hasattr(value, "to_json"):
        kind, value = type(value).__name__, value.to_json()
        if isinstance(value, str):
            raise TypeError(f"a {kind} is not JSON serializable; pass a list of its rows")
    if hasattr(value, "tolist"):  # NumPy's, without importing it
        value = value.tolist()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, Sequence | AbstractSet) and not isinstance(value, BINARY):
        return [jsonable(item) for item in value]
    raise TypeError(f"a {type(value).__name__} is not JSON serializable")
