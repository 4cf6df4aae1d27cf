"""Class weights from the class frequencies of the training split."""

import numpy as np
import torch
from torch import Tensor

from segmentation.errors import ConfigError, DataError, did_you_mean

WEIGHTINGS = ("none", "median_frequency", "sqrt_median_frequency")


def class_weights(kind: str, pixels: np.ndarray, image_pixels: np.ndarray) -> Tensor | None:
    """Return a weight for each class, larger for rarer ones, or None for ``"none"``.

    ``"median_frequency"`` is Eigen & Fergus 2015, section 6.3.2: ``freq(c) = pixels[c] /
    image_pixels[c]`` and ``weight(c) = median(freq) / freq(c)``, the median over the classes that
    occur. ``"sqrt_median_frequency"`` is its square root, which dampens the extremes.

    A class that never occurs weighs 1, like a class of median frequency.

    Args:
        kind: one of `WEIGHTINGS`.
        pixels: integer, shape (C,): pixels of each class in the training split.
        image_pixels: integer, shape (C,): pixels of the images in which the class occurs.

    Returns:
        float32, shape (C,), finite and above 0.

    Raises:
        ConfigError: unknown `kind`.
        DataError: no class has a pixel.
    """
    if kind not in WEIGHTINGS:
        raise ConfigError(
            f"loss.class_weights={kind} is unknown: use {', '.join(WEIGHTINGS[:-1])} or "
            f"{WEIGHTINGS[-1]}.{did_you_mean(str(kind), WEIGHTINGS)}"
        )
    if kind == "none":
        return None
    present = pixels > 0
    if not present.any():
        raise DataError(
            "every pixel of the training split is void: check the masks and the class table, or "
            "use loss.class_weights=none."
        )
    frequency = pixels[present] / image_pixels[present]
    weights = np.ones(len(pixels))
    weights[present] = np.median(frequency) / frequency
    if kind == "sqrt_median_frequency":
        weights = np.sqrt(weights)
    return torch.from_numpy(weights).float()
