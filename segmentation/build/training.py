"""Find and check the data of a training."""

from pathlib import Path

from omegaconf import DictConfig

from segmentation.build.data import build_data, find_dataset
from segmentation.build.targets import find_targets
from segmentation.data.check import quick_check
from segmentation.data.datamodule import SegmentationData
from segmentation.data.discovery.scanned_dataset import ScannedDataset, select_usable
from segmentation.errors import ConfigError, DataError
from segmentation.targets import TargetColumns


def find_training_data(
    cfg: DictConfig, directory: Path, parts: int
) -> tuple[SegmentationData, ScannedDataset, TargetColumns | None]:
    """Return the data, after a look at every file, and the image-level targets to be learnt."""
    if not cfg.data.name:
        raise ConfigError("data=as_trained is for evaluate.py. Train with data=folder or another.")
    source = select_usable(
        find_dataset(cfg.data, directory=directory, masks=cfg.task.segmentation),
        cfg.data.on_error,
        cfg.task.segmentation,
    )
    for split in ("train", "val"):
        if split not in source.samples:
            raise DataError(
                f"no {split} split in {cfg.data.root} (splits there: {', '.join(source.samples)}). "
                "Training needs train and val."
            )
    quick_check(source, cfg.task.segmentation)
    columns, targets = find_targets(cfg.task, Path(cfg.data.root).expanduser(), source)
    data = build_data(cfg.data, source, cfg.augment, cfg.seed, targets=targets, parts=parts)
    data.check_sizes(source.scans["train"].sizes)
    return data, source, columns
