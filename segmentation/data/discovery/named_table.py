"""Match the names that a data set brings with the values of its masks."""

from segmentation.classes import MAX_CLASSES, VOID, Color, Entry, Table, voc_color
from segmentation.data.discovery.mask_values import MaskValues, looks_void, unpack
from segmentation.data.discovery.names import Name, Names


def apply_names(names: Names, values: MaskValues) -> tuple[Table, str]:
    """Return the class table that names and values give together, or why they do not fit.

    A name's index is the one that its file says; else the one whose palette has its colour; else
    its place in the file, from 0, or from 1 where the masks hold 0 to N for N names: then 0 is
    the background. 255 is the foreground beside nothing but 0, and void where no name has it.
    """
    if len(names.names) > MAX_CLASSES:
        return (), f"it has {len(names.names)} names, and a class table at most {MAX_CLASSES}"
    if values.colors and not values.indices:
        table, why_not = _by_color(names.names, values)
        if table or not values.grey:
            return table, why_not
    return _by_index(names.names, values)


def _by_color(names: tuple[Name, ...], values: MaskValues) -> tuple[Table, str]:
    found = set(map(tuple, unpack(list(values.colors)).tolist()))
    own = {name.color for name in names}
    if None in own:
        return (), "it has no colours, and the masks hold colours"
    if missing := sorted(found - own):
        return (), f"the masks hold colours that it lacks, such as {list(missing[0])}"
    return tuple(Entry(name.name, name.color, void=name.void) for name in names if name.color), ""


def _by_index(names: tuple[Name, ...], values: MaskValues) -> tuple[Table, str]:
    found = set(values.indices) | {code & 255 for code in values.colors}
    indices = _indices(names, values, found)
    if found == {0, VOID} and VOID not in indices and len(names) <= 2:
        indices = [0, VOID] if len(names) == 2 else [VOID]
    missing = sorted(found - set(indices) - {VOID})
    if missing == [0] and not any(name.name.lower() == "background" for name in names):
        names, indices = (Name("background"), *names), [0, *indices]
    elif missing:
        return (), f"the masks hold indices that it lacks, such as {missing[0]}"
    if len(set(indices)) < len(indices) or max(indices) > VOID:
        return (), "its indices repeat or exceed 255"
    entries = [
        Entry(name.name, _color(index, name, values), index, name.void)
        for name, index in zip(names, indices, strict=True)
    ]
    if VOID in found and VOID not in indices:
        if not looks_void(values, VOID):
            return (), "255 has no name there and covers too much for void"
        entries.append(Entry(_free("void", names), (0, 0, 0), VOID, void=True))
    return tuple(entries), ""


def _indices(names: tuple[Name, ...], values: MaskValues, found: set[int]) -> list[int]:
    """Return the index of each name."""
    if all(name.index is not None for name in names):
        return [name.index for name in names if name.index is not None]
    by_color = {name.color: place for place, name in enumerate(names) if name.color}
    palette = {index: next(iter(colors)) for index, colors in values.palettes.items()}
    places = {by_color.get(color): index for index, color in palette.items()}
    if palette and None not in places and len(places) == len(palette):
        # Names whose colour no mask uses get the indices that are left
        free = (index for index in range(256) if index not in palette)
        return [places[place] if place in places else next(free) for place in range(len(names))]
    first = 1 if max(found - {VOID}, default=0) == len(names) else 0
    return list(range(first, first + len(names)))


def _color(index: int, name: Name, values: MaskValues) -> Color:
    if name.color:
        return name.color
    if values.colors:
        return index, index, index  # saved as RGB
    palette = values.palettes.get(index)
    return next(iter(palette)) if palette else voc_color(index)


def _free(word: str, names: tuple[Name, ...]) -> str:
    own = {name.name for name in names}
    return word if word not in own else f"{word}_255"
