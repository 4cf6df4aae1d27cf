"""What the values of masks may mean, and a class table that follows from them."""

from dataclasses import dataclass

from segmentation.classes import Table

READINGS = {
    "each-value": "each value is a class",
    "void-255": "255 is void, each other value a class",
    "binary": "0 is the background, the largest value the foreground, all else void",
    "nodata": "values that the masks declare transparent are void",
    "areas": "values that cover areas are classes, values only along their borders are void",
}
"""What `data.classes` may say of masks whose values allow more than one reading."""


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
