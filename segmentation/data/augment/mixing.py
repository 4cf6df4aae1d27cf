"""Parts of one training image pasted into another, with their labels: CutMix and ClassMix."""

from collections.abc import Callable, Sequence

import numpy as np

from segmentation.classes import VOID
from segmentation.errors import ConfigError, check_number, did_you_mean

Pair = tuple[np.ndarray, np.ndarray]
Draw = Callable[[int, Sequence[int]], Pair]
STREAM = 2  # of the sample's random streams; its own augmentation has 0 and 1
PARTNER = 1  # what a partner's seed ends with: it is another draw than its own sample in that epoch


def cutmix(mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Choose a rectangle of half the image, of random shape and place, or all but it.

    CutMix (Yun et al., ICCV 2019) as French et al. (BMVC 2020) use it for segmentation: half the
    area always, so that both images count alike, and a side that is log-uniform in 0.5..1. Such a
    rectangle holds the centre always and a corner hardly ever: a coin says on which side of its
    edge the partner is, so that neither gets all the centres.

    Args:
        mask: the partner's labels (H, W); only its size matters.
        rng: where shape and place come from.

    Returns:
        Which pixels come from the partner, `bool` (H, W).
    """
    tall = 0.5 ** rng.random()
    chosen = np.zeros(mask.shape, dtype=bool)
    sides = []
    for length, share in zip(mask.shape, (tall, 0.5 / tall), strict=True):
        side = max(1, round(length * share))
        start = int(rng.integers(length - side + 1))
        sides.append(slice(start, start + side))
    chosen[tuple(sides)] = True
    return chosen if rng.random() < 0.5 else ~chosen


def classmix(mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Choose all pixels of half the partner's classes.

    ClassMix (Olsson et al., WACV 2021) with true labels in place of predicted ones; where the
    number of classes is odd the larger half is pasted. Void is no class and is never pasted.

    Args:
        mask: the partner's labels (H, W).
        rng: where the choice comes from.

    Returns:
        Which pixels come from the partner, `bool` (H, W).
    """
    present = np.flatnonzero(np.bincount(mask.ravel(), minlength=VOID + 1)[:VOID])
    pasted = np.zeros(VOID + 1, dtype=bool)
    pasted[rng.permutation(present)[: (len(present) + 1) // 2]] = True
    return pasted[mask]


KINDS = {"cutmix": cutmix, "classmix": classmix}


class Mixing:
    """Mix some training samples with a partner from the same split.

    Whether a sample is mixed, with which partner and how follow from its seed alone, so that it is
    the same sample in any process.

    Args:
        kind: ``"cutmix"`` or ``"classmix"``.
        p: the share of samples that are mixed, 0..1.

    Raises:
        ConfigError: another kind, or a share outside 0..1.
    """

    def __init__(self, kind: str, p: float = 0.5) -> None:
        if kind not in KINDS:
            raise ConfigError(
                f"augment.mix={kind!r} is not known: none, {', '.join(KINDS)}."
                f"{did_you_mean(str(kind), KINDS)}"
            )
        self.choose = KINDS[kind]
        self.p = check_number("augment.mix_p", p, "0 to 1", lambda share: 0 <= share <= 1)

    def __call__(
        self, image: np.ndarray, mask: np.ndarray, seed: Sequence[int], count: int, draw: Draw
    ) -> Pair:
        """Return the sample, or the sample with parts of its partner's.

        Args:
            image: `uint8` (H, W, 3), augmented.
            mask: `uint8` (H, W).
            seed: what the sample's randomness follows from, such as (seed, epoch, index).
            count: how many images the split has; a partner is any of them.
            draw: gives the augmented image and mask of (index, seed).

        Raises:
            ConfigError: the partner has another size.
        """
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(STREAM,)))
        if rng.random() >= self.p:
            return image, mask
        other, other_mask = draw(int(rng.integers(count)), (*seed, PARTNER))
        if mask.shape != other_mask.shape:
            raise ConfigError(
                "augment.mix needs training images of one size. Set data.crop=[height,width] or "
                "data.size=[height,width]."
            )
        chosen = self.choose(other_mask, rng)
        return np.where(chosen[..., None], other, image), np.where(chosen, other_mask, mask)
