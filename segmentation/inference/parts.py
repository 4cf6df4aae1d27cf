"""Logits at an image's own size, a part at a time: they are never held as a whole.

For eleven classes they take 44 bytes a pixel, and nothing needs more of them at once than a strip.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from segmentation.data.images.windowed import SIDE, Window, windows
from segmentation.metrics.counting import upsampled

MARGIN = 128
"""Pixels around a window that the model sees and whose labels are not taken."""
STRIP = 1 << 24
"""Most numbers in the logits of a strip: 64 MiB in float32."""


class Part(NamedTuple):
    """The logits of a part of the images of a batch.

    Attributes:
        rows, columns: the part, in pixels.
        logits: float (N, K, h, w).
    """

    rows: slice
    columns: slice
    logits: Tensor


def tiles(shape: Sequence[int], zoom: float = 1.0) -> Iterator[tuple[Window, Window]]:
    """Yield windows that cover an image once, each with the window that the model sees for it.

    Args:
        shape: (height, width, ...) of the image.
        zoom: pixels that the model sees for each pixel of the image.

    Yields:
        A window whose side is `SIDE` of the model's pixels at most, and the same with `MARGIN` of
        them around it, where the image goes on.
    """
    margin = round(MARGIN / zoom)
    for rows, columns in windows(tuple(shape), round(SIDE / zoom)):
        wide = [
            slice(max(axis.start - margin, 0), min(axis.stop + margin, length))
            for axis, length in zip((rows, columns), shape[:2], strict=True)
        ]
        yield (rows, columns), (wide[0], wide[1])


def strips(logits: Tensor, size: Sequence[int], rows: slice) -> Iterator[tuple[slice, Tensor]]:
    """Yield strips of `upsampled` logits, from top to bottom.

    Args:
        logits: float (N, K, h, w).
        size: (height, width) of the upsampled logits.
        rows: those that are wanted, with start and stop.

    Yields:
        The rows of a strip, and float (N, K, rows, width) of at most `STRIP` numbers or one row.
    """
    number, classes = logits.shape[:2]
    step = max(1, STRIP // (number * classes * size[1]))
    if logits.shape[-2:] == torch.Size(size):
        yield rows, logits[:, :, rows]
    elif step >= size[0]:
        yield rows, upsampled(logits, size)[:, :, rows]
    else:
        logits = logits.float()
        for top in range(rows.start, rows.stop, step):
            strip = slice(top, min(top + step, rows.stop))
            yield strip, _upsampled_rows(logits, size, strip)


def _upsampled_rows(logits: Tensor, size: Sequence[int], strip: slice) -> Tensor:
    """Return some rows of `upsampled` logits, equal to rounding."""
    height = logits.shape[2]
    places = torch.arange(strip.start, strip.stop, dtype=torch.float64) + 0.5
    places = (places * (height / size[0]) - 0.5).clamp(0, height - 1)
    above = places.floor().long()
    weight = (places - above).to(logits)[:, None]
    below = (above + 1).clamp(max=height - 1).to(logits.device)
    above = above.to(logits.device)
    between = torch.lerp(logits[:, :, above], logits[:, :, below], weight)
    return F.interpolate(between, size=(len(places), size[1]), mode="bilinear")
