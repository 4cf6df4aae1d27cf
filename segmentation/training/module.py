"""What one optimizer step is, and what a validation logs."""

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
from segmentation.models import Model
from segmentation.training.monitor import monitor_of
from segmentation.training.optimizer import parameter_groups
from segmentation.training.resuming import begin_epoch_afresh, place_of, seed_step, settle, stopped
from segmentation.training.scoring import Batch, ScoringModule

LOSS_LR_FACTOR = 10.0
"""Learned weights of losses are a few numbers of order 1, and start from 0: they may move faster
than a network's thousands of small ones."""


class TrainingModule(ScoringModule):
    """Trains a model.

    Args:
        model, classes: see `ScoringModule`; `model.encoder` may get a learning rate of its own.
        loss: (outputs, batch) to the total and its named parts, see `TaskLoss`.
        optimizer: makes an optimizer of parameter groups; its `lr` and `weight_decay` are theirs.
        schedule: (optimizer, total_steps=) to a schedule that is stepped after each optimizer step.
        encoder_lr_factor: the encoder's learning rate as a multiple of the rest's.
        freeze_encoder_epochs: for so many first epochs the encoder stays as it is.
        checkpoint_extra: plain values that every checkpoint keeps beside the weights.
        seed: what is random in a step follows from it and from the step's place.
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

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """Make the optimizer and the schedule, which counts optimizer steps."""
        options = self.make_optimizer.keywords
        groups = parameter_groups(
            self.model, options["lr"], self.encoder_lr_factor, options.get("weight_decay", 0.0)
        )
        if learned := list(self.loss.parameters()):
            rate = LOSS_LR_FACTOR * options["lr"]
            groups.append({"name": "loss", "params": learned, "lr": rate, "weight_decay": 0.0})
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
        """Clip, with a fused optimizer too.

        Lightning refuses that for the sake of float16, whose scaled gradients a fused optimizer
        unscales by itself; float32 and bfloat16 have no scale.
        """
        if self.trainer.precision == "16-mixed":
            self.clip_gradients(optimizer, gradient_clip_val, gradient_clip_algorithm)
        elif gradient_clip_val and gradient_clip_algorithm == GradClipAlgorithmType.VALUE:
            nn.utils.clip_grad_value_(self.parameters(), gradient_clip_val)
        elif gradient_clip_val:
            nn.utils.clip_grad_norm_(self.parameters(), gradient_clip_val)

    def on_train_start(self) -> None:
        """Take up a run where it was left."""
        begin_epoch_afresh(self.trainer)
        self.on_train_epoch_start()  # Lightning does not call it within an epoch

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Make what is random in the step follow from its place in the run."""
        seed_step(self.seed, self.current_epoch, batch_idx, self.global_rank)

    def on_train_epoch_start(self) -> None:
        """Freeze or release the encoder."""
        if not self.freeze_encoder_epochs:
            return
        frozen = self.current_epoch < self.freeze_encoder_epochs
        self.model.encoder.requires_grad_(not frozen)
        # In eval mode batch norm keeps the statistics that came with the weights.
        self.model.encoder.train(not frozen)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the loss of one batch; nothing here waits for the device."""
        total, parts = self.loss(self(batch["image"]), batch)
        size = len(batch["name"])
        self.log("train/loss", total, on_step=True, on_epoch=True, batch_size=size)
        if len(parts) > 1:
            self.log_dict(
                {f"train/{name}": value for name, value in parts.items()}, batch_size=size
            )
        return total

    def on_validation_epoch_end(self) -> None:
        """Gather what was kept and log the scores."""
        super().on_validation_epoch_end()
        values: dict[str, float] = {}
        if (result := self.scores) is not None:
            values |= {
                "miou": result.miou,
                "pixel_accuracy": result.pixel_accuracy,
                "mean_accuracy": result.mean_accuracy,
                "dice": result.dice,
            }
        if (targets := self.target_scores) is not None:
            values |= targets.flat()
        # Every rank holds the same gathered images, so there is nothing left to reduce.
        self.log_dict(
            {f"val/{key}": torch.tensor(value) for key, value in values.items()}, sync_dist=False
        )

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add what the weights mean and their scores, so that a checkpoint is enough by itself."""
        settle(checkpoint)
        checkpoint["stopped"] = stopped(self.trainer)
        checkpoint.update(self.checkpoint_extra)
        if (result := self.scores) is not None and self.classes is not None:
            checkpoint["scores"] = result.to_dict(self.classes.names)
        if (targets := self.target_scores) is not None:
            checkpoint["scores"] = {**checkpoint.get("scores", {}), "targets": targets.to_dict()}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Go on at the checkpoint's place; the weights are Lightning's business."""
        if self.trainer.state.fn != TrainerFn.FITTING:
            return
        self.trainer.should_stop = checkpoint.get("stopped", False)
        data = self.trainer.datamodule  # type: ignore[attr-defined]
        if isinstance(data, SegmentationData):
            data.begin_at(*place_of(checkpoint))
