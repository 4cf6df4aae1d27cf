"""A job of a sweep: a training in a child process, with its state in files."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Any

from filelock import FileLock
from omegaconf import OmegaConf

from segmentation.console import console, quoted
from segmentation.runs.directory import begun, read_metrics, working
from segmentation.sweep.jobs import child
from segmentation.sweep.jobs.allotment import (
    Allotment,
    acquired,
    child_environment,
    held_gpus,
    held_slot,
)
from segmentation.sweep.jobs.state import JOB_LOCK, JobState, State, read_job, write_job
from segmentation.sweep.jobs.stop import ask_to_stop, stop_asked
from segmentation.system.files import write_atomic
from segmentation.system.parent_process import exit_with_parent
from segmentation.system.redaction import redacted

SWEEPER = "CITYSEG_SWEEPER"
"""Environment variable: the number of the process that sweeps."""
SCHEDULERS = ("slurm", "ray")
"""Launchers whose engine gives a job its GPUs."""
DISPENSABLE = {
    "all": (),
    "best": ("last.ckpt", "previous.ckpt"),
    "last": ("best.ckpt", "previous.ckpt"),
}
"""The checkpoints of a finished job that are removed, by `sweep.keep`."""


@dataclass(frozen=True)
class Job:
    """A job of a sweep.

    Attributes:
        start: the words that start the command again.
        cwd: where the sweep was started; relative paths in overrides start there.
        sweep: directory of the sweep.
        directory: of the job, in that of the sweep.
        overrides: of the training.
        hydra: what Hydra itself was given: its options and where it finds others.
        settings: the configuration that was composed for the job.
        keep: a key of `DISPENSABLE`.
        retry: run it again if it has failed.
        fail_fast: stop the sweep if it fails.
    """

    start: list[str]
    cwd: Path
    sweep: Path
    directory: Path
    overrides: list[str]
    hydra: list[str]
    settings: dict[str, Any]
    keep: str
    retry: bool
    fail_fast: bool

    def command(self) -> list[str]:
        """Return the command of a new run, or the one that resumes the run in its directory."""
        key = "resume" if begun(self.directory) else "hydra.run.dir"
        where = f"{key}={quoted(self.directory)}"
        return [*self.start, *self.hydra, *self.overrides, where]


def run_job(job: Job, launcher: str, share: Allotment) -> float | None:
    """Run a job unless it is finished; return its score.

    It is None for a job that failed, was interrupted, runs elsewhere, or was not started because
    the sweep is to stop; `job.json` distinguishes these. Nothing is raised if a child fails, so
    that the other jobs go on.
    """
    if stop_asked(job.sweep):
        return None
    with _locked(job.directory, job.sweep) as locked:
        if not locked:
            console.print(f"{job.directory.name} is running elsewhere")
            return None
        return _run(job, launcher, share)


def become_worker() -> None:
    """In a launcher's worker: leave signals to the sweeping process, and end with it.

    Signals reach every process of a terminal or a container; a worker that died of one would take
    its child with it before that has saved.
    """
    if os.environ.get(SWEEPER, str(os.getpid())) == str(os.getpid()):
        return
    if threading.current_thread() is threading.main_thread():  # engines with handlers keep them
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, _ignore)
        if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            signal.signal(signal.SIGTERM, _ignore)
    _exit_with_parent_once()


def _ignore(number: int, frame: FrameType | None) -> None:
    """Do nothing; unlike SIG_IGN it is not inherited by the child."""


@cache
def _exit_with_parent_once() -> None:
    exit_with_parent(grace=0)  # nothing to save here; the child notices by itself


@contextmanager
def _locked(directory: Path, sweep: Path) -> Iterator[bool]:
    """Lock a job's directory for this process; yield whether that worked.

    A child whose parent was killed may still be saving: it is given time to leave.
    """
    directory.mkdir(parents=True, exist_ok=True)
    lock = FileLock(directory / JOB_LOCK)
    if not acquired(lock):
        yield False
        return
    try:
        until = time.monotonic() + child.GRACE_SECONDS
        while (at_work := working(directory)) and time.monotonic() < until:
            if stop_asked(sweep):
                break
            time.sleep(child.POLL_SECONDS)
        yield not at_work
    finally:
        lock.release()


def _run(job: Job, launcher: str, share: Allotment) -> float | None:
    """Run a job that this process has locked, if it is unfinished; return its score."""
    before, composed = read_job(job.directory), job.directory / child.COMPOSED
    if read_metrics(job.directory) is not None:
        return _finalize(job, before or JobState(job.overrides, "running")).score
    if before is not None and before.state == "failed" and not job.retry:
        return None
    with _allotted(job.sweep, launcher, share) as environment:
        if environment is None or stop_asked(job.sweep):
            return None
        if not begun(job.directory):
            write_atomic(composed, OmegaConf.to_yaml(OmegaConf.create(redacted(job.settings))))
        environment[child.COMPOSED_VARIABLE] = str(composed)
        after = child.attempt(
            job.command(), job.overrides, job.directory, before, job.sweep, job.cwd, environment
        )
    state = _finalize(job, after)
    if state.state == "failed" and job.fail_fast:
        ask_to_stop(job.sweep, f"{job.directory.name} failed, and sweep.fail_fast is true")
    return state.score


@contextmanager
def _allotted(sweep: Path, launcher: str, share: Allotment) -> Iterator[dict[str, str] | None]:
    """Wait for a job's share of the machine, hold it, and yield the environment of its child.

    None if the sweep was to stop before.
    """

    def stop() -> bool:
        return stop_asked(sweep)

    with ExitStack() as held:
        if launcher == "submitit":
            held.enter_context(held_slot(sweep / ".places", share.jobs, stop))
        gpus: list[str] | None = None
        if launcher not in SCHEDULERS:
            gpus = []
            if share.gpus_per_job:
                gpus = held.enter_context(held_gpus(int(share.gpus_per_job), stop))
                if gpus is None:
                    yield None
                    return
        yield child_environment(sweep.name, gpus, share.cpus_per_job)


def _finalize(job: Job, state: JobState) -> JobState:
    """Write and return the last state of a job; the run's own files decide."""
    metrics = read_metrics(job.directory)
    if metrics is not None:
        ended: State = "pruned" if metrics.get("pruned") else "finished"
        score, code = metrics.get("score"), state.exit_code or 0
        state = replace(state, state=ended, score=score, error="", exit_code=code)
        for name in DISPENSABLE[job.keep]:
            (job.directory / "checkpoints" / name).unlink(missing_ok=True)
    if state != read_job(job.directory):
        write_job(job.directory, state)
    return state
