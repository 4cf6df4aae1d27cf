"""A split scored once more for each corruption and severity."""

import logging
from collections.abc import Mapping

import numpy as np
import pytorch_lightning as pl
from rich.progress import track

from segmentation import console
from segmentation.data.augment.corruptions import CORRUPTIONS, SEVERITIES, CorruptedPairs
from segmentation.data.datamodule import SegmentationData
from segmentation.data.dataset import SegmentationDataset
from segmentation.evaluation.statistics.counts import Counts
from segmentation.runs.scored_images import ScoredImages
from segmentation.training.scoring import ScoringModule

log = logging.getLogger(__name__)

Corrupted = dict[tuple[str, int], Counts]
"""What was counted in the images, by name of the corruption and severity."""


def score_corrupted(
    split: str, trainer: pl.Trainer, module: ScoringModule, data: SegmentationData
) -> Corrupted:
    """Score every corruption of a split, on all ranks.

    Args:
        split: it is in `data`.
        trainer, module, data: what it was scored with.
    """
    dataset, quiet = data.datasets[split], not trainer.is_global_zero
    if not quiet:
        console.console.print(
            f"corruptions: {len(CORRUPTIONS) // len(SEVERITIES)} kinds x {len(SEVERITIES)} "
            f"severities x {len(dataset)} images = {len(CORRUPTIONS) * len(dataset):,} more images "
            f"to score, {len(CORRUPTIONS)} times the split",
            highlight=False,
        )
    scoring = ScoringModule(module.model, module.classes)
    found: Corrupted = {}
    name = f"{split}, corrupted"
    for one in track(CORRUPTIONS, "corruptions", console=console.console, disable=quiet):
        data.datasets[name] = SegmentationDataset(
            CorruptedPairs(dataset.pairs, one), dataset.size, dataset.skip, dataset.targets
        )
        # As validation: a test measures boundaries and keeps pictures besides.
        trainer.validate(scoring, dataloaders=data.scoring_dataloader(name), verbose=False)
        assert scoring.confusion is not None
        found[one.name, one.severity] = Counts.of(scoring.confusion)
    data.datasets.pop(name)
    return found


def same_images(
    run: ScoredImages, corrupted: Mapping[tuple[str, int], Counts]
) -> tuple[ScoredImages, Corrupted]:
    """Leave out images that could not be read each time, which files may do while a run goes on.

    Args:
        run: the images as they are.
        corrupted: of the same images.
    """
    read = [(one.truth == run.truth).all(axis=1) for one in corrupted.values()]
    kept = np.flatnonzero(np.all(read, axis=0))
    if len(kept) < len(run):
        log.warning(
            "%d of %d images could not be read each time, and are left out of the corruptions.",
            len(run) - len(kept), len(run),
        )  # fmt: skip
    return run.select(kept), {key: one.rows(kept) for key, one in corrupted.items()}
