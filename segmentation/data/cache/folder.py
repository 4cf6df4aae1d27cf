"""The folder of cache files: locks on the files in use, and room for new ones.

Every process that maps a file holds a shared lock on it (flock). The system releases the lock
however the process ends, kill -9 included, so unlocked files may be removed. A lock file lets one
process at a time build and remove.
"""

import contextlib
import logging
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from filelock import FileLock, Timeout
from platformdirs import user_cache_path

from segmentation.system.files import PARTIAL

try:
    import fcntl
except ImportError:  # Windows, where mapped files cannot be removed anyway
    fcntl = None  # type: ignore[assignment]

log = logging.getLogger(__name__)

MAX_BYTES = 20 * 10**9
"""Size of all cache files; beyond it a new file displaces the least recently used ones."""
SUFFIX, LOCK = ".pairs", "lock"


@dataclass(frozen=True)
class CacheFolder:
    """A folder of cache files.

    Attributes:
        path: the folder; it is created when needed.
    """

    path: Path

    def file(self, key: str) -> Path:
        """Return the path of the file with a key."""
        return self.path / f"{key}{SUFFIX}"

    def free_bytes(self) -> int:
        """Return the free space on the folder's disk."""
        existing = next(path for path in (self.path, *self.path.parents) if path.is_dir())
        return shutil.disk_usage(existing).free

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Let no other process build or remove files here; wait for one that does.

        Raises:
            OSError: the folder is not writable.
        """
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = FileLock(self.path / LOCK)
        try:
            lock.acquire(blocking=False)
        except Timeout:
            log.info("cache: waiting for another process that builds in %s", self.path)
            lock.acquire()
        try:
            for leftover in self.path.glob(f"*{PARTIAL}"):  # from a process that was killed
                leftover.unlink()
            yield
        finally:
            lock.release()

    def make_room(self, needed: int) -> int:
        """Remove unused files, least recently used first, and return the free space.

        Stops when `needed` bytes are free and the cache with them takes at most `MAX_BYTES`. The
        caller holds the lock of `locked`.
        """
        states = {path: path.stat() for path in self.path.glob(f"*{SUFFIX}")}
        total = sum(state.st_size for state in states.values())
        for path in sorted(states, key=lambda path: states[path].st_atime):
            if total + needed <= MAX_BYTES and self.free_bytes() >= needed:
                break
            if _remove_unused(path):
                total -= states[path].st_size
        return self.free_bytes()


def disk_folder() -> CacheFolder:
    """Return the folder in the user's cache directory."""
    return CacheFolder(user_cache_path("cityseg") / "decoded")


def share(file: IO[bytes]) -> bool:
    """Lock a file against removal until it is closed; return False if it is already removed."""
    if fcntl is not None:
        with contextlib.suppress(OSError):  # on network disks without locks nothing is removed
            fcntl.flock(file, fcntl.LOCK_SH)
    state = os.fstat(file.fileno())
    where = file.fileno() if os.utime in os.supports_fd else file.name
    with contextlib.suppress(OSError):  # the time of last use; not kept on a read-only disk
        os.utime(where, ns=(time.time_ns(), state.st_mtime_ns))
    return state.st_nlink > 0


def _remove_unused(path: Path) -> bool:
    """Remove a file that no process holds, and return whether it is gone."""
    try:
        with path.open("r+b") as file:  # some network disks need write access to lock
            if not _lock_exclusively(file):
                return False
            path.unlink()
            return True
    except FileNotFoundError:
        return True
    except OSError:
        return False


def _lock_exclusively(file: IO[bytes]) -> bool:
    if fcntl is None:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
