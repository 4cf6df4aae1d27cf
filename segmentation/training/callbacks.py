"""What is looked at while a run trains: a loss that is finite, and how fast it goes."""

import time
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from segmentation.errors import TrainingError


def at_log_interval(trainer: pl.Trainer) -> bool:
    """Whether the batch that just ended is one of every `log_every_n_steps`."""
    batches = trainer.fit_loop.epoch_loop.total_batch_idx + 1
    return batches % trainer.log_every_n_steps == 0  # type: ignore[attr-defined]


class FiniteLoss(pl.Callback):
    """Stop a run whose loss became NaN or infinite, before a checkpoint of it is written.

    The step only notes the fact on the device; it is read at the logging interval and before each
    save, so that no step waits for the device.

    Raises:
        TrainingError: when it is read; checkpoints that exist are from before.
    """

    def __init__(self) -> None:
        self._finite: Tensor | None = None

    def on_train_batch_end(
        self, trainer: pl.Trainer, module: pl.LightningModule, outputs: Any, *args: Any
    ) -> None:
        """Note whether this step's loss was finite."""
        finite = torch.isfinite(outputs["loss"].detach())
        self._finite = finite if self._finite is None else self._finite & finite
        if at_log_interval(trainer):
            self._look(trainer)

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Look before the epoch's checkpoint."""
        self._look(trainer)

    def on_validation_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Look before scoring, which a checkpoint of the best follows."""
        self._look(trainer)

    def on_save_checkpoint(
        self, trainer: pl.Trainer, module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Look before any other save, and at what is saved: a last step can spoil the weights."""
        self._look(trainer)
        weights = [
            value for value in checkpoint["state_dict"].values() if value.is_floating_point()
        ]
        if not all(bool(value.isfinite().all()) for value in weights):
            self._stop(trainer, "a weight")

    def _look(self, trainer: pl.Trainer) -> None:
        if self._finite is not None and not bool(self._finite):
            self._stop(trainer, "the loss")
        self._finite = None

    @staticmethod
    def _stop(trainer: pl.Trainer, what: str) -> None:
        raise TrainingError(
            f"{what} is not finite (NaN or infinite) at step {trainer.global_step}, epoch "
            f"{trainer.current_epoch + 1}. Checkpoints from before are kept. Try a lower "
            "optimizer.lr, trainer.gradient_clip_val=1, or trainer.precision=32-true."
        )


class Throughput(pl.Callback):
    """Log `train/images_per_s`, over all ranks, at the logging interval."""

    def __init__(self) -> None:
        self._since: float | None = None
        self._images = 0

    def on_train_epoch_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Begin anew: validation between epochs does not count."""
        self._since, self._images = None, 0

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        module: pl.LightningModule,
        outputs: Any,
        batch: dict[str, Any],
        batch_idx: int,
    ) -> None:
        """Count this batch; an epoch's first, which waits for the workers, starts the clock."""
        now = time.perf_counter()
        if self._since is None:
            self._since = now
            return
        self._images += len(batch["name"]) * trainer.world_size
        if at_log_interval(trainer):
            module.log("train/images_per_s", self._images / (now - self._since), batch_size=1)
            self._since, self._images = now, 0


class Elapsed(pl.Callback):
    """Count the seconds a run has trained and scored, over all its starts.

    Attributes:
        seconds: until now; what was done after a checkpoint that a start goes on from is not in it.
    """

    def __init__(self) -> None:
        self._before = 0.0
        self._since = time.perf_counter()

    @property
    def seconds(self) -> float:
        return self._before + time.perf_counter() - self._since

    def state_dict(self) -> dict[str, float]:
        """Return what a checkpoint keeps."""
        return {"seconds": self.seconds}

    def load_state_dict(self, state_dict: dict[str, float]) -> None:
        """Add the seconds of earlier starts."""
        self._before = state_dict["seconds"]
