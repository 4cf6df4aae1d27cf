"""A data set on disk: its class table, its splits, and a scan of every file."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import compress
from pathlib import Path

import numpy as np

from segmentation.data.discovery.class_table import find_class_table
from segmentation.data.discovery.layouts import Sample
from segmentation.data.discovery.pairs import PHOTOS
from segmentation.data.discovery.scan import Scan, scan_samples
from segmentation.data.discovery.splits import Splits, check_paired
from segmentation.data.images.image_reader import ImageReader
from segmentation.data.masks.labels import Labels
from segmentation.data.options import check_on_error
from segmentation.errors import DataError

log = logging.getLogger(__name__)

SHOWN = 5


@dataclass(frozen=True)
class ScannedDataset:
    """A data set on disk, with every file scanned.

    Attributes:
        labels: decodes the masks.
        splits: the samples, and how they were found.
        scans: the statistics of each split, in the order of its samples.
        table: the origin of the class table, for messages.
        reader: reads the images.
    """

    labels: Labels
    splits: Splits
    scans: dict[str, Scan]
    table: str
    reader: ImageReader = PHOTOS

    @property
    def samples(self) -> dict[str, list[Sample]]:
        """The samples by split."""
        return self.splits.samples

    def select(self, chosen: Mapping[str, np.ndarray]) -> "ScannedDataset":
        """Return a part of the data set: a boolean (n,) for each split to keep."""
        samples = {
            split: list(compress(self.samples[split], rows)) for split, rows in chosen.items()
        }
        scans = {split: self.scans[split].select(rows) for split, rows in chosen.items()}
        return replace(self, splits=replace(self.splits, samples=samples), scans=scans)

    def typical_size(self) -> tuple[int, int]:
        """Return the median height and width of the training images on disk."""
        height, width = np.median(self.scans["train"].sizes, axis=0)
        return int(height), int(width)

    def fingerprints(self) -> dict[str, str]:
        """Return a hash of each split's names and contents."""
        return {
            split: found.fingerprint(self.samples[split]) for split, found in self.scans.items()
        }


def scan_dataset(
    root: Path,
    splits: Splits,
    classes: str | None = None,
    void: str = "ignore",
    unknown: str = "error",
    fallback: Path | None = None,
    reader: ImageReader = PHOTOS,
) -> ScannedDataset:
    """Find the class table and scan every file; bad files are recorded, not raised.

    Args:
        root: the data set's folder.
        splits: its samples.
        classes: a key of `TABLES` or of `READINGS`, a YAML file, or None: the data set's own
            ``classes.yaml``, which is proposed from the masks and written where there is none.
        void, unknown: see `Labels`.
        fallback: the folder for a proposed table if the data's folder is read-only.
        reader: reads the images.

    Raises:
        ConfigError, DataError: an unreadable class table, or masks that allow no proposal.
    """
    table, origin = find_class_table(root, splits, classes, fallback, reader.max_pixels)
    labels = Labels(table, void, unknown)
    scans = {
        split: scan_samples(samples, labels, reader) for split, samples in splits.samples.items()
    }
    return ScannedDataset(labels, splits, scans, origin, reader)


def select_usable(
    source: ScannedDataset, on_error: str, segmentation: bool = True
) -> ScannedDataset:
    """Select the usable part of a data set: all of it, or all but the bad files.

    A val or test split whose pixels are all void (Cityscapes' public test) is left out.

    Args:
        source: the data set.
        on_error: ``"stop"``: a bad file is an error; ``"skip"``: it is left out with a warning.
        segmentation: whether masks are learnt or scored; else a split may be all void.

    Raises:
        DataError: bad files that are not skipped, or a split without any usable pair.
        ConfigError: an invalid `on_error`.
    """
    check_on_error(on_error)
    check_paired(source.splits, skip=on_error == "skip")
    _check_problems(source, skip=on_error == "skip")
    _warn_of_unknown(source)
    chosen = {}
    for split, found in source.scans.items():
        good = found.problem == ""
        if not good.any():
            raise DataError(f"no pair of the {split} split can be used.")
        if segmentation and split != "train" and not found.pixels.any():
            log.warning("every pixel of the %s split is void: it is left out.", split)
            continue
        chosen[split] = good
    return source.select(chosen)


def _check_problems(source: ScannedDataset, skip: bool) -> None:
    problems = [
        str(problem)
        for found in source.scans.values()
        for problem in found.problem[found.problem != ""]
    ]
    if not problems:
        return
    total = sum(map(len, source.scans.values()))
    shown = "\n  ".join(problems[:SHOWN])
    more = f"\n  and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
    if not skip:
        raise DataError(
            f"{len(problems)} of {total} pairs cannot be used (data.on_error=skip leaves them "
            f"out):\n  {shown}{more}"
        )
    log.warning("%d of %d pairs are left out:\n  %s%s", len(problems), total, shown, more)


def _warn_of_unknown(source: ScannedDataset) -> None:
    """Warn about pixels that data.unknown=void has made void."""
    for split, found in source.scans.items():
        pixels = found.sizes.prod(axis=1).sum()
        if images := np.count_nonzero(found.unknown):
            log.warning(
                "%.1f%% of the %s split's pixels, in %d images, have values outside the class "
                "table: they are void (data.unknown=void).",
                100 * found.unknown.sum() / pixels, split, images,
            )  # fmt: skip
