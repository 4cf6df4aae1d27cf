"""What one scored batch is, in validation, in test and in `evaluate.py`."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, cast

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from segmentation.classes import ClassTable
from segmentation.models import ImageModel, Outputs, TargetHead
from segmentation.predictions import TargetPredictions
from segmentation.scores import Scores, confusion_matrix, label_map, scores
from segmentation.target_scores import TargetScores, target_scores
from segmentation.training.per_image import PerImageConfusion, PerImageTargets

Batch = dict[str, Any]


class ScoringModule(pl.LightningModule):
    """Scores a model: the one code path of validation, test and `evaluate.py`.

    After each pass over a split, what the model said of each image is there, in the split's order:
    `confusion`, `int64` (images, C, C), of a model that segments, and `predictions` of one with
    image-level targets.

    Args:
        model: an `ImageModel`, or any module from `uint8` images (N, 3, H, W) to logits
            (N, C, H, W).
        classes: what the logits mean; None of a model that does not segment.
    """

    def __init__(self, model: nn.Module, classes: ClassTable | None) -> None:
        super().__init__()
        self.model = model
        self.classes = classes
        head = getattr(model, "target_head", None)
        self.per_image = None if classes is None else PerImageConfusion(len(classes))
        self.per_image_targets = None if head is None else PerImageTargets(head.columns)
        self.confusion: np.ndarray | None = None
        self.predictions: TargetPredictions | None = None

    def forward(self, images: Tensor) -> Outputs:
        """Return all that the model says of `uint8` images (N, 3, H, W)."""
        if isinstance(self.model, ImageModel):
            return self.model.forward_all(images)
        return Outputs(self.model(images), None)

    @property
    def scores(self) -> Scores | None:
        """The segmentation's scores of the split that was gone through last, if there is one."""
        return None if self.confusion is None else scores(self.confusion.sum(axis=0))

    @property
    def target_scores(self) -> TargetScores | None:
        """The scores of the image-level targets on that split, if there are any."""
        return None if self.predictions is None else target_scores(self.predictions)

    def on_validation_epoch_start(self) -> None:
        """Forget the last pass."""
        for kept in filter(None, (self.per_image, self.per_image_targets)):
            kept.reset()

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Count one batch."""
        images, index = batch["image"], batch["index"].to(self.device)
        # images of different sizes cannot share a batch
        outputs = [self(one) for one in ([images] if isinstance(images, Tensor) else _each(images))]
        if self.per_image is not None:
            matrices = [
                confusion_matrix(mask, label, self.per_image.num_classes)
                for mask, label in _labelled(outputs, batch["mask"])
            ]
            self.per_image.update(index, torch.stack(matrices))
        if self.per_image_targets is not None:
            self.per_image_targets.update(index, *self._targets(outputs, batch))

    def on_validation_epoch_end(self) -> None:
        """Gather what was kept on all ranks."""
        if self.per_image is not None:
            self.confusion = self.per_image.compute()
        if self.per_image_targets is not None:
            arrays = self.per_image_targets.compute()
            self.predictions = TargetPredictions(self.per_image_targets.columns, **arrays)

    on_test_epoch_start = on_validation_epoch_start
    test_step = validation_step
    on_test_epoch_end = on_validation_epoch_end

    def _targets(self, outputs: Sequence[Outputs], batch: Batch) -> tuple[Tensor, ...]:
        """Return what `PerImageTargets` keeps."""
        head = cast(TargetHead, self.model.target_head)
        targets = [one.targets for one in outputs if one.targets is not None]
        category = torch.cat([one.category for one in targets]).softmax(dim=1)
        values = head.in_units(torch.cat([one.values for one in targets]))
        return category, values, batch["category"], batch["values"]


def _each(images: Sequence[Tensor]) -> Iterator[Tensor]:
    return (image[None] for image in images)


def _labelled(
    outputs: Sequence[Outputs], masks: Tensor | Sequence[Tensor]
) -> Iterable[tuple[Tensor, Tensor]]:
    """Return (true, predicted) labels of each image at the resolution of its mask."""
    batches = [one.logits for one in outputs if one.logits is not None]
    if len(batches) == 1 and isinstance(masks, Tensor):
        return zip(masks, label_map(batches[0], masks.shape[-2:]), strict=True)
    logits = (logit for batch in batches for logit in batch.split(1))
    return (
        (mask, label_map(logit, mask.shape)[0]) for mask, logit in zip(masks, logits, strict=True)
    )
