"""The decoded pairs of a split."""

from collections.abc import Sequence

import numpy as np

from segmentation.classes import VOID
from segmentation.data.discovery.files import read_image, read_pair
from segmentation.data.discovery.labels import Labels
from segmentation.data.discovery.layouts import Sample

Pair = tuple[np.ndarray, np.ndarray]


class Pairs(Sequence[Pair]):
    """Images and labels of a split, decoded from their files at every access.

    An item is (image, labels): `uint8` (H, W, 3), RGB, and `uint8` (H, W), void is `VOID`; without
    a mask all labels are void.

    Args:
        samples: the files of the split.
        labels: decodes the masks.

    Raises:
        DataError: at access, if an item's files cannot be used.
    """

    def __init__(self, samples: Sequence[Sample], labels: Labels) -> None:
        self.samples = list(samples)
        self.labels = labels

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> Pair:  # type: ignore[override]  # no slices
        sample = self.samples[index]
        if sample.mask is None:
            image = read_image(sample.image)
            return image, np.full(image.shape[:2], VOID, np.uint8)
        image, mask = read_pair(sample.image, sample.mask, self.labels.by_color)
        return image, self.labels.decode(mask, sample.mask)
