"""Find the data of a training, and build their loaders."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from segmentation.build.data import build_data, find_dataset
from segmentation.build.limits import check_first_step
from segmentation.build.targets import find_targets
from segmentation.classes import ClassTable
from segmentation.config import user_path
from segmentation.data.check import quick_check
from segmentation.data.datamodule import SegmentationData
from segmentation.data.discovery.scanned_dataset import ScannedDataset, select_usable
from segmentation.errors import DataError
from segmentation.targets import TargetColumns
from segmentation.training.distributed import check_processes

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class TrainingData:
    """The data of a training.

    Attributes:
        source: the files, after a look at each.
        loaders: Lightning's datamodule.
        classes: of the segmentation; None where nothing is segmented.
        columns: the image-level targets; None for none.
    """

    source: ScannedDataset
    loaders: SegmentationData
    classes: ClassTable | None
    columns: TargetColumns | None


def find_training_data(
    cfg: DictConfig, directory: Path, options: Mapping[str, Any], parts: int
) -> TrainingData:
    """Find and check the data of a training.

    Args:
        cfg: see conf/train.yaml.
        directory: of the run.
        options: of Lightning's trainer.
        parts: number of parts that a training batch is split into.

    Raises:
        ConfigError, DataError: the data can't be trained on as configured.
    """
    data, segments = cfg.data, cfg.task.segmentation
    source = select_usable(
        find_dataset(data, directory=directory, masks=segments), data.on_error, segments
    )
    for split in ("train", "val"):
        if split not in source.samples:
            raise DataError(
                f"no {split} split in {data.root} (splits there: {', '.join(source.samples)}). "
                "Training needs train and val."
            )
    quick_check(source, segments)
    columns, targets = find_targets(cfg.task, user_path(data.root), source)
    ranks = check_processes(options)
    for warning in check_first_step(cfg, source, options, ranks, parts, columns).warnings:
        log.warning("%s", warning)
    loaders = build_data(data, source, cfg.augment, cfg.seed, targets=targets, parts=parts)
    return TrainingData(source, loaders, source.labels.classes if segments else None, columns)
