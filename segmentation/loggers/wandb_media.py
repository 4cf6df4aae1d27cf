"""Log tables, masks and the best checkpoint of a training to W&B."""

from typing import TYPE_CHECKING

import pytorch_lightning as pl
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.trainer.states import TrainerFn

from segmentation.loggers.wandb_logger import WandbLogger
from segmentation.loggers.wandb_tables import (
    class_table,
    confusion_plot,
    masked_image,
    target_table,
)
from segmentation.pictures import Samples, evenly_spaced, example
from segmentation.training.scoring import ScoringModule

if TYPE_CHECKING:
    import wandb


class WandbMedia(pl.Callback):
    """Log tables and pictures of a `ScoringModule` to W&B; a no-op without a W&B logger.

    Each validation adds a point to the curve of each class's IoU. Masks are logged at validations
    1, 2, 4, 8 ... and at the end: few in a long run, and dense in the beginning, when they change
    most. Tables and the best checkpoint are logged only at the end, because W&B waits for the
    server with each of them. The checkpoint is uploaded only by an online run.

    Args:
        count: number of validation images that are logged with masks; always the same ones.
    """

    def __init__(self, count: int = 6) -> None:
        self.count = count
        self._validations = 0
        self._last_logged = 0

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Reset the count of validations."""
        self._validations = self._last_logged = 0

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Log masks if due, while an average of the weights is still in place."""
        logger = _wandb_logger(trainer)
        if logger is None or trainer.sanity_checking or trainer.state.fn != TrainerFn.FITTING:
            return
        assert isinstance(pl_module, ScoringModule)
        self._validations += 1
        if self._validations & (self._validations - 1) == 0:
            self._log_masks(logger, trainer, pl_module)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Log each class's IoU."""
        logger = _wandb_logger(trainer)
        if logger is None or trainer.sanity_checking or trainer.state.fn != TrainerFn.FITTING:
            return
        assert isinstance(pl_module, ScoringModule)
        classes, result = pl_module.classes, pl_module.scores
        if classes is None or result is None:
            return
        iou = zip(classes.names, result.iou, strict=True)
        with logger.errors_as_warnings():
            _log(logger, trainer, {f"iou/{name}": value for name, value in iou if value == value})

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Log the last masks, tables of scores, the confusion matrix and the best checkpoint."""
        logger = _wandb_logger(trainer)
        if logger is None or not self._validations:
            return
        assert isinstance(pl_module, ScoringModule)
        if self._last_logged < self._validations:
            self._log_masks(logger, trainer, pl_module)
        classes, targets = pl_module.classes, pl_module.target_scores
        with logger.errors_as_warnings():
            logger.check_server()
            if classes is not None and pl_module.confusion is not None:
                confusion = pl_module.confusion.sum(axis=0)
                _log(logger, trainer, {"val/classes": class_table(confusion, classes.names)})
                title = "Confusion matrix of the validation split"
                chart = confusion_plot(confusion, classes.names, title)
                _log(logger, trainer, {"val/confusion": chart})
            if targets is not None:
                _log(logger, trainer, {"val/targets": target_table(targets.to_dict())})
            if logger.online:
                _log_best(logger.experiment, trainer)

    def _log_masks(self, logger: WandbLogger, trainer: pl.Trainer, module: ScoringModule) -> None:
        self._last_logged = self._validations
        classes = module.classes
        if classes is None or not logger.pictures:
            return
        dataset = _validation_samples(trainer)
        shown = [
            example(module.model, dataset[index])
            for index in evenly_spaced(len(dataset), self.count)
        ]
        with logger.errors_as_warnings():
            images = [masked_image(row, classes.names) for row in shown]
            _log(logger, trainer, {"val/masks": images})


def _wandb_logger(trainer: pl.Trainer) -> WandbLogger | None:
    if not trainer.is_global_zero:
        return None
    return next((item for item in trainer.loggers if isinstance(item, WandbLogger)), None)


def _log(logger: WandbLogger, trainer: pl.Trainer, values: dict) -> None:
    # Counted from 0 as Lightning does, so that these values and the last step's share an x value.
    step = max(0, trainer.global_step - 1)
    logger.experiment.log({**values, "trainer/global_step": step})


def _validation_samples(trainer: pl.Trainer) -> Samples:
    loaders = trainer.val_dataloaders
    loader = loaders[0] if isinstance(loaders, list | tuple) else loaders
    return loader.dataset  # type: ignore[union-attr]


def _log_best(run: "wandb.Run", trainer: pl.Trainer) -> None:
    import wandb

    for checkpoint in trainer.checkpoint_callbacks:
        if not isinstance(checkpoint, ModelCheckpoint) or checkpoint.monitor is None:
            continue
        if not checkpoint.best_model_path:
            continue
        score = checkpoint.best_model_score
        artifact = wandb.Artifact(
            f"model-{run.id}",
            type="model",
            metadata={checkpoint.monitor: None if score is None else float(score)},
        )
        # Not copied into W&B's cache, as the file no longer changes.
        artifact.add_file(
            checkpoint.best_model_path, name="best.ckpt", policy="immutable", skip_cache=True
        )
        run.log_artifact(artifact, aliases=["best"])
