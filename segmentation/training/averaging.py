"""The mean of a run's last weights."""

from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import WeightAveraging

from segmentation.checks import check_count


class MeanOfLast(WeightAveraging):
    """Scores and keeps the mean of the weights at the ends of the last epochs.

    Until those begin it is the weights as they are at each epoch's end. Buffers (batch norm's
    statistics) are averaged like weights. Izmailov et al. 2018, arXiv:1803.05407, average along a
    constant or cyclic learning rate and count batch norm afresh; here the rate goes on falling as
    the schedule says, so the weights that are averaged lie close together. The last epochs are
    those before `trainer.max_epochs`: a run that ends before (by `max_time`, or early stopping) may
    end without a mean.

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

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, *args: Any
    ) -> None:
        """Take in the weights at an epoch's last step, which comes before its validation."""
        if not trainer.is_last_batch or trainer.max_epochs is None or self._average_model is None:
            return
        if trainer.current_epoch <= trainer.max_epochs - self.epochs:
            self._average_model.n_averaged.zero_()  # torch then copies in place of averaging
        self._average_model.update_parameters(pl_module)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Do nothing: Lightning's own would update after validation."""
