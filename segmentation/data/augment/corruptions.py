"""The common corruptions of images, for asking how well a model holds out against them.

What is corrupted and how much follows Hendrycks and Dietterich 2019, "Benchmarking Neural Network
Robustness to Common Corruptions and Perturbations", severities 1, 3 and 5 of their ImageNet-C, as
far as albumentations has the means. Where it differs:

- Their images are 224 pixels high. Blurs are lengths in the picture and grow with its short side;
  noise and compression are made by pixels, whose number does not matter.
- `motion_blur` draws with an even brush; theirs fades (radius 10, 15, 20 and sigma 3, 8, 15). Its
  length gives the same standard deviation: 1.9, 4.9 and 8.7 pixels.
- `fog` is a veil of plasma noise like theirs, with strengths of our own.
- `darkness` is not in their table: less light, as at dusk.
- Weather that albumentations draws without much likeness (rain, snow) is left out.
"""

import os
import random
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # else it asks the network at import: 2 s
import albumentations as A

from segmentation.data.discovery.pairs import Pair, Pairs
from segmentation.errors import DataError

SEVERITIES = (1, 3, 5)
THEIR_SIDE = 224
"""The short side, in pixels, of the images that the lengths of blurs are meant for."""

Transform = Callable[[Any, float], A.ImageOnlyTransform]
"""From a strength, and the short side in units of `THEIR_SIDE`, to a transform."""


def _noise(strength: float, scale: float) -> A.ImageOnlyTransform:
    return A.GaussNoise(std_range=(strength, strength), p=1)


def _defocus(strength: tuple[int, float], scale: float) -> A.ImageOnlyTransform:
    radius = max(1, round(strength[0] * scale))
    return A.Defocus(radius=(radius, radius), alias_blur=(strength[1], strength[1]), p=1)


def _motion(strength: float, scale: float) -> A.ImageOnlyTransform:
    length = max(3, 2 * round((strength * scale - 1) / 2) + 1)  # odd, as a kernel has to be
    return A.MotionBlur(
        blur_limit=(length, length), angle_range=(0, 180), direction_range=(0, 0),
        allow_shifted=False, p=1,
    )  # fmt: skip


def _jpeg(strength: int, scale: float) -> A.ImageOnlyTransform:
    return A.ImageCompression(compression_type="jpeg", quality_range=(strength, strength), p=1)


def _brightness(strength: float, scale: float) -> A.ImageOnlyTransform:
    shift = round(255 * strength)
    return A.HueSaturationValue((0, 0), (0, 0), (shift, shift), p=1)


def _darkness(strength: float, scale: float) -> A.ImageOnlyTransform:
    return A.ColorJitter((strength, strength), (1, 1), (1, 1), (0, 0), p=1)


def _contrast(strength: float, scale: float) -> A.ImageOnlyTransform:
    return A.ColorJitter((1, 1), (strength, strength), (1, 1), (0, 0), p=1)


def _fog(strength: tuple[float, float], scale: float) -> A.ImageOnlyTransform:
    veil, contrast = strength
    return A.PlasmaBrightnessContrast((veil, veil), (-contrast, -contrast), roughness=0.5, p=1)


_TABLE: dict[str, tuple[Transform, tuple[Any, Any, Any]]] = {
    "gaussian_noise": (_noise, (0.08, 0.18, 0.38)),  # standard deviation; white is 1
    "defocus_blur": (_defocus, ((3, 0.1), (6, 0.5), (10, 0.5))),  # radius; sigma of its edge
    "motion_blur": (_motion, (6.6, 17.0, 30.2)),  # pixels
    "jpeg_compression": (_jpeg, (25, 15, 7)),  # quality
    "brightness": (_brightness, (0.1, 0.3, 0.5)),  # added to HSV's value
    "darkness": (_darkness, (0.5, 0.25, 0.1)),  # factor
    "contrast": (_contrast, (0.4, 0.2, 0.05)),  # factor, about the mean
    "fog": (_fog, ((0.3, 0.5), (0.4, 0.7), (0.5, 0.9))),  # light added; contrast taken, at most
}


@dataclass(frozen=True)
class Corruption:
    """One kind of damage to an image.

    Attributes:
        name: a key of the table.
        severity: one of `SEVERITIES`.
    """

    name: str
    severity: int

    def __str__(self) -> str:
        return f"{self.name} {self.severity}"

    def apply(self, image: np.ndarray, seed: int, index: int) -> np.ndarray:
        """Return the image corrupted, `uint8` (H, W, 3) as it is.

        Args:
            image: it is not written to.
            seed, index: randomness follows from these and the name alone. Workers, ranks and the
                order of images change nothing, and severities differ in their strength only.
        """
        compose = _compose(self.name, self.severity, min(image.shape[:2]))
        sequence = np.random.SeedSequence((seed, zlib.crc32(self.name.encode()), index))
        # albumentations draws alike in every worker, see `segmentation.data.augment.transform`.
        compose.set_random_state(
            np.random.default_rng(sequence), random.Random(int(sequence.generate_state(1)[0]))
        )
        return compose(image=image)["image"]


@lru_cache(maxsize=64)
def _compose(name: str, severity: int, side: int) -> A.Compose:
    make, strengths = _TABLE[name]
    transform = make(strengths[SEVERITIES.index(severity)], side / THEIR_SIDE)
    return A.Compose([transform], strict=True)


CORRUPTIONS = tuple(Corruption(name, severity) for name in _TABLE for severity in SEVERITIES)
"""All of them, each severity after the weaker one."""


class CorruptedPairs(Pairs):
    """The pairs of a split with their images corrupted at their own resolution; labels stay.

    Args:
        pairs: the pairs as they are.
        corruption: the damage.
        seed: see `Corruption.apply`.
    """

    def __init__(self, pairs: Pairs, corruption: Corruption, seed: int = 0) -> None:
        super().__init__(pairs.samples, pairs.labels, pairs.reader)
        self.pairs = pairs
        self.corruption = corruption
        self.seed = seed

    def __getitem__(self, index: int) -> Pair:  # type: ignore[override]  # no slices
        image, labels = self.pairs[index]
        if not isinstance(image, np.ndarray):
            raise DataError(
                f"{self.samples[index].image} is read in windows, and corruptions damage whole "
                "images. Omit them: slices=[sequence,presence,size]"
            )
        return self.corruption.apply(image, self.seed, index), labels
