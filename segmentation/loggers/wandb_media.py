"""What W&B shows of a training besides curves: tables, masks, the best checkpoint."""

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
    """Log tables and pictures to W&B; without a W&B logger it does nothing.

    It is for a `ScoringModule`, whose scores and confusion matrices it shows. Each validation adds
    a point to a curve of each class's IoU. Masks are logged at the first, second, fourth, eighth
    ... validation and at the end: what is kept stays small however long a run is, and the quick
    change at the beginning shows. Tables and the best checkpoint come once, at the end: for each of
    them W&B waits for the server, which may be gone. The checkpoint is only for an online run.

    Args:
        count: over how many validation images masks are laid; always the same images.
    """

    def __init__(self, count: int = 6) -> None:
        self.count = count
        self._validations = 0
        self._pictured = 0

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Count validations from the start of this fit."""
        self._validations = self._pictured = 0

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Log the masks when it is their turn, while an average of weights is still in place."""
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
        with logger.forgiving():
            _log(logger, trainer, {f"iou/{name}": value for name, value in iou if value == value})

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Log the last masks, tables of scores, the confusion matrix and the best checkpoint."""
        logger = _wandb_logger(trainer)
        if logger is None or not self._validations:
            return
        assert isinstance(pl_module, ScoringModule)
        if self._pictured < self._validations:
            self._log_masks(logger, trainer, pl_module)
        classes, targets = pl_module.classes, pl_module.target_scores
        with logger.forgiving():
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
        self._pictured = self._validations
        classes = module.classes
        if classes is None or not logger.pictures:
            return
        dataset = _validation_samples(trainer)
        shown = [
            example(module.model, dataset[index])
            for index in evenly_spaced(len(dataset), self.count)
        ]
        with logger.forgiving():
            images = [masked_image(row, classes.names) for row in shown]
            _log(logger, trainer, {"val/masks": images})


def _wandb_logger(trainer: pl.Trainer) -> WandbLogger | None:
    if not trainer.is_global_zero:
        return None
    return next((item for item in trainer.loggers if isinstance(item, WandbLogger)), None)


def _log(logger: WandbLogger, trainer: pl.Trainer, values: dict) -> None:
    # As Lightning counts: from 0, so the last step's curves and these share a place.
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
        # Not copied into W&B's cache: nobody writes to it any more.
        artifact.add_file(
            checkpoint.best_model_path, name="best.ckpt", policy="immutable", skip_cache=True
        )
        run.log_artifact(artifact, aliases=["best"])
