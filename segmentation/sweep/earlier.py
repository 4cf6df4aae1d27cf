"""Find an earlier sweep of the same command that has not ended."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from filelock import FileLock

from segmentation.errors import DataError
from segmentation.sweep.jobs.allotment import acquired
from segmentation.system.files import read_json, write_json

COMMAND_FILE = "command.json"
SWEEP_LOCK = ".sweep.lock"
"""Held by the first process that sweeps in a directory."""


def note_command(sweep: Path, words: Sequence[str], ended: bool) -> None:
    """Note in a sweep's directory which command it is of, and whether all of its jobs have ended.

    Args:
        sweep: the directory.
        words: the command line; a hash of it is kept, as it may hold a password.
        ended: whether no job is left to run.
    """
    write_json(sweep / COMMAND_FILE, {"command": _digest(words), "ended": ended})


def unfinished_sweep(sweep: Path, words: Sequence[str]) -> Path | None:
    """Return the newest sweep beside `sweep` of the same command that has not ended.

    Sweeps that are at work do not count.
    """
    for path in sorted(sweep.parent.glob(f"*/{COMMAND_FILE}"), reverse=True):
        try:
            noted = read_json(path)
        except DataError:
            continue
        same = noted == {"command": _digest(words), "ended": False}
        if path.parent != sweep and same and not _at_work(path.parent):
            return path.parent
    return None


def _digest(words: Sequence[str]) -> str:
    return hashlib.sha256(json.dumps(sorted(words)).encode()).hexdigest()


def _at_work(sweep: Path) -> bool:
    lock = FileLock(sweep / SWEEP_LOCK)
    free = acquired(lock)
    lock.release()
    return not free
