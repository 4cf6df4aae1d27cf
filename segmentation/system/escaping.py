"""Escape text that others wrote, such as names of classes and runs, in what people open."""

import re

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""A cell that begins with one of these is a formula, or the end of a cell, to a spreadsheet."""

QUOTED = re.compile(r"'+[=+\-@\t\r\n]")
UNPRINTABLE = re.compile(
    "[\0-\b\v-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


def csv_cell(value: object) -> object:
    """Return a cell that a spreadsheet shows as text: one that would be a formula gets a ``'``."""
    if isinstance(value, str) and (
        QUOTED.match(value) or (value.startswith(FORMULA) and not _is_number(value))
    ):
        return f"'{value}"
    return value


def csv_text(cell: str) -> str:
    """Return the text that `csv_cell` made a cell of."""
    return cell[1:] if QUOTED.match(cell) else cell


def printable(text: str) -> str:
    """Replace what a terminal obeys or hides by its escape sequence, such as ``\\x1b``.

    These are control characters but line breaks and tabs, marks that turn the direction of text,
    and bytes of file names that are not valid Unicode.
    """
    return UNPRINTABLE.sub(lambda match: repr(match[0])[1:-1], text)


def _is_number(text: str) -> bool:
    return re.fullmatch(r"[+-](\d+\.?\d*|\.\d+|inf|nan)(e[+-]?\d+)?", text, re.I) is not None


def markdown(text: object) -> str:
    """Escape what Markdown or HTML would read in a text, and join its lines."""
    words = " ".join(str(text).split())
    return re.sub(
        r"([\\`*|<>#&~$]|\[(?=[^\]]*\][(\[:])|\](?=[(\[:])|(?<!\w)_|_(?!\w))", r"\\\1", words
    )
