"""Find where a difference of mIoU comes from: the images won and lost, the classes, the images."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from segmentation.evaluation.statistics.counts import Counts
from segmentation.metrics.scores import ious
from segmentation.runs.scored_images import ScoredImages

TIED = 0.001
"""Images whose mIoU differ by less are tied: 0.1 points."""

MOST_IMAGES = 5
"""The number of images that are named."""


@dataclass(frozen=True)
class ImageEffect:
    """An image's part in a difference.

    Attributes:
        name: of the image.
        difference: of the mIoU of this image alone.
        without: the difference over all other images.
    """

    name: str
    difference: float
    without: float


@dataclass(frozen=True)
class Effect:
    """Where a difference of mIoU (first minus second) comes from.

    The mIoU of an image is over the classes in its labels or its prediction, and the mean over
    seeds. Images without a labelled pixel don't count.

    Attributes:
        won, lost, tied: images on which the first scores higher, lower, or within `TIED`.
        classes: the difference of IoU by class, those that make the difference first.
        images: without which the difference would be smallest, at most `MOST_IMAGES`.
    """

    won: int
    lost: int
    tied: int
    classes: dict[str, float]
    images: tuple[ImageEffect, ...]

    @property
    def words(self) -> str:
        """Describe the images won and lost."""
        total = self.won + self.lost + self.tied
        return f"of {total} images {self.won} won, {self.lost} lost, {self.tied} tied"

    def named_classes(self, most: int = 3) -> str:
        """List the classes that make the most of the difference, in points."""
        named = list(self.classes.items())[:most]
        return ", ".join(f"{name} {100 * value:+z.1f}" for name, value in named)


def effect(first: Sequence[ScoredImages], second: Sequence[ScoredImages]) -> Effect:
    """Explain the difference of mIoU of two contenders.

    Args:
        first, second: the runs of each, all on the same images in the same order.
    """
    sides = [np.mean([_scores(run) for run in runs], axis=0) for runs in (first, second)]
    overall, images, without = (one - other for one, other in zip(*map(_parts, sides), strict=True))
    total, image, rest = overall[-1], images[:, -1], without[:, -1]
    sign = -1.0 if total < 0 else 1.0

    known = ~np.isnan(image)
    order = np.argsort(np.where(np.isnan(rest), np.inf, sign * rest), kind="stable")
    makes = [i for i in order if sign * (total - rest[i]) > 0][:MOST_IMAGES]
    classes = [
        (name, float(value))
        for name, value in zip(first[0].classes, overall[:-1], strict=True)
        if not np.isnan(value)
    ]
    return Effect(
        won=int((image[known] >= TIED).sum()),
        lost=int((image[known] <= -TIED).sum()),
        tied=int((np.abs(image[known]) < TIED).sum()),
        classes=dict(sorted(classes, key=lambda item: -sign * item[1])),
        images=tuple(
            ImageEffect(first[0].names[i], float(image[i]), float(rest[i])) for i in makes
        ),
    )


def _scores(run: ScoredImages) -> np.ndarray:
    """Return the IoU of each class, then mIoU: overall, of each image, of all images without it.

    Returns:
        (1 + 2 n, C + 1)
    """
    counts = Counts.of(run.confusion)
    parts = [counts.correct, counts.union]
    totals = [part.sum(axis=0, keepdims=True) for part in parts]
    stacked = [
        np.concatenate([total, part, total - part])
        for part, total in zip(parts, totals, strict=True)
    ]
    return ious(*stacked)


def _parts(scores: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    images = len(scores) // 2
    return scores[0], scores[1 : images + 1], scores[images + 1 :]
