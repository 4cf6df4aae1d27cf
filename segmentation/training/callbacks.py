"""Watch a run as it trains: a finite loss, images per second, elapsed time."""

import time
from typing import Any, NoReturn

import pytorch_lightning as pl
import torch
from torch import Tensor

from segmentation.errors import TrainingError


def at_log_interval(trainer: pl.Trainer) -> bool:
    """Whether the batch that just ended is one of every `log_every_n_steps`."""
    batches = trainer.fit_loop.epoch_loop.total_batch_idx + 1
    return batches % trainer.log_every_n_steps == 0  # type: ignore[attr-defined]


class FiniteLoss(pl.Callback):
    """Stop a run whose loss became NaN or infinite, before that state is saved.

    Each step records the check on the device; the host reads it at the logging interval, before
    validation and before each save, so that no step waits for the device.

    Raises:
        TrainingError: the loss or a weight to be saved is not finite. Existing checkpoints are
            from before.
    """

    def __init__(self) -> None:
        self._finite: Tensor | None = None

    def on_train_batch_end(
        self, trainer: pl.Trainer, module: pl.LightningModule, outputs: Any, *args: Any
    ) -> None:
        finite = torch.isfinite(outputs["loss"].detach())
        self._finite = finite if self._finite is None else self._finite & finite
        if at_log_interval(trainer):
            self._check(trainer)

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self._check(trainer)

    def on_validation_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self._check(trainer)

    def on_save_checkpoint(
        self, trainer: pl.Trainer, module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        self._check(trainer)
        # The last step can spoil the weights although its loss was finite.
        for value in checkpoint["state_dict"].values():
            if value.is_floating_point() and not value.isfinite().all():
                self._stop(trainer, "a weight")

    def _check(self, trainer: pl.Trainer) -> None:
        if self._finite is not None and not bool(self._finite):
            self._stop(trainer, "the loss")
        self._finite = None

    @staticmethod
    def _stop(trainer: pl.Trainer, subject: str) -> NoReturn:
        raise TrainingError(
            f"{subject} is not finite (NaN or infinite) at step {trainer.global_step}, epoch "
            f"{trainer.current_epoch + 1}. Earlier checkpoints are kept. Try a lower "
            "optimizer.lr, trainer.gradient_clip_val=1, or trainer.precision=32-true."
        )


class Throughput(pl.Callback):
    """Log `train/images_per_s` over all ranks, at the logging interval."""

    def __init__(self) -> None:
        self._since: float | None = None
        self._images = 0

    def on_train_epoch_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        # Validation between two epochs does not count.
        self._since, self._images = None, 0

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        module: pl.LightningModule,
        outputs: Any,
        batch: dict[str, Any],
        batch_idx: int,
    ) -> None:
        now = time.perf_counter()
        if self._since is None:  # an epoch's first batch also waits for the workers to start
            self._since = now
            return
        self._images += len(batch["name"]) * trainer.world_size
        if at_log_interval(trainer):
            module.log("train/images_per_s", self._images / (now - self._since), batch_size=1)
            self._since, self._images = now, 0


class Elapsed(pl.Callback):
    """Count the seconds that a run trained and scored, over all of its resumed parts.

    Attributes:
        seconds: until now. Work after the checkpoint that a run was resumed from is not included.
    """

    def __init__(self) -> None:
        self._before = 0.0
        self._since = time.perf_counter()

    @property
    def seconds(self) -> float:
        return self._before + time.perf_counter() - self._since

    def state_dict(self) -> dict[str, float]:
        return {"seconds": self.seconds}

    def load_state_dict(self, state_dict: dict[str, float]) -> None:
        self._before = state_dict["seconds"]
