"""Find the data of a training, and build their loaders."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from segmentation.build.data import build_data, find_dataset
from segmentation.build.data_options import size_of
from segmentation.build.limits import FirstStep, check_first_step
from segmentation.build.module import build_optimizer, build_schedule
from segmentation.build.targets import find_targets
from segmentation.classes import ClassTable
from segmentation.config import plain, user_path
from segmentation.data.augment.options import Augmentation
from segmentation.data.augment.window import Size
from segmentation.data.check import quick_check
from segmentation.data.datamodule import SegmentationData
from segmentation.data.discovery.scanned_dataset import ScannedDataset, select_usable
from segmentation.errors import DataError, check_count
from segmentation.targets import TargetColumns
from segmentation.training.distributed import check_processes

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class TrainingData:
    """The data of a training.

    Attributes:
        source: the files, after a look at each.
        step: what the batches will be.
        size: (height, width) that images are resized to; None: their own.
        classes: of the segmentation; None where nothing is segmented.
        columns: the image-level targets; None for none.
        build_loaders: builds Lightning's datamodule.
    """

    source: ScannedDataset
    step: FirstStep
    size: Size | None
    classes: ClassTable | None
    columns: TargetColumns | None
    build_loaders: Callable[[], SegmentationData]

    @cached_property
    def loaders(self) -> SegmentationData:
        """Lightning's datamodule. The first access may take minutes: images are cached."""
        return self.build_loaders()


def find_training_data(
    cfg: DictConfig, directory: Path, options: Mapping[str, Any], parts: int
) -> TrainingData:
    """Find and check the data of a training; nothing is cached yet.

    Args:
        cfg: see conf/train.yaml.
        directory: of the run.
        options: of Lightning's trainer.
        parts: number of parts that a training batch is split into.

    Raises:
        ConfigError, DataError: the data can't be trained on as configured.
    """
    data, segments = cfg.data, cfg.task.segmentation
    _check_options(cfg)
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
    step = check_first_step(cfg, source, options, ranks, parts, columns)
    for warning in step.warnings:
        log.warning("%s", warning)
    build = partial(build_data, source=source, augment=cfg.augment, seed=cfg.seed, targets=targets)
    uncached = data.copy()
    uncached.cache = "off"
    build(uncached)  # so that its options are checked
    return TrainingData(
        source,
        step,
        size_of(data),
        source.labels.classes if segments else None,
        columns,
        partial(build, data, parts=parts),
    )


def _check_options(cfg: DictConfig) -> None:
    """Check options of a training that need no data, before any are looked at or drawn.

    Raises:
        ConfigError: an invalid value.
    """
    if cfg.augment:
        Augmentation.from_dict(plain(cfg.augment))
    build_optimizer(cfg)
    build_schedule(cfg.schedule)
    check_count("encoder.freeze_epochs", cfg.encoder.freeze_epochs, 0)
