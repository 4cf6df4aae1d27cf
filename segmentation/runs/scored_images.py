"""What a run keeps of its scoring: the confusion matrix of every image, and metrics.json."""

import zipfile
import zlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from itertools import compress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from segmentation.console import typed
from segmentation.classes import ClassTable
from segmentation.errors import DataError
from segmentation.metrics.boundary import (
    BAND_WORDS,
    TOLERANCE_WORDS,
    ByClass,
    boundary_f,
    boundary_iou,
)
from segmentation.metrics.calibration import BINS, calibration
from segmentation.metrics.scores import ious, pixel_counts, ratio, scores
from segmentation.runs.directory import MATRICES, METRICS
from segmentation.system.files import read_json

if TYPE_CHECKING:
    import pandas as pd

MOST_BYTES = 2**32
"""Unpacked matrices larger than this are refused: 14,000 images of 171 classes have as much."""

DETAILS = {"boundary": (2,), "boundary_f": (4,), "calibration": (BINS, 3)}
"""What is kept of each class in each image besides, and its shape."""

EXACT = 2**53
"""Whole numbers below this are exact as `float64`."""


@dataclass(frozen=True, eq=False)
class ScoredImages:
    """The scoring of one model on one split.

    Attributes:
        names: one for each image, no two alike.
        confusion: `int64` (n, C, C) pixel counts; rows are the truth, void is not counted.
        classes: the names of the C classes.
        source: the directory it was read from.
        metrics: what metrics.json says.
        data_fingerprint: a hash of the images and masks, where the run kept one.
        colors: `uint8` (C, 3) of the classes; this and what follows only where it was kept.
        boundary: `int64` (n, C, 2), see `segmentation.metrics.boundary.band_counts`.
        boundary_f: `int64` (n, C, 4), see `segmentation.metrics.boundary.contour_counts`.
        calibration: `int64` (n, C, BINS, 3), see `segmentation.metrics.counting`.
    """

    names: tuple[str, ...]
    confusion: np.ndarray
    classes: tuple[str, ...]
    source: Path
    metrics: dict[str, Any]
    data_fingerprint: str | None = None
    colors: np.ndarray | None = None
    boundary: np.ndarray | None = None
    boundary_f: np.ndarray | None = None
    calibration: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.names)

    @property
    def truth(self) -> np.ndarray:
        """The labelled pixels of each class in each image, `int64` (n, C)."""
        return self.confusion.sum(axis=2)

    def ordered_like(self, names: Sequence[str]) -> "ScoredImages":
        """Return the same images in the order of `names`, which must be the same names."""
        place = {name: index for index, name in enumerate(self.names)}
        order = [place[name] for name in names]
        details = {
            name: values[order] for name in DETAILS if (values := getattr(self, name)) is not None
        }
        return replace(self, names=tuple(names), confusion=self.confusion[order], **details)


def read_scored(directory: Path) -> ScoredImages:
    """Read the scores in a run directory, or in one of its ``evaluation/<split>``.

    Args:
        directory: it holds ``per_image.npz`` and ``metrics.json``.

    Raises:
        DataError: a file is missing, damaged, too large, or the two do not belong together.
    """
    names, confusion, classes, details = _read_matrices(directory)
    metrics = _read_json(directory / METRICS)
    scored = ScoredImages(
        names, confusion, classes, directory, metrics, _fingerprint(directory, metrics), **details
    )
    _check_agreement(scored)
    return scored


def _read_matrices(
    directory: Path,
) -> tuple[tuple[str, ...], np.ndarray, tuple[str, ...], dict[str, np.ndarray]]:
    path = directory / MATRICES
    if not path.is_file():
        found = sorted(path.parent for path in directory.glob(f"evaluation/*/{MATRICES}"))
        instead = f" {found[0]} has one." if found else ""
        if (directory / METRICS).is_file():
            instead += " A model that does not segment has none."
        raise DataError(
            f"{directory} holds no confusion matrices: {MATRICES} is missing.{instead} "
            f"Score it first: {typed('evaluate')} run={directory}"
        )
    try:
        with zipfile.ZipFile(path) as packed:
            size = sum(member.file_size for member in packed.infolist())
        if size > MOST_BYTES:
            raise DataError(f"{path} unpacks to {size:,} bytes; at most {MOST_BYTES:,} are read.")
        with np.load(path, allow_pickle=False) as kept:
            names, confusion, classes = (kept[key] for key in ("name", "confusion", "classes"))
            details = {key: kept[key] for key in (*DETAILS, "colors") if key in kept}
    except (
        OSError, ValueError, KeyError, EOFError, MemoryError, RuntimeError, zipfile.BadZipFile,
        zlib.error,
    ) as error:  # fmt: skip
        raise _damaged(path, str(error)) from error
    if names.dtype.kind != "U" or classes.dtype.kind != "U" or confusion.dtype.kind not in "iu":
        raise _damaged(path, "names are not text, or counts are not whole numbers")
    if names.ndim != 1 or classes.ndim != 1 or confusion.shape != (
        len(names), len(classes), len(classes),
    ):  # fmt: skip
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
    for key, values in details.items():
        if values.shape != shapes[key] or values.dtype.kind not in "iu" or (values < 0).any():
            raise _damaged(path, f"{key} of shape {values.shape} does not fit its images")
    return tuple(names.tolist()), confusion.astype(np.int64), tuple(classes.tolist()), details


def _read_json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise DataError(f"{path} is missing. Score the run again: {typed('evaluate')} run=...")
    try:
        values = read_json(path)
    except ValueError as error:
        raise _damaged(path, str(error)) from error
    if values is None:
        raise _damaged(path, "it is no JSON object")
    return values


def _fingerprint(directory: Path, metrics: dict[str, Any]) -> str | None:
    """Return the data's fingerprint: evaluations keep it in metrics.json, a training beside it."""
    found = metrics.get("data_fingerprint")
    environment = directory / "environment.json"
    if found is None and environment.is_file():
        data = _read_json(environment).get("data")
        found = data.get(metrics.get("split")) if isinstance(data, dict) else None
    return found if isinstance(found, str) else None


def _check_agreement(scored: ScoredImages) -> None:
    """Refuse matrices and metrics of different scorings, as a run that was interrupted leaves."""
    correct, union = pixel_counts(scored.confusion)
    miou = ious(correct.sum(axis=0)[None], union.sum(axis=0)[None])[0, -1]
    said, images = scored.metrics.get("miou"), scored.metrics.get("images")
    known = np.nan if said is None else said
    if images != len(scored) or not isinstance(known, float | int) or not np.isclose(
        miou, known, rtol=0, atol=1e-9, equal_nan=True
    ):  # fmt: skip
        raise DataError(
            f"{scored.source}: {METRICS} (mIoU {said}, {images} images) and {MATRICES} "
            f"(mIoU {miou}, {len(scored)} images) are of different scorings. Score it again: "
            f"{typed('evaluate')} run=..."
        )


def _damaged(path: Path, why: str) -> DataError:
    return DataError(f"{path} is damaged: {why}. Score the run again: {typed('evaluate')} run=...")


ARRAYS = ("boundary", "boundary_f", "calibration")


@dataclass(frozen=True, eq=False)
class Scored:
    """The counts of N images.

    Attributes:
        names: of the images.
        classes: what was predicted.
        confusion: `int64` (N, C, C), rows are the truth.
        details: what `PerImageDetails` keeps: `boundary`, `boundary_f`, `calibration` and `view`;
            empty where it was not counted.
    """

    names: list[str]
    classes: ClassTable
    confusion: np.ndarray
    details: dict[str, Any] = field(default_factory=dict)

    def without(self, left_out: Collection[str]) -> "Scored":
        """Return the counts of the images whose names are not among those left out."""
        kept = np.array([name not in left_out for name in self.names], dtype=bool)
        details = {
            name: list(compress(values, kept)) if name == "view" else values[kept]
            for name, values in self.details.items()
        }
        names = list(compress(self.names, kept))
        return Scored(names, self.classes, self.confusion[kept], details)

    def facts(self) -> dict[str, Any]:
        """Return the scores as metrics.json has them; None stands for a score there is not."""
        names = self.classes.names
        found = scores(self.confusion.sum(axis=0)).to_dict(names)
        if self.details:
            iou = boundary_iou(self.details["boundary"].sum(axis=0))
            f = boundary_f(self.details["boundary_f"].sum(axis=0))
            reliability = calibration(self.details["calibration"].sum(axis=0))
            found |= {
                "boundary_iou": {"mean": plain(iou.mean), "distance": BAND_WORDS}
                | {"classes": self._named(iou.classes)},
                "boundary_f": {"mean": plain(f.mean), "distance": TOLERANCE_WORDS}
                | {"classes": self._named(f.classes)},
                "calibration": {"ece": plain(reliability.ece), "bins": BINS}
                | {"classes": self._named(reliability.classes)},
            }
        return found

    def images(self) -> "pd.DataFrame":
        """Return the scores of each image, a row each: fractions, NaN where there is none."""
        import pandas as pd

        rows = []
        for index, name in enumerate(self.names):
            one = scores(self.confusion[index])
            row = {"image": name, "miou": one.miou, "pixel_accuracy": one.pixel_accuracy}
            row |= {f"iou/{key}": iou for key, iou in zip(self.classes.names, one.iou, strict=True)}
            if self.details:
                parts: dict[str, ByClass] = {
                    "boundary_iou": boundary_iou(self.details["boundary"][index]),
                    "boundary_f": boundary_f(self.details["boundary_f"][index]),
                }
                row |= {key: part.mean for key, part in parts.items()}
                row["ece"] = calibration(self.details["calibration"][index]).ece
            rows.append(row)
        return pd.DataFrame(rows)

    def confusions(self) -> "pd.DataFrame":
        """Return the confusion matrix as a row for each pair of classes, normalised both ways."""
        import pandas as pd

        pixels = self.confusion.sum(axis=0)
        names = self.classes.names
        shares = [ratio(pixels, pixels.sum(axis=axis, keepdims=True)) for axis in (1, 0)]
        return pd.DataFrame(
            {
                "truth": np.repeat(names, len(names)),
                "predicted": np.tile(names, len(names)),
                "pixels": pixels.ravel(),
                "share_of_truth": shares[0].ravel(),
                "share_of_prediction": shares[1].ravel(),
            }
        )

    def arrays(self) -> dict[str, np.ndarray]:
        """Return what per_image.npz keeps."""
        return {
            "name": np.array(self.names),
            "confusion": self.confusion,
            "classes": np.array(self.classes.names),
            "colors": np.array(self.classes.colors, np.uint8).reshape(-1, 3),
            **{name: self.details[name] for name in ARRAYS if name in self.details},
        }

    def _named(self, values: np.ndarray) -> dict[str, float | None]:
        return dict(zip(self.classes.names, map(plain, values.tolist()), strict=True))


def plain(value: float) -> float | None:
    """Return a score as JSON has it."""
    return None if np.isnan(value) else value
