"""What one scored batch is, in validation, in test and in `evaluate.py`."""

from collections.abc import Iterator, Sequence
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
    """Scores a model: the one code path of validation, test and `evaluate.py`.

    After each pass over a split, what the model said of each image is there, in the split's order:
    `confusion`, `int64` (images, C, C), of a model that segments, and `predictions` of one with
    image-level targets. A test leaves `details` besides (see `PerImageDetails`), which cost more
    time than a look at the curves is worth.

    Args:
        model: an `ImageModel` or what has a `forward_all` like one, or any module from `uint8`
            images (N, 3, H, W) to logits (N, C, H, W).
        classes: what the logits mean; None of a model that does not segment.
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
        """Return all that the model says of `uint8` images (N, 3, H, W)."""
        forward_all = getattr(self.model, "forward_all", None)
        return Outputs(self.model(images), None) if forward_all is None else forward_all(images)

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
        kept = (self.per_image, self.per_image_details, self.per_image_targets)
        for one in filter(None, kept):
            one.reset()

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Count one batch."""
        self._count(batch)

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Count one batch, details too."""
        self._count(batch, self.per_image_details)

    def _count(self, batch: Batch, details: PerImageDetails | None = None) -> None:
        images, index = batch["image"], batch["index"].to(self.device)
        # images of different sizes cannot share a batch
        outputs = [self(one) for one in ([images] if isinstance(images, Tensor) else _each(images))]
        if self.per_image is not None:
            matrices = []
            for place, mask, logits in zip(
                index, batch["mask"], _logits_of_each(outputs), strict=True
            ):
                logits = upsampled(logits, mask.shape)[0]
                labels = logits.argmax(dim=0)
                matrices.append(confusion_matrix(mask, labels, self.per_image.num_classes))
                if details is not None:
                    details.add(place, mask, labels, logits)
            self.per_image.update(index, torch.stack(matrices))
        if self.per_image_targets is not None:
            self.per_image_targets.update(index, *self._targets(outputs, batch))

    def on_validation_epoch_end(self) -> None:
        """Gather what was kept on all ranks."""
        self._gather()

    def on_test_epoch_end(self) -> None:
        """Gather what was kept on all ranks, details too."""
        self._gather()  # a module that trains does more at the end of a validation
        if self.per_image_details is not None:
            self.details = self.per_image_details.compute()

    def _gather(self) -> None:
        if self.per_image is not None:
            self.confusion = self.per_image.compute()
        if self.per_image_targets is not None:
            arrays = self.per_image_targets.compute()
            self.predictions = TargetPredictions(self.per_image_targets.columns, **arrays)

    on_test_epoch_start = on_validation_epoch_start

    def _targets(self, outputs: Sequence[Outputs], batch: Batch) -> tuple[Tensor, ...]:
        """Return what `PerImageTargets` keeps."""
        head = cast(TargetHead, self.model.target_head)
        targets = [one.targets for one in outputs if one.targets is not None]
        category = torch.cat([one.category for one in targets]).softmax(dim=1)
        values = head.in_units(torch.cat([one.values for one in targets]))
        return category, values, batch["category"], batch["values"]


def _each(images: Sequence[Tensor]) -> Iterator[Tensor]:
    return (image[None] for image in images)


def _logits_of_each(outputs: Sequence[Outputs]) -> Iterator[Tensor]:
    """Yield the logits of each image, (1, C, H, W)."""
    for one in outputs:
        if one.logits is not None:
            yield from one.logits.split(1)
