"""Images as ``data:`` URIs, for the `src` of an image in a page without other files."""

import base64
import io
from typing import Any

import numpy as np
from PIL import Image


def photo_uri(image: np.ndarray, longest: int) -> str:
    """Encode a photo, `uint8` RGB (H, W, 3), as a small JPEG.

    Args:
        image: the photo.
        longest: its longer side at most, in pixels.
    """
    small = Image.fromarray(image)
    small.thumbnail((longest, longest))
    return _uri(small, "jpeg", quality=80)


def drawing_uri(image: np.ndarray, longest: int) -> str:
    """Encode a drawing such as a mask, `uint8` RGB (H, W, 3), as a small PNG without mixed colours.

    Args:
        image: the drawing.
        longest: its longer side at most, in pixels.
    """
    return _uri(_nearest(Image.fromarray(image), longest), "png", optimize=True)


def labels_uri(labels: np.ndarray, palette: bytes, longest: int | None = None) -> str:
    """Encode labels as a PNG with a palette.

    Args:
        labels: `uint8` (H, W) indices into the palette.
        palette: red, green and blue of each label.
        longest: its longer side at most, in pixels; None keeps the size.
    """
    image = Image.new("P", labels.shape[::-1])
    image.frombytes(np.ascontiguousarray(labels).tobytes())
    image.putpalette(palette)
    return _uri(image if longest is None else _nearest(image, longest), "png")


def file_uri(file: bytes, kind: str) -> str:
    """Encode an image file as it is.

    Args:
        file: its content.
        kind: ``jpeg`` or ``png``.
    """
    return f"data:image/{kind};base64,{base64.b64encode(file).decode()}"


def _nearest(image: Image.Image, longest: int) -> Image.Image:
    scale = min(1.0, longest / max(image.size))
    width, height = (max(1, round(side * scale)) for side in image.size)
    return image.resize((width, height), Image.Resampling.NEAREST)


def _uri(image: Image.Image, kind: str, **options: Any) -> str:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file_uri(file.getvalue(), kind)
