"""Keep the processes (ranks) of one training together: one configuration, one end."""

import hashlib
import json
import os
import time
from collections.abc import Mapping
from typing import Any

import pytorch_lightning as pl
import torch
import torch.distributed as dist
from lightning_fabric.plugins.environments import (
    ClusterEnvironment,
    LightningEnvironment,
    SLURMEnvironment,
)

from segmentation.config import flat
from segmentation.errors import ConfigError, TrainingError, listed
from segmentation.system.parent_process import exit_with_parent
from segmentation.system.ranks import exits_with_parent, external_world_size, launched_by_torchrun

RANK_ZERO = "CITYSEG_RANK_ZERO"
"""Environment variable with the process id of rank zero, for the ranks that it starts."""
ORPHAN_GRACE = 20.0
"""Seconds in which a rank without its parent may end by itself."""
RANK_ZERO_GRACE = 45.0
"""Seconds for which the other ranks wait for rank zero to end, when all end with an error."""


def processes_here(options: Mapping[str, Any]) -> int:
    """Return how many processes train on this machine.

    Args:
        options: of Lightning's Trainer, with `devices` and `accelerator`.

    Raises:
        ConfigError: `devices` is neither a number of devices nor a list of them.
    """
    devices = options["devices"]
    if isinstance(devices, list) and devices and all(type(index) is int for index in devices):
        return len(devices)
    if not isinstance(devices, int) or isinstance(devices, bool) or devices < -1 or not devices:
        raise ConfigError(
            f"trainer.devices={devices!r}: pass a number, -1 for all GPUs, or a list such as [0,2]."
        )
    if devices == -1:
        return torch.cuda.device_count() if options["accelerator"] == "cuda" else 1
    return devices


def check_processes(options: Mapping[str, Any]) -> int:
    """Return how many processes train in total.

    Raises:
        ConfigError: torchrun or srun started a different number, or SyncBatchNorm without GPUs.
    """
    nodes = options.get("num_nodes", 1)
    expected = processes_here(options) * nodes
    started = external_world_size()
    if started is not None and started != expected:
        raise ConfigError(
            f"torchrun or srun started {started} processes, but trainer.devices times "
            f"trainer.num_nodes is {expected}. Pass trainer=ddp trainer.devices=<per machine> "
            "trainer.num_nodes=<machines>."
        )
    if options.get("sync_batchnorm") and options["accelerator"] != "cuda":
        raise ConfigError(
            "trainer.sync_batchnorm=true needs GPUs: PyTorch's SyncBatchNorm has no CPU version. "
            "Pass trainer.sync_batchnorm=false, or decoder.norm=group, which needs no batch."
        )
    return expected


def cluster() -> list[ClusterEnvironment]:
    """Return Lightning's plugin for what starts the ranks, where it would guess wrong.

    In a SLURM job of one task Lightning takes the ranks from SLURM too, and leaves all but one
    device idle. It also requeues by itself, which `signals.requeue` decides here.
    """
    if "SLURM_NTASKS" not in os.environ or launched_by_torchrun():
        return []
    if external_world_size() is None:
        return [LightningEnvironment()]
    return [SLURMEnvironment(auto_requeue=False)]


def watch_parent() -> None:
    """End this rank when rank zero (or torchrun) ends, and likewise the ranks that it starts."""
    if exits_with_parent():
        rank_zero = None if launched_by_torchrun() else os.environ.get(RANK_ZERO)
        exit_with_parent(int(rank_zero) if rank_zero else None, grace=ORPHAN_GRACE)
    else:
        os.environ[RANK_ZERO] = str(os.getpid())


class SameConfiguration(pl.Callback):
    """Stop all ranks before training if their configurations differ.

    Each rank composes its own. They differ where machines have different files in `conf/`, or
    where a sweep's sampler runs in each of them.

    Args:
        config: plain values, possibly nested: everything that must be the same.

    Raises:
        TrainingError: on every rank, with the keys that differ.
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        self.config = flat(config)

    def setup(self, trainer: pl.Trainer, module: pl.LightningModule, stage: str) -> None:
        """Compare hashes first, and the values only where those differ."""
        text = json.dumps(self.config, sort_keys=True, default=str)
        hashes = gathered(hashlib.sha256(text.encode()).hexdigest())
        if len(set(hashes)) == 1:
            return
        first, *others = gathered(self.config)
        keys = {
            key
            for other in others
            for key in first.keys() | other.keys()
            if first.get(key) != other.get(key)
        }
        ranks = [str(rank) for rank, value in enumerate(hashes) if value != hashes[0]]
        raise TrainingError(
            f"rank {listed(ranks)} and rank 0 have different configurations: "
            f"{listed(sorted(keys))}. Start all ranks with the same command and the same conf/."
        )


class EndTogether(pl.Callback):
    """End all ranks when one ends, and let rank zero close its loggers.

    Lightning kills all ranks as soon as one ends with an error, and `watch_parent` ends them with
    rank zero. Two cases are left. A rank that exits with code 0 in mid-training counts as finished
    while the others wait for it; here it becomes an error. And where all ranks raise the same
    error, such as a non-finite loss, the first to end would get rank zero killed; here the others
    wait until it has ended.
    """

    def on_exception(
        self, trainer: pl.Trainer, module: pl.LightningModule, exception: BaseException
    ) -> None:
        """Wait for rank zero, or turn an exit with code 0 into an error."""
        if trainer.world_size == 1:
            return
        if isinstance(exception, SystemExit) and not exception.code:
            message = f"rank {trainer.global_rank} exited while the others were training."
            raise TrainingError(message) from exception
        if isinstance(exception, TrainingError) and RANK_ZERO in os.environ and exits_with_parent():
            parent, until = os.getppid(), time.monotonic() + RANK_ZERO_GRACE
            while os.getppid() == parent and time.monotonic() < until:
                time.sleep(0.1)


def gathered(value: Any) -> list[Any]:
    """Return the `value` of every rank, in rank order; all ranks must call it."""
    if not (dist.is_available() and dist.is_initialized()):
        return [value]
    values: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(values, value)
    return values
