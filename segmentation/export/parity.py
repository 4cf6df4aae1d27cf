"""Compare an exported file with the model that it was made of, image by image."""

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from segmentation.classes import ClassTable
from segmentation.data.augment.window import resize_image
from segmentation.errors import ConfigError
from segmentation.evaluation.comparison.compare import compare
from segmentation.export.images import ExportImages
from segmentation.inference.class_map import map_classes
from segmentation.inference.exported import ExportedModel
from segmentation.inference.predictor import Predictor
from segmentation.metrics.counting import confusion_matrix, label_map, upsampled
from segmentation.metrics.scores import scores
from segmentation.models import LoadedModel
from segmentation.runs.scored_images import ScoredImages
from segmentation.system.packages import missing_packages

log = logging.getLogger(__name__)

NAMES = ("pytorch", "export")


@dataclass(frozen=True)
class Parity:
    """How far an export is from its model.

    Attributes:
        images: number of images that both predicted.
        equal_labels: share of pixels with the same label.
        largest_difference: of logits; None for a file that returns labels.
        largest_logit: the largest logit of the model, to judge the difference by.
        miou_before, miou_after: of the model and of the export, fractions; None where the images
            have no labels of the model's classes.
        difference: after minus before, in points of mIoU.
        interval: its 95% interval, paired over the images, in points; None if unknown.
        resampling: how the interval was made, or why there is none.
    """

    images: int
    equal_labels: float
    largest_difference: float | None
    largest_logit: float
    miou_before: float | None
    miou_after: float | None
    difference: float | None
    interval: tuple[float, float] | None
    resampling: str

    @property
    def points_off(self) -> float:
        """The difference of mIoU in points, either way; of equal labels where there is none."""
        if self.difference is None:
            return 100 * (1 - self.equal_labels)
        return abs(self.difference)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


class Reference(nn.Module):
    """A model in eager float32 PyTorch, from images of any size to logits at that size.

    Args:
        loaded: the model.
        predictor: of the same model; says how images are resized for it.
    """

    def __init__(self, loaded: LoadedModel, predictor: Predictor) -> None:
        super().__init__()
        self.model = loaded.model
        self._seen_size = predictor.seen_size

    def resized(self, image: np.ndarray) -> np.ndarray:
        """Return an image (H, W, C) as the model sees it."""
        return resize_image(image, self._seen_size(*image.shape[:2]))

    @torch.inference_mode()
    def logits(self, image: np.ndarray) -> Tensor:
        """Return the logits (1, K, H, W) of an image (H, W, C)."""
        logits = self.model.forward_all(batch_of(self.resized(image))).logits
        assert logits is not None
        return upsampled(logits, image.shape[:2])


def batch_of(image: np.ndarray) -> Tensor:
    """Return an image (H, W, C) as a batch (1, C, H, W), `float32` where PyTorch needs that."""
    if image.dtype == np.uint16:
        image = image.astype(np.float32)
    return torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)[None]


def compare_export(
    reference: Reference,
    exported: ExportedModel,
    images: ExportImages,
    after_image: Callable[[], object] = lambda: None,
) -> Parity:
    """Compare an export with its model on all images.

    Args:
        reference: the model.
        exported: the export, in its own runtime.
        images: to compare on.
        after_image: called after each.

    Raises:
        ConfigError: the labels of the user's images are of other classes than the model's.
    """
    assert exported.classes is not None
    mapped = _mapping(exported.classes, images)
    equal = pixels = 0
    largest = highest = 0.0
    counts: list[tuple[np.ndarray, np.ndarray]] = []
    for index in range(len(images.pairs)):
        image, truth = images.pairs[index]
        before = reference.logits(image)
        after = exported_logits(exported, reference, image)
        highest = max(highest, float(before.abs().max()))
        largest = max(largest, float((after - before).abs().max()))
        labels = [label_map(logits, image.shape[:2])[0] for logits in (before, after)]
        equal += int((labels[0] == labels[1]).sum())
        pixels += labels[0].numel()
        if mapped is not None:
            counts.append(
                _counted(torch.from_numpy(truth), (before, after), mapped, images.classes)
            )
        after_image()
    scored = _scored(counts, images) if counts else (None, None, None, None, "no labels")
    return Parity(
        len(images.pairs),
        equal / pixels,
        None if exported.labels_only else largest,
        highest,
        *scored,
    )


@torch.inference_mode()
def exported_logits(exported: ExportedModel, reference: Reference, image: np.ndarray) -> Tensor:
    """Return the logits of an export at the image's own size, see `ExportedNetwork.forward_all`."""
    resized = image if exported.export.resizes else reference.resized(image)
    return upsampled(exported.model(batch_of(resized)), image.shape[:2])


def _mapping(classes: ClassTable, images: ExportImages) -> nn.Module | None:
    """Return what maps logits of a model to the classes of the labels; None if nothing does."""
    try:
        return map_classes(nn.Identity(), None, classes, images.classes)[0]
    except ConfigError:
        if not images.generated:
            raise
        log.warning(
            "the generated scenes have other classes than the model: labels are compared, and no "
            "mIoU. Give images with masks: data=folder data.root=<folder>"
        )
        return None


def _counted(
    truth: Tensor, logits: Sequence[Tensor], mapped: nn.Module, classes: ClassTable
) -> tuple[np.ndarray, np.ndarray]:
    before, after = (
        confusion_matrix(truth, mapped(each).argmax(dim=1)[0], len(classes)).numpy()
        for each in logits
    )
    return before, after


def _scored(
    counts: Sequence[tuple[np.ndarray, np.ndarray]], images: ExportImages
) -> tuple[float, float, float, tuple[float, float] | None, str]:
    """Return mIoU before and after, their difference in points, its interval, how it was made."""
    runs = {
        name: ScoredImages.from_counts(Path(name), images.names, images.classes, np.stack(matrices))
        for name, matrices in zip(NAMES, zip(*counts, strict=True), strict=True)
    }
    before, after = (scores(run.confusion.sum(axis=0)).miou for run in runs.values())
    difference = 100 * (after - before)
    if missing := missing_packages("report"):
        return before, after, difference, None, f"unknown: needs {', '.join(missing)}"
    result = compare({name: [run] for name, run in runs.items()})
    pair = next(iter(result.pairs.values()))
    ends = pair.miou.interval
    if not ends.known or math.isnan(difference):
        return before, after, difference, None, "unknown: too few images"
    low, high = sorted(
        100 * end * (1 if pair.first == NAMES[1] else -1) for end in (ends.low, ends.high)
    )
    return before, after, difference, (low, high), result.resampling
