"""The Lightning module: optimizer steps, validation logs, checkpoint contents."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from pytorch_lightning.trainer.states import TrainerFn
from pytorch_lightning.utilities import GradClipAlgorithmType
from pytorch_lightning.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from segmentation.classes import ClassTable
from segmentation.data.datamodule import SegmentationData
from segmentation.metrics.targets import curve_names
from segmentation.models import Model, Outputs
from segmentation.training.monitor import monitor_of
from segmentation.training.optimizer import parameter_groups
from segmentation.training.resuming import begin_epoch_afresh, place_of, seed_step, settle, stopped
from segmentation.training.scoring import Batch, ScoringModule

SCORES = ("miou", "pixel_accuracy", "mean_accuracy", "dice")
"""Segmentation scores that each validation logs."""
LOSS_LR_FACTOR = 10.0
"""Learned task weights are few and of order 1, so they may move faster than a network's."""


class TrainingModule(ScoringModule):
    """Train a model.

    Args:
        model, classes: see `ScoringModule`; the encoder is `model.encoder`.
        loss: (outputs, batch) to the total and its named parts, see `TaskLoss`.
        optimizer: called with parameter groups; must bind `lr`, and may bind `weight_decay`.
        schedule: called with (optimizer, total_steps=); stepped after each optimizer step.
        encoder_lr_factor: learning rate of the encoder as a multiple of the rest's.
        freeze_encoder_epochs: number of first epochs in which the encoder is frozen.
        checkpoint_extra: plain values stored in every checkpoint beside the weights.
        seed: determines, with the place of a step in the run, all that is random in it.
    """

    model: Model

    def __init__(
        self,
        model: Model,
        classes: ClassTable | None,
        loss: nn.Module,
        optimizer: partial[Optimizer],
        schedule: partial[LRScheduler],
        encoder_lr_factor: float = 1.0,
        freeze_encoder_epochs: int = 0,
        checkpoint_extra: dict | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(model, classes)
        self.loss = loss
        self.make_optimizer = optimizer
        self.make_schedule = schedule
        self.encoder_lr_factor = encoder_lr_factor
        self.freeze_encoder_epochs = freeze_encoder_epochs
        self.checkpoint_extra = checkpoint_extra or {}
        self.seed = seed
        self.monitor = monitor_of(model)
        self._training_outputs: Callable[[Tensor], Outputs] = self.forward

    def compile_step(self) -> None:
        """Compile the model's part of training steps, for each size of batches.

        Validation is not compiled: its images have many sizes.
        """
        self._training_outputs = torch.compile(self.forward, dynamic=False)

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        options = self.make_optimizer.keywords
        groups = parameter_groups(
            self.model, options["lr"], self.encoder_lr_factor, options.get("weight_decay", 0.0)
        )
        task_weights = list(self.loss.parameters())
        if task_weights:
            rate = LOSS_LR_FACTOR * options["lr"]
            groups.append({"name": "loss", "params": task_weights, "lr": rate, "weight_decay": 0.0})
        # Lightning's scaler for float16 cannot clip the gradients of a fused optimizer.
        unfused = {"fused": False} if self.trainer.precision == "16-mixed" else {}
        optimizer = self.make_optimizer(groups, **unfused)
        total = self.trainer.estimated_stepping_batches
        schedule = self.make_schedule(optimizer, total_steps=total)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }

    def configure_gradient_clipping(
        self,
        optimizer: Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Clip gradients of fused optimizers too.

        Lightning refuses that because a fused optimizer unscales float16 gradients itself, after
        clipping; float32 and bfloat16 are not scaled.
        """
        if self.trainer.precision == "16-mixed":
            self.clip_gradients(optimizer, gradient_clip_val, gradient_clip_algorithm)
        elif gradient_clip_val and gradient_clip_algorithm == GradClipAlgorithmType.VALUE:
            nn.utils.clip_grad_value_(self.parameters(), gradient_clip_val)
        elif gradient_clip_val:
            nn.utils.clip_grad_norm_(self.parameters(), gradient_clip_val)

    def on_train_start(self) -> None:
        begin_epoch_afresh(self.trainer)
        self.on_train_epoch_start()  # Lightning does not call it on resuming within an epoch

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        seed_step(self.seed, self.current_epoch, batch_idx, self.global_rank)

    def on_train_epoch_start(self) -> None:
        """Freeze or unfreeze the encoder."""
        if not self.freeze_encoder_epochs:
            return
        frozen = self.current_epoch < self.freeze_encoder_epochs
        self.model.encoder.requires_grad_(not frozen)
        # In eval mode batch norm keeps the statistics that came with the weights.
        self.model.encoder.train(not frozen)

    def score_names(self) -> list[str]:
        """Return the names of the scores that a validation logs as ``val/<name>``."""
        names = [] if self.classes is None else list(SCORES)
        if self.model.target_head is not None:
            names += curve_names(self.model.target_head.columns)
        return names

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the loss of one batch, without waiting for the device."""
        total, parts = self.loss(self._training_outputs(batch["image"]), batch)
        size = len(batch["name"])
        self.log("train/loss", total, on_step=True, on_epoch=True, batch_size=size)
        if len(parts) > 1:
            metrics = {f"train/{name}": value for name, value in parts.items()}
            self.log_dict(metrics, batch_size=size)
        return total

    def on_validation_epoch_end(self) -> None:
        """Log the scores."""
        super().on_validation_epoch_end()
        values: dict[str, float] = {}
        scores, targets = self.scores, self.target_scores
        if scores is not None:
            for key in SCORES:
                values[key] = getattr(scores, key)
        if targets is not None:
            values |= targets.flat()
        # Every rank holds the same gathered images, so there is nothing to reduce.
        metrics = {f"val/{key}": torch.tensor(value) for key, value in values.items()}
        self.log_dict(metrics, sync_dist=False)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add what a checkpoint needs to be used by itself: class table, sizes, scores."""
        settle(checkpoint)
        checkpoint["stopped"] = stopped(self.trainer)
        checkpoint.update(self.checkpoint_extra)
        scores, targets = self.scores, self.target_scores
        if scores is not None and self.classes is not None:
            checkpoint["scores"] = scores.to_dict(self.classes.names)
        if targets is not None:
            checkpoint["scores"] = {**checkpoint.get("scores", {}), "targets": targets.to_dict()}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Resume the data at the checkpoint's place; Lightning restores the weights."""
        if self.trainer.state.fn != TrainerFn.FITTING:
            return
        self.trainer.should_stop = checkpoint.get("stopped", False)
        data = self.trainer.datamodule  # type: ignore[attr-defined]
        if isinstance(data, SegmentationData):
            data.begin_at(*place_of(checkpoint))
