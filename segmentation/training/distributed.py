"""What several processes (ranks) need that train one model: one configuration, and one end."""

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
"""Environment variable: the process number of rank zero, for the ranks that it starts."""
GRACE = 20.0
"""Seconds that a rank without its parent has to end by itself."""
PATIENCE = 45.0
"""Seconds that rank zero has to end before the others do, where all end with one error."""


def processes_here(options: Mapping[str, Any]) -> int:
    """Return how many processes of this machine train, by Lightning's options.

    Raises:
        ConfigError: `devices` is no number of devices and no list of them.
    """
    devices = options["devices"]
    if isinstance(devices, list):
        return len(devices)
    if not isinstance(devices, int) or isinstance(devices, bool) or devices < -1 or not devices:
        raise ConfigError(
            f"trainer.devices={devices!r}: type how many, -1 for every GPU, or which, as [0,2]."
        )
    if devices == -1:
        return torch.cuda.device_count() if options["accelerator"] == "cuda" else 1
    return devices


def check_processes(options: Mapping[str, Any]) -> int:
    """Return how many processes train in all.

    Raises:
        ConfigError: torchrun or srun started another number; or SyncBatchNorm on a CPU.
    """
    nodes = options.get("num_nodes", 1)
    expected = processes_here(options) * nodes
    started = external_world_size()
    if started is not None and started != expected:
        raise ConfigError(
            f"torchrun or srun started {started} processes, but trainer.devices times "
            f"trainer.num_nodes is {expected}. Type trainer=ddp trainer.devices=<on each machine> "
            "trainer.num_nodes=<machines>."
        )
    if options.get("sync_batchnorm") and options["accelerator"] != "cuda":
        raise ConfigError(
            "trainer.sync_batchnorm=true needs GPUs: PyTorch's SyncBatchNorm has no CPU version. "
            "Type trainer.sync_batchnorm=false, or decoder.norm=group, which needs no batch."
        )
    return expected


def cluster() -> list[ClusterEnvironment]:
    """Return who starts the ranks, where Lightning would guess wrong.

    In a SLURM job it takes every rank from SLURM even where that has one task, and lets several
    devices wait idle; and it requeues by itself, where our own configuration says what a signal
    does.
    """
    if "SLURM_NTASKS" not in os.environ or launched_by_torchrun():
        return []
    if external_world_size() is None:
        return [LightningEnvironment()]
    return [SLURMEnvironment(auto_requeue=False)]


def watch_parent() -> None:
    """Let this rank end with rank zero, or with torchrun; and let those that it starts do so."""
    if exits_with_parent():
        known = None if launched_by_torchrun() else os.environ.get(RANK_ZERO)
        exit_with_parent(int(known) if known else None, grace=GRACE)
    else:
        os.environ[RANK_ZERO] = str(os.getpid())


class SameConfiguration(pl.Callback):
    """Stop all ranks before they train if one has another configuration than rank zero.

    Each composes its own: from another file of defaults on another machine, or with other
    hyperparameters where a sweep's sampler runs in each.

    Args:
        config: plain values, nested or not: all that has to be the same.

    Raises:
        TrainingError: on every rank; it names the keys that differ.
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        self.config = flat(config)

    def setup(self, trainer: pl.Trainer, module: pl.LightningModule, stage: str) -> None:
        """Compare hashes, and only if they differ the values."""
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
        wrong = [str(number) for number, one in enumerate(hashes) if one != hashes[0]]
        raise TrainingError(
            f"rank {listed(wrong)} has another configuration than rank 0: {listed(sorted(keys))} "
            "differ. Start all ranks with the same command and the same files in conf/."
        )


class EndTogether(pl.Callback):
    """Make the end of one rank the end of all, and of rank zero an orderly one.

    Rank zero looks after those that it started (Lightning kills all as soon as one ends with an
    error), and they look after it (see `watch_parent`). Two cases are left. A rank that leaves with
    exit code 0 in mid-training would count as finished while the others wait for it: it becomes an
    error. And an error that all ranks have, such as a loss that is not finite, must not get rank
    zero killed while it still closes its loggers: the others let it go first.
    """

    def on_exception(
        self, trainer: pl.Trainer, module: pl.LightningModule, exception: BaseException
    ) -> None:
        """Wait for rank zero, or turn a quiet exit into an error."""
        if trainer.world_size == 1:
            return
        if isinstance(exception, SystemExit) and not exception.code:
            raise TrainingError(
                f"rank {trainer.global_rank} left while the others trained."
            ) from exception
        if isinstance(exception, TrainingError) and RANK_ZERO in os.environ and exits_with_parent():
            parent, until = os.getppid(), time.monotonic() + PATIENCE
            while os.getppid() == parent and time.monotonic() < until:
                time.sleep(0.1)


def gathered(value: Any) -> list[Any]:
    """Return what each rank has as `value`, in their order; all ranks have to ask."""
    if not (dist.is_available() and dist.is_initialized()):
        return [value]
    values: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(values, value)
    return values
