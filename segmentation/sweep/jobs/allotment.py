"""The share of the machine that each job gets: GPUs, cores, and its child's environment."""

import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from filelock import FileLock, Timeout

from segmentation.errors import ConfigError
from segmentation.system.hardware import CORES, available_cores
from segmentation.system.parent_process import PARENT

RETRY_SECONDS = 0.5
"""Seconds between two attempts to get GPUs or a slot."""
NOT_FOR_A_CHILD = ("SLURM_", "SUBMITIT_", "PMI_", "PMIX_", "OMPI_")
"""From these Lightning would take the child for one task among those of srun or mpirun."""
RANKS = ("RANK", "LOCAL_RANK", "NODE_RANK", "GROUP_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE")


@dataclass(frozen=True)
class Allotment:
    """The values of `launcher.*` on this machine, `auto` resolved.

    Attributes:
        jobs: how many run at once.
        gpus_per_job: a whole number; with Ray also a fraction.
        cpus_per_job: cores of each.
        gpus_there: on this machine or in the Ray cluster; 0 if not looked for.
    """

    jobs: int
    gpus_per_job: float
    cpus_per_job: int
    gpus_there: int


def allotment(launcher: str, jobs: object, gpus_per_job: object, cpus_per_job: object) -> Allotment:
    """Resolve the options of a launcher, see conf/launcher.

    Args:
        launcher: its name.
        jobs, gpus_per_job, cpus_per_job: as typed; `auto` depends on the machine.

    Raises:
        ConfigError: an invalid value, or more GPUs than there are.
    """
    gpus = _gpu_count(launcher, gpus_per_job)
    there = None if launcher == "slurm" or gpus_per_job == 0 else _gpus_there(launcher)
    if there is not None and gpus_per_job == "auto":
        gpus = int(there > 0)
    if there is not None and gpus > there:
        place = "the Ray cluster" if launcher == "ray" else "this machine"
        count = f"{there:g}" if there else "no"
        raise ConfigError(
            f"launcher.gpus_per_job={gpus_per_job}, but {place} has {count} GPUs. "
            "Type launcher.gpus_per_job=0 to train on the CPU."
        )
    cores = available_cores()
    at_once = int(there / gpus) if there and gpus else max(2, cores // 4)
    number = _positive("jobs", jobs, at_once)
    cpus = _positive("cpus_per_job", cpus_per_job, max(1, cores // number))
    return Allotment(number, gpus, cpus, int(there or 0))


def _gpu_count(launcher: str, value: object) -> float:
    """Check `launcher.gpus_per_job` and return it, 0 for `auto`."""
    if value == "auto":
        return 0
    valid = isinstance(value, int | float) and not isinstance(value, bool) and value >= 0
    if not valid or (value > 1 and value != int(value)):  # type: ignore[operator,call-overload]
        raise ConfigError(
            f"launcher.gpus_per_job={value}: expected auto or a whole number of 0 or more; with "
            "launcher=ray also a fraction such as 0.5, two jobs on a GPU."
        )
    assert isinstance(value, int | float)
    if launcher == "slurm" and value != int(value):
        raise ConfigError(
            f"launcher.gpus_per_job={value}: SLURM gives whole GPUs. If the cluster has shards, "
            "type launcher.gpus_per_job=0 hydra.launcher.gres=shard:1."
        )
    if launcher != "ray" and value != int(value):
        raise ConfigError(
            f"launcher.gpus_per_job={value}: only Ray shares a GPU among jobs. Type launcher=ray, "
            "or a whole number."
        )
    return value


def _positive(key: str, value: object, auto: int) -> int:
    if value == "auto":
        return auto
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ConfigError(f"launcher.{key}={value}: expected auto or a whole number of 1 or more.")
    return value


def _gpus_there(launcher: str) -> float:
    if launcher != "ray":
        return len(visible_gpus())
    import ray  # an extra

    return ray.cluster_resources().get("GPU", 0)


def visible_gpus() -> list[str]:
    """Return the GPUs this process may use, as CUDA_VISIBLE_DEVICES names them; without torch."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        return _installed_gpus()
    return [name.strip() for name in visible.split(",") if name.strip() not in ("", "-1")]


@cache
def _installed_gpus() -> list[str]:
    command = ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    except (OSError, subprocess.SubprocessError):
        return []
    return done.stdout.split()


@contextmanager
def held_gpus(count: int, stop: Callable[[], bool]) -> Iterator[list[str] | None]:
    """Wait for free GPUs of this machine, and hold them against the jobs of any other sweep.

    The system releases them however the process ends. Once `stop` returns True while waiting, None
    is yielded.
    """
    folder = Path(tempfile.gettempdir()) / f"cityseg-gpus-{getattr(os, 'getuid', int)()}"
    folder.mkdir(exist_ok=True)
    held: dict[str, FileLock] = {}
    while not held:
        if stop():
            yield None
            return
        with FileLock(folder / "choice.lock"):
            held = _take(folder, count)
        if not held:
            time.sleep(RETRY_SECONDS)
    try:
        yield list(held)
    finally:
        for lock in held.values():
            lock.release()


def _take(folder: Path, count: int) -> dict[str, FileLock]:
    """Lock `count` free GPUs, in one process at a time; return no locks if fewer are free."""
    held: dict[str, FileLock] = {}
    for gpu in visible_gpus():
        lock = FileLock(folder / f"{gpu}.lock")
        if len(held) < count and acquired(lock):
            held[gpu] = lock
    if len(held) == count:
        return held
    for lock in held.values():
        lock.release()
    return {}


@contextmanager
def held_slot(folder: Path, slots: int, stop: Callable[[], bool]) -> Iterator[None]:
    """Hold one of several slots, waiting for it unless the sweep is to stop.

    This is for a launcher that starts all its jobs at once.
    """
    folder.mkdir(exist_ok=True)
    locks = [FileLock(folder / f"{number}.lock") for number in range(slots)]
    held = None
    while held is None and not stop():
        held = next((lock for lock in locks if acquired(lock)), None)
        if held is None:
            time.sleep(RETRY_SECONDS)
    try:
        yield
    finally:
        if held is not None:
            held.release()


def acquired(lock: FileLock) -> bool:
    """Acquire a lock that nobody holds; return whether that worked."""
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return False
    return True


def child_environment(group: str, gpus: Sequence[str] | None, cores: int) -> dict[str, str]:
    """Return the environment of a job's child.

    Args:
        group: the name under which W&B shows the sweep's runs together.
        gpus: the visible ones; None keeps those that a scheduler has set.
        cores: how many it may use.
    """
    environment = {
        key: value
        for key, value in os.environ.items()
        if key == "SLURM_TMPDIR" or not (key in RANKS or key.startswith(NOT_FOR_A_CHILD))
    }
    for key in (CORES, "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        environment[key] = str(cores)
    if gpus is not None:
        environment["CUDA_VISIBLE_DEVICES"] = ",".join(gpus)
    return environment | {"WANDB_RUN_GROUP": group, PARENT: str(os.getpid())}
