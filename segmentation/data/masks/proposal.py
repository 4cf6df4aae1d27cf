"""Propose a class table from the values of masks: the one place that guesses what they mean.

A guess never loses a class. Where the values allow two readings that differ in what is learnt,
nothing is proposed: the error shows both, each as the option to type.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

from segmentation.classes import Color
from segmentation.data.images.image_format import MAX_PIXELS
from segmentation.data.masks.color_table import read_colors
from segmentation.data.masks.index_table import read_indices
from segmentation.data.masks.mask_values import MaskValues, Value, count_values
from segmentation.data.masks.named_table import apply_names
from segmentation.data.masks.names import Names
from segmentation.data.masks.readings import Proposal
from segmentation.errors import DataError

GUESSED = ("camvid", "cityscapes", "voc")
"""Tables that colours alone may propose."""


def propose_table(
    masks: Sequence[Path],
    reading: str | None = None,
    known: Iterable[str] = GUESSED,
    names: Names | None = None,
    max_pixels: int = MAX_PIXELS,
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
        max_pixels: of a mask; larger ones are not read.

    Raises:
        DataError: no readable mask, masks of both kinds, blended or photographed masks, or values
            of more than one reading.
    """
    values = count_values(masks, max_pixels=max_pixels)
    doubts: list[str] = []
    conflict = _palette_conflict(values) if reading is None else ""
    if conflict:
        values = count_values(masks, colors=True, max_pixels=max_pixels)
        doubts.append(conflict)
    if values.indices and values.colors and not values.grey:
        raise DataError(
            f"some masks hold indices ({values.index_file} is the first of them) and others "
            f"colours ({values.color_file}). Save all of them as one kind."
        )
    if names and reading is None:
        named = apply_names(names, values)
        if named.table:
            doubts += [f"{names.path}: {doubt}" for doubt in named.doubts]
            reason = f"the names of {names.path}"
            return Proposal(named.table, reason, tuple(doubts), guess=bool(named.doubts))
        doubts.append(f"{names.path} is not used: {named.why_not}")
    if values.colors and (conflict or not values.grey):
        return read_colors(values, reading, known, doubts)
    return read_indices(_merge_grey(values), values, reading, known, doubts)


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
            f"{text}. Save all masks with one palette, or as greyscale indices without one; or "
            "type data.classes=each-value, which reads the indices whatever their colours."
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


def _hex(color: Color) -> str:
    return "#{:02x}{:02x}{:02x}".format(*color)
