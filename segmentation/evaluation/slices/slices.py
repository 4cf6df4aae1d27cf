"""The slices of a split: images that have something in common, and those to compare them with."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from segmentation.errors import listed
from segmentation.evaluation.slices.attributes import SIZE
from segmentation.runs.scored_images import ScoredImages

FEWEST = 5
"""Fewer images than this, in a slice or beside it, say nothing."""
MOST = 12
"""More values of one attribute than this are no overview: those with the most images are kept."""
QUARTILES = (0.25, 0.5, 0.75)
TERCILES = (1 / 3, 2 / 3)
SIZES = ("small", "medium", "large")


@dataclass(frozen=True, eq=False)
class Slice:
    """Some images of a split, and others to compare them with.

    Attributes:
        attribute: such as ``brightness``.
        value: such as ``84-97``.
        inside, outside: `bool` (n,); no image is in both.
        only: the class whose IoU counts alone; None: the mean over classes.
    """

    attribute: str
    value: str
    inside: np.ndarray
    outside: np.ndarray
    only: int | None = None

    @property
    def kept(self) -> bool:
        """Whether both sides have images enough to say something."""
        return bool(min(self.inside.sum(), self.outside.sum()) >= FEWEST)


def find_slices(
    run: ScoredImages, attributes: pd.DataFrame, presence: bool = False
) -> tuple[list[Slice], list[str]]:
    """Divide the images of a scoring by each of their attributes.

    Text is divided by what it says, numbers with more than four different values into quartiles.
    For the sizes of a class's objects the images that hold the class are divided into terciles, in
    which its IoU alone counts. An image of which an attribute is not known is on neither side.

    Args:
        run: the scoring.
        attributes: see `image_attributes`; its index holds the run's names.
        presence: divide by whether the truth holds a class, too.

    Returns:
        The slices, and notes on what was left out: values of fewer than `FEWEST` images (or with
        fewer others), values beyond `MOST`, and attributes that divide nothing.
    """
    attributes = attributes.loc[list(run.names)]
    slices, notes = [], []
    for column in attributes:
        if str(column).startswith(SIZE):
            continue
        found, left_out = _divided(str(column), attributes[column])
        slices += found
        notes += left_out
    for name, wanted, found in (
        ("presence", presence, _by_presence(run)),
        (
            "size",
            any(str(column).startswith(SIZE) for column in attributes),
            _by_size(run, attributes),
        ),
    ):
        if wanted:
            slices += found
            notes += (
                [] if found else [f"{name}: no class divides the images in parts large enough."]
            )
    return slices, notes


def _divided(attribute: str, values: pd.Series) -> tuple[list[Slice], list[str]]:
    known = values.notna().to_numpy()
    if is_numeric_dtype(values) and values[known].nunique() > len(QUARTILES) + 1:
        texts = ranges(values.to_numpy(dtype=np.float64), QUARTILES)
    else:
        texts = np.array([_text(value) for value in values], dtype=object)
    names, counts = np.unique(texts[known].astype(str), return_counts=True)
    if len(names) < 2:
        return [], [f"{attribute}: it is the same for all images."]
    every = [
        Slice(attribute, str(name), known & (texts == name), known & (texts != name))
        for name in names[np.argsort(-counts, kind="stable")]
    ]
    good = [one for one in every if one.kept]
    few = [one.value for one in every if not one.kept]
    notes = []
    if few:
        notes.append(
            f"{attribute}: fewer than {FEWEST} images, or fewer than {FEWEST} others: "
            f"{listed(few, 3)}. They are left out."
        )
    if len(good) > MOST:
        notes.append(
            f"{attribute}: the {MOST} values with the most images are shown, of {len(good)}."
        )
    return good[:MOST], notes


def _by_presence(run: ScoredImages) -> list[Slice]:
    slices = []
    for name, held in zip(run.classes, (run.truth > 0).T, strict=True):
        slices.append(Slice("presence", f"with {name}", held, ~held))
        slices.append(Slice("presence", f"without {name}", ~held, held))
    return [one for one in slices if one.kept]


def _by_size(run: ScoredImages, attributes: pd.DataFrame) -> list[Slice]:
    slices = []
    for label, name in enumerate(run.classes):
        if f"{SIZE}{name}" not in attributes:
            continue
        sizes = attributes[f"{SIZE}{name}"].to_numpy(dtype=np.float64)
        held = ~np.isnan(sizes)
        if np.count_nonzero(held) < FEWEST * len(SIZES) or len(np.unique(sizes[held])) < len(SIZES):
            continue
        texts, part = ranges(sizes, TERCILES, "%"), parts(sizes, TERCILES)
        for number, word in enumerate(SIZES):
            inside = held & (part == number)
            if inside.any():
                value = f"{name}: {word}, {texts[inside][0]}"
                slices.append(Slice("size", value, inside, held & ~inside, label))
    return [one for one in slices if one.kept]


def parts(values: np.ndarray, shares: Sequence[float]) -> np.ndarray:
    """Return which part each value is in, `int64` (n,), from 0 for the least; -1 for NaN.

    A value that equals an edge is in the lower part, so equal values are in one part, and a part
    may be empty.

    Args:
        values: `float64` (n,).
        shares: of the values below each edge, rising, such as `QUARTILES`.
    """
    known = ~np.isnan(values)
    edges = np.quantile(values[known], shares)
    return np.where(known, np.searchsorted(edges, np.nan_to_num(values), side="left"), -1)


def ranges(values: np.ndarray, shares: Sequence[float], unit: str = "") -> np.ndarray:
    """Return the least and the largest value of the part of each value, as text (n,).

    Args:
        values, shares: see `parts`.
        unit: what stands behind.
    """
    part = parts(values, shares)
    ends = {
        number: (values[part == number].min(), values[part == number].max())
        for number in np.unique(part[part >= 0]).tolist()
    }
    decimals = _decimals(list(ends.values()))
    while True:  # until no two parts are called alike, as different values need some decimals
        called = {number: _range(*pair, decimals, unit) for number, pair in ends.items()}
        if len(set(called.values())) == len(called):
            break
        decimals += 1
    texts = np.full(len(values), "", dtype=object)
    for number, text in called.items():
        texts[part == number] = text
    return texts


def _range(low: float, high: float, decimals: int, unit: str) -> str:
    if low == high:
        return f"{low:.{decimals}f}{unit}"
    return f"{low:.{decimals}f}{'-' if low >= 0 else ' to '}{high:.{decimals}f}{unit}"


def _decimals(ends: Sequence[tuple[float, float]]) -> int:
    """Return how many decimals tell apart the two ends of every range, and the least from 0."""
    widths = [high - low for low, high in ends if high > low]
    if not widths:
        return 0
    step = min(widths)
    near_zero = min((abs(end) for pair in ends for end in pair if end), default=step)
    step = min(step, max(near_zero, step / 10))
    return max(0, -math.floor(math.log10(step)))


def _text(value: object) -> str:
    return repr(value).removesuffix(".0") if isinstance(value, float) else str(value)
