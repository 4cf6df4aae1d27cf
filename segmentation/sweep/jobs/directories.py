"""The directories of a sweep's jobs, wherever `hydra.sweep.subdir` puts them.

By default a directory has its job's name, which follows from the overrides as typed. Any other one
is noted in `directories.json` when the job first starts, and is the job's from then on.
"""

import os
from pathlib import Path

from filelock import FileLock

from segmentation.errors import ConfigError
from segmentation.system.files import damaged, read_json, write_json

JOB_FILE = "job.json"
DIRECTORIES = "directories.json"


def noted_directories(sweep: Path) -> dict[str, str]:
    """Return the directories that are not named after their jobs, below `sweep`, by job name.

    Raises:
        DataError: the file that notes them is damaged.
    """
    remedy = "Remove it: jobs that are not found then run again."
    noted = read_json(sweep / DIRECTORIES, remedy) or {}
    if wrong := [path for path in noted.values() if not _is_below(path)]:
        raise damaged(sweep / DIRECTORIES, f"{wrong[0]!r} is not a directory below", remedy)
    return noted


def _is_below(path: object) -> bool:
    return isinstance(path, str) and not os.path.isabs(path) and ".." not in Path(path).parts


def claim_directory(sweep: Path, name: str, subdir: str) -> Path:
    """Return the directory of a job: that of an earlier start, else a new one.

    Args:
        sweep: directory of the sweep.
        name: of the job.
        subdir: `hydra.sweep.subdir` of the job; if another job has it, the end of `name` is
            appended, so that no two jobs share a directory.

    Raises:
        ConfigError: `subdir` is not below the sweep's directory.
    """
    noted = noted_directories(sweep)
    wanted = os.path.normpath(subdir or name)
    if not _is_below(wanted):
        raise ConfigError(f"hydra.sweep.subdir={subdir}: it has to be below hydra.sweep.dir.")
    if name not in noted and (wanted in (name, ".") or (sweep / name / JOB_FILE).exists()):
        return sweep / name
    sweep.mkdir(parents=True, exist_ok=True)
    with FileLock(sweep / ".directories.lock"):
        noted = noted_directories(sweep)
        if name not in noted:
            taken = wanted in noted.values() or (sweep / wanted / JOB_FILE).exists()
            noted[name] = f"{wanted}_{name.rpartition('_')[2]}" if taken else wanted
            write_json(sweep / DIRECTORIES, noted)
    return sweep / noted[name]


def job_directories(sweep: Path) -> list[str]:
    """Return the directories below a sweep's that may hold a job, relative to it and sorted."""
    children = (path.name for path in sweep.iterdir() if path.is_dir())
    noted = (path for path in noted_directories(sweep).values() if (sweep / path).is_dir())
    return sorted({*children, *noted})
