"""Which image a row of `targets.csv` means."""

import unicodedata
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath, PurePosixPath

from segmentation.data.layouts import SPLITS, WORDS, Sample
from segmentation.data.target_files import SPLIT, TargetRow
from segmentation.errors import DataError


class Places:
    """Finds an image by its path, by any end of its path, or by its name; the suffix may be absent.

    Args:
        splits: the samples of each split.
        folder: what paths in the file are relative to.
        only_below: leave out samples that do not lie below `folder`.
    """

    def __init__(
        self, splits: Mapping[str, Sequence[Sample]], folder: Path, only_below: bool
    ) -> None:
        self._whole: defaultdict[str, set[Sample]] = defaultdict(set)
        self._ends: defaultdict[str, set[Sample]] = defaultdict(set)
        self._known: dict[Sample, tuple[str, str]] = {}
        for split, samples in splits.items():
            for sample in samples:
                if sample.image.is_relative_to(folder):
                    self._add(split, sample, sample.image.relative_to(folder))
                elif not only_below:
                    self._add(split, sample, sample.image)

    def _add(self, split: str, sample: Sample, path: PurePath) -> None:
        self._known[sample] = split, path.as_posix()
        for parts in (path.parts, path.with_suffix("").parts):
            self._whole[_normal(PurePosixPath(*parts))].add(sample)
            for start in range(1, len(parts)):
                self._ends[_normal(PurePosixPath(*parts[start:]))].add(sample)
        self._ends[_normal(PurePosixPath(sample.name))].add(sample)

    def find(self, row: TargetRow) -> Sample | None:
        """Return the sample that a row means; None where no split has it.

        A whole path goes before the end of another; where the column `split` says one, it counts.

        Raises:
            DataError: several samples fit.
        """
        key = _normal(PurePosixPath(row.image.replace("\\", "/")))
        fits = self._whole.get(key) or self._ends.get(key) or set()
        if row.split:
            split = row.split.lower()
            split = next((known for known in SPLITS if split in WORDS[known]), split)
            fits = {sample for sample in fits if self._known[sample][0] == split}
        if len(fits) > 1:
            found = sorted(self._known[sample][1] for sample in fits)
            raise DataError(
                f"{row.where}: {row.image!r} may be any of {', '.join(found[:3])}. Write its path, "
                f"such as {found[0]}, or add a column {SPLIT}."
            )
        return next(iter(fits), None)


def _normal(path: PurePosixPath) -> str:
    """Return a path in one spelling: macOS takes letters such as é apart, and tables do not."""
    return unicodedata.normalize("NFC", path.as_posix())
