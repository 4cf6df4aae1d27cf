"""Slices of an earlier scoring, which outlast its repetition: corruptions take hours."""

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from segmentation import runs
from segmentation.errors import DataError
from segmentation.evaluation.slice_rows import FILE
from segmentation.evaluation.stored import ScoredImages, read_scored
from segmentation.whole_files import write_whole

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class EarlierSlices:
    """What is known of the slices of a scoring.

    Attributes:
        scored: the scoring.
        table: `slices.csv` as it is.
    """

    scored: ScoredImages
    table: bytes


def earlier_slices(directory: Path) -> EarlierSlices | None:
    """Return the slices of the scoring that a directory holds; None where there are none."""
    if not (directory / FILE).is_file():
        return None
    try:
        scored = read_scored(directory)
    except DataError:  # a scoring that is damaged is none
        return None
    return EarlierSlices(scored, (directory / FILE).read_bytes())


def keep_slices(earlier: EarlierSlices | None, directory: Path) -> bool:
    """Put slices back if the new scoring counted the same in every image; return whether it did.

    Args:
        earlier: what the directory held before.
        directory: the new scoring, which is complete.
    """
    if earlier is None or "slices" not in earlier.scored.metrics:
        return False
    was, now = earlier.scored, read_scored(directory)
    if was.names != now.names or not np.array_equal(was.confusion, now.confusion):
        log.info("the slices of the earlier scoring are gone: other pixels are counted now")
        return False
    write_whole(directory / FILE, earlier.table)
    runs.add_facts(directory, slices=was.metrics["slices"])
    return True
