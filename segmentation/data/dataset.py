"""The one dataset: pairs of image and mask, as a model sees them."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from segmentation.classes import ClassTable
from segmentation.data.files import check_labels, read_image, read_mask
from segmentation.data.layouts import Sample
from segmentation.data.transforms import Size, TrainTransform, resize_image

Item = dict[str, Any]


class SegmentationDataset(Dataset[Item]):
    """Images with masks, for scoring: the image resized to `size`, the mask as it is on disk.

    An item is a dict with `image` (`uint8` (3, h, w), RGB), `mask` (`uint8` (H, W), void is
    `VOID`), `name` and `index`.

    Args:
        samples: the pairs of one split.
        classes: what the masks' indices mean.
        size: (height, width) of the image; None: its own.
    """

    def __init__(
        self, samples: Sequence[Sample], classes: ClassTable, size: Size | None = None
    ) -> None:
        self.samples = list(samples)
        self.classes = classes
        self.size = size
        self._lookup = classes.lookup()

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> Item:
        image, mask = self.read(index)
        return self._item(index, resize_image(image, self.size), mask)

    def read(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Return one pair at its own resolution: `uint8` (H, W, 3) and `uint8` (H, W).

        Raises:
            DataError: a file that cannot be read, or a label outside the class table.
        """
        sample = self.samples[index]
        mask = read_mask(sample.mask)
        check_labels(sample.mask, np.flatnonzero(np.bincount(mask.ravel())), self.classes)
        return read_image(sample.image), self._lookup[mask]

    def _item(self, index: int, image: np.ndarray, mask: np.ndarray) -> Item:
        # A transposed view of H,W,C memory is what PyTorch calls channels_last.
        return {
            "image": torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1),
            "mask": torch.from_numpy(np.ascontiguousarray(mask)),
            "name": self.samples[index].name,
            "index": index,
        }


class TrainDataset(SegmentationDataset):
    """The same pairs for training, augmented; an item is asked for by (epoch, index).

    The epoch comes with the index because workers outlive it: each sample's randomness is a
    function of (seed, epoch, index) and of nothing else. A plain index is one of epoch 0, which is
    how Lightning asks when it overfits a few batches.
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        classes: ClassTable,
        transform: TrainTransform,
        seed: int,
    ) -> None:
        super().__init__(samples, classes)
        self.transform = transform
        self.seed = seed

    def __getitem__(self, key: tuple[int, int] | int) -> Item:
        epoch, index = (0, key) if isinstance(key, int) else key
        image, mask = self.transform(*self.read(index), seed=(self.seed, epoch, index))
        return self._item(index, image, mask)


def collate(items: Sequence[Item]) -> dict[str, Any]:
    """Stack items into a batch; images or masks of different sizes stay a list.

    Images come out as `uint8` (N, 3, H, W) in channels_last memory, ready for the model.
    """
    return {
        "image": _stack([item["image"] for item in items], _stack_channels_last),
        "mask": _stack([item["mask"] for item in items], torch.stack),
        "name": [item["name"] for item in items],
        "index": torch.tensor([item["index"] for item in items]),
    }


def _stack(tensors: list[Tensor], stack: Callable[[list[Tensor]], Tensor]) -> Tensor | list[Tensor]:
    same = all(tensor.shape == tensors[0].shape for tensor in tensors)
    return stack(tensors) if same else tensors


def _stack_channels_last(images: list[Tensor]) -> Tensor:
    return torch.stack([image.permute(1, 2, 0) for image in images]).permute(0, 3, 1, 2)
