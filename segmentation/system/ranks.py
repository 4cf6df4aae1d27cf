"""Which of a run's processes (ranks) this one is, told from the environment without torch.

Lightning starts the ranks of one machine by itself, from rank zero; torchrun and SLURM's srun start
all of them from outside, and each composes its own configuration.
"""

import os
import re
from collections.abc import Mapping

from segmentation.errors import ConfigError


def rank(environment: Mapping[str, str] = os.environ) -> int:
    """Return this process's rank; rank zero is the one that writes the run directory's files.

    On further machines where Lightning starts the ranks it is no more than a number above 0.
    """
    if by_torchrun(environment):
        return int(environment["RANK"])
    if _by_slurm(environment):
        return int(environment["SLURM_PROCID"])
    return sum(int(environment.get(key, "0")) for key in ("LOCAL_RANK", "NODE_RANK"))


def has_to_leave(environment: Mapping[str, str] = os.environ) -> bool:
    """Return whether this process has to end with its parent: rank zero, or torchrun's agent."""
    if by_torchrun(environment):
        return True
    return not _by_slurm(environment) and environment.get("LOCAL_RANK", "0") != "0"


def started_from_outside(environment: Mapping[str, str] = os.environ) -> int | None:
    """Return how many ranks torchrun or srun started; None where Lightning starts them.

    Raises:
        ConfigError: SLURM gave several tasks, but the command was not started by srun.
    """
    if by_torchrun(environment):
        return int(environment["WORLD_SIZE"])
    if not _by_slurm(environment):
        return None
    if "SLURM_STEP_ID" not in environment:
        raise ConfigError(
            f"SLURM gave this job {environment['SLURM_NTASKS']} tasks, but this is one process and "
            "would wait for the others for ever: put srun before python, or ask for one task."
        )
    return int(environment["SLURM_NTASKS"])


def shared_name(environment: Mapping[str, str] = os.environ) -> str | None:
    """Return a name that all ranks that were started from outside find alike, of this start alone.

    It is made of SLURM's job and step, or of torchrun's rendezvous, which on one machine is a
    random name. None where there is no such name: Lightning starts the ranks, or torchrun does on
    several machines without ``--rdzv-id``.
    """
    if by_torchrun(environment):
        name = environment["TORCHELASTIC_RUN_ID"]
        return None if name == "none" else "torchrun-" + re.sub(r"[^\w.-]", "_", name)
    if started_from_outside(environment) is None:
        return None
    return f"slurm-{environment['SLURM_JOB_ID']}-{environment['SLURM_STEP_ID']}"


def by_torchrun(environment: Mapping[str, str] = os.environ) -> bool:
    """Return whether torchrun started this process."""
    return "TORCHELASTIC_RUN_ID" in environment


def _by_slurm(environment: Mapping[str, str]) -> bool:
    """Return whether Lightning will take the ranks from SLURM, and there are several."""
    interactive = environment.get("SLURM_JOB_NAME") in ("bash", "interactive")
    return not interactive and int(environment.get("SLURM_NTASKS", "1")) > 1
