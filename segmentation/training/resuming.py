"""What makes a run that goes on from a checkpoint the same, bit for bit, as one that never stopped.

Order and augmentation are functions of (seed, epoch, index), see `EpochSampler` and `TrainDataset`;
the checkpoint has weights, optimizer, schedule and averages. Here is the rest: a random state for
each step that follows from its place alone, the place itself, and at which places a checkpoint says
everything.
"""

from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Timer

Place = tuple[int, int]
"""(epoch, batches of it that were seen)."""


def seed_step(seed: int, epoch: int, batch: int, rank: int) -> None:
    """Set PyTorch's random state for one training step: dropout, drop path and the like.

    Not by `global_step`, which repeats while gradients are accumulated.
    """
    state = np.random.SeedSequence((seed, epoch, batch, rank)).generate_state(1, np.uint64)
    torch.manual_seed(int(state[0]))


def between_steps(trainer: pl.Trainer, batch_idx: int) -> bool:
    """Return whether a checkpoint that is made as this batch begins says everything.

    It does not while gradients are accumulated, which are in no checkpoint. Right after a
    validation within the epoch Lightning would count that twice. Before an epoch's first batch the
    checkpoint of the last epoch's end says the same, and before the first step of a run that goes
    on the one that it goes on from, whose means of the epoch are taken up with that step.

    Args:
        trainer: in `on_train_batch_start`.
        batch_idx: of that hook.
    """
    if batch_idx == 0 or batch_idx % trainer.accumulate_grad_batches:
        return False
    if trainer.fit_loop.epoch_loop.restarting:
        return False
    every = trainer.val_check_batch  # None: validation goes by the clock
    per_run = trainer.check_val_every_n_epoch is None
    seen = trainer.fit_loop.epoch_loop.total_batch_idx if per_run else batch_idx
    return every is None or seen % every != 0


def agreed(trainer: pl.Trainer, mine: int) -> int:
    """Return the largest value that any rank has, so that all do the same as this batch begins.

    With several ranks that means to wait for the device, and is done at the logging interval only;
    between, the answer is 0.

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
    """Return the largest value that any rank has; all ranks have to ask."""
    value = torch.tensor(mine, device=trainer.strategy.root_device)
    return int(trainer.strategy.reduce(value, reduce_op="max"))


def stopped(trainer: pl.Trainer) -> bool:
    """Return whether training was ended for good: a checkpoint has to keep that.

    Not where time has run out: `Timer` keeps that by itself, and more of it may be given.
    """
    callbacks = trainer.callbacks  # type: ignore[attr-defined]
    timers = [one for one in callbacks if isinstance(one, Timer)]
    left = [timer.time_remaining() for timer in timers]
    return trainer.should_stop and not any(one is not None and one <= 0 for one in left)


def settle(checkpoint: dict[str, Any]) -> None:
    """Make the counters of a checkpoint say only what is done.

    A checkpoint is made within a hook, when some of Lightning's counters are ahead of others, and
    what it makes of them differs from hook to hook, and with `max_steps`: an epoch that is counted
    twice, a step that is. Afterwards there are two cases: so many whole epochs, or so many batches
    of the next one.
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
    counts = batches["current"]
    counts.update(dict.fromkeys(counts, counts["processed"]))
    counts = batches["total"]
    counts.update(dict.fromkeys(counts, counts["processed"]))
    # What loggers call the step; Lightning adds the last one after the hooks.
    loops["epoch_loop.state_dict"]["_batches_that_stepped"] = checkpoint["global_step"]


def place_of(checkpoint: dict[str, Any]) -> Place:
    """Return where a settled checkpoint goes on."""
    loops = checkpoint["loops"]["fit_loop"]
    return (
        loops["epoch_progress"]["current"]["processed"],
        loops["epoch_loop.batch_progress"]["current"]["processed"],
    )


def begin_epoch_afresh(trainer: pl.Trainer) -> None:
    """Let Lightning begin an epoch as it always does if none is under way, in `on_train_start`.

    With `max_steps` it takes every run that goes on for one that was stopped within an epoch.
    """
    if trainer.fit_loop.epoch_loop.batch_progress.current.completed == 0:
        trainer.fit_loop.epoch_loop.restarting = False
