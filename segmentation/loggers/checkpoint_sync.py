"""Keep loggers consistent with checkpoints, so that a resumed run has no gap and no repetition."""

from typing import Any

import pytorch_lightning as pl
from lightning_fabric.utilities.apply_func import convert_tensors_to_scalars

from segmentation.loggers.csv_logger import ResumableCSVLogger
from segmentation.loggers.fault_tolerant import FaultTolerant


class CheckpointSync(pl.Callback):
    """Log everything a checkpoint holds exactly once.

    Lightning saves the checkpoint of an epoch's end before it logs the epoch's metrics. A run
    killed in between would lose that row, so it is logged before the save, and `ResumableCSVLogger`
    drops Lightning's repetition. A checkpoint within an epoch keeps the running means, which
    Lightning would restart. A run that resumes from a checkpoint discards what was logged after it.
    """

    def __init__(self) -> None:
        self._means: dict[str, tuple[float, int]] = {}

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Log the epoch, or keep its running means; called on all ranks, which may reduce them."""
        connector, results = trainer._logger_connector, trainer._results
        if not trainer.training or results is None:
            return  # the metrics of a validation are logged already
        if connector._first_loop_iter is not None:
            checkpoint["epoch_means"] = {
                key: (float(mean.value), int(mean.cumulated_batch_size))
                for key, mean in results.items()
                if _is_mean(mean) and not mean.has_reset
            }
        elif values := convert_tensors_to_scalars(connector.metrics["log"]):
            row = {"epoch": trainer.current_epoch, **values}
            for logger in trainer.loggers:
                if isinstance(logger, ResumableCSVLogger):
                    logger.log_metrics(row, trainer.global_step - 1)
                    logger.save()

    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Discard what was logged after the checkpoint that training resumes from."""
        self._means = dict(checkpoint.get("epoch_means", {}))
        for logger in trainer.loggers:
            if isinstance(logger, FaultTolerant):
                logger.resume_from(checkpoint["global_step"])

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: object
    ) -> None:
        """Add the running means of the checkpoint after the first step."""
        for key, (value, weight) in self._means.items():
            mean = (trainer._results or dict[str, Any]()).get(key)
            if mean is not None and _is_mean(mean):
                mean.value = mean.value + value
                mean.cumulated_batch_size = mean.cumulated_batch_size + weight
        self._means = {}


def _is_mean(metric: Any) -> bool:
    """Return whether a Lightning result is a mean over the batches of an epoch."""
    return metric.is_tensor and metric.meta.on_epoch and metric.meta.is_mean_reduction
