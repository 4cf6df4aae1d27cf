"""Write and read per_image.npz: the counts of every scored image, beside their metrics.json."""

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from segmentation.console import typed
from segmentation.errors import DataError
from segmentation.metrics.scores import ious, pixel_counts
from segmentation.runs.directory import MATRICES, METRICS, read_environment, read_metrics
from segmentation.runs.scored_images import DETAILS, ScoredImages
from segmentation.system.files import DAMAGED_ARCHIVE, damaged, write_atomic, write_csv

MOST_UNPACKED = 2**32
"""Files that unpack to more bytes are refused: 14,000 images of 171 classes have as many."""

EXACT = 2**53
"""Whole numbers below this are exact as `float64`."""


def write_scored(directory: Path, scored: ScoredImages) -> None:
    """Write the counts of each image, and what follows from them as CSV tables."""
    arrays: dict[str, Any] = {
        "name": np.array(scored.names),
        "confusion": scored.confusion,
        "classes": np.array(scored.classes),
    }
    if scored.colors is not None:
        arrays["colors"] = scored.colors
    arrays |= scored.details
    packed = io.BytesIO()
    np.savez_compressed(packed, **arrays)
    write_atomic(directory / MATRICES, packed.getvalue())
    write_csv(directory / "per_image.csv", scored.image_table())
    write_csv(directory / "confusion.csv", scored.confusion_table())


def read_scored(directory: Path) -> ScoredImages:
    """Read the counts in a run directory, or in one of its ``evaluation/<split>``.

    Args:
        directory: holds ``per_image.npz`` and ``metrics.json``.

    Raises:
        DataError: a file is missing, damaged or too large, or they are of different evaluations.
    """
    path = directory / MATRICES
    if not path.is_file():
        raise DataError(_missing(directory))
    arrays = _load_bounded(path)
    _check_arrays(path, arrays)
    metrics = read_metrics(directory)
    if metrics is None:
        raise DataError(f"{directory / METRICS} is missing. {_again()}")
    scored = ScoredImages(
        names=tuple(arrays.pop("name").tolist()),
        confusion=arrays.pop("confusion").astype(np.int64),
        classes=tuple(arrays.pop("classes").tolist()),
        source=directory,
        metrics=metrics,
        data_fingerprint=_fingerprint(directory, metrics),
        **arrays,
    )
    _check_agreement(scored)
    return scored


def _missing(directory: Path) -> str:
    hint = ""
    if evaluations := sorted(path.parent for path in directory.glob(f"evaluation/*/{MATRICES}")):
        hint = f" {evaluations[0]} has one."
    if (directory / METRICS).is_file():
        hint += " A model that does not segment has none."
    return (
        f"{directory} holds no confusion matrices: {MATRICES} is missing.{hint} "
        f"Score it first: {typed('evaluate')} run={directory}"
    )


def _load_bounded(path: Path) -> dict[str, np.ndarray]:
    """Load the arrays of a file, whoever wrote it: no pickles, and no more than `MOST_UNPACKED`."""
    try:
        with zipfile.ZipFile(path) as packed:
            size = sum(member.file_size for member in packed.infolist())
        if size > MOST_UNPACKED:
            raise DataError(
                f"{path} unpacks to {size:,} bytes; at most {MOST_UNPACKED:,} are read."
            )
        with np.load(path, allow_pickle=False) as stored:
            arrays = {key: stored[key] for key in ("name", "confusion", "classes")}
            return arrays | {key: stored[key] for key in (*DETAILS, "colors") if key in stored}
    except DAMAGED_ARCHIVE as error:
        raise _damaged(path, str(error)) from error


def _check_arrays(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Refuse arrays whose types, shapes or values are not those of counted images."""
    names, confusion, classes = (arrays[key] for key in ("name", "confusion", "classes"))
    if names.dtype.kind != "U" or classes.dtype.kind != "U" or confusion.dtype.kind not in "iu":
        raise _damaged(path, "names are not text, or counts are not whole numbers")
    square = (len(names), len(classes), len(classes)) if names.ndim == classes.ndim == 1 else None
    if confusion.shape != square:
        raise _damaged(
            path,
            f"{names.shape} names and {classes.shape} classes do not fit matrices of shape "
            f"{confusion.shape}",
        )
    if not confusion.size:
        raise DataError(f"{path} holds no image. Score a split that has some.")
    if len(set(names.tolist())) != len(names):
        raise _damaged(path, "names of images repeat")
    pixels = confusion.sum(axis=(1, 2), dtype=np.float64).max() * len(names)
    if confusion.min() < 0 or pixels >= EXACT:
        raise _damaged(path, "it holds counts that no image has")
    shapes = {key: (len(names), len(classes), *shape) for key, shape in DETAILS.items()}
    shapes["colors"] = (len(classes), 3)
    for key in shapes.keys() & arrays.keys():
        values = arrays[key]
        if values.shape != shapes[key] or values.dtype.kind not in "iu" or (values < 0).any():
            raise _damaged(path, f"{key} of shape {values.shape} does not fit its images")


def _fingerprint(directory: Path, metrics: dict[str, Any]) -> str | None:
    """Return the data's fingerprint: in metrics.json, for a training in environment.json."""
    if (fingerprint := metrics.get("data_fingerprint")) is not None:
        return fingerprint
    environment = read_environment(directory) or {}
    return environment.get("data", {}).get(metrics.get("split"))


def _check_agreement(scored: ScoredImages) -> None:
    """Refuse counts and metrics of different evaluations, as an interrupted run leaves them."""
    correct, union = pixel_counts(scored.confusion)
    counted = ious(correct.sum(axis=0)[None], union.sum(axis=0)[None])[0, -1]
    miou, images = scored.metrics.get("miou"), scored.metrics.get("images")
    stored = np.nan if miou is None else miou
    same = np.isclose(counted, stored, rtol=0, atol=1e-9, equal_nan=True)
    same = same and set(scored.metrics.get("iou", scored.classes)) == set(scored.classes)
    if images != len(scored) or not same:
        raise DataError(
            f"{scored.source}: {METRICS} (mIoU {miou}, {images} images) and {MATRICES} "
            f"(mIoU {counted}, {len(scored)} images) are of different evaluations. {_again()}"
        )


def _damaged(path: Path, reason: str) -> DataError:
    return damaged(path, reason, _again())


def _again() -> str:
    return f"Score the run again: {typed('evaluate')} run=..."
