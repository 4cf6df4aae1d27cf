"""Derive a class table from the colours of masks."""

from collections.abc import Iterable

from segmentation.classes import MAX_CLASSES, TABLES, Color, Entry
from segmentation.data.masks.mask_values import MaskValues, unpack
from segmentation.data.masks.readings import Proposal
from segmentation.data.masks.value_rules import is_edge, refuse_blends, refuse_photos
from segmentation.errors import DataError


def read_colors(
    values: MaskValues, reading: str | None, known: Iterable[str], doubts: list[str]
) -> Proposal:
    found = values.colors
    colors = {code: color_of(code) for code in found}
    if reading in ("binary", "void-255"):
        raise DataError(f"data.classes={reading} is for index masks, and these hold colours.")
    if reading is None:
        for name in known:
            table = TABLES[name]
            own = {entry.color for entry in table}
            if set(colors.values()) <= own and 2 * len(colors) > len(own):
                reason = f"{len(colors)} of the {len(own)} colours of data.classes={name}"
                return Proposal(table, reason, tuple(doubts))
        refuse_photos(found, values.pixels)
    edges = {code: value for code, value in found.items() if is_edge(value)}
    if reading == "areas":
        found = {code: value for code, value in found.items() if code not in edges}
    elif reading is None:
        refuse_blends(found, values.pixels, "colours")
    if len(found) > MAX_CLASSES:
        raise DataError(
            f"the masks hold {len(found)} colours, and a class table has at most {MAX_CLASSES} "
            "classes: they are photos, or were saved with compression that changes labels."
        )
    table = tuple(
        Entry(
            "background" if color == (0, 0, 0) else "class_{:02x}{:02x}{:02x}".format(*color),
            color,
        )
        for color in map(color_of, found)
    )
    if reading == "areas":
        table += tuple(Entry(f"void_{code:06x}", color_of(code), void=True) for code in edges)
    return Proposal(table, f"{len(found)} colours", tuple(doubts))


def color_of(code: int) -> Color:
    red, green, blue = unpack([code])[0].tolist()
    return red, green, blue
