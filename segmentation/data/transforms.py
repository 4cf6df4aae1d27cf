"""From what a file holds to what a batch holds: resizing, augmentation, cropping.

albumentations 2.0.8 draws the same random numbers in every worker and every epoch, so each call
seeds it anew from (seed, epoch, index): a sample's augmentation then differs in every epoch and is
the same again with any number of workers or ranks.
"""

import inspect
import os
from collections.abc import Sequence

import cv2
import numpy as np

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # else it asks the network at import: 2 s
import albumentations as A

from segmentation.classes import VOID
from segmentation.errors import ConfigError, did_you_mean

Size = tuple[int, int]
FILL = (124, 116, 104)  # ImageNet's mean colour: padding that is close to zero once normalised


def resize_image(image: np.ndarray, size: Size | None) -> np.ndarray:
    """Resize `uint8` (H, W, 3) to `size` = (height, width); None leaves it as it is."""
    if size is None or image.shape[:2] == tuple(size):
        return image
    height, width = size
    # Averaging keeps thin poles when an image shrinks, where bilinear would skip pixels.
    shrinks = height < image.shape[0] and width < image.shape[1]
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return cv2.resize(image, (width, height), interpolation=interpolation)


class TrainTransform:
    """Resize to `size`, augment image and mask together, crop to `crop`.

    Args:
        augment: albumentations, each as ``{Name: {argument: value}}``, in order.
        size: (height, width) that images and masks are resized to first; None: their own.
        crop: (height, width) of random crops, padded with void where the image is smaller; None:
            what goes in has the size that comes out, whatever the augmentation did between.

    Raises:
        ConfigError: a transform or an argument that albumentations does not know.
    """

    def __init__(
        self, augment: Sequence[dict], size: Size | None = None, crop: Size | None = None
    ) -> None:
        self.size = size
        self.crop = crop
        self.compose = A.Compose([_transform(entry) for entry in augment], strict=True)

    def __call__(
        self, image: np.ndarray, mask: np.ndarray, seed: Sequence[int]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return image `uint8` (h, w, 3) and mask `uint8` (h, w).

        Args:
            image: `uint8` (H, W, 3).
            mask: `uint8` (H, W), void is `VOID`.
            seed: what this sample's randomness follows from, such as (seed, epoch, index).
        """
        entropy = np.random.SeedSequence(seed)
        image = resize_image(image, self.size)
        if mask.shape != image.shape[:2]:
            mask = cv2.resize(mask, image.shape[1::-1], interpolation=cv2.INTER_NEAREST_EXACT)
        target = self.crop or image.shape[:2]
        self.compose.set_random_seed(int(entropy.generate_state(1)[0]))
        result = self.compose(image=image, mask=mask)
        return _crop(result["image"], result["mask"], target, np.random.default_rng(entropy))


def _crop(
    image: np.ndarray, mask: np.ndarray, size: Size, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Cut a random window, padded at random sides where the image is smaller than it."""
    for axis, length in enumerate(size):
        extra = image.shape[axis] - length
        if extra > 0:
            start = int(rng.integers(extra + 1))
            window = [slice(None)] * 2
            window[axis] = slice(start, start + length)
            image, mask = image[tuple(window)], mask[tuple(window)]
        elif extra < 0:
            before = int(rng.integers(-extra + 1))
            top, left = (before, 0) if axis == 0 else (0, before)
            bottom, right = (-extra - before, 0) if axis == 0 else (0, -extra - before)
            border = (top, bottom, left, right, cv2.BORDER_CONSTANT)
            image = cv2.copyMakeBorder(image, *border, value=FILL)
            mask = cv2.copyMakeBorder(mask, *border, value=VOID)
    return image, mask


def _transform(entry: dict) -> A.BasicTransform | A.BaseCompose:
    if not isinstance(entry, dict) or len(entry) != 1:
        raise ConfigError(
            f"augment.transforms: expected one '- Name: {{argument: value}}', got {entry!r}."
        )
    ((name, arguments),) = entry.items()
    kind = getattr(A, str(name), None)
    if not (isinstance(kind, type) and issubclass(kind, A.BasicTransform | A.BaseCompose)):
        known = [key for key in dir(A) if key[0].isupper()]
        raise ConfigError(f"albumentations has no {name!r}.{did_you_mean(str(name), known)}")
    arguments = dict(arguments or {})
    if "transforms" in arguments:
        arguments["transforms"] = [_transform(inner) for inner in arguments["transforms"]]
    parameters = inspect.signature(kind).parameters
    for key in arguments:
        if key not in parameters:
            raise ConfigError(
                f"albumentations' {name} has no argument {key!r}.{did_you_mean(key, parameters)}"
            )
    if "fill_mask" in parameters and parameters["fill_mask"].default == 0:
        arguments.setdefault("fill_mask", VOID)  # albumentations fills with 0, a real class
    try:
        return kind(**arguments)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"augment.transforms: {name}: {' '.join(str(error).split())}") from error
