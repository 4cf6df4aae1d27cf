"""How well the contours of the classes are met: boundary IoU and boundary F-score.

Both are counted image by image, so that sums over images give the score of a split, and both leave
void out: void pixels are counted nowhere, and where a class meets void there is no contour, because
the truth does not say what is behind it.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from segmentation.classes import VOID
from segmentation.metrics.scores import ratio

BAND = 0.02
"""Width of the bands of boundary IoU, as a part of the image's diagonal (Cheng et al. 2021)."""
TOLERANCE = 0.0075
"""Distance within which contours meet, as a part of the diagonal (Csurka et al. 2013)."""
BAND_WORDS = f"bands of {BAND:.0%} of the image's diagonal inside each contour"
TOLERANCE_WORDS = f"contours within {TOLERANCE:.2%} of the image's diagonal"


@dataclass(frozen=True)
class ByClass:
    """A score of each class and their mean, as fractions.

    Attributes:
        mean: over the classes that have the score; NaN where none has.
        classes: (C,) NaN where a class has none.
    """

    mean: float
    classes: np.ndarray


def band_counts(truth: np.ndarray, prediction: np.ndarray, num_classes: int) -> np.ndarray:
    """Count the pixels of one image in the boundary bands of each class.

    The band of a mask is what is nearer to its contour than `BAND`, inside the mask, with
    chessboard distance, and the edge of the image is a contour too, as in the code of the paper
    (Cheng et al. 2021, "Boundary IoU", CVPR).

    Args:
        truth: `uint8` labels (H, W), with `VOID`.
        prediction: `uint8` labels (H, W), without.
        num_classes: C.

    Returns:
        `int64` (C, 2): pixels in both bands, and in either.
    """
    width = max(1, round(BAND * float(np.hypot(*truth.shape))))
    prediction = np.where(truth == VOID, np.uint8(VOID), prediction)
    bands = [
        (labels != VOID) & ~_inside(labels, width, edge_is_contour=True)
        for labels in (truth, prediction)
    ]
    true, predicted = (
        _count(labels[band], num_classes)
        for labels, band in zip((truth, prediction), bands, strict=True)
    )
    both = _count(truth[bands[0] & bands[1] & (truth == prediction)], num_classes)
    return np.stack([both, true + predicted - both], axis=1)


def contour_counts(truth: np.ndarray, prediction: np.ndarray, num_classes: int) -> np.ndarray:
    """Count the contour pixels of each class in one image, and those that meet the other contour.

    A contour pixel of a class has a pixel of another class among its eight neighbours; the edge of
    the image is no contour. It is met where a contour pixel of the same class in the other labels
    is not further away than `TOLERANCE` (Euclidean distance; at least one pixel).

    Args:
        truth, prediction, num_classes: as for `band_counts`.

    Returns:
        `int64` (C, 4): contour pixels of the prediction that are met, all of them; of the truth
        that are met, all of them.
    """
    reach = max(1.0, TOLERANCE * float(np.hypot(*truth.shape)))
    prediction = np.where(truth == VOID, np.uint8(VOID), prediction)
    contours = [
        np.where(_inside(labels, 1, edge_is_contour=False), np.uint8(VOID), labels)
        for labels in (prediction, truth)
    ]
    columns: list[np.ndarray] = []
    for own, other in (contours, contours[::-1]):
        columns += [_met(own, other, reach), own[own != VOID]]
    counts = [_count(column, num_classes) for column in columns]
    return np.stack(counts, axis=1)


def boundary_iou(counts: np.ndarray) -> ByClass:
    """Return boundary IoU from the summed counts (C, 2) of `band_counts`."""
    return _by_class(ratio(counts[:, 0], counts[:, 1]))


def boundary_f(counts: np.ndarray) -> ByClass:
    """Return the boundary F-score from the summed counts (C, 4) of `contour_counts`.

    F is the harmonic mean of precision (contour pixels of the prediction that are met) and recall
    (of the truth); pixels of all images are pooled, as for IoU, where Csurka et al. 2013 ("What is
    a good evaluation measure for semantic segmentation?", BMVC) take a mean over images. A class
    with a contour on one side only has 0, with none at all it has no score.
    """
    precision = ratio(counts[:, 0], counts[:, 1], empty=0)
    recall = ratio(counts[:, 2], counts[:, 3], empty=0)
    f = ratio(2 * precision * recall, precision + recall, empty=0)
    return _by_class(np.where(counts[:, 1] + counts[:, 3] > 0, f, np.nan))


def _inside(labels: np.ndarray, width: int, edge_is_contour: bool) -> np.ndarray:
    """Return the pixels with only their own class, or void, within a chessboard distance.

    One erosion and one dilation serve all classes: the least and the greatest label around such a
    pixel are its own; void is neutral in both.
    """
    window = np.ones((2 * width + 1, 2 * width + 1), np.uint8)
    void_as_least = np.where(labels == VOID, np.uint8(0), labels)
    outside = VOID if edge_is_contour else 0
    border = cv2.BORDER_CONSTANT
    greatest = cv2.dilate(void_as_least, window, borderType=border, borderValue=outside)
    least = cv2.erode(labels, window, borderType=border, borderValue=VOID)
    return (greatest == labels) & (least == labels)


def _met(own: np.ndarray, other: np.ndarray, reach: float) -> np.ndarray:
    """Return the labels of the contour pixels with one of their class within reach in another map.

    Args:
        own, other: labels (H, W) of contour pixels, `VOID` elsewhere.
        reach: Euclidean distance in pixels.
    """
    side = int(reach)
    steps = np.mgrid[-side : side + 1, -side : side + 1].reshape(2, -1).T
    length = (steps**2).sum(axis=1)
    near = np.argsort(length, kind="stable")
    around = np.pad(other, side, constant_values=VOID)
    rows, columns = np.nonzero(own != VOID)
    waiting, matched = own[rows, columns], []
    for down, right in steps[near[length[near] <= reach**2]] + side:  # most are met at once
        met = around[rows + down, columns + right] == waiting
        matched.append(waiting[met])
        rows, columns, waiting = rows[~met], columns[~met], waiting[~met]
    return np.concatenate(matched)


def _count(labels: np.ndarray, num_classes: int) -> np.ndarray:
    return np.bincount(labels, minlength=num_classes)[:num_classes]


def _by_class(values: np.ndarray) -> ByClass:
    known = values[~np.isnan(values)]
    return ByClass(float(known.mean()) if known.size else float("nan"), values)
