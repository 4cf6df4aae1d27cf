"""Sliding windows: a large image in pieces of a size that the memory takes."""

import torch
from torch import Tensor, nn

AT_ONCE = 4
"""A mini-batch has so many windows, or as many as there are images if these are more."""
SIGMA = 1 / 8
"""Of the weights, in sides of a window: nnU-Net's."""


def starts(length: int, window: int, overlap: float) -> list[int]:
    """Return where windows begin on an axis; the last one ends where the axis does.

    Args:
        length: of the axis, in pixels.
        window: of each window; one that is not shorter than the axis starts at 0, alone.
        overlap: the share of a window that the next one covers too; the last one may cover more.
    """
    if window >= length:
        return [0]
    step = max(1, round(window * (1 - overlap)))
    return [*range(0, length - window, step), length - window]


def window_weights(height: int, width: int, device: torch.device | str = "cpu") -> Tensor:
    """Return the weight of each pixel of a window, `float32` (height, width), 1 at the centre.

    A Gaussian of an eighth of the side: a network sees least of what surrounds a pixel at the
    window's border, and is worst there (Isensee et al. 2021, nnU-Net, "Inference").
    """
    rows, columns = (
        torch.exp(-0.5 * (torch.linspace(-1, 1, side + 2, device=device)[1:-1] / 2 / SIGMA) ** 2)
        for side in (height, width)
    )
    return rows[:, None] * columns


def logarithm(probabilities: Tensor) -> Tensor:
    """Return the logarithm; of 0, that of the least normal number, as -inf cannot be resized."""
    return probabilities.clamp_min(torch.finfo(probabilities.dtype).tiny).log()


def softmax(logits: Tensor) -> Tensor:
    """Return the probabilities over dimension 1, in `float32` or, of `float64`, in `float64`."""
    return logits.softmax(dim=1, dtype=torch.promote_types(logits.dtype, torch.float32))


def windowed_logits(
    model: nn.Module, images: Tensor, window: tuple[int, int], overlap: float
) -> Tensor:
    """Return the logarithm of the weighted mean of the probabilities in all windows.

    Memory is that of `AT_ONCE` windows (or of one of each image) and of the result, however large
    the images are. Where one window holds an image these are the model's own logits.

    Args:
        model: from images (N, C, H, W) to logits (N, K, H, W).
        images: (N, C, H, W).
        window: (height, width) in pixels; what is longer than the images is cut to them.
        overlap: see `starts`.
    """
    number, _, rows, columns = images.shape
    height, width = min(window[0], rows), min(window[1], columns)
    if (height, width) == (rows, columns):
        return model(images)
    corners = [
        (top, left)
        for top in starts(rows, height, overlap)
        for left in starts(columns, width, overlap)
    ]
    weights = window_weights(height, width, images.device)
    covered = images.new_zeros((rows, columns), dtype=weights.dtype)
    total: Tensor | None = None
    step = max(1, AT_ONCE // number)
    for first in range(0, len(corners), step):
        places = [
            (..., slice(top, top + height), slice(left, left + width))
            for top, left in corners[first : first + step]
        ]
        parts = softmax(model(torch.cat([images[place] for place in places])))
        if total is None:
            total = parts.new_zeros(number, parts.shape[1], rows, columns)
        for place, part in zip(places, parts.split(number), strict=True):
            total[place] += part * weights
            covered[place] += weights
    assert total is not None
    return logarithm(total.div_(covered))
