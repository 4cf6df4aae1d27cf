"""One job of a sweep: a child `train.py`, awaited, with its state kept in files."""

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

from filelock import FileLock
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from segmentation.console import console, quoted
from segmentation.runs.directory import begun, read_metrics, working
from segmentation.sweep.jobs.allotment import (
    acquired,
    allotment,
    child_environment,
    held_gpus,
    held_place,
)
from segmentation.sweep.jobs.child import GRACE, LOOK, attempt
from segmentation.sweep.jobs.names import job_overrides
from segmentation.sweep.jobs.state import JOB_LOCK, JobState, State, read_job, write_job
from segmentation.sweep.jobs.stop import ask_to_stop, stop_asked
from segmentation.system.parent_process import exit_with_parent

SWEEPER = "CITYSEG_SWEEPER"
"""Environment variable: the number of the process that sweeps."""
SCHEDULERS = ("slurm", "ray")
"""Launchers whose engine gives a job its GPUs."""
DISPENSABLE = {
    "all": (),
    "best": ("last.ckpt", "previous.ckpt"),
    "last": ("best.ckpt", "previous.ckpt"),
}
"""`sweep.keep` -> the checkpoints of a finished job that go."""


@dataclass(frozen=True)
class Job:
    """What a job is started with.

    Attributes:
        start: the words that start the command again.
        cwd: where the sweep was started; paths in overrides count from there.
        hydra: what Hydra itself needs to find the same options.
    """

    start: list[str]
    cwd: Path
    sweep: Path
    directory: Path
    overrides: list[str]
    hydra: list[str]

    def command(self) -> list[str]:
        """Return what to type for a new run, or to go on with the one that is there."""
        key = "resume" if begun(self.directory) else "hydra.run.dir"
        where = f"{key}={quoted(self.directory)}"
        return [*self.start, *self.hydra, *self.overrides, where]


def run_job(cfg: DictConfig, start: list[str]) -> float | None:
    """Run the job that Hydra has composed, unless it is finished; return its score.

    None stands for a job without a score: it failed, was interrupted, runs elsewhere, or was not
    started because the sweep is to stop. It never raises for what a child does, so that the other
    jobs go on; `job.json` tells the cases apart.

    Args:
        cfg: the job's configuration.
        start: the words that start the command again.
    """
    _be_a_worker()
    hydra = HydraConfig.get()
    cwd = Path(hydra.runtime.cwd)
    sweep = cwd / hydra.sweep.dir
    overrides = job_overrides(hydra.overrides.task)
    where = [one for one in hydra.overrides.hydra if one.startswith("hydra.searchpath=")]
    for source in hydra.runtime.config_sources:
        if source.provider == "command-line":
            where += ["--config-dir", source.path]
    job = Job(start, cwd, sweep, sweep / hydra.sweep.subdir, overrides, where)
    if stop_asked(sweep):
        return None
    with _alone(job.directory) as alone:
        if not alone:
            console.print(f"{job.directory.name} is running elsewhere", markup=False)
            return None
        return _run(job, cfg)


def _be_a_worker() -> None:
    """In a launcher's worker: leave signals to the sweeping process, and go when that one goes.

    They reach every process of a terminal or a container; a worker that died of one would take its
    child with it before that has saved.
    """
    if os.environ.get(SWEEPER, str(os.getpid())) == str(os.getpid()):
        return
    if threading.current_thread() is threading.main_thread():  # engines with handlers keep them
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, _leave_it)
        if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            signal.signal(signal.SIGTERM, _leave_it)
    _leave_with_parent_once()


def _leave_it(number: int, frame: FrameType | None) -> None:
    """Do nothing; unlike SIG_IGN that is not handed on to the child."""


@cache
def _leave_with_parent_once() -> None:
    exit_with_parent(grace=0)  # nothing to save here; the child is told by the same means


@contextmanager
def _alone(directory: Path) -> Iterator[bool]:
    """Be the one process that runs a job; say whether that worked.

    A child whose parent was killed may still be saving: it is given time to leave.
    """
    directory.mkdir(parents=True, exist_ok=True)
    lock = FileLock(directory / JOB_LOCK)
    if not acquired(lock):
        yield False
        return
    try:
        until = time.monotonic() + GRACE
        while (at_work := working(directory)) and time.monotonic() < until:
            if stop_asked(directory.parent):
                break
            time.sleep(LOOK)
        yield not at_work
    finally:
        lock.release()


def _run(job: Job, cfg: DictConfig) -> float | None:
    """Run a job that nobody else runs, as far as it needs to be run; return its score."""
    before = read_job(job.directory)
    if read_metrics(job.directory) is not None:
        return _record(job, before or JobState(job.overrides, "running"), cfg.sweep.keep).score
    if before is not None and before.state == "failed" and not cfg.sweep.retry:
        return None
    with _allotted(job.sweep, cfg.launcher) as environment:
        if environment is None or stop_asked(job.sweep):
            return None
        after = attempt(job.command(), job.overrides, job.directory, before, job.cwd, environment)
    ended = _record(job, after, cfg.sweep.keep)
    if ended.state == "failed" and cfg.sweep.fail_fast:
        ask_to_stop(job.sweep, f"{job.directory.name} failed, and sweep.fail_fast is true")
    return ended.score


@contextmanager
def _allotted(sweep: Path, launcher: DictConfig) -> Iterator[dict[str, str] | None]:
    """Give the environment of the job's child, once there is room for it on this machine.

    None if the sweep was to stop before there was.
    """

    def stop() -> bool:
        return stop_asked(sweep)

    allotted = allotment(launcher)
    with ExitStack() as held:
        if launcher.name == "submitit":
            held.enter_context(held_place(sweep / ".places", allotted.jobs, stop))
        gpus: list[str] | None = None
        if launcher.name not in SCHEDULERS:
            gpus = []
            if allotted.gpus_per_job:
                gpus = held.enter_context(held_gpus(allotted.gpus_per_job, stop))
                if gpus is None:
                    yield None
                    return
        yield child_environment(sweep.name, gpus, allotted.cpus_per_job)


def _record(job: Job, state: JobState, keep: str) -> JobState:
    """Write how a job ended, and return it; the run's own files have the last word."""
    metrics = read_metrics(job.directory)
    if metrics is not None:
        ended: State = "pruned" if metrics.get("pruned") else "finished"
        state = replace(
            state, state=ended, score=metrics.get("score"), error="", exit_code=state.exit_code or 0
        )
        for name in DISPENSABLE[keep]:
            (job.directory / "checkpoints" / name).unlink(missing_ok=True)
    if state != read_job(job.directory):
        write_job(job.directory, state)
    return state
