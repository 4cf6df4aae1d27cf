"""Resolve `runs=` and `sweep=` to directories."""

import glob
from collections.abc import Sequence
from pathlib import Path

from segmentation.config import user_path
from segmentation.console import argument
from segmentation.errors import ConfigError, DataError, listed
from segmentation.runs.directory import MATRICES, begun, finished
from segmentation.sweep.jobs.directories import job_directories
from segmentation.sweep.jobs.state import read_job

USAGE = "Type runs=[<run>,<run>,...] or sweep=<directory of a sweep>."


def resolve_runs(
    runs: str | Sequence[str] | None, sweep: str | None
) -> tuple[list[Path], list[str]]:
    """Resolve `runs=` or `sweep=` to directories; also return what was skipped, in words.

    Args:
        runs: paths; ``*`` and ``?`` match runs.
        sweep: the directory of a sweep.

    Raises:
        ConfigError, DataError: nothing is named, or nothing is there.
    """
    if (runs is None) == (sweep is None):
        raise ConfigError(f"name what to compare, in one of two ways. {USAGE}")
    if sweep is not None:
        return _resolve_sweep(user_path(sweep))
    words = [runs] if isinstance(runs, str) else list(runs or ())
    if not words or not all(isinstance(word, str) for word in words):
        raise ConfigError(f"runs={words}: expected a list of directories. {USAGE}")
    directories: list[Path] = []
    skipped: list[str] = []
    for word in words:
        path = user_path(word)
        matches = [path] if path.exists() or not glob.has_magic(word) else _match(word)
        for match in matches:
            if match != path and begun(match) and not finished(match):
                skipped.append(f"{match.name} (not finished)")
            else:
                directories.append(match)
    if not directories:
        raise DataError(f"none of the runs is finished: {listed(skipped)}.")
    return directories, skipped


def _match(pattern: str) -> list[Path]:
    paths = [Path(path) for path in sorted(glob.glob(str(user_path(pattern))))]
    runs = [path for path in paths if begun(path) or (path / MATRICES).is_file()]
    if not runs:
        raise DataError(f"no run matches {pattern}. {USAGE}")
    return runs


def _resolve_sweep(directory: Path) -> tuple[list[Path], list[str]]:
    if not directory.is_dir():
        raise DataError(f"sweep={directory}: there is no such directory.")
    finished_jobs, skipped = [], []
    for name in job_directories(directory):
        folder = directory / name
        job = read_job(folder)
        if job is None:
            continue
        if job.state == "finished":
            finished_jobs.append(folder)
        else:
            skipped.append(f"{name} ({job.state})")
    if finished_jobs:
        return finished_jobs, skipped
    if skipped:
        raise DataError(f"no job of {directory} is finished: {listed(skipped)}.")
    runs = argument("runs", [f"{directory}/*"])
    raise DataError(
        f"{directory} is not a sweep: it has no jobs. For a folder of runs type {runs}."
    )
