"""Check the limits of a training's first step before its images are cached."""

import copy
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from omegaconf import DictConfig

from segmentation.build.data import crop_of
from segmentation.build.data_options import batch_size, size_of
from segmentation.build.model import build_model
from segmentation.data.augment.window import Size
from segmentation.data.datamodule import check_sizes
from segmentation.data.dataset import crops_of
from segmentation.data.discovery.scanned_dataset import ScannedDataset
from segmentation.targets import TargetColumns
from segmentation.training.limits import (
    TrainingBatch,
    check_batch,
    check_crop,
    check_epoch,
    check_norms,
    check_workers,
    padding,
)


@dataclass(frozen=True)
class FirstStep:
    """What a training's batches will be.

    Attributes:
        batch: its images and their size.
        crop: (height, width) of random crops; None for none.
        padding: share of the crops that is padding, 0..1.
        warnings: what is worth knowing before it starts.
    """

    batch: TrainingBatch
    crop: Size | None
    padding: float
    warnings: tuple[str, ...]


def check_first_step(
    cfg: DictConfig,
    source: ScannedDataset,
    trainer: Mapping[str, Any],
    ranks: int = 1,
    parts: int = 1,
    columns: TargetColumns | None = None,
) -> FirstStep:
    """Check that the first step of a training can be taken.

    Args:
        cfg: `data`, `encoder`, `decoder`, `model` and `task`.
        source: the usable part of the data set, with a train split.
        trainer: Lightning's options; empty where they are not known.
        ranks: processes that train.
        parts: of a rank's batch.
        columns: the image-level targets; None for none.

    Raises:
        ConfigError: it can't; the message says which option to change.
    """
    sizes = source.scans["train"].sizes
    size, crop = size_of(cfg.data), crop_of(cfg.data, source)
    check_sizes(sizes, size, crop)
    images = {split: len(scan) for split, scan in source.scans.items()}
    shape = crop or size or tuple(sizes[0].tolist())
    if crop is not None:  # an epoch has as many crops as cover an image that is read in windows
        images["train"] = sum(crops_of(sizes, crop, source.reader.max_pixels))
    batch = TrainingBatch(batch_size(cfg.data), shape, ranks, parts, images["train"])
    cropped = np.array([size]) if size else sizes
    warnings = [
        *check_batch(batch),
        *check_crop(crop, cropped),
        *check_workers(cfg.data.workers, images),
    ]
    val = math.ceil(images.get("val", 0) / ranks)
    check_epoch(trainer, batch.per_epoch * parts, math.ceil(val / max(batch.at_once, 1)))
    if batch.at_once == 1:
        _check_norms(cfg, source, trainer, batch, columns)
    return FirstStep(batch, crop, padding(crop, cropped), tuple(warnings))


def _check_norms(
    cfg: DictConfig,
    source: ScannedDataset,
    trainer: Mapping[str, Any],
    batch: TrainingBatch,
    columns: TargetColumns | None,
) -> None:
    """Build the model without its weights, and look at what its first step normalises."""
    cfg = copy.deepcopy(cfg)
    cfg.encoder.weights = "none"
    if "model" in cfg:
        cfg.model.weights = None
    with torch.device("meta"), torch.random.fork_rng(devices=[]):
        model = build_model(
            cfg, len(source.labels.classes), columns, channels=source.reader.channels
        )
    epochs, frozen = trainer.get("max_epochs"), cfg.encoder.freeze_epochs
    frozen = bool(epochs and frozen and frozen >= epochs)
    check_norms(model, batch, frozen, bool(trainer.get("sync_batchnorm")))
