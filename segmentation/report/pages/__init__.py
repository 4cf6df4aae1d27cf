"""HTML pages for people: one file each that opens from disk, without network; and a model's card.

``page.html`` is the shell (colours for light, dark and paper; a policy that forbids every request
and every script), ``charts.html`` draws shares and histograms as plain HTML, so that text stays
text at any width. ``report.html`` is the shell of pages with plots: its policy allows the scripts
that it holds, by their hashes, and no others.
"""

import base64
import hashlib
import io
import re
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup
from PIL import Image

_templates = Environment(
    loader=PackageLoader("segmentation.report.pages", "."),
    autoescape=select_autoescape(["html"]),  # a model's card is Markdown
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def _markdown(text: object) -> str:
    """Return a text on one line in which nothing is Markdown or HTML."""
    return re.sub(r"([\\`*_|<>\[\]#])", r"\\\1", " ".join(str(text).split()))


_templates.filters["markdown"] = _markdown


def write_page(path: Path, template: str, **values: Any) -> None:
    """Write a page; what `values` hold is text and is escaped, whatever characters it has.

    Args:
        path: the file.
        template: a file of this folder.
        values: what it shows.
    """
    text = rendered(template, **values)
    # File names that are not valid Unicode hold what UTF-8 cannot say.
    path.write_bytes(text.encode("utf-8", errors="replace"))


def rendered(template: str, **values: Any) -> str:
    """Return a file of this folder with `values` in it, which are escaped where it is HTML."""
    return _templates.get_template(template).render(**values)


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


def labels_uri(labels: np.ndarray, palette: bytes, longest: int | None = None) -> str:
    """Return a PNG of `uint8` labels (H, W), whose colours are those of a palette.

    Args:
        labels: places in the palette.
        palette: red, green and blue of each label.
        longest: its longer side at most, in pixels; None: as it is.
    """
    image = Image.new("P", labels.shape[::-1])
    image.frombytes(np.ascontiguousarray(labels).tobytes())
    image.putpalette(palette)
    if longest is not None:
        scale = min(1.0, longest / max(image.size))
        width, height = (max(1, round(side * scale)) for side in image.size)
        image = image.resize((width, height), Image.Resampling.NEAREST)
    return _uri(image, "png")


def packed_uri(file: bytes, kind: str) -> str:
    """Return an image file as it is, for the `src` of an image.

    Args:
        file: its content.
        kind: ``jpeg`` or ``png``.
    """
    return f"data:image/{kind};base64,{base64.b64encode(file).decode()}"


def script(text: str) -> tuple[Markup, str]:
    """Return a script of our own for a page, and the source that its policy has to allow.

    The hash is of the text between the tags, to the last byte (Content Security Policy Level 3,
    sec. 6.7.3.3). A browser reads line ends as ``\\n``, and the script ends at its first end tag.

    Raises:
        ValueError: the text would not arrive as it is.
    """
    if "\r" in text or "</script" in text.lower() or "<!--" in text:
        raise ValueError("this script cannot stand in a page")
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return Markup(text), f"'sha256-{digest}'"  # it is ours


def own_script(name: str) -> str:
    """Return a script of this folder."""
    return files("segmentation.report.pages").joinpath(name).read_text(encoding="utf-8")


def _uri(image: Image.Image, kind: str, **options: Any) -> str:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return packed_uri(file.getvalue(), kind)
