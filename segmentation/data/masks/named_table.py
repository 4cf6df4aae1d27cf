"""Match the names that a data set brings with the values of its masks."""

from dataclasses import dataclass

from segmentation.classes import MAX_CLASSES, VOID, Color, Entry, Table, voc_color
from segmentation.data.masks.mask_values import MaskValues, looks_void, unpack
from segmentation.data.masks.names import Name, Names

BACKGROUND = ("background", "_background_", "bg")
IGNORED = "__ignore__"
"""LabelMe's first name: what its masks have 255 for."""


@dataclass(frozen=True)
class NamedTable:
    """What names and values give together.

    Attributes:
        table: the entries; empty where names and values do not fit.
        why_not: the reason, where they do not.
        doubts: what a person should look at, each a sentence; a table with doubts is a guess.
    """

    table: Table = ()
    why_not: str = ""
    doubts: tuple[str, ...] = ()


def apply_names(names: Names, values: MaskValues) -> NamedTable:
    """Return the class table that names and values give together.

    A name's index is the one that its file says; else the one whose palette has its colour; else
    its place in the file: from 1 where the masks hold N and there are N names, so that 0 is the
    background, else from 0, with a doubt unless each name has its value or the first is the
    background. 255 is the foreground beside nothing but 0, and void where no name has it.
    """
    own = names.names
    if len(own) > MAX_CLASSES:
        return NamedTable(why_not=f"it has {len(own)} names, a class table at most {MAX_CLASSES}")
    if values.colors and not values.indices:
        named = _by_color(own, values)
        if named.table or not values.grey:
            return named
    return _by_index(own, values)


def _by_color(names: tuple[Name, ...], values: MaskValues) -> NamedTable:
    """Match colours; names without have those of VOC's palette in their order (Datumaro)."""
    found = set(map(tuple, unpack(list(values.colors)).tolist()))
    entries = tuple(
        Entry(name.name, name.color or voc_color(place), void=name.void)
        for place, name in enumerate(names)
    )
    if missing := sorted(found - {entry.color for entry in entries}):
        return NamedTable(
            why_not=f"the masks hold colours that it lacks, such as {list(missing[0])}"
        )
    return NamedTable(entries)


def _by_index(names: tuple[Name, ...], values: MaskValues) -> NamedTable:
    found = set(values.indices) | {code & 255 for code in values.colors}
    indices, doubt = _indices(names, values, found)
    if found == {0, VOID} and VOID not in indices and len(names) <= 2:
        indices, doubt = ([0, VOID] if len(names) == 2 else [VOID]), ""
    missing = sorted(found - set(indices) - {VOID})
    if missing == [0] and not any(name.name.lower() in BACKGROUND for name in names):
        names, indices = (Name("background"), *names), [0, *indices]
    elif missing:
        return NamedTable(why_not=f"the masks hold indices that it lacks, such as {missing[0]}")
    if len(set(indices)) < len(indices) or min(indices) < 0 or max(indices) > VOID:
        return NamedTable(why_not="its indices repeat, or are not 0 to 255")
    entries = [
        Entry(name.name, _color(index, name, values), index, name.void)
        for name, index in zip(names, indices, strict=True)
    ]
    if VOID in found and VOID not in indices:
        if not looks_void(values, VOID):
            return NamedTable(why_not="255 has no name there and covers too much for void")
        color = (VOID, VOID, VOID) if values.colors else (0, 0, 0)
        entries.append(Entry(_free("void", names), color, VOID, void=True))
    return NamedTable(tuple(entries), doubts=(doubt,) if doubt else ())


def _indices(names: tuple[Name, ...], values: MaskValues, found: set[int]) -> tuple[list[int], str]:
    """Return the index of each name, and what is doubtful about it."""
    if all(name.index is not None for name in names):
        return [name.index for name in names if name.index is not None], ""
    by_color = {name.color: place for place, name in enumerate(names) if name.color}
    palette = {index: next(iter(colors)) for index, colors in values.palettes.items()}
    places = {by_color.get(color): index for index, color in palette.items()}
    whole = palette and not values.without_palette and not values.colors
    if whole and None not in places and len(places) == len(palette):
        # Names whose colour no mask uses get the indices that are left
        free = (index for index in range(256) if index not in palette)
        return [places[place] if place in places else next(free) for place in range(len(names))], ""
    if names[0].name == IGNORED:
        rest, doubt = _indices(names[1:], values, found) if names[1:] else ([], "")
        return [VOID, *rest], doubt
    held = found - {VOID}
    if max(held, default=0) == len(names):
        return list(range(1, len(names) + 1)), ""
    sure = names[0].name.lower() in BACKGROUND or held == set(range(len(names)))
    doubt = (
        f"the file has {len(names)} names, and the masks hold {len(held)} values of them: the "
        f"first name, {names[0].name}, is taken for 0"
    )
    return list(range(len(names))), "" if sure else doubt


def _color(index: int, name: Name, values: MaskValues) -> Color:
    if values.colors:
        return index, index, index  # saved as RGB
    palette = values.palettes.get(index)
    return name.color or (next(iter(palette)) if palette else voc_color(index))


def _free(word: str, names: tuple[Name, ...]) -> str:
    own = {name.name for name in names}
    return next(free for free in (word, *(f"{word}_{n}" for n in range(256))) if free not in own)
