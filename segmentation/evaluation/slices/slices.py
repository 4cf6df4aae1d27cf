"""Divide a split into slices: images that share an attribute, and the others."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from segmentation.errors import listed
from segmentation.evaluation.slices.attributes import SIZE
from segmentation.runs.scored_images import ScoredImages

MIN_IMAGES = 5
"""Slices with fewer images, inside or outside, are omitted."""
MAX_VALUES = 12
"""Of an attribute with more values, those with the most images are kept."""
QUARTILES = (0.25, 0.5, 0.75)
TERCILES = (1 / 3, 2 / 3)
SIZES = ("small", "medium", "large")


@dataclass(frozen=True, eq=False)
class Slice:
    """Images of a split that share an attribute, and the images to compare them with.

    Attributes:
        attribute: such as ``brightness``.
        value: such as ``84-97``.
        inside, outside: disjoint, `bool` (n,).
        only: the single class that is scored; None for the mean over classes.
    """

    attribute: str
    value: str
    inside: np.ndarray
    outside: np.ndarray
    only: int | None = None

    @property
    def large_enough(self) -> bool:
        """Whether both sides have at least `MIN_IMAGES`."""
        return bool(min(self.inside.sum(), self.outside.sum()) >= MIN_IMAGES)


def find_slices(
    run: ScoredImages, attributes: pd.DataFrame, presence: bool = False
) -> tuple[list[Slice], list[str]]:
    """Slice an evaluation by each attribute of its images.

    Text is sliced by value, numbers with more than four different values by quartile. Object sizes
    of a class are sliced into terciles of the images with that class, which are scored by its IoU
    alone. Images without a value are on neither side.

    Args:
        run: the evaluation.
        attributes: see `image_attributes`; indexed by the run's image names.
        presence: also slice by whether each class occurs in the truth.

    Returns:
        The slices, and notes on what was omitted: values with fewer than `MIN_IMAGES` inside or
        outside, values beyond `MAX_VALUES`, and attributes that divide nothing.
    """
    attributes = attributes.loc[list(run.names)]
    sizes = [column for column in attributes if str(column).startswith(SIZE)]
    slices, notes = [], []
    for column in attributes.columns.drop(sizes):
        by_value, omitted = _by_value(str(column), attributes[column])
        slices += by_value
        notes += omitted

    by_class = {}
    if presence:
        by_class["presence"] = _by_presence(run)
    if sizes:
        by_class["size"] = _by_size(run, attributes)
    for name, parts in by_class.items():
        slices += parts
        if not parts:
            notes.append(f"{name}: no class divides the images into large enough parts.")
    return slices, notes


def _by_value(attribute: str, values: pd.Series) -> tuple[list[Slice], list[str]]:
    known = values.notna().to_numpy()
    if is_numeric_dtype(values) and values[known].nunique() > len(QUARTILES) + 1:
        texts = ranges(values.to_numpy(dtype=np.float64), QUARTILES)
    else:
        texts = np.array([_text(value) for value in values], dtype=object)
    names, counts = np.unique(texts[known].astype(str), return_counts=True)
    if len(names) < 2:
        return [], [f"{attribute}: the same for all images."]
    slices = [
        Slice(attribute, str(name), known & (texts == name), known & (texts != name))
        for name in names[np.argsort(-counts, kind="stable")]
    ]
    large = [part for part in slices if part.large_enough]
    small = [part.value for part in slices if not part.large_enough]
    notes = []
    if small:
        notes.append(
            f"{attribute}: omitted for having fewer than {MIN_IMAGES} images inside or outside: "
            f"{listed(small, 3)}."
        )
    if len(large) > MAX_VALUES:
        notes.append(
            f"{attribute}: showing the {MAX_VALUES} values with the most images, of {len(large)}."
        )
    return large[:MAX_VALUES], notes


def _by_presence(run: ScoredImages) -> list[Slice]:
    slices = []
    for name, held in zip(run.classes, (run.truth > 0).T, strict=True):
        slices.append(Slice("presence", f"with {name}", held, ~held))
        slices.append(Slice("presence", f"without {name}", ~held, held))
    return [part for part in slices if part.large_enough]


def _by_size(run: ScoredImages, attributes: pd.DataFrame) -> list[Slice]:
    slices = []
    for label, name in enumerate(run.classes):
        if f"{SIZE}{name}" not in attributes:
            continue
        sizes = attributes[f"{SIZE}{name}"].to_numpy(dtype=np.float64)
        held = ~np.isnan(sizes)
        few = np.count_nonzero(held) < MIN_IMAGES * len(SIZES)
        if few or len(np.unique(sizes[held])) < len(SIZES):
            continue
        texts, part = ranges(sizes, TERCILES, "%"), parts(sizes, TERCILES)
        for number, word in enumerate(SIZES):
            inside = held & (part == number)
            if inside.any():
                value = f"{name}: {word}, {texts[inside][0]}"
                slices.append(Slice("size", value, inside, held & ~inside, label))
    return [part for part in slices if part.large_enough]


def parts(values: np.ndarray, shares: Sequence[float]) -> np.ndarray:
    """Return the part of each value, `int64` (n,), counted from the least; -1 for NaN.

    A value that equals an edge is in the lower part; parts may be empty.

    Args:
        values: `float64` (n,).
        shares: quantiles of the edges, rising, such as `QUARTILES`.
    """
    known = ~np.isnan(values)
    edges = np.quantile(values[known], shares)
    return np.where(known, np.searchsorted(edges, np.nan_to_num(values), side="left"), -1)


def ranges(values: np.ndarray, shares: Sequence[float], unit: str = "") -> np.ndarray:
    """Return the range of the part that each value is in, as text (n,).

    Args:
        values, shares: see `parts`.
        unit: appended to the text.
    """
    part = parts(values, shares)
    ends = {
        number: (values[part == number].min(), values[part == number].max())
        for number in np.unique(part[part >= 0]).tolist()
    }
    decimals = _decimals(list(ends.values()))
    while True:  # add decimals until the texts of all parts differ
        names = {number: _range(*pair, decimals, unit) for number, pair in ends.items()}
        if len(set(names.values())) == len(names):
            break
        decimals += 1
    texts = np.full(len(values), "", dtype=object)
    for number, text in names.items():
        texts[part == number] = text
    return texts


def _range(low: float, high: float, decimals: int, unit: str) -> str:
    if low == high:
        return f"{low:.{decimals}f}{unit}"
    return f"{low:.{decimals}f}{'-' if low >= 0 else ' to '}{high:.{decimals}f}{unit}"


def _decimals(ends: Sequence[tuple[float, float]]) -> int:
    """Return the decimals that distinguish the ends of every range, and the least one from 0."""
    widths = [high - low for low, high in ends if high > low]
    if not widths:
        return 0
    step = min(widths)
    near_zero = min((abs(end) for pair in ends for end in pair if end), default=step)
    step = min(step, max(near_zero, step / 10))
    return max(0, -math.floor(math.log10(step)))


def _text(value: object) -> str:
    return repr(value).removesuffix(".0") if isinstance(value, float) else str(value)
