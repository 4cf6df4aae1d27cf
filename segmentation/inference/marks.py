"""Mark the pictures and videos that a prediction writes, so that no other file is replaced.

The mark is a text in the header of a picture or video: a hash of the image's file, the model and
its options. It tells the files that may be replaced, and those that an interrupted run has left.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from segmentation.data.images.image_format import NO_LIMIT, opened
from segmentation.inference.video import read_comment

MARK = "cityseg-prediction"
"""The key of the mark in the header of a PNG."""
COMPRESSION = 3
"""zlib's level: for colours 2.7 times as fast as its default of 6, for a file 3% larger."""
GDAL_METADATA = 42112
"""The TIFF tag that holds the mark of a mask written in windows."""


def make_mark(facts: Mapping[str, Any], state: str) -> str:
    """Return the mark of a prediction.

    Args:
        facts: all that it depends on besides its image, as plain values.
        state: tells the image.
    """
    text = json.dumps(facts, sort_keys=True) + state
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def mark_of(path: Path) -> str | None:
    """Return the mark of a picture or a video; None for a file that was not written here."""
    if path.suffix.lower() == ".mp4":
        word, _, mark = read_comment(path).partition(" ")
        return mark if word == MARK else None
    if path.suffix.lower() not in (".png", ".tif"):
        return None
    try:
        with opened(path, NO_LIMIT) as image:
            if image.format == "TIFF":
                text = str(image.tag_v2.get(GDAL_METADATA, ""))  # type: ignore[attr-defined]
                found = re.search(rf'name="{MARK}"[^>]*>(\w+)<', text)
                return found[1] if found else None
            return image.info.get(MARK)
    except Exception:  # a damaged file makes Pillow raise nearly anything
        return None


def write_marked(path: Path, picture: np.ndarray, mark: str) -> None:
    """Write a PNG, whatever `path` is called.

    Args:
        path: the file.
        picture: `uint8` (H, W) or (H, W, 3).
        mark: see `mark_of`.
    """
    header = PngInfo()
    header.add_text(MARK, mark)
    Image.fromarray(picture).save(path, "png", pnginfo=header, compress_level=COMPRESSION)
