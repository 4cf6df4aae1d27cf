"""What is known of each image besides its scores: the columns by which a split is sliced."""

from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pandas as pd

from segmentation.data.discovery.pairs import Pairs
from segmentation.evaluation.statistics.sequences import find_sequences
from segmentation.system.hardware import available_cores

BRIGHTNESS, SEQUENCE, TARGETS, SIZE = "brightness", "sequence", "targets.", "size."
"""Names of columns, and what the names of columns begin with that there are several of."""


def image_attributes(
    names: Sequence[str],
    brightness: np.ndarray | None = None,
    sequences: bool = False,
    targets: Mapping[str, Sequence[str]] | None = None,
    sizes: Mapping[str, np.ndarray] | None = None,
) -> pd.DataFrame:
    """Return one table of attributes, a row for each image; what is not given has no column.

    Args:
        names: of the n images.
        brightness: (n,), the mean luma, 0..255: the column ``brightness``.
        sequences: whether there is to be a column ``sequence``: the first and the last image of
            the sequence that each image belongs to, see `find_sequences`.
        targets: text (n,) by column of `targets.csv`, empty where nothing is known: the columns
            ``targets.<column>``, of numbers where every cell is one.
        sizes: (n,) by class, see `object_sizes`: the columns ``size.<class>``.

    Returns:
        The index holds the names; NaN or None stands where nothing is known.
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
    """Return how large the objects of each class are, in per cent of the picture, `float64` (C,).

    An object is a connected component of its class (8 neighbours). The size of a class is that of
    the object in which one of its pixels lies on average, sum a^2 / sum a over the areas a, and not
    the plain mean: half a dozen stray pixels beside a large object would make that one small,
    whereas IoU, which the sizes are to explain, counts pixels too. The class's share of the
    picture would not do: a far-away crowd has a large one.

    Args:
        labels: `uint8` (H, W).
        classes: how many there are; other labels are void.

    Returns:
        NaN for a class without a pixel.
    """
    sizes = np.full(classes, np.nan)
    for label in np.unique(labels[labels < classes]).tolist():
        same = (labels == label).astype(np.uint8)
        _, _, facts, _ = cv2.connectedComponentsWithStats(same, connectivity=8)
        areas = facts[1:, cv2.CC_STAT_AREA].astype(np.float64)  # row 0 is what is not of the class
        sizes[label] = 100 * (areas**2).sum() / areas.sum() / labels.size
    return sizes


def sizes_of(
    pairs: Pairs, indices: Collection[int], classes: Sequence[str]
) -> dict[str, np.ndarray]:
    """Return `object_sizes` of some images of a split by class, `float64` (n,) each.

    Every mask is decoded once, on all cores.
    """
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
