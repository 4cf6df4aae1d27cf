"""Loggers that agree with the checkpoint a run goes on from."""

from typing import Any

import pytorch_lightning as pl
from lightning_fabric.utilities.apply_func import convert_tensors_to_scalars

from segmentation.loggers.csv_logger import Curves
from segmentation.loggers.forgiving import Forgiving


class CurvesInStep(pl.Callback):
    """Keep the loggers in step with the checkpoints: what one holds is logged, and only once.

    The checkpoint of an epoch's end is saved before Lightning logs what it says of the epoch. A run
    that is killed in between would lack that row for ever: so it is logged first, and `Curves`
    leaves out what Lightning adds. One from within an epoch keeps the means so far, which Lightning
    would begin again. A run that goes on with a checkpoint takes back what was logged after it.
    """

    def __init__(self) -> None:
        self._means: dict[str, tuple[float, int]] = {}

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Log the epoch, or keep its means so far; on all ranks, whose means may be one."""
        connector, results = trainer._logger_connector, trainer._results
        if not trainer.training or results is None:
            return  # what was validated is logged by now
        if connector._first_loop_iter is not None:
            checkpoint["epoch_means"] = {
                key: (float(mean.value), int(mean.cumulated_batch_size))
                for key, mean in results.items()
                if _is_mean(mean) and not mean.has_reset
            }
        elif values := convert_tensors_to_scalars(connector.metrics["log"]):
            row = {"epoch": trainer.current_epoch, **values}
            for logger in trainer.loggers:
                if isinstance(logger, Curves):
                    logger.log_metrics(row, trainer.global_step - 1)
                    logger.save()

    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Take back what was logged after a checkpoint that training goes on with."""
        self._means = dict(checkpoint.get("epoch_means", {}))
        for logger in trainer.loggers:
            if isinstance(logger, Forgiving):
                logger.go_on_from(checkpoint["global_step"])

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: object
    ) -> None:
        """After the first step add the means that the checkpoint kept."""
        for key, (value, weight) in self._means.items():
            mean = (trainer._results or dict[str, Any]()).get(key)
            if mean is not None and _is_mean(mean):
                mean.value = mean.value + value
                mean.cumulated_batch_size = mean.cumulated_batch_size + weight
        self._means = {}


def _is_mean(metric: Any) -> bool:
    """Return whether one of Lightning's results is a mean over the batches of an epoch."""
    return metric.is_tensor and metric.meta.on_epoch and metric.meta.is_mean_reduction
