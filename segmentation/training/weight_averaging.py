"""Average a run's weights over its last epochs."""

import logging
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import WeightAveraging

from segmentation.errors import check_count

log = logging.getLogger(__name__)


class MeanOfLast(WeightAveraging):
    """Validate and save the mean of the weights at the ends of the last epochs.

    Before those epochs the weights are used as they are. Buffers (batch norm's statistics) are
    averaged too. Izmailov et al. 2018, arXiv:1803.05407, average along a constant or cyclic
    learning rate and recompute the statistics; here the rate keeps falling, so the averaged weights
    lie close together.

    The last epochs count back from `trainer.max_epochs`. Resuming with more epochs starts a new
    average. A warning is logged where the mean covers fewer epochs than it should, as after
    `max_time` or early stopping.

    Args:
        epochs: how many, 1 or more; a shorter run averages all of its epochs.

    Raises:
        ConfigError: `epochs` is not a whole number of 1 or more.
    """

    def __init__(self, epochs: int = 5) -> None:
        super().__init__()
        self.epochs = check_count("callbacks.mean_of_last.epochs", epochs, 1)

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Create the average.

        Raises:
            ConfigError: `trainer.max_epochs` is not set.
        """
        super().setup(trainer, pl_module, stage)
        if stage == "fit":
            check_count("trainer.max_epochs (for callbacks=mean_of_last)", trainer.max_epochs, 1)

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Reset an average that was started for a smaller `max_epochs`."""
        assert self._average_model is not None
        if self._averaged > max(0, trainer.current_epoch - self._first(trainer)):
            self._average_model.n_averaged.zero_()

    @property
    def _averaged(self) -> int:
        """Number of epochs in the average."""
        assert self._average_model is not None
        return int(self._average_model.n_averaged)

    def _follow(self, pl_module: pl.LightningModule) -> None:
        """Copy the current weights into an average that has no epoch yet."""
        assert self._average_model is not None
        if not self._averaged:
            self._average_model.module.load_state_dict(pl_module.state_dict())

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, *args: Any
    ) -> None:
        """Add the weights at an epoch's last step, before validation."""
        assert self._average_model is not None
        if trainer.is_last_batch and trainer.current_epoch >= self._first(trainer):
            self._average_model.update_parameters(pl_module)

    def _first(self, trainer: pl.Trainer) -> int:
        """Return the first epoch to be averaged, counted from 0."""
        assert trainer.max_epochs is not None
        return max(0, trainer.max_epochs - self.epochs)

    def on_validation_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self._average_model is not None:
            self._follow(pl_module)
        super().on_validation_epoch_start(trainer, pl_module)

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        if self._average_model is not None:
            self._follow(pl_module)
        super().on_save_checkpoint(trainer, pl_module, checkpoint)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._follow(pl_module)
        super().on_train_end(trainer, pl_module)
        assert trainer.max_epochs is not None
        epochs = min(self.epochs, trainer.max_epochs)
        if self._averaged < epochs:
            log.warning(
                "callbacks=mean_of_last: the final weights average %d epochs instead of %d: "
                "training ended early or was resumed with more epochs.",
                self._averaged,
                epochs,
            )
