"""Escape text that others wrote, such as names of classes and runs, in what people open."""

import re

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""A cell that begins with one of these is a formula, or the end of a cell, to a spreadsheet."""


def csv_cell(value: object) -> object:
    """Return a cell that a spreadsheet shows as text: one that would be a formula gets a ``'``."""
    if isinstance(value, str) and value.startswith(FORMULA) and not _is_number(value):
        return f"'{value}"
    return value


def _is_number(text: str) -> bool:
    return re.fullmatch(r"[+-](\d+\.?\d*|\.\d+|inf|nan)(e[+-]?\d+)?", text, re.I) is not None


def markdown(text: object) -> str:
    """Escape what Markdown or HTML would read in a text, and join its lines."""
    words = " ".join(str(text).split())
    return re.sub(
        r"([\\`*|<>#&~$]|\[(?=[^\]]*\][(\[:])|\](?=[(\[:])|(?<!\w)_|_(?!\w))", r"\\\1", words
    )
