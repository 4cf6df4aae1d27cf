"""Derive a class table from the values of index masks."""

from collections.abc import Iterable, Mapping

from segmentation.classes import MAX_CLASSES, TABLES, VOID, Color, Entry, Table, generated_color
from segmentation.data.masks.mask_values import SMALL, THIN, MaskValues, Value
from segmentation.data.masks.readings import READINGS, Proposal
from segmentation.data.masks.value_rules import (
    describe,
    is_edge,
    is_gapless,
    is_stray,
    ranges,
    refuse_blends,
    refuse_photos,
)
from segmentation.errors import DataError

RARE = 20
"""The value of the foreground has at least so many times the pixels of what lies at its edges."""


def read_indices(
    found: dict[int, Value],
    values: MaskValues,
    reading: str | None,
    known: Iterable[str],
    doubts: list[str],
) -> Proposal:
    if reading is not None:
        return _follow(found, values, reading)
    refuse_photos(found, values.pixels)
    total, present = values.pixels, set(found)

    # Two classes as 0 and 255, and perhaps what an editor or a resize left at their edges
    if present in ({0, VOID}, {VOID}):
        return Proposal(_binary(), "0 and 255" if 0 in present else "255 alone")
    if present == {0, 1, VOID} and not set(found[1].files) & set(found[VOID].files):
        doubts.append(
            f"the foreground is 1 in {len(found[1].files)} masks ({found[1].files[0]}) and 255 in "
            f"{len(found[VOID].files)} ({found[VOID].files[0]}): both count as foreground"
        )
        return Proposal(_binary(more=[1]), "0 and 1 beside 0 and 255", tuple(doubts))
    if {0, VOID} < present and (strays := _beside_binary(found, values)):
        doubts.append(f"beside 0 and 255 the masks hold {describe(strays, total)}: void")
        return Proposal(_binary(void=strays), "0 and 255", tuple(doubts))

    void = {index for index in (*values.transparent, VOID) if index in present and index != 0}
    for index in sorted(void):
        rest = present - void
        thin = found[index].deep <= THIN * found[index].pixels
        small = len(rest) > 1 and found[index].pixels <= SMALL * total
        if is_gapless(rest) and (thin or small):
            continue
        if index == VOID and thin and tuple(known) == ("voc",):
            continue  # VOC's own border, beside some of its classes
        if index == VOID or not is_gapless(present - {VOID}):
            raise _two_readings(index, found, values)
        void.remove(index)  # transparent, and one of the gapless indices all the same
    if VOID in void:
        doubts.append(f"{describe({VOID: found[VOID]}, total)} is void")
    classes = {index: value for index, value in found.items() if index not in void}
    if name := _table_of_palette(classes, values, known):
        return Proposal(TABLES[name], f"the palette and indices of data.classes={name}")
    if not is_gapless(classes):
        refuse_blends(classes, total, "indices")
        stray = {i: v for i, v in classes.items() if is_stray(v, total)}
        if stray:
            doubts.append(f"{describe(stray, total)}. Each is a class of its own")
    for index in sorted(values.transparent & present - {VOID}):
        meaning = "void" if index in void else "a class all the same, as the others need it"
        doubts.append(f"the masks declare {index} transparent (nodata): it is {meaning}")
    return Proposal(_each(classes, values, void), f"indices {ranges(sorted(found))}", tuple(doubts))


def _beside_binary(found: dict[int, Value], values: MaskValues) -> dict[int, Value]:
    """Return what lies beside 0 and 255 and is no class: blends, strays, and nodata.

    Nothing is returned where some value may be a class: one alone that follows the borders may be
    a class of contours, as blending gives several.
    """
    others = {index: value for index, value in found.items() if index not in (0, VOID)}
    edges = {index for index, value in others.items() if is_edge(value)}
    strays = {
        index
        for index, value in others.items()
        if index in values.transparent or is_stray(value, values.pixels)
    }
    if set(others) - edges - strays or len(edges - strays) == 1:
        return {}
    rest = sum(value.pixels for index, value in others.items() if index in strays - edges)
    return others if found[VOID].pixels > RARE * rest else {}


def _follow(found: dict[int, Value], values: MaskValues, reading: str) -> Proposal:
    """Follow a reading that was typed."""
    if reading == "binary":
        top = max(found)
        if top == 0:
            raise DataError(
                "data.classes=binary needs a value above 0, and the masks hold 0 alone."
            )
        others = [index for index in found if index not in (0, top)]
        table = _binary(top, void=others, grey=bool(values.colors))
        return Proposal(table, READINGS[reading])
    void: set[int] = set()
    if reading == "void-255":
        void = {VOID} & set(found)
    elif reading == "nodata":
        void = set(values.transparent) & set(found)
    elif reading == "areas":
        void = {index for index, value in found.items() if is_edge(value)}
    classes = {index: value for index, value in found.items() if index not in void}
    if not classes or len(classes) > MAX_CLASSES:
        raise DataError(f"data.classes={reading} gives {len(classes)} classes: 1 to {MAX_CLASSES}.")
    return Proposal(_each(classes, values, void), READINGS[reading])


def _table_of_palette(found: Iterable[int], values: MaskValues, known: Iterable[str]) -> str | None:
    """Return the known table whose colours the palettes give to its indices, more than half."""
    own = {(index, color) for index in found for color in values.palettes.get(index, ())}
    for name in known:
        if name == "voc" and VOID not in values.indices and tuple(known) != ("voc",):
            continue  # many tools use its palette: its void or its folder has to be there too
        entries = {(i, entry.color) for entry in TABLES[name] for i in entry.indices if i != VOID}
        if own <= entries and 2 * len(own) > len(entries) and not values.without_palette:
            return name
    return None


def _two_readings(index: int, found: Mapping[int, Value], values: MaskValues) -> DataError:
    share = found[index].pixels / values.pixels
    readings = ["each-value", "void-255" if index == VOID else "nodata"]
    if {0, VOID} < set(found):
        readings.append("binary")
    lines = "\n  ".join(f"data.classes={key}  ({READINGS[key]})" for key in readings)
    return DataError(
        f"the masks hold {ranges(sorted(found))}, and {index} ({share:.1%} of their pixels) may be "
        f"void or a class, and a guess could lose a class. Type what is right:\n  {lines}"
    )


def _each(classes: Mapping[int, Value], values: MaskValues, void: Iterable[int]) -> Table:
    """Return a table in which each index is a class, named after it, and `void` is void."""
    if len(classes) > MAX_CLASSES:
        raise DataError(
            f"the masks hold {len(classes)} values, and a class table has at most {MAX_CLASSES}."
        )
    table = [Entry(f"class_{index}", _own_color(index, values), index) for index in classes]
    for index in sorted(void):
        name = "void" if index == VOID else f"void_{index}"
        color = _own_color(index, values) if values.colors or index != VOID else (0, 0, 0)
        table.append(Entry(name, color, index, void=True))
    return tuple(table)


def _binary(
    foreground: int = VOID,
    more: Iterable[int] = (),
    void: Iterable[int] = (),
    grey: bool = False,
) -> Table:
    """Return background and foreground, and an entry for void values if there are any.

    The foreground is white, or the grey of its index where masks are `grey` RGB.
    """
    table = [
        Entry("background", (0, 0, 0), 0),
        Entry("foreground", (foreground if grey else 255,) * 3, foreground, more=tuple(more)),
    ]
    if strays := tuple(void):
        table.append(Entry("void", (strays[0],) * 3, strays[0], void=True, more=strays[1:]))
    return tuple(table)


def _own_color(index: int, values: MaskValues) -> Color:
    """Return a colour for an index: its palette's, its grey in grey RGB masks, or a hue."""
    if palette := values.palettes.get(index):
        return next(iter(palette))
    if values.colors:
        return index, index, index
    return generated_color(index)
