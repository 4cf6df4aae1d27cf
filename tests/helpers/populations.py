"""Test sets drawn from populations whose true scores are known."""

from pathlib import Path

import numpy as np
from scipy.signal import lfilter

from segmentation.metrics.scores import ious, pixel_counts
from segmentation.runs.scored_images import ScoredImages

SHARES = np.array([1, 1, 0.9, 0.4, 0.15])
"""How many of the images hold each class."""
PIXELS = np.array([30000, 20000, 4000, 3000, 2000])
RIGHT = np.array([3.0, 2.2, 1.0, 0.8, 0.4])  # log-odds


def scored(confusion, names=None, **values) -> ScoredImages:
    """Return matrices (n, C, C) as a run's; images are no video unless names say so."""
    confusion = np.asarray(confusion)
    names = [f"{chr(97 + i % 26)}{i}x" for i in range(len(confusion))] if names is None else names
    classes = tuple(f"class {index}" for index in range(confusion.shape[1]))
    return ScoredImages(
        tuple(names), confusion, values.pop("classes", classes), values.pop("source", Path("run")),
        {}, **values,
    )  # fmt: skip


def latent(random: np.random.Generator, images: int, columns: int, likeness: float) -> np.ndarray:
    """Return standard normal series (images, columns): AR(1) with this correlation at lag 1."""
    noise = random.normal(size=(images, columns))
    noise[1:] *= np.sqrt(1 - likeness**2)
    return lfilter([1], [1, -likeness], noise, axis=0)


class Scenes:
    """Images of one sequence: what they hold and how hard they are.

    Args:
        likeness: correlation of neighbours; 0 for independent images.
        common: whether every image holds every class.
    """

    def __init__(self, random, images: int, likeness: float = 0.0, common: bool = False):
        self.random, self.likeness = random, likeness
        size = latent(random, images, len(PIXELS), likeness)
        held = np.ones(size.shape) if common else random.random(size.shape) < SHARES
        self.pixels = np.round(held * PIXELS * np.exp(0.6 * size)).astype(np.int64)
        self.hardness = latent(random, images, len(PIXELS), likeness)

    def predict(self, better: float = 0.0, own: float = 0.5) -> np.ndarray:
        """Return one model's confusion matrices, (n, C, C).

        Args:
            better: log-odds added to every class.
            own: deviation of what is hard for this model alone.
        """
        alone = latent(self.random, *self.pixels.shape, self.likeness)
        odds = RIGHT + better + 0.8 * self.hardness + own * alone
        right = np.floor(self.pixels / (1 + np.exp(-odds))).astype(np.int64)
        classes = np.arange(len(PIXELS))
        confusion = np.zeros((*self.pixels.shape, len(PIXELS)), dtype=np.int64)
        confusion[:, classes, classes] = right
        confusion[:, classes, (classes + 1) % len(PIXELS)] += self.pixels - right
        return confusion


def true_ious(common: bool = False, better: float = 0.0, own: float = 0.5) -> np.ndarray:
    """Return IoU of each class, then mIoU, of the whole population."""
    random = np.random.default_rng(7)
    parts = [
        np.hstack([part.sum(axis=0) for part in pixel_counts(
            Scenes(random, 20_000, common=common).predict(better, own)
        )])
        for _ in range(10)
    ]  # fmt: skip
    total = np.sum(parts, axis=0)[None]
    return ious(total[:, : len(PIXELS)], total[:, len(PIXELS) :])[0]
