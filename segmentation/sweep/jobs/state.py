"""The state of a job, as the file `job.json` in its directory.

The table, a search and the next start of the same command read these files; the processes of a
sweep share nothing else.
"""

import platform
import time
from collections.abc import Container, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Literal

from segmentation.runs.directory import working
from segmentation.sweep.jobs.directories import JOB_FILE, job_directories
from segmentation.system.files import read_json_as, write_json
from segmentation.system.redaction import redact

JOB_LOCK = "job.lock"
"""Held by the process that runs a job, from before its child starts to after its end. The training
itself holds another one (see `runs.directory.at_work`), which shows a child whose parent died."""

State = Literal["waiting", "running", "finished", "failed", "interrupted", "pruned"]


@dataclass(frozen=True)
class JobState:
    """The state of a job.

    Attributes:
        overrides: those of the child, without `sweep` and `launcher`.
        state: waiting is never in a file; finished and pruned are final (`metrics.json` is there);
            failed runs again on request; interrupted, and running without a process, resumes from
            its checkpoint.
        score: `score` in `metrics.json`; None before it is known.
        seconds: spent in children, over all attempts.
        exit_code: of the last child; negative for a signal's number; None while it runs.
        error: the last lines of a child that failed or was interrupted; else empty.
        host: the machine of the last child.
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

    def __post_init__(self) -> None:
        """Leave out credentials: the state is kept and shown."""
        object.__setattr__(self, "overrides", [redact(word) for word in self.overrides])
        object.__setattr__(self, "error", redact(self.error))

    @property
    def done(self) -> bool:
        """Whether there is nothing left to run."""
        return self.state in ("finished", "pruned")

    @property
    def begun(self) -> bool:
        """Whether a child was started."""
        return self.state != "waiting"


Jobs = Mapping[str, JobState]
"""The jobs of a sweep by their directories, relative to its own."""


def read_job(directory: Path) -> JobState | None:
    """Read the state of the job in a directory; None if no job has begun there.

    Raises:
        DataError: `job.json` is damaged.
    """
    remedy = "Remove it: the job is then taken for one that has not begun."
    return read_json_as(JobState, directory / JOB_FILE, remedy)


def write_job(directory: Path, job: JobState) -> None:
    """Write the state of a job; readers see the old state or the new one, never a part."""
    write_json(directory / JOB_FILE, asdict(job))


def read_jobs(sweep: Path, skip: Container[str] = ()) -> dict[str, JobState]:
    """Read the states of the jobs that have begun below a sweep's directory, but for `skip`.

    They are by directory, relative to the sweep's.
    """
    jobs = {}
    for name in job_directories(sweep):
        if name not in skip and (job := read_job(sweep / name)) is not None:
            jobs[name] = interrupted_if_abandoned(sweep / name, job)
    return jobs


def interrupted_if_abandoned(directory: Path, job: JobState) -> JobState:
    """Return the job as interrupted if it is running by its file, but no process works there."""
    abandoned = job.state == "running" and not working(directory)
    return replace(job, state="interrupted") if abandoned else job
