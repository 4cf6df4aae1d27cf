"""Sliding windows: predict a large image in overlapping tiles that fit in memory."""

import torch
from torch import Tensor, nn

AT_ONCE = 4
"""Windows in a mini-batch, or one for each image if there are more images."""
SIGMA = 1 / 8
"""Standard deviation of a window's weights as a fraction of its side; nnU-Net's value."""


def starts(length: int, window: int, overlap: float) -> list[int]:
    """Return the start of each window along an axis; the last window ends where the axis does.

    Args:
        length: length of the axis, in pixels.
        window: length of a window; if it is not shorter than the axis there is one, at 0.
        overlap: share of a window that the next one covers too; the last may cover more.
    """
    if window >= length:
        return [0]
    step = max(1, round(window * (1 - overlap)))
    return [*range(0, length - window, step), length - window]


def window_weights(height: int, width: int, device: torch.device | str = "cpu") -> Tensor:
    """Return the weight of each pixel of a window, `float32` (height, width), 1 at the centre.

    A Gaussian with a standard deviation of an eighth of the side: at a window's border the
    network has the least context and is least accurate (Isensee et al. 2021, nnU-Net, "Inference").
    """
    rows, columns = (
        torch.exp(-0.5 * (torch.linspace(-1, 1, side + 2, device=device)[1:-1] / 2 / SIGMA) ** 2)
        for side in (height, width)
    )
    return rows[:, None] * columns


def logarithm(probabilities: Tensor) -> Tensor:
    """Return the logarithm; for 0 that of the smallest normal number, as -inf can't be resized."""
    return probabilities.clamp_min(torch.finfo(probabilities.dtype).tiny).log()


def softmax(logits: Tensor) -> Tensor:
    """Return the softmax over dimension 1, in `float32` or better."""
    return logits.softmax(dim=1, dtype=torch.promote_types(logits.dtype, torch.float32))


def windowed_logits(
    model: nn.Module, images: Tensor, window: tuple[int, int], overlap: float
) -> Tensor:
    """Return the logarithm of the weighted mean of the probabilities in all windows.

    Needs memory for `AT_ONCE` windows (or one for each image) and the result, however large the
    images are. If one window covers the whole image, these are the model's own logits.

    Args:
        model: from images (N, C, H, W) to logits (N, K, H, W).
        images: (N, C, H, W).
        window: (height, width) in pixels; a side longer than the image's is cut to it.
        overlap: see `starts`.
    """
    # one window covers everything
    number, _, rows, columns = images.shape
    height, width = min(window[0], rows), min(window[1], columns)
    if (height, width) == (rows, columns):
        return model(images)

    # the top left corners, and the sums over all windows
    corners = [
        (top, left)
        for top in starts(rows, height, overlap)
        for left in starts(columns, width, overlap)
    ]
    weights = window_weights(height, width, images.device)
    covered = images.new_zeros((rows, columns), dtype=weights.dtype)
    total: Tensor | None = None
    step = max(1, AT_ONCE // number)

    # a mini-batch of windows at a time
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
