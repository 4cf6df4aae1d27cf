"""Images as ``data:`` URIs, for the `src` of an image in a page without other files."""

import base64
import io
from typing import Any

import numpy as np
from PIL import Image


def photo_uri(image: np.ndarray, longest: int) -> str:
    """Encode a photo, `uint8` RGB (H, W, 3), as a JPEG of at most `longest` pixels a side."""
    small = Image.fromarray(image)
    small.thumbnail((longest, longest))
    return _uri(small, "jpeg", quality=80)


def drawing_uri(image: np.ndarray, longest: int) -> str:
    """Encode a drawing such as a mask as `photo_uri` does, but as a PNG without mixed colours."""
    small = Image.fromarray(image)
    small.thumbnail((longest, longest), Image.Resampling.NEAREST)
    return _uri(small, "png", optimize=True)


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
    if longest is not None:
        image.thumbnail((longest, longest), Image.Resampling.NEAREST)
    return _uri(image, "png")


def file_uri(file: bytes, kind: str) -> str:
    """Encode the content of an image file of a kind, ``jpeg`` or ``png``."""
    return f"data:image/{kind};base64,{base64.b64encode(file).decode()}"


def _uri(image: Image.Image, kind: str, **options: Any) -> str:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file_uri(file.getvalue(), kind)
