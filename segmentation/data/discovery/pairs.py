"""The decoded pairs of a split."""

from collections.abc import Sequence

import numpy as np

from segmentation.classes import VOID
from segmentation.data.discovery.layouts import Sample
from segmentation.data.files import check_pair, read_pair
from segmentation.data.images.image_reader import ImageReader
from segmentation.data.images.windowed import WindowedImage, WindowedLabels, is_large
from segmentation.data.masks.labels import Labels

Pair = tuple[np.ndarray, np.ndarray]
PHOTOS = ImageReader()


class Pairs(Sequence[Pair]):
    """Images and labels of a split, decoded from their files at every access.

    Images above the reader's `max_pixels` are read in windows, see `WindowedImage`.

    An item is (image, labels): (H, W, C) of the reader's channels and type, by default `uint8` RGB,
    and `uint8` (H, W), void is `VOID`; without a mask all labels are void, and so are pixels
    without data.

    Args:
        samples: the files of the split.
        labels: decodes the masks.
        reader: reads the images.

    Raises:
        DataError: at access, if an item's files cannot be used.
    """

    def __init__(
        self, samples: Sequence[Sample], labels: Labels, reader: ImageReader = PHOTOS
    ) -> None:
        self.samples = list(samples)
        self.labels = labels
        self.reader = reader

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> Pair:  # type: ignore[override]  # no slices
        sample = self.samples[index]
        if is_large(sample.image, self.reader.max_pixels):
            return self._windowed(sample)
        if sample.mask is None or not self.reader.channels.photos:
            return self._read(sample)
        image, mask = read_pair(
            sample.image, sample.mask, self.labels.by_color, self.reader.max_pixels
        )
        return image, self.labels.decode(mask, sample.mask)

    def _windowed(self, sample: Sample) -> Pair:
        """Return an image and its labels that are read in windows, as a crop asks for them."""
        image = WindowedImage(sample.image, self.reader)
        labels = WindowedLabels(sample.mask, image, self.labels, self.reader.max_pixels)
        return image, labels  # type: ignore[return-value]  # cut like arrays

    def _read(self, sample: Sample) -> Pair:
        """Read an image by its channels, and its labels if it has a mask."""
        image = self.reader.read(sample.image)
        if sample.mask is None:
            labels = np.full(image.pixels.shape[:2], VOID, np.uint8)
        else:
            mask = self.labels.read(sample.mask, self.reader.max_pixels)
            check_pair(sample.image, image.pixels, sample.mask, mask, image.unclear)
            labels = self.labels.decode(mask, sample.mask)
        if image.valid is not None:
            labels = np.where(image.valid, labels, np.uint8(VOID))
        return image.pixels, labels
