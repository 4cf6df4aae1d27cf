"""The mean of a run's last weights."""

import logging
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import WeightAveraging

from segmentation.errors import check_count

log = logging.getLogger(__name__)


class MeanOfLast(WeightAveraging):
    """Scores and keeps the mean of the weights at the ends of the last epochs.

    Until those begin it is the weights as they are. Buffers (batch norm's statistics) are averaged
    like weights. Izmailov et al. 2018, arXiv:1803.05407, average along a constant or cyclic
    learning rate and count batch norm afresh; here the rate goes on falling as the schedule says,
    so the weights that are averaged lie close together.

    The last epochs are those before `trainer.max_epochs`: a run that ends before them (by
    `max_time`, or early stopping) is warned of. One that goes on for longer than it was to last
    begins its average anew, and is warned of if that leaves fewer epochs.

    Args:
        epochs: how many; of a shorter run all of them.

    Raises:
        ConfigError: `epochs` is no whole number of 1 or more.
    """

    def __init__(self, epochs: int = 5) -> None:
        super().__init__()
        self.epochs = check_count("callbacks.mean_of_last.epochs", epochs, 1)

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Make the average.

        Raises:
            ConfigError: the run has no last epoch.
        """
        super().setup(trainer, pl_module, stage)
        if stage == "fit":
            check_count("trainer.max_epochs (for callbacks=mean_of_last)", trainer.max_epochs, 1)

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Forget an average that a shorter training, now resumed as a longer one, had begun."""
        assert self._average_model is not None
        if self._averaged > max(0, trainer.current_epoch - self._first(trainer)):
            self._average_model.n_averaged.zero_()

    @property
    def _averaged(self) -> int:
        """The epochs that are in the average."""
        assert self._average_model is not None
        return int(self._average_model.n_averaged)

    def _follow(self, pl_module: pl.LightningModule) -> None:
        """Let the average be the weights as they are, until the first of the last epochs ends."""
        assert self._average_model is not None
        if not self._averaged:
            self._average_model.module.load_state_dict(pl_module.state_dict())

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, *args: Any
    ) -> None:
        """Take in the weights at the last step of the last epochs; validation comes after it."""
        assert self._average_model is not None
        if trainer.is_last_batch and trainer.current_epoch >= self._first(trainer):
            self._average_model.update_parameters(pl_module)

    def _first(self, trainer: pl.Trainer) -> int:
        """Return the first epoch that counts, the run's first one being 0."""
        assert trainer.max_epochs is not None
        return max(0, trainer.max_epochs - self.epochs)

    def on_validation_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Let validation see the average."""
        if self._average_model is not None:
            self._follow(pl_module)
        super().on_validation_epoch_start(trainer, pl_module)

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Keep both the average and the weights that go on being trained."""
        if self._average_model is not None:
            self._follow(pl_module)
        super().on_save_checkpoint(trainer, pl_module, checkpoint)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Leave the average in the model."""
        self._follow(pl_module)
        super().on_train_end(trainer, pl_module)
        assert trainer.max_epochs is not None
        wanted = min(self.epochs, trainer.max_epochs)
        if self._averaged < wanted:
            last = f"the mean of {self._averaged} epochs" if self._averaged else "no mean"
            log.warning(
                "callbacks=mean_of_last: the last weights are %s, not the mean of %d epochs: "
                "training ended early, or was resumed to go on for longer.", last, wanted,
            )  # fmt: skip
