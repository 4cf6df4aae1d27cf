"""A finished conversion: masks, class table and samples in a folder of the user's cache.

The folder's name is a hash of the annotation files and the images. It appears complete, and is
removed when another one is made and it has not been used for `KEPT` days.
"""

import contextlib
import hashlib
import json
import logging
import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from platformdirs import user_cache_path

from segmentation.data.annotations.folder import Folder
from segmentation.data.discovery.layouts import Sample
from segmentation.errors import DataError
from segmentation.system.files import (
    MAX_FILE_BYTES,
    PARTIAL,
    file_sizes,
    file_state,
    read_json,
    sync,
    write_json,
)

log = logging.getLogger(__name__)

VERSION = 2
"""To be raised whenever the same annotations become other masks."""
KEPT = 30
"""Days without use after which a conversion is removed; none trains that long in one go."""
RECORD, TABLE, LOCK = "conversion.json", "classes.yaml", "lock"


@dataclass(frozen=True)
class Conversion:
    """What became of a data set's annotations.

    Attributes:
        description: the format, and what was read.
        splits: the samples of each split; an empty name where there are no splits.
        notes: what was left out; warned of at each start.
        remarks: what else is worth knowing, such as what is on top where regions overlap.
        failures: why images that are annotated could not be converted; they are in no split.
        has_table: whether a class table came with the annotations.
    """

    description: str
    splits: dict[str, list[Sample]]
    notes: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    has_table: bool = True

    def to_json(self, folder: Path, root: Path) -> dict[str, Any]:
        """Return plain values; files in `folder` and in the data set's `root` are given in them."""
        bases = {"folder": folder, "root": root}
        splits = {
            split: [[one.name, *(_split_off(path, bases) for path in _files(one))] for one in rows]
            for split, rows in self.splits.items()
        }
        return {**asdict(self), "splits": splits}

    @classmethod
    def from_json(cls, values: dict[str, Any], folder: Path, root: Path) -> "Conversion":
        """Rebuild a conversion from `to_json`."""
        bases = {"folder": folder, "root": root, "": Path()}
        splits = {
            split: [
                Sample(name, *(bases[base] / rest for base, rest in files)) for name, *files in rows
            ]
            for split, rows in values["splits"].items()
        }
        return cls(**{**values, "splits": splits})


def _files(sample: Sample) -> tuple[Path, Path]:
    if sample.mask is None:
        raise ValueError("a converted image has a mask")
    return sample.image, sample.mask


def _split_off(path: Path, bases: dict[str, Path]) -> tuple[str, str]:
    """Return the base that a path lies in, and the rest of it."""
    for name, base in bases.items():
        if path.is_relative_to(base):
            return name, path.relative_to(base).as_posix()
    return "", str(path.absolute())


def convert_once(
    folder: Folder, convert: Callable[[Path], Conversion]
) -> tuple[Conversion, Path, bool]:
    """Return the conversion of a folder, its place, and whether it was made just now.

    Args:
        folder: the files that it depends on.
        convert: writes masks, and a class table, into a folder that it is given.

    Raises:
        DataError: as `convert` does; or the cache is not writable.
    """
    base = user_cache_path("cityseg") / "converted"
    place = base / _key(folder)
    if (known := _read(place, folder.root)) is not None:
        return known, place, False
    try:
        with _locked(base):
            # Another process may have made it in the meantime
            if (known := _read(place, folder.root)) is not None:
                return known, place, False
            _remove_unused(base)
            return _write(base, place, folder.root, convert), place, True
    except OSError as error:
        if error.filename and not Path(str(error.filename)).is_relative_to(base):
            raise DataError(f"{error.filename} cannot be read: {error.strerror}.") from error
        raise DataError(
            f"the masks of {folder.base} cannot be written to {base}: {error}. Type "
            "XDG_CACHE_HOME=<folder on another disk> before the command."
        ) from error


def _write(
    base: Path, place: Path, root: Path, convert: Callable[[Path], Conversion]
) -> Conversion:
    """Convert into a folder aside, and move it to its place."""
    partial = base / f"{place.name}.{os.getpid()}{PARTIAL}"
    partial.mkdir()
    try:
        conversion = convert(partial)
        record = conversion.to_json(partial, root)
        write_json(partial / RECORD, {**record, "files": file_sizes(partial)})
        sync(partial)
        if place.exists():  # damaged: without a readable record
            shutil.rmtree(place)
        partial.rename(place)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return Conversion.from_json(record, place, root)


def _read(place: Path, root: Path) -> Conversion | None:
    """Return a conversion that was kept; None if it is missing, damaged or of another version."""
    with contextlib.suppress(DataError, ValueError, KeyError, TypeError, AttributeError):
        values = read_json(place / RECORD, most=MAX_FILE_BYTES)
        if values is not None and values.pop("files") == _written(place):
            with contextlib.suppress(OSError):  # the time of last use
                os.utime(place / RECORD)
            return Conversion.from_json(values, place, root)
    return None


def _written(place: Path) -> dict[str, int]:
    """Return the sizes of the files that a conversion wrote, its record aside."""
    return {name: size for name, size in file_sizes(place).items() if name != RECORD}


def _remove_unused(base: Path) -> None:
    """Remove the conversions that no run has started with for a long time."""
    for record in base.glob(f"*/{RECORD}"):
        with contextlib.suppress(OSError):
            if time.time() - record.stat().st_mtime > KEPT * 24 * 3600:
                record.unlink()  # first: without it the rest counts for nothing
                shutil.rmtree(record.parent)


@contextlib.contextmanager
def _locked(base: Path) -> Iterator[None]:
    """Let no other process convert; wait for one that does."""
    base.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = FileLock(base / LOCK)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        log.info("annotations: waiting for another process that converts into %s", base)
        lock.acquire()
    try:
        for leftover in base.glob(f"*{PARTIAL}"):  # from a process that was killed
            shutil.rmtree(leftover, ignore_errors=True)
        yield
    finally:
        lock.release()


def _key(folder: Folder) -> str:
    """Hash the paths, sizes and times of everything that a conversion depends on."""
    chosen = None if folder.chosen is None else str(folder.chosen.resolve())
    digest = hashlib.sha256(json.dumps([VERSION, str(folder.root.resolve()), chosen]).encode())
    for path in folder.all_files():
        digest.update(file_state(path).encode())
    return digest.hexdigest()[:32]


def check_failures(conversion: Conversion, skip: bool) -> None:
    """Warn about images that could not be converted, if they are skipped.

    Raises:
        DataError: there are some, and they aren't skipped.
    """
    if not conversion.failures:
        return
    total = len(conversion.failures) + sum(map(len, conversion.splits.values()))
    shown = "\n  ".join([*conversion.failures[:5], *(["..."] if conversion.failures[5:] else [])])
    text = f"{len(conversion.failures)} of {total} annotated images cannot be used"
    if not skip:
        raise DataError(f"{text} (data.on_error=skip leaves them out):\n  {shown}")
    log.warning("%s and are left out:\n  %s", text, shown)
