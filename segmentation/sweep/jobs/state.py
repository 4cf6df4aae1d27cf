"""The state of a job, as the file `job.json` in its directory.

Whoever wants to know how a sweep stands (the table, a sweeper that searches, the next start of the
same command) reads these files; nothing else is shared between the processes.
"""

import platform
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from segmentation.system.files import read_json, write_json

FILE = "job.json"
JOB_LOCK = "job.lock"
"""Held by the process that runs a job, from before its child starts to after its end. The training
itself holds another (`directories.LOCK`), which tells of a child whose parent has died."""

State = Literal["running", "finished", "failed", "interrupted", "pruned"]


@dataclass(frozen=True)
class JobState:
    """What is known of a job.

    Attributes:
        overrides: what the child is started with, without those of `sweep` and `launcher`.
        state: finished and pruned are final (`metrics.json` is there); failed runs again on
            request; interrupted, and running with nobody at it, goes on from its checkpoint.
        score: what a sweep goes by (`score` in `metrics.json`); None where there is none.
        seconds: spent in children, over all attempts.
        exit_code: of the last child; negative for a signal's number; None while it runs.
        error: the end of what a child printed that failed or was interrupted; else empty.
        host: the machine the last child ran on.
        started: of the last child, in seconds since 1970.
    """

    overrides: list[str]
    state: State
    score: float | None = None
    seconds: float = 0.0
    exit_code: int | None = None
    error: str = ""
    host: str = field(default_factory=platform.node)
    started: float = field(default_factory=time.time)

    @property
    def done(self) -> bool:
        """Whether there is nothing left to run."""
        return self.state in ("finished", "pruned")


def read_job(directory: Path) -> JobState | None:
    """Return the state of the job in a directory; None where no job has begun.

    Raises:
        ValueError: `job.json` is none of this project's.
    """
    values = read_json(directory / FILE)
    try:
        return None if values is None else JobState(**values)
    except TypeError as error:
        raise ValueError(f"{directory / FILE} is not a job's state: {error}") from error


def write_job(directory: Path, job: JobState) -> None:
    """Write the state of a job; whoever reads sees the old state or the new one, whole."""
    write_json(directory / FILE, asdict(job))
