"""Tell classes from what blending, strays and photos leave in masks, by where values lie."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from segmentation.data.masks.mask_values import Value
from segmentation.errors import DataError, listed

STRAY = 0.0005
"""The largest share of all pixels that a stray value has."""
EDGE = 0.7
"""The least share of a value's pixels that lie between others, if it comes from blending them."""
PHOTO = 0.3
"""The least share of all pixels that lie between others, in a photo."""
MANY = 64
"""More values than these may be those of a photo."""


def is_edge(value: Value) -> bool:
    """Return whether a value comes from blending others along their borders."""
    return value.between >= EDGE * value.pixels


def is_stray(value: Value, total: int) -> bool:
    return value.inner == 0 and value.pixels <= max(1, STRAY * total)


def is_gapless(indices: Iterable[int]) -> bool:
    """Return whether indices are consecutive from 0 or 1."""
    rising = sorted(indices)
    return rising[:1] in ([0], [1]) and rising == list(range(rising[0], rising[-1] + 1))


def refuse_photos(found: Mapping[int, Value], total: int) -> None:
    """Raise an error if most values lie between their neighbours, as in a photo.

    Raises:
        DataError: with the files.
    """
    between = sum(value.between for value in found.values())
    if len(found) > MANY and between > PHOTO * total:
        raise DataError(
            f"the masks hold {len(found)} values, and {between / total:.0%} of their pixels lie "
            f"between others ({names_of(found)}): they are photos. Use masks of plain indices or "
            "colours."
        )


def refuse_blends(found: Mapping[int, Value], total: int, kind: str) -> None:
    """Raise an error if some values are blends of others.

    Raises:
        DataError: with the files.
    """
    edges = {code: value for code, value in found.items() if is_edge(value)}
    if not edges or len(found) - len(edges) < 2:
        return
    rest = [code for code in found if code not in edges]
    raise DataError(
        f"the masks are blended: {len(edges)} of their {len(found)} {kind} lie between others "
        f"along their borders ({share_of(edges, total)} of the pixels, in {names_of(edges)}). They "
        "were resized with interpolation or drawn with smooth edges. Save them again without, or "
        f"type data.classes=areas: the other {len(rest)} values are classes, and what lies between "
        "them is void."
    )


def describe(values: Mapping[int, Value], total: int) -> str:
    """Name values, their share of the pixels, and their files."""
    name = "value" if len(values) == 1 else "values"
    return (
        f"{name} {ranges(sorted(values))} ({share_of(values, total)} of the pixels, in "
        f"{names_of(values)})"
    )


def share_of(values: Mapping[int, Value], total: int) -> str:
    return f"{100 * sum(value.pixels for value in values.values()) / total:.2g}%"


def names_of(values: Mapping[int, Value]) -> str:
    return listed([path.name for path in _files(values)], 3)


def _files(values: Mapping[int, Value]) -> list[Path]:
    return sorted({path for value in values.values() for path in value.files})


def ranges(numbers: Sequence[int]) -> str:
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
