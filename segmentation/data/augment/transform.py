"""From what a file holds to what a batch holds: a random window, augmented.

albumentations 2.0.8 draws the same random numbers in every worker and every epoch, so each call
gives it generators made from (seed, epoch, index): a sample's augmentation then differs in every
epoch and is the same again with any number of workers or ranks.
"""

import inspect
import logging
import os
import random
from collections.abc import Mapping, Sequence

import cv2
import numpy as np

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # else it asks the network at import: 2 s
import albumentations as A

from segmentation.classes import VOID
from segmentation.data.augment.window import FILL, Size, balanced_window, cut, random_window
from segmentation.data.images.channels import RGB, Channels
from segmentation.errors import ConfigError, DataError, check_flag, did_you_mean

log = logging.getLogger(__name__)


class TrainTransform:
    """Resize to `size`, zoom at random, crop to `crop`, then augment image and mask together.

    Resizing, zooming and cropping are one resampling of the window that the crop needs (see
    `segmentation.data.augment.window`); albumentations sees the crop alone.

    Args:
        transforms: albumentations, each as ``{Name: {argument: value}}``, in order.
        size: (height, width) that images and masks are resized to first; None: their own.
        crop: (height, width) of random crops; None: what goes in has the size that comes out.
        scale: (low, high), the bounds of a uniform random zoom; 1 is as it is, below 1 things
            become smaller and what is missing is padded with void; None: no zoom.
        class_balanced: choose each crop for the spread of its classes, see `balanced_window`.
        channels: of the images; beyond RGB transforms of colours are left out, see `spatial_only`.

    Raises:
        ConfigError: a transform or an argument that albumentations does not know, or a scale that
            is not two positive numbers, the smaller first.
    """

    def __init__(
        self,
        transforms: Sequence[dict] = (),
        size: Size | None = None,
        crop: Size | None = None,
        scale: Sequence[float] | None = None,
        class_balanced: bool = False,
        channels: Channels = RGB,
    ) -> None:
        self.size = size
        self.crop = crop
        self.scale = _check_scale(scale)
        balanced = check_flag("augment.class_balanced", class_balanced)
        self.window = balanced_window if balanced else random_window
        self.channels = channels
        made = [_transform(entry) for entry in transforms]
        if not channels.is_rgb:
            made, left_out = spatial_only(made)
            if left_out:
                log.warning(
                    "augmentation leaves out %s: they change the colours of 8-bit RGB, and images "
                    "have %s.", ", ".join(dict.fromkeys(left_out)), channels,
                )  # fmt: skip
        self.compose = A.Compose(made, strict=True)

    def __call__(
        self, image: np.ndarray, mask: np.ndarray, seed: Sequence[int]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return image (h, w, C) and mask `uint8` (h, w), in memory of their own.

        Args:
            image: (H, W, C) of the channels' type; it is read where the crop lies and nowhere else.
            mask: `uint8` (H, W), void is `VOID`.
            seed: what this sample's randomness follows from, such as (seed, epoch, index).

        Raises:
            DataError: image and mask have different sizes.
            ConfigError: a transform that cannot be applied to these images, or that gives anything
                else than the channels in their type.
        """
        if mask.shape != image.shape[:2]:
            raise DataError(
                f"a mask of {mask.shape[1]}x{mask.shape[0]} for an image of {image.shape[1]}x"
                f"{image.shape[0]} pixels. A mask has the size of its image."
            )
        window_seed, augment_seed = np.random.SeedSequence(seed).spawn(2)
        rng = np.random.default_rng(window_seed)
        resized = self.size or mask.shape
        target = self.crop or resized
        scale = rng.uniform(*self.scale)
        zoom = (scale * resized[0] / mask.shape[0], scale * resized[1] / mask.shape[1])
        fill = self.channels.fill
        image, mask = cut(image, mask, *self.window(mask, target, zoom, rng), fill)
        # Not `set_random_seed`: that gives each transform the same numbers, so that whatever has
        # p=0.5 happens together or not at all. These generators are shared, and go on.
        self.compose.set_random_state(
            np.random.default_rng(augment_seed),
            random.Random(int(augment_seed.generate_state(1)[0])),
        )
        image, mask = self._augment(image, mask)
        if mask.shape != target:  # a transform turned the crop, or has a size of its own
            image, mask = cut(image, mask, *random_window(mask, target, (1, 1), rng), fill)
        return image, mask

    def _augment(self, image: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        # A second mask tells which pixels have no source, as `fill` takes four channels at most.
        wide = not self.channels.is_rgb
        masks = {"masks": [mask, np.zeros_like(mask)]} if wide else {"mask": mask}
        try:
            result = self.compose(image=image, **masks)
        except Exception as error:  # albumentations and OpenCV have no common one
            raise ConfigError(
                f"augment.transforms cannot be applied to {mask.shape[1]}x{mask.shape[0]} images: "
                f"{_one_line(error)}"
            ) from error
        image = result["image"]
        if wide and isinstance(image, np.ndarray) and image.ndim == 3:
            mask, without = result["masks"]
            image = self._filled(image, without == VOID)
        else:
            mask = result.get("mask")
        kind, count = self.channels.dtype, len(self.channels)
        if not isinstance(image, np.ndarray) or image.dtype != kind or image.shape[2:] != (count,):
            expected = "8-bit RGB images" if not wide else f"images of {self.channels}"
            raise ConfigError(
                f"augment.transforms must give {expected}. The model normalises by itself: "
                "leave Normalize, ToFloat and ToTensorV2 out."
            )
        return image, mask

    def _filled(self, image: np.ndarray, missing: np.ndarray) -> np.ndarray:
        if not missing.any():
            return image
        return np.where(missing[..., None], np.array(self.channels.fill, image.dtype), image)


def spatial_only(
    transforms: Sequence[A.BasicTransform | A.BaseCompose],
) -> tuple[list[A.BasicTransform | A.BaseCompose], list[str]]:
    """Return the transforms that move pixels or drop some, and the names of the others.

    The others work on the colours of 8-bit images, or scale and clip what is none.
    """
    kept: list[A.BasicTransform | A.BaseCompose] = []
    left_out: list[str] = []
    for transform in transforms:
        if isinstance(transform, A.BaseCompose):
            inner, without = spatial_only(transform.transforms)
            left_out += without
            if inner:
                transform.transforms = inner
                if isinstance(transform, A.OneOf | A.SomeOf):
                    weights = np.array([one.p for one in inner])
                    transform.transforms_ps = list(weights / weights.sum())
                kept.append(transform)
        elif isinstance(transform, A.ImageOnlyTransform):
            left_out.append(type(transform).__name__)
        else:
            if isinstance(getattr(transform, "fill", None), Sequence):
                transform.fill = 0  # of three channels
            kept.append(transform)
    return kept, left_out


def _check_scale(scale: Sequence[float] | None) -> tuple[float, float]:
    if scale is None:
        return 1.0, 1.0
    numbers = isinstance(scale, Sequence) and all(type(bound) in (int, float) for bound in scale)
    if not numbers or len(scale) != 2 or not 0 < scale[0] <= scale[1] < np.inf:
        raise ConfigError(
            f"augment.scale={scale!r}: expected two numbers above 0, the smaller first, such as "
            "[0.6,1.6], or null."
        )
    return float(scale[0]), float(scale[1])


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
    if not isinstance(arguments, dict | None):
        raise ConfigError(
            f"augment.transforms: {name}: expected {{argument: value}}, got {arguments!r}."
        )
    arguments = dict(arguments or {})
    if "transforms" in arguments:
        arguments["transforms"] = [_transform(inner) for inner in arguments["transforms"] or ()]
    parameters = inspect.signature(kind).parameters
    for key in arguments:
        if key not in parameters:
            raise ConfigError(
                f"albumentations' {name} has no argument {key!r}.{did_you_mean(key, parameters)}"
            )
    for key, value in _defaults(parameters).items():
        arguments.setdefault(key, value)
    try:
        return kind(**arguments)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"augment.transforms: {name}: {_one_line(error)}") from error


def _defaults(parameters: Mapping[str, inspect.Parameter]) -> dict[str, object]:
    """Return our defaults where albumentations' own would spoil labels.

    - Pixels without a source: it labels them 0, a real class. They are void here, and have the
      colour of padding. (Dropouts have `fill_mask=None`: their holes keep the labels.)
    - Where it resizes with `cv2.resize` it takes labels up to half a pixel beside the image's.
    """
    chosen: dict[str, object] = {}
    if "fill_mask" in parameters and parameters["fill_mask"].default == 0:
        chosen["fill_mask"] = VOID
        if "border_mode" in parameters:
            chosen["fill"] = FILL
    if "area_for_downscale" in parameters:
        chosen["mask_interpolation"] = cv2.INTER_NEAREST_EXACT
    return chosen


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
