"""Propose a class table from the values of masks: the one place that guesses what they mean.

A guess never loses a class. Where the values allow two readings that differ in what is learnt,
nothing is proposed: the error shows both, each as the option to type.
"""

import colorsys
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from segmentation.classes import MAX_CLASSES, TABLES, VOID, Color, Entry, Table
from segmentation.data.discovery.mask_values import (
    SMALL,
    THIN,
    MaskValues,
    Value,
    count_values,
    unpack,
)
from segmentation.data.discovery.named_table import apply_names
from segmentation.data.discovery.names import Names
from segmentation.errors import DataError, listed

log = logging.getLogger(__name__)

READINGS = {
    "each-value": "each value is a class",
    "void-255": "255 is void, each other value a class",
    "binary": "0 is the background, the largest value the foreground, all else void",
    "areas": "values that cover areas are classes, values only along their borders are void",
}
"""What `data.classes` may say of masks whose values allow more than one reading."""

GUESSED = ("camvid", "cityscapes", "voc")
"""Tables that colours alone may propose."""

STRAY = 0.0005
"""The largest share of all pixels that a stray value has."""
EDGE = 0.7
"""The least share of a value's pixels that lie between others, if it comes from blending them."""
RARE = 20
"""The value of the foreground has at least so many times the pixels of what lies at its edges."""
PHOTO = 0.3
"""The least share of all pixels that lie between others, in a photo."""
MANY = 64
"""More values than these may be those of a photo."""
GOLDEN = 0.618034  # steps of the golden ratio spread hues evenly, however many there are


@dataclass(frozen=True)
class Proposal:
    """A class table that was derived from masks.

    Attributes:
        table: the entries.
        reason: what in the masks it follows from.
        doubts: what a person should look at, each a sentence.
        guess: whether the masks alone say so; else the data bring the names.
    """

    table: Table
    reason: str
    doubts: tuple[str, ...] = ()
    guess: bool = True


def propose_table(
    masks: Sequence[Path],
    reading: str | None = None,
    known: Iterable[str] = GUESSED,
    names: Names | None = None,
) -> Proposal:
    """Propose a class table for masks.

    Indices: gapless ones from 0 are classes, up to `MAX_CLASSES` of them. 0 and 255 are background
    and foreground, in which stray values and blends along their edges are void. 255 is void as a
    thin border, or with a small share beside gapless indices; a transparent value likewise. Other
    sets of values are classes unless some are blends of others.

    Colours: a known table of which more than half occurs; else each colour is a class, black the
    background. Shades of grey are indices. Palettes that give an index several colours are read
    by colour.

    Unreadable masks are skipped here: the scan of all pairs reports them.

    Args:
        masks: the files.
        reading: one of `READINGS`, to be followed whatever the masks look like.
        known: the tables of `TABLES` that may be proposed.
        names: those that the data bring; they decide where they fit the masks' values.

    Raises:
        DataError: no readable mask, masks of both kinds, blended or photographed masks, or values
            of more than one reading.
    """
    values = count_values(masks)
    doubts: list[str] = []
    if conflict := _palette_conflict(values):
        values = count_values(masks, colors=True)
        doubts.append(conflict)
    if values.indices and values.colors and not values.grey:
        raise DataError(
            f"some masks hold indices ({values.index_file} is the first of them) and others "
            f"colours ({values.color_file}). Save all of them as one kind."
        )
    if names and reading is None:
        table, why_not = apply_names(names, values)
        if table:
            return Proposal(table, f"the names of {names.path}", tuple(doubts), guess=False)
        doubts.append(f"{names.path} is not used: {why_not}")
    if values.colors and (conflict or not values.grey):
        return _of_colors(values, reading, known, doubts)
    return _of_indices(_merge_grey(values), values, reading, known, doubts)


def _palette_conflict(values: MaskValues) -> str:
    """Say how palettes contradict each other, if they do and colours tell what is meant.

    Raises:
        DataError: colours do not tell it either.
    """
    conflicts = {index: colors for index, colors in values.palettes.items() if len(colors) > 1}
    if not conflicts:
        return ""
    index, colors = next(iter(conflicts.items()))
    (first, files), (second, others) = list(colors.items())[:2]
    text = (
        f"palettes disagree: index {index} is {_hex(first)} in {files[0]} ({len(files)} files) "
        f"and {_hex(second)} in {others[0]} ({len(others)} files)"
    )
    shared: dict[Color, set[Path]] = {}
    for by_color in values.palettes.values():
        for color, paths in by_color.items():
            shared.setdefault(color, set()).update(paths)
    recurring = sum(len(paths) > 1 for paths in shared.values())
    if values.without_palette or values.colors or 2 * recurring < len(shared):
        raise DataError(
            f"{text}. Save all masks with one palette, or as greyscale indices without one."
        )
    return f"{text}. The masks are read by colour"


def _merge_grey(values: MaskValues) -> dict[int, Value]:
    """Return the values of indices and of greys that were saved as RGB, by index."""
    merged = dict(values.indices)
    for code, grey in values.colors.items():
        index = code & 255
        there = merged.get(index, Value())
        merged[index] = Value(
            there.pixels + grey.pixels,
            there.inner + grey.inner,
            there.between + grey.between,
            there.deep + grey.deep,
            there.files + grey.files,
        )
    return dict(sorted(merged.items()))


def _of_indices(
    found: dict[int, Value],
    values: MaskValues,
    reading: str | None,
    known: Iterable[str],
    doubts: list[str],
) -> Proposal:
    if reading is not None:
        return _typed(found, values, reading)
    _refuse_photos(found, values.pixels)
    total, present = values.pixels, set(found)
    others = {index: value for index, value in found.items() if index not in (0, VOID)}

    # Two classes as 0 and 255, and perhaps what an editor or a resize left at their edges
    if present in ({0, VOID}, {VOID}):
        return Proposal(_binary(), "0 and 255" if 0 in present else "255 alone")
    if present == {0, 1, VOID} and not set(found[1].files) & set(found[VOID].files):
        doubts.append(
            f"the foreground is 1 in {len(found[1].files)} masks ({found[1].files[0]}) and 255 in "
            f"{len(found[VOID].files)} ({found[VOID].files[0]}): both count as foreground"
        )
        return Proposal(_binary(more=[1]), "0 and 1 beside 0 and 255", tuple(doubts))
    if {0, VOID} < present and found[VOID].pixels > RARE * sum(
        value.pixels
        for index, value in others.items()
        if index not in values.transparent and not _is_edge(value)
    ):
        strays = {
            index: value
            for index, value in others.items()
            if index in values.transparent or _is_edge(value) or _is_stray(value, total)
        }
        if len(strays) == len(others):
            doubts.append(f"{_describe(strays, total)} lie beside 0 and 255: they are void")
            return Proposal(_binary(void=strays), "0 and 255", tuple(doubts))

    void = {index for index in (*values.transparent, VOID) if index in present and index != 0}
    for index in sorted(void):
        rest = present - void
        small = _gapless(rest) and len(rest) > 1 and found[index].pixels <= SMALL * total
        thin = found[index].deep <= THIN * found[index].pixels
        if rest and (small or thin):
            continue
        if index == VOID or not _gapless(present - {VOID}):
            raise _two_readings(index, found, values)
        void.remove(index)  # transparent, and one of the gapless indices all the same
    classes = {index: value for index, value in found.items() if index not in void}
    if name := _table_of_palette(classes, values, known):
        return Proposal(TABLES[name], f"the palette and indices of data.classes={name}")
    if not _gapless(classes):
        _refuse_blends(classes, total, "indices")
        stray = {i: v for i, v in classes.items() if _is_stray(v, total)}
        if stray:
            doubts.append(f"{_describe(stray, total)}. Each is a class of its own")
    for index in sorted(values.transparent & present):
        meaning = "void" if index in void else "a class all the same, as the others need it"
        doubts.append(f"the masks declare {index} transparent (nodata): it is {meaning}")
    return Proposal(
        _each(classes, values, void), f"indices {_ranges(sorted(found))}", tuple(doubts)
    )


def _typed(found: dict[int, Value], values: MaskValues, reading: str) -> Proposal:
    """Follow a reading that was typed."""
    if reading == "binary":
        top = max(found)
        if top == 0:
            raise DataError(
                "data.classes=binary needs a value above 0, and the masks hold 0 alone."
            )
        others = [index for index in found if index not in (0, top)]
        return Proposal(_binary(top, void=others), READINGS[reading])
    void: set[int] = set()
    if reading == "void-255":
        void = {VOID} & set(found)
    elif reading == "areas":
        void = {index for index, value in found.items() if _is_edge(value)}
    classes = {index: value for index, value in found.items() if index not in void}
    if not classes or len(classes) > MAX_CLASSES:
        raise DataError(f"data.classes={reading} gives {len(classes)} classes: 1 to {MAX_CLASSES}.")
    return Proposal(_each(classes, values, void), READINGS[reading])


def _of_colors(
    values: MaskValues, reading: str | None, known: Iterable[str], doubts: list[str]
) -> Proposal:
    found = values.colors
    colors = {code: _color(code) for code in found}
    if reading in ("binary", "void-255"):
        raise DataError(f"data.classes={reading} is for index masks, and these hold colours.")
    if reading is None:
        for name in known:
            table = TABLES[name]
            own = {entry.color for entry in table}
            if set(colors.values()) <= own and 2 * len(colors) > len(own):
                reason = f"{len(colors)} of the {len(own)} colours of data.classes={name}"
                return Proposal(table, reason, tuple(doubts))
        _refuse_photos(found, values.pixels)
    edges = {code: value for code, value in found.items() if _is_edge(value)}
    if reading == "areas":
        found = {code: value for code, value in found.items() if code not in edges}
    elif reading is None:
        _refuse_blends(found, values.pixels, "colours")
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
        for color in map(_color, found)
    )
    if reading == "areas":
        table += tuple(Entry(f"void_{code:06x}", _color(code), void=True) for code in edges)
    return Proposal(table, f"{len(found)} colours", tuple(doubts))


def _is_edge(value: Value) -> bool:
    """Return whether a value comes from blending others along their borders."""
    return value.between >= EDGE * value.pixels


def _is_stray(value: Value, total: int) -> bool:
    return value.inner == 0 and value.pixels <= max(1, STRAY * total)


def _gapless(indices: Iterable[int]) -> bool:
    """Return whether indices are consecutive from 0 or 1."""
    rising = sorted(indices)
    return rising[:1] in ([0], [1]) and rising == list(range(rising[0], rising[-1] + 1))


def _table_of_palette(found: Iterable[int], values: MaskValues, known: Iterable[str]) -> str | None:
    """Return the known table whose colours the palettes give to its indices, more than half."""
    own = {(index, color) for index in found for color in values.palettes.get(index, ())}
    for name in known:
        entries = {(i, entry.color) for entry in TABLES[name] for i in entry.indices if i != VOID}
        if own <= entries and 2 * len(own) > len(entries) and not values.without_palette:
            return name
    return None


def _refuse_photos(found: Mapping[int, Value], total: int) -> None:
    """Raise an error if most values lie between their neighbours, as in a photo.

    Raises:
        DataError: with the files.
    """
    between = sum(value.between for value in found.values())
    if len(found) > MANY and between > PHOTO * total:
        raise DataError(
            f"the masks hold {len(found)} values, and {between / total:.0%} of their pixels lie "
            f"between others ({_names(found)}): they are photos. Use masks of plain indices or "
            "colours."
        )


def _refuse_blends(found: Mapping[int, Value], total: int, kind: str) -> None:
    """Raise an error if some values are blends of others.

    Raises:
        DataError: with the files.
    """
    edges = {code: value for code, value in found.items() if _is_edge(value)}
    if not edges or len(found) - len(edges) < 2:
        return
    rest = [code for code in found if code not in edges]
    raise DataError(
        f"the masks are blended: {len(edges)} of their {len(found)} {kind} lie between others "
        f"along their borders ({_share(edges, total)} of the pixels, in {_names(edges)}). They "
        "were resized with interpolation or drawn with smooth edges. Save them again without, or "
        f"type data.classes=areas: the other {len(rest)} values are classes, and what lies between "
        "them is void."
    )


def _two_readings(index: int, found: Mapping[int, Value], values: MaskValues) -> DataError:
    share = found[index].pixels / values.pixels
    readings = ["each-value", "void-255"] if len(found) > 2 else ["each-value"]
    if {0, VOID} < set(found):
        readings.append("binary")
    lines = "\n  ".join(f"data.classes={key}  ({READINGS[key]})" for key in readings)
    return DataError(
        f"the masks hold {_ranges(sorted(found))}, and {index} covers {share:.1%} of their pixels: "
        f"that is much for void, and a guess could lose a class. Type what is right:\n  {lines}"
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
        color = (0, 0, 0) if index == VOID else _own_color(index, values)
        table.append(Entry(name, color, index, void=True))
    return tuple(table)


def _binary(foreground: int = VOID, more: Iterable[int] = (), void: Iterable[int] = ()) -> Table:
    """Return background and foreground, and an entry for void values if there are any."""
    table = [
        Entry("background", (0, 0, 0), 0),
        Entry("foreground", (255, 255, 255), foreground, more=tuple(more)),
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
    red, green, blue = colorsys.hsv_to_rgb(index * GOLDEN % 1, 0.65, 0.55 + 0.4 * (index % 2))
    return int(255 * red), int(255 * green), int(255 * blue)


def _color(code: int) -> Color:
    red, green, blue = unpack([code])[0].tolist()
    return red, green, blue


def _hex(color: Color) -> str:
    return "#{:02x}{:02x}{:02x}".format(*color)


def _describe(values: Mapping[int, Value], total: int) -> str:
    """Name values, their share of the pixels, and their files."""
    name = "value" if len(values) == 1 else "values"
    return (
        f"{name} {_ranges(sorted(values))} ({_share(values, total)} of the pixels, in "
        f"{_names(values)})"
    )


def _share(values: Mapping[int, Value], total: int) -> str:
    return f"{100 * sum(value.pixels for value in values.values()) / total:.2g}%"


def _files(values: Mapping[int, Value]) -> list[Path]:
    return sorted({path for value in values.values() for path in value.files})


def _names(values: Mapping[int, Value]) -> str:
    return listed([path.name for path in _files(values)], 3)


def _ranges(numbers: Sequence[int]) -> str:
    """Write rising numbers with ranges, as in ``"0-11, 255"``."""
    parts: list[list[int]] = []
    for number in numbers:
        if parts and number == parts[-1][-1] + 1:
            parts[-1].append(number)
        else:
            parts.append([number])
    words = [
        f"{part[0]}-{part[-1]}" if len(part) > 2 else ", ".join(map(str, part)) for part in parts
    ]
    return ", ".join(words) if len(words) <= 12 else ", ".join([*words[:12], "..."])
