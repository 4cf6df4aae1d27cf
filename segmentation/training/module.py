"""What one optimizer step and one scored batch are."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities import GradClipAlgorithmType
from pytorch_lightning.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from segmentation.classes import ClassTable
from segmentation.models import UNet
from segmentation.scores import Scores, confusion_matrix, label_map, scores
from segmentation.training.parameter_groups import parameter_groups
from segmentation.training.per_image import PerImageConfusion

Batch = dict[str, Any]


class ScoringModule(pl.LightningModule):
    """Scores a model: the one code path of validation, test and `evaluate.py`.

    After each pass over a split, `confusion` holds `int64` (images, C, C), one matrix for each
    image in the split's order.

    Args:
        model: `uint8` images (N, 3, H, W) to logits (N, C, H, W).
        classes: what the logits mean.
    """

    def __init__(self, model: nn.Module, classes: ClassTable) -> None:
        super().__init__()
        self.model = model
        self.classes = classes
        self.per_image = PerImageConfusion(len(classes))
        self.confusion: np.ndarray | None = None

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (N, C, H, W) of `uint8` images (N, 3, H, W)."""
        return self.model(images)

    @property
    def scores(self) -> Scores:
        """The scores of the split that was gone through last."""
        if self.confusion is None:
            raise RuntimeError("nothing has been scored yet")
        return scores(self.confusion.sum(axis=0))

    def on_validation_epoch_start(self) -> None:
        """Forget the last pass."""
        self.per_image.reset()

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Count one batch."""
        matrices = torch.stack(
            [
                confusion_matrix(mask, label, len(self.classes))
                for mask, label in self._labelled(batch)
            ]
        )
        self.per_image.update(batch["index"].to(matrices.device), matrices)

    def on_validation_epoch_end(self) -> None:
        """Gather the matrices of all ranks."""
        self.confusion = self.per_image.compute()

    on_test_epoch_start = on_validation_epoch_start
    test_step = validation_step
    on_test_epoch_end = on_validation_epoch_end

    def _labelled(self, batch: Batch) -> list[tuple[Tensor, Tensor]]:
        """Return (true, predicted) labels of each image at the resolution of its mask."""
        images, masks = batch["image"], batch["mask"]
        if isinstance(images, Tensor) and isinstance(masks, Tensor):
            return list(zip(masks, label_map(self(images), masks.shape[-2:]), strict=True))
        if isinstance(images, Tensor):
            logits: Sequence[Tensor] = self(images).split(1)
        else:  # images of different sizes cannot share a batch
            logits = [self(image[None]) for image in images]
        return [
            (mask, label_map(logit, mask.shape)[0])
            for mask, logit in zip(masks, logits, strict=True)
        ]


class SegmentationModule(ScoringModule):
    """Trains a model.

    Args:
        model, classes: see `ScoringModule`; `model.encoder` may get a learning rate of its own.
        loss: (logits, `int64` labels) to the total and its named parts, see `WeightedSum`.
        optimizer: makes an optimizer of parameter groups; its `lr` and `weight_decay` are theirs.
        schedule: (optimizer, total_steps=) to a schedule that is stepped after each optimizer step.
        encoder_lr_factor: the encoder's learning rate as a multiple of the rest's.
        freeze_encoder_epochs: for so many first epochs the encoder stays as it is.
        checkpoint_extra: plain values that every checkpoint keeps beside the weights.
    """

    model: UNet

    def __init__(
        self,
        model: UNet,
        classes: ClassTable,
        loss: nn.Module,
        optimizer: partial[Optimizer],
        schedule: partial[LRScheduler],
        encoder_lr_factor: float = 1.0,
        freeze_encoder_epochs: int = 0,
        checkpoint_extra: dict | None = None,
    ) -> None:
        super().__init__(model, classes)
        self.loss = loss
        self.make_optimizer = optimizer
        self.make_schedule = schedule
        self.encoder_lr_factor = encoder_lr_factor
        self.freeze_encoder_epochs = freeze_encoder_epochs
        self.checkpoint_extra = checkpoint_extra or {}

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """Make the optimizer and the schedule, which counts optimizer steps."""
        options = self.make_optimizer.keywords
        groups = parameter_groups(
            self.model, options["lr"], self.encoder_lr_factor, options.get("weight_decay", 0.0)
        )
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
        total, parts = self.loss(self(batch["image"]), batch["mask"].long())
        size = len(batch["name"])
        self.log("train/loss", total, on_step=True, on_epoch=True, batch_size=size)
        if len(parts) > 1:
            self.log_dict(
                {f"train/{name}": value for name, value in parts.items()}, batch_size=size
            )
        return total

    def on_validation_epoch_end(self) -> None:
        """Gather the matrices and log the scores."""
        super().on_validation_epoch_end()
        result = self.scores
        values = {
            "val/miou": result.miou,
            "val/pixel_accuracy": result.pixel_accuracy,
            "val/mean_accuracy": result.mean_accuracy,
            "val/dice": result.dice,
        }
        # Every rank holds the same gathered matrices, so there is nothing left to reduce.
        self.log_dict({key: torch.tensor(value) for key, value in values.items()}, sync_dist=False)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add what the weights mean and their scores, so that a checkpoint is enough by itself."""
        checkpoint.update(self.checkpoint_extra)
        if self.confusion is not None:
            checkpoint["scores"] = self.scores.to_dict(self.classes.names)
