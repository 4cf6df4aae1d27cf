"""What a job gets of the machine: GPUs, cores, and the environment its child sees."""

import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from segmentation.errors import ConfigError
from segmentation.system.hardware import CORES, available_cores
from segmentation.system.parent_process import PARENT

UNITS = 12
"""Parts of a GPU that can be held: halves, thirds and quarters are whole numbers of them."""
LOOK = 0.5
"""Seconds between two looks at whether there is room."""
NOT_FOR_A_CHILD = ("SLURM_", "SUBMITIT_", "PMI_", "PMIX_", "OMPI_")
"""From these Lightning would take the child for one task among those of srun or mpirun."""
RANKS = ("RANK", "LOCAL_RANK", "NODE_RANK", "GROUP_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE")


@dataclass(frozen=True)
class Allotment:
    """What `launcher.*` comes to on this machine.

    Attributes:
        jobs: how many run at once.
        gpus_per_job: 0, a fraction of one, or a whole number.
        cpus_per_job: cores of each.
        gpus_there: on this machine or in the Ray cluster; 0 where nobody looked.
    """

    jobs: int
    gpus_per_job: float
    cpus_per_job: int
    gpus_there: int


def allotment(launcher: Mapping[str, Any]) -> Allotment:
    """Return what jobs get, `auto` replaced by what is there.

    Args:
        launcher: see conf/launcher.

    Raises:
        ConfigError: a value that cannot be, or GPUs that are not there.
    """
    per_job = launcher["gpus_per_job"]
    wanted = 0 if per_job in (0, "auto") else per_job
    good = isinstance(wanted, int | float) and not isinstance(wanted, bool) and wanted >= 0
    if not good or (wanted > 1 and wanted != int(wanted)):
        raise ConfigError(
            f"launcher.gpus_per_job={per_job}: expected auto, 0, a fraction such as 0.5 (two jobs "
            "to a GPU), or a whole number."
        )
    there = None if launcher["name"] == "slurm" or per_job == 0 else _gpus_there(launcher)
    if there is not None and per_job == "auto":
        wanted = int(there > 0)
    if there is not None and wanted > there:
        raise ConfigError(
            f"launcher.gpus_per_job={per_job}, but {_place(launcher)} has "
            f"{f'{there:g}' if there else 'no'} GPUs. Type launcher.gpus_per_job=0 to train on "
            "the CPU."
        )
    if launcher["name"] == "slurm" and wanted != int(wanted):
        raise ConfigError(
            f"launcher.gpus_per_job={per_job}: SLURM gives whole GPUs. Where the cluster has "
            "shards, type launcher.gpus_per_job=0 hydra.launcher.gres=shard:1."
        )
    cores = available_cores()
    at_once = int(there / wanted) if there and wanted else max(2, cores // 4)
    jobs = _whole(launcher, "jobs", at_once)
    cpus = _whole(launcher, "cpus_per_job", max(1, cores // jobs))
    return Allotment(jobs, wanted, cpus, int(there or 0))


def _whole(launcher: Mapping[str, Any], key: str, found: int) -> int:
    value = found if launcher[key] == "auto" else launcher[key]
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ConfigError(f"launcher.{key}={value}: expected auto or a whole number of 1 or more.")
    return value


def _gpus_there(launcher: Mapping[str, Any]) -> float:
    if launcher["name"] != "ray":
        return len(visible_gpus())
    import ray  # an extra

    return ray.cluster_resources().get("GPU", 0)


def _place(launcher: Mapping[str, Any]) -> str:
    return "the Ray cluster" if launcher["name"] == "ray" else "this machine"


def visible_gpus() -> list[str]:
    """Return the GPUs this process may use, as CUDA_VISIBLE_DEVICES names them; without torch."""
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    if given is None:
        return _installed_gpus()
    return [name.strip() for name in given.split(",") if name.strip() not in ("", "-1")]


@cache
def _installed_gpus() -> list[str]:
    command = ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    except (OSError, subprocess.SubprocessError):
        return []
    return done.stdout.split()


@contextmanager
def held_gpus(count: float, stop: Callable[[], bool]) -> Iterator[list[str] | None]:
    """Hold GPUs of this machine, waiting until there are enough; no other sweep's job gets them.

    The system gives them back however the process ends.

    Args:
        count: a fraction of one GPU, or a whole number of them.
        stop: asked while waiting; once it says yes, None is given.
    """
    folder = Path(tempfile.gettempdir()) / f"cityseg-gpus-{getattr(os, 'getuid', int)()}"
    folder.mkdir(exist_ok=True)
    taken: list[tuple[str, list[FileLock]]] = []
    while not taken:
        if stop():
            yield None
            return
        with FileLock(folder / "choice.lock"):
            taken = _take(folder, count)
        if not taken:
            time.sleep(LOOK)
    try:
        yield [gpu for gpu, _ in taken]
    finally:
        for _, locks in taken:
            _give_back(locks)


@contextmanager
def held_place(folder: Path, places: int, stop: Callable[[], bool]) -> Iterator[None]:
    """Hold one of so many places, waiting for one, unless it is to stop.

    This is for a launcher that starts all its jobs at once.
    """
    folder.mkdir(exist_ok=True)
    locks = [FileLock(folder / f"{number}.lock") for number in range(places)]
    held = None
    while held is None and not stop():
        held = next((lock for lock in locks if acquired(lock)), None)
        if held is None:
            time.sleep(LOOK)
    try:
        yield
    finally:
        if held is not None:
            held.release()


def _take(folder: Path, count: float) -> list[tuple[str, list[FileLock]]]:
    """Return GPUs with the locks of their parts, those with most room; none if there is too little.

    Called by one process at a time.
    """
    gpus, units = (int(count), UNITS) if count >= 1 else (1, max(1, round(count * UNITS)))
    free: dict[str, list[FileLock]] = {}
    for gpu in visible_gpus():
        free[gpu] = []
        for unit in range(UNITS):
            lock = FileLock(folder / f"{gpu}-{unit}.lock")
            if acquired(lock):
                free[gpu].append(lock)
    best = sorted(free, key=lambda gpu: -len(free[gpu]))[:gpus]
    enough = len(best) == gpus and all(len(free[gpu]) >= units for gpu in best)
    for gpu, locks in free.items():
        kept = units if enough and gpu in best else 0
        _give_back(locks[kept:])
        del locks[kept:]
    return [(gpu, free[gpu]) for gpu in best] if enough else []


def acquired(lock: FileLock) -> bool:
    """Take a lock, if nobody holds it, and say whether that worked."""
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return False
    return True


def _give_back(locks: Sequence[FileLock]) -> None:
    for lock in locks:
        lock.release()


def child_environment(group: str, gpus: Sequence[str] | None, cores: int) -> dict[str, str]:
    """Return the environment of a job's child.

    Args:
        group: the name under which W&B shows the sweep's runs together.
        gpus: those it may see; None leaves that to the scheduler, which has set it already.
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
