"""Attributes of images by which a split is sliced."""

from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pandas as pd

from segmentation.data.discovery.pairs import Pairs
from segmentation.evaluation.statistics.sequences import find_sequences
from segmentation.system.hardware import available_cores

BRIGHTNESS, SEQUENCE, TARGETS, SIZE = "brightness", "sequence", "targets.", "size."
"""Column names, and prefixes of the columns for each target and each class."""


def image_attributes(
    names: Sequence[str],
    brightness: np.ndarray | None = None,
    sequences: bool = False,
    targets: Mapping[str, Sequence[str]] | None = None,
    sizes: Mapping[str, np.ndarray] | None = None,
) -> pd.DataFrame:
    """Return a table of attributes, one row for each image.

    Args:
        names: of the n images.
        brightness: (n,), mean luma, 0..255; gives the column ``brightness``.
        sequences: add a column ``sequence``: the first and the last image of each image's sequence
            (see `find_sequences`).
        targets: cells (n,) of each column of `targets.csv`, empty if unknown; gives the columns
            ``targets.<column>``, numeric if every cell is a number.
        sizes: (n,) for each class, see `object_sizes`; gives the columns ``size.<class>``.

    Returns:
        The index holds the names; unknown values are NaN or None.
    """
    columns: dict[str, object] = {}
    if brightness is not None:
        columns[BRIGHTNESS] = np.asarray(brightness, dtype=np.float64)
    if sequences:
        columns[SEQUENCE] = _sequence_of(names, find_sequences(names))
    for column, cells in (targets or {}).items():
        columns[f"{TARGETS}{column}"] = _numbers_or_text(cells)
    for name, values in (sizes or {}).items():
        columns[f"{SIZE}{name}"] = values
    return pd.DataFrame(columns, index=pd.Index(names, name="image"))


def object_sizes(labels: np.ndarray, classes: int) -> np.ndarray:
    """Return the mean object size of each class, in per cent of the image, `float64` (C,).

    An object is a connected component of its class (8 neighbours). The mean is weighted by area,
    sum a^2 / sum a: in a plain mean a few stray pixels would hide a large object, while IoU, which
    the sizes are to explain, counts pixels as well. The class's share of the image would not do
    either: it is large for a far-away crowd.

    Args:
        labels: `uint8` (H, W); labels of `classes` or more are void.
        classes: C.

    Returns:
        NaN for a class without pixels.
    """
    sizes = np.full(classes, np.nan)
    for label in np.unique(labels[labels < classes]).tolist():
        same = (labels == label).astype(np.uint8)
        _, _, objects, _ = cv2.connectedComponentsWithStats(same, connectivity=8)
        areas = objects[1:, cv2.CC_STAT_AREA].astype(np.float64)  # row 0 is the background
        sizes[label] = 100 * (areas**2).sum() / areas.sum() / labels.size
    return sizes


def sizes_of(
    pairs: Pairs, indices: Collection[int], classes: Sequence[str]
) -> dict[str, np.ndarray]:
    """Return the `object_sizes` of some images of a split, `float64` (n,) for each class."""
    with ThreadPoolExecutor(available_cores()) as pool:
        rows = list(pool.map(lambda i: object_sizes(pairs[i][1], len(classes)), indices))
    return dict(zip(classes, np.array(rows).T, strict=True))


def _sequence_of(names: Sequence[str], sequences: Sequence[np.ndarray]) -> list[str]:
    labels = [""] * len(names)
    for positions in sequences:
        first, last = names[positions[0]], names[positions[-1]]
        for position in positions.tolist():
            labels[position] = first if first == last else f"{first} to {last}"
    return labels


def _numbers_or_text(cells: Sequence[str]) -> pd.Series | np.ndarray:
    text = pd.Series(list(cells), dtype=object).replace("", None)
    numbers = pd.to_numeric(text, errors="coerce")
    if np.isfinite(numbers[text.notna()].to_numpy(dtype=np.float64)).all():
        return numbers.to_numpy(dtype=np.float64)
    return text.to_numpy()
