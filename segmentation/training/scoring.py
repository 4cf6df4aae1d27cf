"""Score batches: the code path of validation, test and `evaluate.py`."""

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from segmentation.classes import ClassTable
from segmentation.metrics.counting import confusion_matrix, upsampled
from segmentation.metrics.scores import Scores, scores
from segmentation.metrics.targets import TargetPredictions, TargetScores, target_scores
from segmentation.models import Outputs, TargetHead
from segmentation.training.per_image_metrics import (
    PerImageConfusion,
    PerImageDetails,
    PerImageTargets,
)

Batch = dict[str, Any]


class ScoringModule(pl.LightningModule):
    """Score a model on a split.

    After each pass these hold the images in the split's order: `confusion`, `int64`
    (images, C, C), of a segmentation model; `predictions` of a model with image-level targets; and
    after a test `details` (see `PerImageDetails`), which take too long for each validation.

    Args:
        model: an `ImageModel`, a model with its `forward_all`, or any module from `uint8` images
            (N, 3, H, W) to logits (N, C, H, W).
        classes: of the logits; None for a model that does not segment.
    """

    def __init__(self, model: nn.Module, classes: ClassTable | None) -> None:
        super().__init__()
        self.model = model
        self.classes = classes
        head = getattr(model, "target_head", None)
        self.per_image = None if classes is None else PerImageConfusion(len(classes))
        self.per_image_targets = None if head is None else PerImageTargets(head.columns)
        self.per_image_details = None if classes is None else PerImageDetails(len(classes))
        self.confusion: np.ndarray | None = None
        self.details: dict[str, Any] = {}
        self.predictions: TargetPredictions | None = None

    def forward(self, images: Tensor) -> Outputs:
        """Return all outputs of the model for `uint8` images (N, 3, H, W)."""
        forward_all = getattr(self.model, "forward_all", None)
        return Outputs(self.model(images), None) if forward_all is None else forward_all(images)

    @property
    def scores(self) -> Scores | None:
        """Segmentation scores of the last pass over a split, if there are any."""
        return None if self.confusion is None else scores(self.confusion.sum(axis=0))

    @property
    def target_scores(self) -> TargetScores | None:
        """Scores of the image-level targets in that pass, if there are any."""
        return None if self.predictions is None else target_scores(self.predictions)

    def on_validation_epoch_start(self) -> None:
        for metric in (self.per_image, self.per_image_details, self.per_image_targets):
            if metric is not None:
                metric.reset()

    on_test_epoch_start = on_validation_epoch_start

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self._count(batch)

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        self._count(batch, self.per_image_details)

    def on_validation_epoch_end(self) -> None:
        self._gather()

    def on_test_epoch_end(self) -> None:
        self._gather()
        if self.per_image_details is not None:
            self.details = self.per_image_details.compute()

    def _count(self, batch: Batch, details: PerImageDetails | None = None) -> None:
        images, index = batch["image"], batch["index"].to(self.device)
        # Images of different sizes come as a list, and go through the model one by one.
        inputs = [images] if isinstance(images, Tensor) else [image[None] for image in images]
        outputs = [self(images) for images in inputs]

        if self.per_image is not None:
            logits_of_each = [
                logits
                for output in outputs
                if output.logits is not None
                for logits in output.logits.split(1)
            ]
            matrices = []
            for position, mask, logits in zip(index, batch["mask"], logits_of_each, strict=True):
                logits = upsampled(logits, mask.shape)[0]
                labels = logits.argmax(dim=0)
                matrices.append(confusion_matrix(mask, labels, self.per_image.num_classes))
                if details is not None:
                    details.add(position, mask, labels, logits)
            self.per_image.update(index, torch.stack(matrices))

        if self.per_image_targets is not None:
            self.per_image_targets.update(index, *self._targets(outputs, batch))

    def _targets(self, outputs: Sequence[Outputs], batch: Batch) -> tuple[Tensor, ...]:
        """Return the tensors that `PerImageTargets` keeps."""
        head = cast(TargetHead, self.model.target_head)
        targets = [output.targets for output in outputs if output.targets is not None]
        category = torch.cat([target.category for target in targets]).softmax(dim=1)
        values = head.in_units(torch.cat([target.values for target in targets]))
        return category, values, batch["category"], batch["values"]

    def _gather(self) -> None:
        if self.per_image is not None:
            self.confusion = self.per_image.compute()
        if self.per_image_targets is not None:
            arrays = self.per_image_targets.compute()
            self.predictions = TargetPredictions(self.per_image_targets.columns, **arrays)
