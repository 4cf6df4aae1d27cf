"""Propose a class table from the values of masks."""

import colorsys
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from segmentation.classes import TABLES, VOID, Color, Entry, Table
from segmentation.data.discovery.files import read_mask
from segmentation.data.discovery.labels import pack
from segmentation.errors import DataError
from segmentation.system.hardware import available_cores

log = logging.getLogger(__name__)

MOST = 64
"""Masks with more values are photos, or masks resized with interpolation."""
GOLDEN = 0.618034  # steps of the golden ratio spread hues evenly, however many there are


def propose_table(masks: Sequence[Path]) -> tuple[Table, str]:
    """Propose a class table for masks, and describe how it was derived.

    Colour masks that use only colours of a known table get that table. Else each value or colour
    becomes a class named after it; 0 and 255 alone are background and foreground; 255 beside other
    indices is void, as in Pascal VOC and Cityscapes.

    Unreadable masks are skipped here: the scan of all pairs reports them.

    Raises:
        DataError: no readable mask, masks of both kinds, or more than `MOST` values.
    """
    indices, colors = np.zeros(256, dtype=bool), set[int]()
    broken, first = None, masks[0]
    with ThreadPoolExecutor(available_cores()) as pool:
        for path, values in zip(masks, pool.map(_values, masks), strict=True):
            if isinstance(values, DataError):
                broken = values
            elif values.ndim == 1:
                first = first if indices.any() else path
                indices[values] = True
            else:
                colors |= set(pack(values).tolist())
            if indices.any() and colors:
                raise DataError(
                    f"some masks hold indices and others colours ({path} is the first of the other "
                    "kind). Save all of them as one kind."
                )
            if max(int(indices.sum()), len(colors)) > MOST:
                raise DataError(
                    f"the masks hold more than {MOST} values ({path} has the last of them): "
                    "they are photos, or masks resized with interpolation or saved as JPEG. Use "
                    "masks of plain indices or colours, or pass a table: "
                    "data.classes=<file.yaml>."
                )
    if broken and not colors and not indices.any():
        raise broken
    if colors:
        return _of_colors(sorted(colors))
    return _of_indices(np.flatnonzero(indices).tolist(), first)


def _values(path: Path) -> np.ndarray | DataError:
    """Return a mask's distinct indices (n,) or colours (n, 3), or the error of reading it."""
    try:
        values = read_mask(path)
    except DataError as error:
        return error
    if values.ndim == 2:
        return np.flatnonzero(np.bincount(values.ravel(), minlength=256)).astype(np.uint8)
    codes = np.unique(pack(values))
    return np.stack([codes >> 16, codes >> 8 & 255, codes & 255], axis=1).astype(np.uint8)


def _of_colors(codes: list[int]) -> tuple[Table, str]:
    found = [(code >> 16, code >> 8 & 255, code & 255) for code in codes]
    for name, table in TABLES.items():
        if len(found) > 2 and set(found) <= {entry.color for entry in table}:
            return table, f"the colours are those of data.classes={name}"
    if set(found) <= {(0, 0, 0), (255, 255, 255)}:
        return _binary(), "black and white"
    return (
        tuple(Entry("class_{:02x}{:02x}{:02x}".format(*color), color) for color in found),
        f"{len(found)} colours",
    )


def _of_indices(found: list[int], mask: Path) -> tuple[Table, str]:
    if found == [0, 255]:
        return _binary(), "0 and 255"
    classes = [index for index in found if index != VOID or len(found) == 1]
    palette = _palette(mask)
    table = [Entry(f"class_{index}", palette[index], index) for index in classes]
    if VOID in found and len(found) > 1:
        table.append(Entry("void", (0, 0, 0), VOID, void=True))
    return tuple(table), f"indices {', '.join(map(str, found))}"


def _binary() -> Table:
    return Entry("background", (0, 0, 0), 0), Entry("foreground", (255, 255, 255), 255)


def _palette(mask: Path) -> list[Color]:
    """Return a colour for each index: the mask's own palette, else generated hues."""
    with Image.open(mask) as image:
        flat = image.getpalette("RGB") if image.mode == "P" else None
    own = [colorsys.hsv_to_rgb(k * GOLDEN % 1, 0.65, 0.55 + 0.4 * (k % 2)) for k in range(256)]
    colors: list[Color] = [(int(255 * r), int(255 * g), int(255 * b)) for r, g, b in own]
    if flat:
        carried = list(zip(flat[::3], flat[1::3], flat[2::3], strict=True))
        colors[: len(carried)] = carried
    return colors
