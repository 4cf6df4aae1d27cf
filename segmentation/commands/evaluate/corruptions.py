"""Score a split again for each corruption and severity."""

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
"""Counts of the images by corruption and severity."""


def score_corrupted(
    split: str, trainer: pl.Trainer, module: ScoringModule, data: SegmentationData
) -> Corrupted:
    """Score every corruption of a split, on all ranks.

    Args:
        split: one of those in `data`.
        trainer, module, data: what the split was scored with.
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
    counts: Corrupted = {}
    name = f"{split}, corrupted"
    for corruption in track(CORRUPTIONS, "corruptions", console=console.console, disable=quiet):
        data.datasets[name] = SegmentationDataset(
            CorruptedPairs(dataset.pairs, corruption), dataset.size, dataset.skip, dataset.targets
        )
        # As validation, because a test also measures boundaries and keeps pictures.
        trainer.validate(scoring, dataloaders=data.scoring_dataloader(name), verbose=False)
        assert scoring.confusion is not None
        confusion = data.datasets[name].per_image(scoring.confusion)
        counts[corruption.name, corruption.severity] = Counts.of(confusion)
    data.datasets.pop(name)
    return counts


def same_images(
    run: ScoredImages, corrupted: Mapping[tuple[str, int], Counts]
) -> tuple[ScoredImages, Corrupted]:
    """Select the images that could be read every time; files may break during an evaluation.

    Args:
        run: the uncorrupted images.
        corrupted: counts of the same images.
    """
    read = [(counts.truth == run.truth).all(axis=1) for counts in corrupted.values()]
    readable = np.flatnonzero(np.all(read, axis=0))
    if len(readable) < len(run):
        log.warning(
            "%d of %d images could not be read every time: the corruptions omit them.",
            len(run) - len(readable),
            len(run),
        )
    return run.select(readable), {key: counts.rows(readable) for key, counts in corrupted.items()}
