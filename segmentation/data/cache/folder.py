"""Where cache files lie, who uses which of them, and which may go.

Whoever maps a file holds a shared lock on it (flock). The system gives the lock back however the
process ends, kill -9 included, so what nobody holds may be removed; what is mapped stays. One lock
file lets one process at a time build and remove.
"""

import contextlib
import logging
import os
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from filelock import FileLock, Timeout
from platformdirs import user_cache_path

from segmentation.errors import ConfigError, DataError

try:
    import fcntl
except ImportError:  # Windows, where a file that is mapped cannot be removed anyway
    fcntl = None  # type: ignore[assignment]

log = logging.getLogger(__name__)

KEPT = 20 * 10**9
"""Bytes of cache files on disk; a new one displaces those used longest ago beyond that."""
MEMORY = Path("/dev/shm")
"""Where Linux keeps files in memory."""
WHOLE, PARTIAL, LOCK = ".pairs", ".partial", "lock"


@dataclass(frozen=True)
class CacheFolder:
    """A folder of cache files.

    Attributes:
        path: the folder; it need not be there yet.
        in_memory: its files are in memory, and go when their last user ends.
    """

    path: Path
    in_memory: bool = False

    def file(self, key: str) -> Path:
        """Return where the file with a key lies."""
        return self.path / f"{key}{WHOLE}"

    @property
    def advice(self) -> str:
        """What to type where there is no room."""
        if self.in_memory:
            return "Type data.cache=disk or data.cache=off."
        return "Type data.cache=off, or XDG_CACHE_HOME=<folder on another disk> before the command."

    def room(self) -> int:
        """Return how many bytes can still be written."""
        existing = next(path for path in (self.path, *self.path.parents) if path.is_dir())
        free = shutil.disk_usage(existing).free
        return min(free, _free_memory() // 2) if self.in_memory else free  # training needs some too

    @contextlib.contextmanager
    def alone(self, wait: bool = True) -> Iterator[None]:
        """Be the one process that builds or removes files here.

        Raises:
            Timeout: another one does, and it was not to be waited for.
            OSError: the folder cannot be written to.
            DataError: the folder in memory belongs to another user.
        """
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        if self.in_memory and hasattr(os, "getuid") and self.path.lstat().st_uid != os.getuid():
            raise DataError(f"{self.path} belongs to another user. Type data.cache=disk.")
        lock = FileLock(self.path / LOCK)
        try:
            lock.acquire(blocking=False)
        except Timeout:
            if not wait:
                raise
            log.info("cache: waiting for another process that builds in %s", self.path)
            lock.acquire()
        try:
            for leftover in self.path.glob(f"*{PARTIAL}"):  # of a process that was killed
                leftover.unlink()
            yield
        finally:
            lock.release()

    def make_room(self, needed: int) -> int:
        """Remove what nobody uses, longest unused first, and return the room there is then.

        It ends when there is room for `needed` bytes and, with them, at most `KEPT` are taken; in
        memory it removes all that nobody uses. Only for the process that is `alone` here.
        """
        keep = 0 if self.in_memory else KEPT
        states = {}
        for path in self.path.glob(f"*{WHOLE}"):
            with contextlib.suppress(FileNotFoundError):  # its last user has just ended
                states[path] = path.stat()
        taken = sum(state.st_size for state in states.values())
        for path in sorted(states, key=lambda path: states[path].st_atime):
            if taken + needed <= keep and self.room() >= needed:
                break
            if _remove_unused(path):
                taken -= states[path].st_size
        return self.room()


def disk_folder() -> CacheFolder:
    """Return the folder in the user's cache directory."""
    return CacheFolder(user_cache_path("cityseg") / "decoded")


def memory_folder() -> CacheFolder:
    """Return the folder in memory.

    Raises:
        ConfigError: this system has no place for files in memory.
    """
    if not MEMORY.is_dir():
        raise ConfigError(
            f"data.cache=ram needs {MEMORY}, which this system does not have. Type "
            "data.cache=disk: what is read from a disk stays in memory too, while there is room."
        )
    user = os.getuid() if hasattr(os, "getuid") else "user"
    path = MEMORY / f"cityseg-{user}"
    if path.exists() and hasattr(os, "getuid") and path.lstat().st_uid != os.getuid():
        raise ConfigError(f"{path} belongs to another user. Type data.cache=disk.")
    return CacheFolder(path, in_memory=True)


def sweep_memory() -> None:
    """Remove what killed processes left in memory."""
    if not MEMORY.is_dir() or not (folder := memory_folder()).path.is_dir():
        return
    with contextlib.suppress(OSError, DataError), folder.alone(wait=False):  # else they do it
        folder.make_room(0)


def share(file: IO[bytes]) -> bool:
    """Hold a file that is about to be mapped; False where it has just been removed."""
    if fcntl is not None:
        with contextlib.suppress(OSError):  # a network disk without locks: it is never removed
            fcntl.flock(file, fcntl.LOCK_SH)
    state = os.fstat(file.fileno())
    where = file.fileno() if os.utime in os.supports_fd else file.name
    with contextlib.suppress(OSError):  # the time of last use, which a read-only disk does not keep
        os.utime(where, ns=(time.time_ns(), state.st_mtime_ns))
    return state.st_nlink > 0


def leave(file: IO[bytes], path: Path | None, process: int) -> None:
    """Let go of a file.

    Args:
        file: as it was given to `share`.
        path: where it is to be removed from if nobody else holds it; None: it stays.
        process: the one that called `share`; in its forks, which hold the same lock, nothing is
            removed.
    """
    with file:
        if path is not None and os.getpid() == process and _nobody_else(file):
            with contextlib.suppress(OSError):
                if os.path.samestat(os.fstat(file.fileno()), path.stat()):  # not its successor
                    path.unlink()


def _remove_unused(path: Path) -> bool:
    """Remove a file if nobody holds it, and say whether it is gone."""
    try:
        with path.open("r+b") as file:  # some network disks lock files that are open for writing
            if not _nobody_else(file):
                return False
            path.unlink()
            return True
    except FileNotFoundError:
        return True
    except OSError:
        return False


def _nobody_else(file: IO[bytes]) -> bool:
    if fcntl is None:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _free_memory() -> int:
    """Return the bytes that programs can still get; Linux alone has files in memory."""
    found = re.search(r"MemAvailable:\s+(\d+) kB", Path("/proc/meminfo").read_text())
    assert found is not None
    return 1024 * int(found[1])
