"""Rank and launcher of this process, read from the environment without importing torch.

Lightning starts the ranks of one machine by itself, from rank zero. torchrun and SLURM's srun start
all ranks from outside, and each rank composes its own configuration.
"""

import os
import re
from collections.abc import Mapping

from segmentation.errors import ConfigError


def rank(environment: Mapping[str, str] = os.environ) -> int:
    """Return the rank of this process; only rank zero writes to the run directory.

    Where Lightning starts the ranks on several machines, those of the others get a number above 0,
    not their global rank.
    """
    if launched_by_torchrun(environment):
        return int(environment["RANK"])
    if _launched_by_slurm(environment):
        return int(environment["SLURM_PROCID"])
    return sum(int(environment.get(key, "0")) for key in ("LOCAL_RANK", "NODE_RANK"))


def exits_with_parent(environment: Mapping[str, str] = os.environ) -> bool:
    """Return whether this process has to exit with its parent, rank zero or torchrun's agent."""
    if launched_by_torchrun(environment):
        return True
    return not _launched_by_slurm(environment) and environment.get("LOCAL_RANK", "0") != "0"


def external_world_size(environment: Mapping[str, str] = os.environ) -> int | None:
    """Return the number of ranks that torchrun or srun started; None if Lightning starts them.

    Raises:
        ConfigError: SLURM allotted several tasks, but the command was not started by srun.
    """
    if launched_by_torchrun(environment):
        return int(environment["WORLD_SIZE"])
    if not _launched_by_slurm(environment):
        return None
    if "SLURM_STEP_ID" not in environment:
        raise ConfigError(
            f"SLURM allotted {environment['SLURM_NTASKS']} tasks to this job, but only this "
            "process was started, and it would wait for the others forever: put srun before "
            "python, or request one task."
        )
    return int(environment["SLURM_NTASKS"])


def launch_id(environment: Mapping[str, str] = os.environ) -> str | None:
    """Return a name of this launch that all ranks share, and no other launch has.

    It consists of SLURM's job and step ids, or of torchrun's rendezvous id, which is random on one
    machine. None if there is no such name: Lightning starts the ranks, or torchrun starts them on
    several machines without ``--rdzv-id``.
    """
    if launched_by_torchrun(environment):
        name = environment["TORCHELASTIC_RUN_ID"]
        return None if name == "none" else "torchrun-" + re.sub(r"[^\w.-]", "_", name)
    if external_world_size(environment) is None:
        return None
    return f"slurm-{environment['SLURM_JOB_ID']}-{environment['SLURM_STEP_ID']}"


def launched_by_torchrun(environment: Mapping[str, str] = os.environ) -> bool:
    """Return whether torchrun started this process."""
    return "TORCHELASTIC_RUN_ID" in environment


def _launched_by_slurm(environment: Mapping[str, str]) -> bool:
    """Return whether Lightning will take the ranks from SLURM, of which there are several."""
    interactive = environment.get("SLURM_JOB_NAME") in ("bash", "interactive")
    return not interactive and int(environment.get("SLURM_NTASKS", "1")) > 1
