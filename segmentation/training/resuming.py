"""Resume a run bit for bit as if it had never stopped.

Order and augmentation are functions of (seed, epoch, index), see `EpochSampler` and `TrainDataset`;
the checkpoint holds weights, optimizer, schedule and averages. This module adds the random state of
each step, the place in the run, and the rule when a checkpoint is complete.
"""

from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Timer

Place = tuple[int, int]
"""(epoch, batches of it already seen)."""


def seed_step(seed: int, epoch: int, batch: int, rank: int) -> None:
    """Seed PyTorch for one training step (dropout, drop path).

    `global_step` would not do: it repeats while gradients are accumulated.
    """
    state = np.random.SeedSequence((seed, epoch, batch, rank)).generate_state(1, np.uint64)
    torch.manual_seed(int(state[0]))


def between_steps(trainer: pl.Trainer, batch_idx: int) -> bool:
    """Return whether a checkpoint made as this batch starts is complete.

    It is not while gradients are accumulated, as no checkpoint holds them, nor right after a
    validation within the epoch, which Lightning would count twice on resuming. Before an epoch's
    first batch, and before the first batch of a resumed run, the last checkpoint is still current.

    Args:
        trainer: in `on_train_batch_start`.
        batch_idx: of that hook.
    """
    if batch_idx == 0 or batch_idx % trainer.accumulate_grad_batches:
        return False
    if trainer.fit_loop.epoch_loop.restarting:
        return False
    every = trainer.val_check_batch  # None: validation by wall time
    per_run = trainer.check_val_every_n_epoch is None
    seen = trainer.fit_loop.epoch_loop.total_batch_idx if per_run else batch_idx
    return every is None or seen % every != 0


def agreed(trainer: pl.Trainer, mine: int) -> int:
    """Return the largest value of all ranks, so that all act alike as this batch starts.

    With several ranks this waits for the device, so between logging intervals it returns 0.

    Args:
        trainer: in `on_train_batch_start`.
        mine: this rank's value, 0 or more.
    """
    if trainer.world_size == 1:
        return mine
    seen = trainer.fit_loop.epoch_loop.total_batch_idx
    if seen % trainer.log_every_n_steps:  # type: ignore[attr-defined]
        return 0
    return largest(trainer, mine)


def largest(trainer: pl.Trainer, mine: int) -> int:
    """Return the largest value of all ranks; all ranks must call it."""
    value = torch.tensor(mine, device=trainer.strategy.root_device)
    return int(trainer.strategy.reduce(value, reduce_op="max"))


def stopped(trainer: pl.Trainer) -> bool:
    """Return whether training was stopped for good, such as by early stopping.

    Running out of `max_time` does not count: a resumed run may be given more.
    """
    callbacks = trainer.callbacks  # type: ignore[attr-defined]
    timers = [callback for callback in callbacks if isinstance(callback, Timer)]
    left = [timer.time_remaining() for timer in timers]
    return trainer.should_stop and not any(time is not None and time <= 0 for time in left)


def settle(checkpoint: dict[str, Any]) -> None:
    """Make the progress counters of a checkpoint consistent.

    Within a hook some of Lightning's counters are ahead of others, and on resuming an epoch or a
    step would count twice, depending on the hook and on `max_steps`. Afterwards a checkpoint is at
    the end of a whole epoch, or at a number of finished batches within one.
    """
    if "loops" not in checkpoint:  # weights alone
        return
    loops = checkpoint["loops"]["fit_loop"]
    epochs, batches = loops["epoch_progress"], loops["epoch_loop.batch_progress"]
    if epochs["current"]["processed"] == epochs["current"]["started"]:
        for counts in (epochs["total"], epochs["current"]):
            counts.update(dict.fromkeys(counts, counts["processed"]))
        batches["current"] = dict.fromkeys(batches["current"], 0)
        batches["is_last_batch"] = False
    for counts in (batches["current"], batches["total"]):
        counts.update(dict.fromkeys(counts, counts["processed"]))
    # The loggers' step; Lightning adds the last one after the hooks.
    loops["epoch_loop.state_dict"]["_batches_that_stepped"] = checkpoint["global_step"]


def place_of(checkpoint: dict[str, Any]) -> Place:
    """Return the place at which a settled checkpoint resumes."""
    loops = checkpoint["loops"]["fit_loop"]
    return (
        loops["epoch_progress"]["current"]["processed"],
        loops["epoch_loop.batch_progress"]["current"]["processed"],
    )


def begin_epoch_afresh(trainer: pl.Trainer) -> None:
    """Start a normal epoch if none is under way; to be called in `on_train_start`.

    With `max_steps` Lightning treats every resumed run as one that stopped within an epoch.
    """
    if trainer.fit_loop.epoch_loop.batch_progress.current.completed == 0:
        trainer.fit_loop.epoch_loop.restarting = False
