"""The one dataset: pairs of image and mask, as a model sees them."""

from collections.abc import Callable, Sequence
from math import prod
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from segmentation.classes import VOID
from segmentation.data.augment.mixing import Mixing
from segmentation.data.augment.transform import TrainTransform
from segmentation.data.augment.window import Size, resize_image
from segmentation.data.discovery.pairs import Pair, Pairs
from segmentation.data.images.windowed import Window, WindowedImage, is_large, windows
from segmentation.data.targets.table import TargetTable
from segmentation.errors import ConfigError, DataError

MARGIN = 128
"""Pixels around a tile that the model sees and that are not scored."""

Item = dict[str, Any]

OWN: Final = (
    "C",
    "W",
)  # contiguous and writable: a cache is neither copied nor written to until here


class SegmentationDataset(Dataset[Item]):
    """Images with masks, for scoring: the image resized to `size`, the mask as it is on disk.

    An item is a dict with `image` ((C, h, w): `uint8` RGB, or `float32` for more than 8 bits),
    `mask` (`uint8` (H, W), void is `VOID`), `name`, `index`, and `failed`: why the pair could not
    be read, empty where it could; of images that are not RGB also `shown`, see `pictures.viewed`.
    Where there are image-level targets it has `category` (`NO_CATEGORY` where empty) and `values`
    (`float32` (columns,), NaN where empty) besides.

    Images that are read in windows (`WindowedImage`) come as tiles, an item each, whose `index` is
    that of the item: `per_image` sums what was counted of them. A tile's image and mask have a
    margin for the model to look at, which is void.

    Args:
        pairs: the decoded pairs of one split.
        size: (height, width) of the image; None: its own.
        skip: a pair that cannot be read while the run goes on becomes one pixel of void, which
            counts nowhere, in place of an error.
        targets: the image-level targets of the split; None for none.

    Raises:
        ConfigError: images that are read in windows, and a `size` or targets.
    """

    def __init__(
        self,
        pairs: Pairs,
        size: Size | None = None,
        skip: bool = False,
        targets: TargetTable | None = None,
    ) -> None:
        self.pairs = pairs
        self.names = [sample.name for sample in pairs.samples]
        self.size = size
        self.skip = skip
        self.targets = targets
        self.tiles = _tiles(pairs)
        self.has_windows = any(window is not None for _, window in self.tiles)
        if self.has_windows and (size or targets):
            option = "data.size" if size else "task.targets"
            raise ConfigError(
                f"{option} is for whole images, and some have more pixels than data.max_pixels and "
                "are read in windows. Omit it, or cut them into pieces first."
            )

    def __len__(self) -> int:
        return len(self.tiles)

    def __getitem__(self, index: int) -> Item:
        number, window = self.tiles[index]
        (image, mask), failed = self.read(number)
        if window is not None and not failed:
            try:
                image, mask = _tile(image, mask, window)
            except DataError as error:  # windows are read here, not before
                (image, mask), failed = self._nothing(error)
        item = self._item(number, resize_image(image, self.size), mask, failed)
        return {**item, "index": index}

    def per_image(self, counts: np.ndarray) -> np.ndarray:
        """Return the sum over the tiles of each image, (images, ...), of counts (items, ...)."""
        if not self.has_windows:
            return counts
        total = np.zeros((len(self.pairs), *counts.shape[1:]), counts.dtype)
        np.add.at(total, [number for number, _ in self.tiles], counts)
        return total

    def read(self, index: int) -> tuple[Pair, str]:
        """Return one pair at its own resolution, and why it could not be read.

        Raises:
            DataError: it cannot be read and is not to be skipped.
        """
        try:
            return self.pairs[index], ""
        except DataError as error:
            return self._nothing(error)

    def _nothing(self, error: DataError) -> tuple[Pair, str]:
        """Return one pixel of void in place of a pair, and the error that it is skipped for."""
        if not self.skip:
            raise error
        channels = self.pairs.reader.channels
        nothing = np.zeros((1, 1, len(channels)), channels.dtype)
        return (nothing, np.full((1, 1), VOID, np.uint8)), str(error)

    def _item(self, index: int, image: np.ndarray, mask: np.ndarray, failed: str) -> Item:
        # What stands in for a file that cannot be read has targets of its own, or none.
        targets = self.targets.item(None if failed else index) if self.targets else {}
        channels = self.pairs.reader.channels
        shown = {} if channels.is_rgb else {"shown": channels.shown}
        if image.dtype == np.uint16:  # which PyTorch does not compute with
            image = image.astype(np.float32)
        # A transposed view of H,W,C memory is what PyTorch calls channels_last.
        return {
            "image": torch.from_numpy(np.require(image, requirements=OWN)).permute(2, 0, 1),
            "mask": torch.from_numpy(np.require(mask, requirements=OWN)),
            "name": self.names[index],
            "index": index,
            "failed": failed,
            **shown,
            **targets,
        }


class TrainDataset(SegmentationDataset):
    """The same pairs for training, augmented; an item is asked for by (epoch, index).

    An item is a pair, or a crop of one that is read in windows: of such there are as many in an
    epoch as have its area together.

    The epoch comes with the index because workers outlive it: each sample's randomness is a
    function of (seed, epoch, index) and of nothing else. A plain index is one of epoch 0, which is
    how Lightning asks when it overfits a few batches. In the place of a pair that cannot be read
    and is to be skipped comes the next one that can.

    Args:
        pairs, skip, targets: see `SegmentationDataset`.
        transform: resizes, augments and crops.
        seed: the run's.
        mixing: pastes parts of other samples in; None: it does not.
    """

    def __init__(
        self,
        pairs: Pairs,
        transform: TrainTransform,
        seed: int,
        skip: bool = False,
        mixing: Mixing | None = None,
        targets: TargetTable | None = None,
    ) -> None:
        super().__init__(pairs, skip=skip, targets=targets)
        self.transform = transform
        self.pair_of = self._draws()
        self.seed = seed
        self.mixing = mixing

    def _draws(self) -> list[int]:
        """Return the pair of each item: one that is read in windows comes as often as covers it."""
        if not self.has_windows:
            return list(range(len(self.pairs)))
        if self.transform.crop is None:
            raise ConfigError(
                "some images have more pixels than data.max_pixels and are read in windows. Train "
                "on crops of them: data.crop=auto or data.crop=[height,width]."
            )
        ends = np.ones((len(self.pairs), 2), np.int64)
        for index, window in self.tiles:  # the last window of an image ends where the image does
            if window is not None:
                ends[index] = window[0].stop, window[1].stop
        counts = crops_of(ends, self.transform.crop, max_pixels=0)
        return [index for index, count in enumerate(counts) for _ in range(count)]

    def __len__(self) -> int:
        return len(self.pair_of)

    def __getitem__(self, key: tuple[int, int] | int) -> Item:
        epoch, item = (0, key) if isinstance(key, int) else key
        seed, index = (self.seed, epoch, item), self.pair_of[item]
        pair, failed = self._draw(item, seed)
        if self.mixing is not None:
            pair = self.mixing(*pair, seed, len(self), lambda *other: self._draw(*other)[0])
        return self._item(index, *pair, failed)

    def _draw(self, index: int, seed: Sequence[int]) -> tuple[Pair, str]:
        """Return a pair, augmented as `seed` says, and why it is another than was asked for."""
        pair, failed = self.read(self.pair_of[index])
        if failed:
            pair = self._next_readable(self.pair_of[index])
        return self.transform(*pair, seed), failed

    def _next_readable(self, index: int) -> Pair:
        for step in range(1, len(self.pairs)):
            pair, failed = self.read((index + step) % len(self.pairs))
            if not failed:
                return pair
        raise DataError("no pair of the training split can be read any more.")


def crops_of(sizes: np.ndarray, crop: Size, max_pixels: int) -> list[int]:
    """Return how many crops of each image an epoch has.

    Args:
        sizes: (n, 2), heights and widths.
        crop: height and width of the crops.
        max_pixels: images with more are read in windows: as many crops as have their area; one of
            the others.
    """
    pixels = sizes.astype(np.int64).prod(axis=1)
    covering = np.maximum(1, np.rint(pixels / prod(crop)).astype(np.int64))
    return np.where(pixels > max_pixels, covering, 1).tolist()


def _tiles(pairs: Pairs) -> list[tuple[int, Window | None]]:
    """Return each pair by its index, and each window of those that are read in windows."""
    tiles: list[tuple[int, Window | None]] = []
    for index, sample in enumerate(pairs.samples):
        if is_large(sample.image, pairs.reader.max_pixels):
            shape = WindowedImage(sample.image, pairs.reader).shape
            tiles += [(index, window) for window in windows(shape)]
        else:
            tiles.append((index, None))
    return tiles


def _tile(image: np.ndarray, mask: np.ndarray, window: Window) -> Pair:
    """Return a window of an image and its labels with a margin, which is void."""
    rows, columns = (
        slice(max(axis.start - MARGIN, 0), min(axis.stop + MARGIN, length))
        for axis, length in zip(window, mask.shape, strict=True)
    )
    labels = mask[rows, columns]
    void = np.full_like(labels, VOID)
    inner = tuple(
        slice(axis.start - outer.start, axis.stop - outer.start)
        for axis, outer in zip(window, (rows, columns), strict=True)
    )
    void[inner] = labels[inner]
    return image[rows, columns], void


def collate(items: Sequence[Item]) -> dict[str, Any]:
    """Stack items into a batch; images or masks of different sizes stay a list.

    Images come out as `uint8` or `float32` (N, C, H, W) in channels_last memory, ready for the
    model, targets as `category`, `int64` (N,), and `values`, `float32` (N, columns).
    """
    targets = [key for key in ("category", "values") if key in items[0]]
    return {
        "image": _stack([item["image"] for item in items], _stack_channels_last),
        "mask": _stack([item["mask"] for item in items], torch.stack),
        "name": [item["name"] for item in items],
        "index": torch.tensor([item["index"] for item in items]),
        "failed": {item["name"]: item["failed"] for item in items if item["failed"]},
        **{key: torch.from_numpy(np.stack([item[key] for item in items])) for key in targets},
    }


def _stack(tensors: list[Tensor], stack: Callable[[list[Tensor]], Tensor]) -> Tensor | list[Tensor]:
    same = all(tensor.shape == tensors[0].shape for tensor in tensors)
    return stack(tensors) if same else tensors


def _stack_channels_last(images: list[Tensor]) -> Tensor:
    return torch.stack([image.permute(1, 2, 0) for image in images]).permute(0, 3, 1, 2)
