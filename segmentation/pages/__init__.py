"""HTML pages for people: one file each that opens from disk, without scripts and without network.

``page.html`` is the shell (colours for light, dark and paper; a policy that forbids every request),
``charts.html`` draws shares and histograms as plain HTML, so that text stays text at any width.
"""

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from PIL import Image

_templates = Environment(
    loader=PackageLoader("segmentation.pages", "."),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def write_page(path: Path, template: str, **values: Any) -> None:
    """Write a page; what `values` hold is text and is escaped, whatever characters it has.

    Args:
        path: the file.
        template: a file of this folder.
        values: what it shows.
    """
    text = _templates.get_template(template).render(**values)
    # File names that are not valid Unicode hold what UTF-8 cannot say.
    path.write_bytes(text.encode("utf-8", errors="replace"))


def photo_uri(image: np.ndarray, longest: int) -> str:
    """Return a small JPEG of `uint8` RGB (H, W, 3), for the `src` of an image.

    Args:
        image: the picture.
        longest: its longer side at most, in pixels.
    """
    small = Image.fromarray(image)
    small.thumbnail((longest, longest))
    return _uri(small, "jpeg", quality=80)


def drawing_uri(image: np.ndarray, longest: int) -> str:
    """Return a small PNG of `uint8` RGB (H, W, 3) in which no colours are mixed, such as a mask."""
    small = Image.fromarray(image)
    scale = min(1.0, longest / max(small.size))
    width, height = (max(1, round(side * scale)) for side in small.size)
    return _uri(small.resize((width, height), Image.Resampling.NEAREST), "png", optimize=True)


def _uri(image: Image.Image, kind: str, **options: Any) -> str:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return f"data:image/{kind};base64,{base64.b64encode(file.getvalue()).decode()}"
