"""Class weights from the share of pixels that each class has."""

import numpy as np
import torch
from torch import Tensor

from segmentation.errors import ConfigError, DataError, did_you_mean

KINDS = ("none", "median_frequency", "sqrt_median_frequency")


def class_weights(kind: str, pixels: np.ndarray, image_pixels: np.ndarray) -> Tensor | None:
    """Return a weight for each class, larger for rarer ones, or None for ``"none"``.

    ``"median_frequency"`` is Eigen & Fergus 2015, section 6.3.2: ``freq(c) = pixels[c] /
    image_pixels[c]`` and ``weight(c) = median(freq) / freq(c)``, the median over the classes that
    occur. ``"sqrt_median_frequency"`` is its square root, which holds back the extremes.

    A class that never occurs weighs 1, as a class of median frequency does: should it turn up
    after all, its pixels are neither ignored nor exaggerated.

    Args:
        kind: one of `KINDS`.
        pixels: integer, shape (C,): how many pixels of the training split each class has.
        image_pixels: integer, shape (C,): how many pixels the images have in which it occurs.

    Returns:
        float32, shape (C,), finite and above 0.

    Raises:
        ConfigError: another kind.
        DataError: no class has a pixel.
    """
    if kind not in KINDS:
        raise ConfigError(
            f"loss.class_weights={kind} is not known: use {', '.join(KINDS[:-1])} or {KINDS[-1]}."
            f"{did_you_mean(str(kind), KINDS)}"
        )
    if kind == "none":
        return None
    present = pixels > 0
    if not present.any():
        raise DataError(
            "no pixel of the training split has a class, all are void: check the masks and the "
            "class table, or use loss.class_weights=none."
        )
    frequency = pixels[present] / image_pixels[present]
    weights = np.ones(len(pixels))
    weights[present] = np.median(frequency) / frequency
    if kind == "sqrt_median_frequency":
        weights = np.sqrt(weights)
    return torch.from_numpy(weights).float()
