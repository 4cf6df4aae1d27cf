"""Try the parts of a training once, before its images are cached: loss, optimizer, monitors."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytorch_lightning as pl
import torch
from torch import nn

from segmentation.errors import ConfigError, did_you_mean
from segmentation.training.module import TrainingModule

SIDE = 64
"""Height and width of the images of the trial."""


def try_parts(module: TrainingModule, callbacks: Sequence[pl.Callback], total_steps: float) -> None:
    """Take a step of the optimizer and the schedule, compute the loss, and check the monitors.

    The module and the random state stay as they are.

    Args:
        module: that will be trained.
        callbacks: of its trainer.
        total_steps: of the optimizer; infinite if only time ends the training.

    Raises:
        ConfigError: an option that PyTorch or Lightning would refuse in the first epoch.
    """
    _try_optimizer(module, total_steps)
    with torch.random.fork_rng(devices=[]):
        parts = _try_loss(module)
    known = {f"train/{name}" for name in ("loss", "loss_step", "loss_epoch", *parts)}
    known |= {f"val/{name}" for name in module.score_names()}
    for callback in callbacks:
        monitor = getattr(callback, "monitor", None)
        if monitor is not None and monitor not in known:
            raise ConfigError(
                f"{type(callback).__name__}: no training logs monitor={monitor!r}."
                f"{did_you_mean(str(monitor), known)} There are: {', '.join(sorted(known))}."
            )


def _try_optimizer(module: TrainingModule, total_steps: float) -> None:
    weight = nn.Parameter(torch.zeros(2))
    weight.grad = torch.zeros(2)
    with _refusals("optimizer"):
        optimizer = module.make_optimizer([{"params": [weight]}])
    steps = int(total_steps) if math.isfinite(total_steps) else total_steps
    with _refusals("schedule"):
        schedule = module.make_schedule(optimizer, total_steps=steps)
    with _refusals("optimizer"):
        optimizer.step()
    schedule.step()


def _try_loss(module: TrainingModule) -> list[str]:
    """Return the names of the loss's parts, of a batch without content."""
    model, training = module.model, module.model.training
    model.eval()  # batch norm keeps its statistics
    with torch.no_grad():
        images = torch.zeros(2, model.encoder.in_channels, SIDE, SIDE, dtype=torch.uint8)
        outputs = module(images)
        batch = {"mask": torch.zeros(2, SIDE, SIDE, dtype=torch.uint8)}
        if (head := model.target_head) is not None:
            batch["category"] = torch.zeros(2, dtype=torch.int64)
            batch["values"] = torch.zeros(2, len(head.columns.values))
        with _refusals("loss"):
            _, parts = module.loss(outputs, batch)
    model.train(training)
    return list(parts)


@contextmanager
def _refusals(group: str) -> Iterator[None]:
    """Turn what an invalid option raises into a ConfigError."""
    try:
        yield
    except (
        TypeError, ValueError, RuntimeError, AssertionError, ArithmeticError, LookupError,
    ) as error:  # fmt: skip
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise ConfigError(f"{group}: {lines[0]}") from error
